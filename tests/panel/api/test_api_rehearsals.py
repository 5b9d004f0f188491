"""The API of a rehearsal: what would change, and whom the real run would remove."""

import pytest

from panel import destination
from panel.clock import utcnow
from tests.panel.admin import example_house
from tests.panel.rehearsed_run import rehearse
from tests.web import add_sync, bearer


@pytest.fixture
def rehearsal(rows, web_config):
    add_sync(rows)
    example_house.fill_destination(web_config.data_database_url)
    yield rehearse(rows, web_config, utcnow())
    destination.let_go()


def test_its_changes_are_those_of_the_real_run_and_masked(client, rows, rehearsal):
    def ask(who, query=""):
        answer = client.get(f"/api/v1/runs/{rehearsal}/changes{query}", headers=bearer(rows, who, "read"))
        return answer.json

    found = ask("reza")
    assert [(line["kind"], line["key"]) for line in found["changes"]] == [
        ("changed", "40011003"),
        ("added", "40011009"),
    ]
    assert found["changes"][0]["after"] == {"city": "شیراز", "fathername": None}
    assert ask("maryam")["changes"][0]["after"] == {"city": "شیراز", "fathername": "حسن"}
    assert ask("reza", "?search=بهرامي")["total"] == 1


def test_whom_the_real_run_would_remove_is_listed(client, rows, rehearsal):
    found = client.get(f"/api/v1/runs/{rehearsal}/vanishing", headers=bearer(rows, "reza")).json
    assert (found["total"], found["moved"], found["decision"]) == (2, 1, None)


def test_nothing_of_it_waits_and_nothing_can_be_undone(client, rows, rehearsal):
    for verb in ("approve", "reject", "undo"):
        answer = client.post(f"/api/v1/runs/{rehearsal}/{verb}", headers=bearer(rows, "reza"))
        assert answer.status_code == 409
