"""The log of a run on its page: its end, what is new since, what holds some words, and all of it as a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fetchers.core.clean.text import fold
from panel.admin import show
from panel.config import Config
from panel.models import ACTIVE, RunLog, SyncRun
from panel.persian import tehran

LINES = 500  # on a page, and in an answer; a log has 2,000 (panel/engine/journal.py)
LONGEST_SEARCH = 100


@dataclass(frozen=True)
class Excerpt:
    """Lines of a log, oldest first. last: the id of the newest line that was looked at; more: there are further ones,
    behind these where it was asked for what is new, else before them."""

    lines: list[RunLog]
    last: int
    more: bool


def excerpt(run_id: int, session: Session, search: str, after: int = 0) -> Excerpt:
    """What is new after a line; without one, the newest LINES. search: only lines that hold these words."""
    lines = select(RunLog).where(RunLog.run_id == run_id, RunLog.id > after)
    if after:
        found = list(session.scalars(lines.order_by(RunLog.id).limit(LINES)))
        more = len(found) == LINES
    elif search:  # in all of the log, which its writer keeps short
        found = list(session.scalars(lines.order_by(RunLog.id)))
        more = False
    else:
        newest = session.scalars(lines.order_by(RunLog.id.desc()).limit(LINES + 1)).all()
        found = list(reversed(newest[:LINES]))
        more = len(newest) > LINES
    last = found[-1].id if found else after
    words = fold(search).split()
    fitting = [line for line in found if all(word in fold(line.message) for word in words)]
    if not after and len(fitting) > LINES:
        fitting, more = fitting[-LINES:], True
    return Excerpt(fitting, last, more)


def to_dict(line: RunLog) -> dict[str, Any]:
    """A line as the page's script takes it."""
    return {"id": line.id, "at": clock(line), "level": line.level, "message": line.message}


def clock(line: RunLog) -> str:
    """The time of a line: Latin digits, Tehran."""
    return f"{tehran(line.at):%H:%M:%S}"


def file(run_id: int, session: Session) -> Iterator[str]:
    """The whole log as it is stored, in UTC: for programs, and for whoever is asked for help."""
    every = select(RunLog).where(RunLog.run_id == run_id).order_by(RunLog.id)
    for line in session.scalars(every.execution_options(yield_per=LINES)):
        at = line.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        # What a gateway said may hold line breaks; a line of the file is a line of the log.
        yield f"{at} {line.level:<7} {' '.join(line.message.splitlines())}\n"


def nothing(run: SyncRun, config: Config, search: str, now: datetime) -> str:
    """What stands in the place of a log without a line."""
    if search:
        return _("No line of this log holds these words.")
    if run.status in ACTIVE:
        return _("Nothing to report yet. Only what is out of the ordinary is written here.")
    days = config.keep.details
    if days and run.requested_at < now - timedelta(days=days):
        return _(
            "The log and the parts of a run are kept for %(days)s days; its counts and its changes stay.",
            days=show.digits(days),
        )
    return _("Nothing was written to the log of this run.")
