"""The buttons of a run's page: what each does to the data, said before it does it, or why it cannot be pressed."""

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_login import current_user

from panel import decisions, persian, runs
from panel.admin import show, sources
from panel.auth.locale import current
from panel.clock import utcnow
from panel.engine.resume import RESUME_WITHIN
from panel.models import ACTIVE, SyncRun


@dataclass(frozen=True)
class Button:
    """question: what happens, as the dialog asks. cannot: why it cannot be pressed; None where it can."""

    word: str
    title: str
    question: str
    yes: str
    cannot: str | None = None


@dataclass(frozen=True)
class Actions:
    """What can be done with a run. elsewhere: the run that is active instead of it; note: why there is no button."""

    cancel: Button | None = None
    again: Button | None = None
    elsewhere: SyncRun | None = None
    note: str | None = None


def actions(run: SyncRun, one: sources.Source) -> Actions:
    """The buttons for this person. one: the run's source, as the status page shows it."""
    active = run.status in ACTIVE
    if not current_user.can("operator"):
        note = _("To cancel a run, or to start one, ask somebody who operates Hamgam.") if active else None
        return Actions(note=note)
    if active:
        return Actions(cancel=_cancel(run, one.label))
    if decisions.waits(run):
        return Actions()  # the notice has its three answers
    if one.active:
        return Actions(elsewhere=one.run)
    return Actions(again=_again(run, one))


def repeated(run: SyncRun) -> dict[str, Any]:
    """What to ask for to do the same again: an undo, or an approval, is followed by an ordinary run."""
    mode = run.mode if run.mode in (runs.ORDINARY, "full") else runs.ORDINARY
    partitions = run.partitions_wanted if mode == run.mode else None
    return {"mode": mode, "dry_run": False, "partitions": partitions or None}


def _cancel(run: SyncRun, label: str) -> Button:
    cannot = None
    if run.stop_requested_at is not None:
        since = persian.relative(run.stop_requested_at, utcnow(), current())
        by = run.stop_requested_by
        cannot = (
            _(
                "%(name)s asked for the end of this run (%(since)s); it is being stopped.",
                name=by,
                since=since,
            )
            if by
            else _("This run has taken too long; it is being stopped.")
        )
    return Button(
        _("Cancel"),
        _("Cancel the sync of %(source)s?", source=label),
        _lost_by_cancelling(run),
        _("Yes, cancel"),
        cannot,
    )


def _lost_by_cancelling(run: SyncRun) -> str:
    if run.dry_run:
        return _("This is a rehearsal: nothing was written, and nothing is lost.")
    if run.mode == runs.UNDO:
        return _("An undo happens in one step: if it is stopped now, all data stay as they are.")
    if run.status == "pending" and not run.read:
        return _("Nothing was fetched yet, so the data stay as they are.")
    lost = _(
        "%(n)s records were read so far. Finished parts stay published; everything else stays as it was.",
        n=show.number(run.read),
    )
    if run.partitions_wanted or (run.partitions_planned or 0) < 2:
        return lost
    return lost + "\n" + _("A sync that begins within a day asks only for what is missing.")


def _again(run: SyncRun, one: sources.Source) -> Button:
    said = [one.question]
    parts = run.partitions_wanted if run.mode in (runs.ORDINARY, "full") else None
    if run.mode == runs.UNDO:
        said.insert(0, _("What this run took back comes back, if the gateway still has it."))
    elif parts:
        said = [
            _(
                "The same %(n)s parts are fetched once more; all others stay as they are.",
                n=show.number(len(parts)),
            ),
            _("If far too many would leave, nothing is removed and the run needs approval."),
        ]
    elif _is_resumed(run):
        said.insert(0, _("Parts that are done already need not be fetched once more."))
    if run.mode == "full":
        said.append(_("Every row is compared anew, which takes longer."))
    return Button(
        _("Run for real") if run.dry_run else _("Run again"),
        _("Sync %(source)s now?", source=one.label),
        "\n".join(said),
        _("Sync"),
        one.cannot,
    )


def _is_resumed(run: SyncRun) -> bool:
    """Whether the next run takes over what this one has finished."""
    success = run.sync.last_success_at
    return bool(
        run.status in ("failed", "cancelled")
        and run.partitions_done
        and run.mode in (runs.ORDINARY, "full")
        and not run.dry_run
        and run.started_at
        and run.started_at > utcnow() - RESUME_WITHIN
        and (success is None or run.started_at > success)
    )
