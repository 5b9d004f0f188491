"""Held runs: whom they would remove, and the two answers. The third, to fetch again, is an ordinary run."""

from flask import current_app, jsonify, request
from flask.typing import ResponseReturnValue

from fetchers.core.errors import FetchError
from panel import audit, decisions, doorbell, held
from panel.api.door import Refused, api, caller, instance, run_or_404, whole
from panel.auth.login import address
from panel.auth.roles import allows
from panel.clock import utcnow
from panel.config import Config
from panel.extensions import db
from panel.models import SyncRun

LONGEST_SEARCH = 100


@api.get("/runs/<int:run_id>/vanishing")
def show_vanishing(run_id: int) -> ResponseReturnValue:
    """Whom a held run, or a rehearsal's real run, would remove: the held parts, and a page of rows as stored now.

    `search` looks for words in names and numbers, `part` chooses a part, `page` and `limit` (at most 500) divide.
    Those who only moved to another part come last. Personal columns are null unless the token is an administrator's.
    """
    run = run_or_404(run_id)
    page, limit = whole("page", 1, 1_000_000), whole("limit", 100, 500)
    config: Config = current_app.extensions["hamgam_config"]
    try:
        parts = held.parts(run, config)
        found = held.vanishing(
            run,
            config,
            sees_personal=allows(caller().role, "admin"),
            search=request.args.get("search", "")[:LONGEST_SEARCH],
            part=request.args.get("part"),
            offset=(page - 1) * limit,
            limit=limit,
        )
    except FetchError as error:
        raise Refused(409, str(error), error.code) from None
    return jsonify(
        decision=run.decision,
        parts=[held.part_dict(part) for part in parts],
        vanishing=[held.to_dict(row) for row in found.rows],
        total=found.total,
        moved=found.moved,
        page=page,
        limit=limit,
    )


@api.post("/runs/<int:run_id>/approve")
def approve(run_id: int) -> ResponseReturnValue:
    """Accept a hold once: 202 with the run that publishes it, 200 if that run is there already (`joined`).

    409 where there is nothing to decide, or another run of the source is active.
    """
    run = run_or_404(run_id)
    try:
        asked = decisions.approve(db.session(), run, triggered_by="api", now=utcnow(), user=caller().username)
    except decisions.CannotDecide as error:
        raise _refused(error, run) from None
    if not asked.joined:
        _note("hold_accepted", run, by_run=asked.run.id)
    answer = {"run": asked.run.to_dict(), "joined": asked.joined}
    db.session.commit()
    doorbell.ring(instance())
    return jsonify(answer), 200 if asked.joined else 202


@api.post("/runs/<int:run_id>/reject")
def reject(run_id: int) -> ResponseReturnValue:
    """Keep the old data. 409 where there is nothing to decide."""
    run = run_or_404(run_id)
    try:
        decisions.reject(db.session(), run, now=utcnow(), user=caller().username)
    except decisions.CannotDecide as error:
        raise _refused(error, run) from None
    _note("hold_rejected", run)
    answer = {"run": run.to_dict()}
    db.session.commit()
    return jsonify(answer)


def _refused(error: decisions.CannotDecide, run: SyncRun) -> Refused:
    return Refused(409, str(error), details={"run": run.to_dict()})


def _note(action: str, run: SyncRun, **details: object) -> None:
    audit.record(
        db.session(),
        caller().username,
        action,
        subject=run.sync.key,
        address=address(),
        run=run.id,
        token=caller().token_name,
        **details,
    )
