"""/healthz: for a watchdog. Says whether the process answers, the database too, and who starts the runs."""

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from panel import storage
from panel.extensions import db

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 while the process answers and the databases can be read and written, else 503. No token.

    `status`: `ok`, `database_down`, `disk_full`, `read_only`, `io`. `engine`: `up`, `down`, `unknown`.
    """
    try:
        db.session.execute(text("SELECT 1"))
        engine = "up" if _engine_leads() else "down"
    except SQLAlchemyError:
        return jsonify(status="database_down", engine="unknown"), 503
    trouble = storage.of_disks(current_app.extensions["hamgam_config"])
    if trouble is not None:
        return jsonify(status=trouble.reason, engine=engine), 503
    return jsonify(status="ok", engine=engine)


def _engine_leads() -> bool:
    from panel.engine.lease import holder

    return holder(db.session()) is not None
