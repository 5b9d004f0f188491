"""/healthz: for a watchdog. Says whether the process answers, the database too, and who starts the runs."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from panel.extensions import db

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 while the process and the control database answer, else 503; `engine` is `up` or `down`. No token."""
    try:
        db.session.execute(text("SELECT 1"))
        engine = "up" if _engine_leads() else "down"
    except SQLAlchemyError:
        return jsonify(status="database_down", engine="unknown"), 503
    return jsonify(status="ok", engine=engine)


def _engine_leads() -> bool:
    from panel.engine.lease import holder

    return holder(db.session()) is not None
