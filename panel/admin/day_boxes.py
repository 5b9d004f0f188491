"""Boxes for days: from one and to another, both included, as the calendar of Iran has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from flask_babel import gettext as _

from panel import days, persian
from panel.admin import show
from panel.auth.locale import current

LONGEST = 40


@dataclass(frozen=True)
class Span:
    """What was asked for: days, both included, and sentences about what cannot be read."""

    since: date | None = None
    until: date | None = None
    problems: list[str] = field(default_factory=list)


def span(given: Mapping[str, str], since: str = "since", until: str = "until") -> Span:
    """The days of an address or a form, by the names of its two boxes."""
    problems: list[str] = []
    found: list[date | None] = []
    for name in (since, until):
        text = given.get(name, "").strip()[:LONGEST]
        try:
            found.append(days.read(text) if text else None)
        except days.NoDay as error:
            found.append(None)
            problems.append(sentence(error))
    first, last = found
    if first is not None and last is not None and first > last:
        problems.append(_("The first day is behind the last one, so nothing can be between them."))
    return Span(first, last, problems)


def sentence(error: days.NoDay) -> str:
    """Why a text is no day, and what to write."""
    if error.month is None:
        return _("“%(text)s” is no date. Write it like 1405/09/01.", text=error.text)
    return show.digits(
        _(
            "%(month)s has %(n)s days, so there is no day %(day)s in it. Choose another day.",
            month=persian.jalali_month(*error.month, current()),
            n=error.days,
            day=error.day,
        )
    )
