"""Taking a run back: whether it can be, and the run of its own that does it (fetchers/core/decide/undo.py)."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from panel import runs
from panel.models import ACTIVE, SyncRun, User


def N_(text: str) -> str:
    """Mark a text for the catalogue; who shows it translates it."""
    return text


class CannotUndo(Exception):
    """A run that cannot be undone now. Its text is an English sentence (a msgid)."""


def undo(
    session: Session, run: SyncRun, *, triggered_by: str, now: datetime, user: User | str | None = None
) -> runs.Requested:
    """Ask for a run that takes back what this one published. Joined: it is being undone already.

    Raises CannotUndo.
    """
    reason = why_not(session, run)
    if reason is not None:
        raise CannotUndo(reason)
    asked = runs.request(
        session, run.sync, triggered_by=triggered_by, now=now, user=user, mode=runs.UNDO, about=run
    )
    if asked.joined and (asked.run.mode, asked.run.about_run_id) != (runs.UNDO, run.id):
        raise CannotUndo(N_("Another run of this source is active; wait until it has ended."))
    return asked


def why_not(session: Session, run: SyncRun) -> str | None:
    """Why a run cannot be undone, as an English sentence (a msgid); None if it can be tried."""
    if run.status in ACTIVE:
        return N_("This run has not ended yet.")
    if run.dry_run or not (run.added or run.changed or run.gone or run.status in ("failed", "cancelled")):
        return N_("This run changed nothing, so there is nothing to undo.")
    if is_undone(session, run):
        return N_("This run has been undone already.")
    return None


def is_undone(session: Session, run: SyncRun) -> bool:
    """Whether a later run has taken this one back, and was not taken back itself."""
    undoing = select(SyncRun).where(
        SyncRun.about_run_id == run.id, SyncRun.mode == runs.UNDO, SyncRun.status == "success"
    )
    return any(not is_undone(session, one) for one in session.scalars(undoing).all())
