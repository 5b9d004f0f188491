"""The gateways behind the sources, each with its lamp."""

from flask import current_app, jsonify
from flask.typing import ResponseReturnValue

from panel import gateways
from panel.api.door import api
from panel.extensions import db


@api.get("/gateways")
def list_gateways() -> ResponseReturnValue:
    """Every gateway that a source is set to, and how it does.

    `light`: green, amber, red, or none where nobody has asked it yet. `state`: well, slow, failing, paused (it has
    asked for it), down, unknown. `asked_again_at`: the end of a pause, or the next small question to one that is down.
    `pace`: share of the usual.
    """
    found = gateways.gateways(db.session(), current_app.extensions["hamgam_config"])
    return jsonify(gateways=[one.to_dict() for one in found])
