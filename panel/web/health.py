"""/healthz: for a watchdog. Says whether the process answers, the database too, who starts the runs, and what is due.

What is overdue or stale is counted here, in the web process: an engine that is dead does not report itself.
"""

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from panel import lateness, storage
from panel.clock import utcnow
from panel.extensions import db

health = Blueprint("health", __name__)


@health.get("/healthz")
def healthz() -> ResponseReturnValue:
    """200 while the process answers and the databases can be read and written, else 503. No token.

    `status`: `ok`, `database_down`, `disk_full`, `read_only`, `io`. `engine`: `up`, `down`, `unknown`.
    `overdue`, `stale`: how many sources are; that is nothing which a restart would mend, so it stays 200.
    """
    try:
        db.session.execute(text("SELECT 1"))
        engine = "up" if _engine_leads() else "down"
        missing = [how for _sync, how in lateness.needing_a_person(db.session(), utcnow())]
    except SQLAlchemyError:
        return jsonify(status="database_down", engine="unknown"), 503
    trouble = storage.of_disks(current_app.extensions["hamgam_config"])
    if trouble is not None:
        return jsonify(status=trouble.reason, engine=engine), 503
    overdue = sum(how.turn == lateness.OVERDUE for how in missing)
    return jsonify(status="ok", engine=engine, overdue=overdue, stale=sum(bool(how.stale) for how in missing))


def _engine_leads() -> bool:
    from panel.engine.lease import holder

    return holder(db.session()) is not None
