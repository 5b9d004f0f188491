"""When syncs begin by themselves: the next times, a pause, and going on."""

from datetime import datetime
from typing import Annotated

from flask import jsonify
from flask.typing import ResponseReturnValue
from pydantic import BeforeValidator

from panel import audit, runs, upcoming
from panel.api.door import Body, Refused, api, body, caller
from panel.api.syncs import sync_or_404
from panel.auth.login import address
from panel.clock import utcnow
from panel.engine import pause
from panel.engine.days import ScheduleError
from panel.extensions import db

TIMES = 5


def _moment(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("a moment in ISO 8601 with its zone, such as 2026-12-22T08:00:00+03:30")
    return moment


class Pause(Body):
    """until: when the schedule goes on by itself."""

    until: Annotated[datetime, BeforeValidator(_moment)]


@api.get("/syncs/<key>/schedule")
def show_schedule(key: str) -> ResponseReturnValue:
    """The schedule, its next five times, and the newest turns in which no run was started, with the reason."""
    return jsonify(upcoming.told(db.session(), sync_or_404(key), utcnow(), times=TIMES))


@api.post("/syncs/<key>/pause")
def pause_schedule(key: str) -> ResponseReturnValue:
    """Let the automatic sync rest `until` a moment (ISO 8601 with zone); it goes on by itself. Turns are recorded."""
    wish, now = body(Pause), utcnow()
    sync = sync_or_404(key)
    try:
        until = pause.check_until(wish.until, now)
    except ScheduleError as error:
        raise Refused(400, str(error), "invalid") from error
    pause.pause(db.session(), sync, until, now, caller().username, address())
    answer = sync.to_dict()
    db.session.commit()
    return jsonify(answer)


@api.post("/syncs/<key>/resume")
def resume(key: str) -> ResponseReturnValue:
    """Go on with the schedule that an undo or a person has paused. Where it is not paused, nothing changes."""
    sync = sync_or_404(key)
    if runs.resume(db.session(), sync, now=utcnow()):
        audit.record(
            db.session(),
            caller().username,
            "sync_resumed",
            subject=key,
            address=address(),
            token=caller().token_name,
        )
    answer = sync.to_dict()
    db.session.commit()
    return jsonify(answer)
