"""Undo on the pages: what a run changed, what taking it back would do, the button, and going on afterwards."""

from dataclasses import dataclass
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_login import current_user

from fetchers.core.decide.undo import preview
from fetchers.core.errors import FetchError
from panel import audit, diary, doorbell, rehearsals, runs, undoing
from panel.admin import base, change_rows, show, sources
from panel.admin.quality import campus_names
from panel.auth.locale import current
from panel.clock import utcnow
from panel.extensions import db
from panel.models import ACTIVE, DataSync, SyncRun
from panel.undoing import N_

LINES_SHOWN = 50
# What an undo would do with a line, where the diary says what a run did.
WOULD_BE = {
    "gone": lazy("would be removed"),
    "added": lazy("would come back"),
    "changed": lazy("would be as before"),
}
NOT_TOLD = N_("The change diary has nothing of this run, so there is nothing to undo.")


@dataclass(frozen=True)
class OfRun:
    """What a run's page says of diary and undo. cannot: why it cannot be undone; about: the run that it takes back."""

    kinds: list[tuple[str, str, int]]
    cannot: str | None
    undone: bool
    about: SyncRun | None

    @property
    def can_undo(self) -> bool:
        return self.cannot is None


def of_run(run: SyncRun) -> OfRun:
    session = db.session()
    where = rehearsals.diary_url(base.config(), run)
    found = {} if run.status in ACTIVE else diary.counts(where, run.uuid)
    about = session.get(SyncRun, run.about_run_id) if run.about_run_id else None
    why_not = undoing.why_not(session, run)
    if why_not is None and not found:
        why_not = NOT_TOLD
    return OfRun(
        [(kind, str(word), found[kind]) for kind, word in change_rows.KIND_WORDS.items() if kind in found],
        None if why_not is None else _(why_not),
        undoing.is_undone(session, run),
        about,
    )


def page(run: SyncRun) -> dict[str, Any]:
    """The page before the button: counts, and the first rows."""
    why_not = undoing.why_not(db.session(), run)
    refused = _(why_not) if why_not else None
    seen = None
    if refused is None:
        try:
            seen = preview(base.config().data_database_url, run.sync.fetcher, run.uuid, limit=LINES_SHOWN)
        except FetchError as error:
            refused = show.explained(error.code, error.params).what
    lines = [] if seen is None else [_line(number, line, run) for number, line in enumerate(seen.lines)]
    everything = 0 if seen is None else seen.counts.gone + seen.counts.added + seen.counts.changed + seen.left
    return {
        "run": run,
        "label": sources.listing(run.sync).label(current()),
        "refused": refused,
        "seen": seen,
        "everything": everything,
        "rows": change_rows.rows(base.config().data_database_url, lines),
        "campuses": campus_names(),
        "kind_badge": lambda kind: change_rows.kind_badge(kind, WOULD_BE),
        "scheduled": run.sync.schedule_kind != "off",
        "now": utcnow(),
    }


def undo(run: SyncRun) -> ResponseReturnValue:
    """Ask for the undo."""
    session = db.session()
    back = url_for("runs.one", run_id=run.id)
    try:
        asked = undoing.undo(session, run, triggered_by="panel", now=utcnow(), user=current_user.username)
    except undoing.CannotUndo as error:
        return base.done(False, _(str(error)), back)
    if not asked.joined:
        audit.record(
            session,
            current_user.username,
            "run_undone",
            run.sync.key,
            request.remote_addr,
            run=asked.run.id,
            undoes=run.id,
        )
    undoing_run = asked.run.id
    session.commit()
    doorbell.ring(base.config().instance)
    return base.done(True, _("The run is being undone."), back, url_for("runs.one", run_id=undoing_run))


def resume(sync: DataSync) -> ResponseReturnValue:
    """Go on with the schedule that an undo has paused."""
    session = db.session()
    news = runs.resume(session, sync, now=utcnow())
    if news:
        audit.record(session, current_user.username, "sync_resumed", sync.key, request.remote_addr)
    session.commit()
    text = _("The automatic sync goes on.") if news else _("The automatic sync was not paused.")
    return base.done(True, text, url_for("admin.index"))


def _line(number: int, line: Any, run: SyncRun) -> diary.Change:
    """A line of the preview in the diary's shape; `before` is what names the row."""
    before = line.after if line.kind in ("left", "added") else line.before
    after = {"why": line.why} if line.kind == "left" else line.after
    return diary.Change(
        number, run.uuid, line.stream, line.part, line.key, line.kind, before, after, utcnow()
    )
