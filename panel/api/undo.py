"""What a run changed, taking it back, and going on afterwards."""

from typing import Any

from flask import current_app, jsonify, request
from flask.typing import ResponseReturnValue

from fetchers.core.decide.undo import preview
from fetchers.core.errors import FetchError
from panel import audit, diary, doorbell, rehearsals, undoing
from panel.api.door import Refused, api, caller, instance, iso, run_or_404, whole
from panel.auth.login import address
from panel.auth.roles import allows
from panel.clock import utcnow
from panel.config import Config
from panel.extensions import db
from panel.models import SyncRun


@api.get("/runs/<int:run_id>/changes")
def show_changes(run_id: int) -> ResponseReturnValue:
    """The run's lines of the change diary, newest first. `kind`, `field`, `search` filter, `page`, `limit` divide.

    kind: added, changed, gone, moved (to the part `moved_to`, within a term), loaded (a part's first load, one line)
    or left (by an undo). `whole_since`: what the
    source did before is not in the diary any more; null: nothing was removed. Personal fields are null unless the
    token is an administrator's. Of a rehearsal: what the real run would write, while its file is kept.
    """
    run = run_or_404(run_id)
    kind = request.args.get("kind")
    if kind is not None and kind not in diary.KINDS:
        raise Refused(400, f"A kind is one of {', '.join(diary.KINDS)}.")
    wanted = diary.Wanted(
        run=run.uuid,
        kind=kind,
        field=request.args.get("field", "")[:63] or None,
        words=request.args.get("search", "")[:100],
    )
    limit = whole("limit", 50, 200)
    where = rehearsals.diary_url(_config(), run)
    found = diary.page(where, wanted, number=whole("page", 1, 1_000_000), size=limit)
    may_see = allows(caller().role, "admin")
    return jsonify(
        changes=[_change(diary.masked(line, may_see, None)) for line in found.changes],
        page=found.page,
        limit=limit,
        total=found.total,
        more=found.more,
        whole_since=iso(diary.whole_since(where, _streams(run))),
    )


def _streams(run: SyncRun) -> tuple[str, ...]:
    return tuple(stream.name for stream in diary.streams_by_source().get(run.sync.fetcher, []))


@api.get("/runs/<int:run_id>/undo")
def preview_undo(run_id: int) -> ResponseReturnValue:
    """What undoing the run would do now: its counts, and how many rows it would leave. Changes nothing."""
    run = run_or_404(run_id)
    why_not = undoing.why_not(db.session(), run)
    if why_not is not None:
        raise Refused(409, why_not)
    try:
        seen = preview(_database(), run.sync.fetcher, run.uuid, limit=0)
    except FetchError as error:
        raise Refused(409, str(error), error.code) from None
    return jsonify(counts=seen.counts.to_dict(), left=seen.left, parts=seen.parts)


@api.post("/runs/<int:run_id>/undo")
def undo(run_id: int) -> ResponseReturnValue:
    """Take back what the run did: 202 with the undoing run, 200 with one that does so already (`joined`).

    A run that cannot be undone answers 409. Afterwards the sync's schedule is paused until it is resumed.
    """
    run = run_or_404(run_id)
    session = db.session()
    try:
        asked = undoing.undo(session, run, triggered_by="api", now=utcnow(), user=caller().username)
    except undoing.CannotUndo as error:
        raise Refused(409, str(error), details={"run": run.to_dict()}) from None
    if not asked.joined:
        audit.record(
            session,
            caller().username,
            "run_undone",
            subject=run.sync.key,
            address=address(),
            run=asked.run.id,
            undoes=run_id,
            token=caller().token_name,
        )
    answer = {"run": asked.run.to_dict(), "joined": asked.joined}
    session.commit()
    doorbell.ring(instance())
    return jsonify(answer), 200 if asked.joined else 202


def _config() -> Config:
    config: Config = current_app.extensions["hamgam_config"]
    return config


def _database() -> str:
    return _config().data_database_url


def _change(line: diary.Change) -> dict[str, Any]:
    return {
        "id": line.id,
        "stream": line.stream,
        "part": line.part,
        "key": line.key,
        "kind": line.kind,
        "before": line.before,
        "after": line.after,
        "moved_to": line.moved_to,
        "at": iso(line.at),
    }
