"""Choosing parts on a page: the lists to choose from, how many parts that is, and what is asked for in the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from panel import browse, parts
from panel.admin import show
from panel.auth.locale import current
from panel.config import Config
from panel.models import Campus, DataSync


@dataclass(frozen=True)
class Line:
    """One value that can be ticked. word: a campus's name, or that a term is closed."""

    value: str
    word: str
    ticked: bool


@dataclass(frozen=True)
class List:
    """One name of the parts (campus, term) with all its values."""

    name: str
    title: str
    lines: list[Line]


@dataclass(frozen=True)
class Choice:
    """The page's lists, and the parts that are ticked; `refused` says why there are none to choose from."""

    lists: list[List]
    wanted: list[dict[str, str]]
    all: int
    refused: str | None = None

    @property
    def sentence(self) -> str:
        """How many parts would be asked for."""
        if not self.wanted:
            return _(
                "Nothing is chosen yet: tick a campus or a term. "
                "If you tick in one list only, the whole of the other is taken."
            )
        return _(
            "%(n)s of %(all)s parts will be fetched.",
            n=show.number(len(self.wanted)),
            all=show.number(self.all),
        )


def choice(
    sync: DataSync, form: MultiDict[str, str], session: Session, config: Config, now: datetime
) -> Choice:
    """What a person has ticked so far. With nothing ticked at all nothing is wanted: everything has its own button."""
    try:
        planned = parts.planned(sync, session, config, now)
    except parts.CannotChoose as error:
        return Choice([], [], 0, _(error.text, **error.params))
    ticked = {name: set(form.getlist(name)) for name in parts.choices(planned)}
    words = _words(planned, session)
    lists = [
        List(
            name,
            browse.ASKED_LABELS[name](current()) if name in browse.ASKED_LABELS else name,
            [Line(value, words.get((name, value), ""), value in ticked[name]) for value in values],
        )
        for name, values in parts.choices(planned).items()
    ]
    wanted = parts.chosen(planned, ticked) if any(ticked.values()) else []
    return Choice(lists, wanted, len(planned))


def _words(planned: list[parts.Planned], session: Session) -> Mapping[tuple[str, str], str]:
    names = select(Campus.pardis_code, Campus.name).where(Campus.name.is_not(None))
    words = {("campus", str(code)): str(name) for code, name in session.execute(names)}
    terms = {part.partition["term"]: part.open for part in planned if "term" in part.partition}
    return words | {("term", term): _("open") if is_open else _("closed") for term, is_open in terms.items()}
