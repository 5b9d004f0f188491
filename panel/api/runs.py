"""Runs: what happened, what is happening, and the wish to stop."""

from flask import current_app, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from panel import audit, doorbell, letter, runs
from panel.api.door import LARGEST_ID, Refused, api, caller, instance, iso, run_or_404, whole
from panel.auth.login import address
from panel.clock import utcnow
from panel.extensions import db
from panel.models import STATUSES, TERMINAL, DataSync, RunLog, RunPartition, SyncRun


@api.get("/runs")
def list_runs() -> ResponseReturnValue:
    """Newest first. `sync` and `status` filter, `page` and `limit` (at most 200) divide."""
    page, limit = whole("page", 1, 1_000_000), whole("limit", 50, 200)
    chosen = select(SyncRun.id)  # of old pages only these are walked through, in an index
    key, status = request.args.get("sync"), request.args.get("status")
    if key is not None:
        chosen = chosen.join(SyncRun.sync).where(DataSync.key == key)
    if status is not None:
        if status not in STATUSES:
            raise Refused(400, f"A status is one of {', '.join(STATUSES)}.")
        chosen = chosen.where(SyncRun.status == status)
    total = db.session.scalar(select(func.count()).select_from(chosen.subquery()))
    wanted = chosen.order_by(SyncRun.id.desc()).limit(limit).offset((page - 1) * limit)
    found = db.session.scalars(
        select(SyncRun)
        .options(joinedload(SyncRun.sync))
        .where(SyncRun.id.in_(wanted))
        .order_by(SyncRun.id.desc())
    ).all()
    return jsonify(runs=[run.to_dict() for run in found], page=page, limit=limit, total=total)


@api.get("/runs/<int:run_id>")
def show_run(run_id: int) -> ResponseReturnValue:
    """One run: the same object as `python -m panel sync --json` prints."""
    return jsonify(run_or_404(run_id).to_dict())


@api.get("/runs/<int:run_id>/log")
def show_log(run_id: int) -> ResponseReturnValue:
    """The log's lines, oldest first. `after` is the id of the last line that the caller has."""
    run = run_or_404(run_id)
    after = whole("after", 0, LARGEST_ID)
    lines = db.session.scalars(
        select(RunLog)
        .where(RunLog.run_id == run.id, RunLog.id > after)
        .order_by(RunLog.id)
        .limit(whole("limit", 500, 2000))
    ).all()
    return jsonify(
        lines=[
            {"id": line.id, "at": iso(line.at), "level": line.level, "message": line.message}
            for line in lines
        ]
    )


@api.get("/runs/<int:run_id>/attempts")
def show_attempts(run_id: int) -> ResponseReturnValue:
    """The run's attempts, the first one first: how each ended, and how many parts it finished."""
    run = run_or_404(run_id)
    return jsonify(
        attempts=[
            {
                "number": one.number,
                "started_at": iso(one.started_at),
                "ended_at": iso(one.ended_at),
                "error_code": one.error_code,
                "error_message": one.error_message,
                "parts_done": one.parts_done,
            }
            for one in run.attempts
        ]
    )


@api.get("/runs/<int:run_id>/partitions")
def show_partitions(run_id: int) -> ResponseReturnValue:
    """The run's parts in the order of its plan, each with its state, counts and error."""
    run = run_or_404(run_id)
    parts = db.session.scalars(
        select(RunPartition).where(RunPartition.run_id == run.id).order_by(RunPartition.position)
    ).all()
    return jsonify(
        partitions=[
            {
                "part": part.part,
                "state": part.state,
                "counts": part.counts,
                "error_code": part.error_code,
                "error_message": part.error_message,
                "seconds": part.seconds,
            }
            for part in parts
        ]
    )


@api.get("/runs/<int:run_id>/letter")
def show_letter(run_id: int) -> ResponseReturnValue:
    """A letter to gateway support about a run that failed, as `fa` and `en`; 404 where it is not their matter."""
    facts = letter.of_run(db.session(), run_or_404(run_id), current_app.extensions["hamgam_config"])
    if facts is None:
        raise Refused(404, f"There is nothing in run {run_id} that the gateway's support team could mend.")
    return jsonify(letter={language: letter.write(facts, language) for language in letter.LANGUAGES})


@api.post("/runs/<int:run_id>/cancel")
def cancel(run_id: int) -> ResponseReturnValue:
    """Ask a run to stop. A second wish changes nothing and is no error; a run that has ended answers 409."""
    run = run_or_404(run_id)
    if runs.cancel(db.session(), run, now=utcnow(), user=caller().username):
        audit.record(
            db.session(),
            caller().username,
            "run_cancelled",
            subject=run.sync.key,
            address=address(),
            run=run.id,
            token=caller().token_name,
        )
    elif run.status in TERMINAL:
        raise Refused(409, f"This run has ended: {run.status}.", details={"run": run.to_dict()})
    answer = {"run": run.to_dict()}
    db.session.commit()
    doorbell.ring(instance())
    return jsonify(answer)
