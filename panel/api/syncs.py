"""Syncs, and the trigger."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from panel import audit, doorbell, lateness, runs
from panel.api.door import Body, Refused, api, body, caller, instance
from panel.auth.login import address
from panel.clock import utcnow
from panel.extensions import db
from panel.models import DataSync

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w{0,39}$")]
Value = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f,=]{1,60}$")]
Partition = Annotated[dict[Name, Value], Field(min_length=1, max_length=8)]


class Trigger(Body):
    """partitions: null for all, else which; a partition may name only some of its keys."""

    mode: Literal["incremental", "full"] = "incremental"
    partitions: Annotated[list[Partition], Field(min_length=1, max_length=1000)] | None = None
    dry_run: bool = False


def sync_or_404(key: str) -> DataSync:
    sync = db.session.scalar(select(DataSync).where(DataSync.key == key))
    if sync is None:
        raise Refused(404, "There is no sync of this name.")
    return sync


@api.get("/syncs")
def list_syncs() -> ResponseReturnValue:
    """Every sync with its newest run, and whether it is late: `late`, `late_since`, `stale`."""
    syncs = db.session.scalars(
        select(DataSync).options(joinedload(DataSync.last_run)).order_by(DataSync.key)
    ).all()
    now = utcnow()
    return jsonify(syncs=[_told(sync, now) for sync in syncs])


@api.get("/syncs/<key>")
def show_sync(key: str) -> ResponseReturnValue:
    """One sync with its newest run."""
    return jsonify(_told(sync_or_404(key), utcnow()))


def _told(sync: DataSync, now: datetime) -> dict[str, Any]:
    return {**sync.to_dict(), **lateness.timeliness(sync, now).to_dict()}


@api.post("/syncs/<key>/runs")
def trigger(key: str) -> ResponseReturnValue:
    """Ask for a run: 202 with a new one, 200 with the one that is there already (`joined`).

    `Idempotency-Key` in the header: sent again with the same key, the request is answered with the same run.

    `dry_run`: a rehearsal. It writes nothing; its `changes` and `vanishing` say what the real run would do, and
    `partitions.held` how many parts would be held.
    """
    wish = body(Trigger)
    sync = sync_or_404(key)
    wanted = runs.request(
        db.session(),
        sync,
        triggered_by="api",
        now=utcnow(),
        user=caller().username,
        mode=wish.mode,
        dry_run=wish.dry_run,
        partitions=wish.partitions,
        once=_key_of_request(),
    )
    answer = {"run": wanted.run.to_dict(), "joined": wanted.joined}
    if not wanted.joined:
        audit.record(
            db.session(),
            caller().username,
            "rehearsal_requested" if wish.dry_run else "run_requested",
            subject=key,
            address=address(),
            run=wanted.run.id,
            mode=wish.mode,
            token=caller().token_name,
        )
    db.session.commit()
    doorbell.ring(instance())
    return jsonify(answer), 200 if wanted.joined else 202


def _key_of_request() -> str | None:
    """What the caller calls its request, together with who that is: nobody gets another one's run by chance."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not re.fullmatch(r"[\x21-\x7e]{1,200}", key):
        raise Refused(400, "An Idempotency-Key is 1 to 200 visible ASCII characters.")
    return f"{caller().username}\n{key}"
