"""The gateways' lamps by REST."""

from panel.db import writing
from panel.models import DataSync
from tests.panel import gateway_states as states
from tests.web import add_sync, bearer


def test_gateways_are_listed_with_their_lamp(client, rows, web_config):
    sync_id = add_sync(rows)
    with writing(rows) as session:
        session.get(DataSync, sync_id).settings = {"base_url": states.ADDRESS}
    token = bearer(rows, "sara")
    (one,) = client.get("/api/v1/gateways", headers=token).json["gateways"]
    assert (one["gateway"], one["light"], one["sources"]) == (states.ADDRESS, "none", ["students"])
    states.down(web_config)
    (one,) = client.get("/api/v1/gateways", headers=token).json["gateways"]
    assert (one["light"], one["state"], one["error_code"], one["failures"]) == ("red", "down", "E_SERVER", 12)
    assert one["asked_again_at"].endswith("Z") and one["since"] < one["asked_again_at"]
    assert client.get("/api/v1/gateways").status_code == 401
