"""The page of one row, which is mostly a person: what is known now, term by term, what changed, what is odd."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_login import current_user
from markupsafe import Markup
from sqlalchemy import select

from fetchers.core.clean import Discovered
from panel import browse, diary, quality
from panel.admin import change_rows, quality_rows, show
from panel.admin.quality import campus_names
from panel.admin.values import may_see, name, row_url, shown
from panel.auth.locale import current
from panel.clock import utcnow
from panel.extensions import db
from panel.models import DataSync

DIARY_LINES = 100
NOTES = 50

Row = Mapping[str, Any]
Value = Markup | str


@dataclass(frozen=True)
class Term:
    """One of a person's rows, and what is other in it than in the one before: label, then, now.

    first: there is none before it. here: it is the one that the page is about.
    """

    url: str
    title: tuple[str, Value]
    cells: list[tuple[str, Value]]
    changes: list[tuple[str, Value, Value]]
    first: bool
    here: bool


@dataclass(frozen=True)
class Person:
    """Whom the button on their page would sync, and by which sync."""

    key: str
    number: str


def page(table: browse.DataTable, row: Row, url: str) -> dict[str, Any]:
    """What the page of a row shows."""
    latest = table.stream.latest
    every = browse.every_part(table) if latest is not None else None
    own = _own_key(table, row)
    campuses = campus_names()
    terms: list[Term] = []
    if latest is not None and every is not None and row.get(latest.key):
        terms = _terms(every, browse.parts_of_person(url, table, str(row[latest.key])), row, campuses)
    return {
        "table": table,
        "gone": False,
        "name": name(table, row),
        "title": " · ".join(str(row[column]) for column in table.key),
        "facts": _facts(table, row, campuses),
        "fields": [
            (column, table.label_of(column, current()), shown(table, column, row[column]))
            for column in table.columns
            if row[column] not in (None, "")
        ],
        "empty": show.listed(
            table.label_of(column, current()) for column in table.columns if row[column] in (None, "")
        ),
        "terms": terms,
        "every": every,
        "person": _person(table, row),
        "rows": _diary(table, own, url),
        "odd": _odd(table, own, url, campuses),
        "campuses": campuses,
        "kind_badge": change_rows.kind_badge,
        "now": utcnow(),
        "locale_code": current(),
    }


def page_of_gone(table: browse.DataTable, key: str, url: str) -> dict[str, Any] | None:
    """What the page of somebody shows who is not there any more; None where nobody ever heard of them."""
    if len(_own_columns(table)) != 1:
        return None
    rows = _diary(table, key, url)
    if not rows:
        return None
    return {
        "table": table,
        "gone": True,
        "name": next((row.who for row in rows if row.who), ""),
        "title": key,
        "facts": [],
        "fields": [],
        "empty": "",
        "terms": [],
        "every": None,
        "person": None,
        "rows": rows,
        "odd": [],
        "campuses": campus_names(),
        "kind_badge": change_rows.kind_badge,
        "now": utcnow(),
        "locale_code": current(),
    }


def _facts(
    table: browse.DataTable, row: Row, campuses: Mapping[str, str], but: str = ""
) -> list[tuple[str, Value]]:
    """What people want to know first: the facets, in words."""
    found = []
    for facet in table.stream.facets:
        if facet.column == but:
            continue
        column = facet.words if facet.words and row.get(facet.words) else facet.column
        label = table.facet_label(facet, current())
        found.append((label, _campus(table, column, row, campuses) or shown(table, column, row.get(column))))
    return found


def _campus(table: browse.DataTable, column: str, row: Row, campuses: Mapping[str, str]) -> Value | None:
    """A campus that was asked for, with the name that the panel knows."""
    if table.stream.partition_columns.get(column) != "campus":
        return None
    code = str(row.get(column))
    word = campuses.get(code, code)
    ltr = Markup('<span class="ltr">{}</span>').format(code)
    return ltr if word == code else Markup("<bdi>{}</bdi> {}").format(word, ltr)


def _terms(
    every: browse.DataTable, rows: Sequence[Row], here: Row, campuses: Mapping[str, str]
) -> list[Term]:
    """A person's rows, the newest first, each beside the one before it."""
    latest = every.stream.latest
    newest = latest.newest if latest is not None else ""
    found = []
    for place, row in enumerate(rows):
        before = rows[place + 1] if place + 1 < len(rows) else None
        found.append(
            Term(
                url=row_url(every, row),
                title=(every.label_of(newest, current()), shown(every, newest, row.get(newest))),
                cells=_facts(every, row, campuses, but=newest),
                changes=_changes(every, before, row) if before is not None else [],
                first=before is None,
                here=all(row[column] == here.get(column) for column in every.key),
            )
        )
    return found


def _changes(every: browse.DataTable, before: Row, row: Row) -> list[tuple[str, Value, Value]]:
    """What is other than before, but for the part itself and for columns that no fetcher declares, which have no name
    for people. Of a code and its word, the word."""
    words = {facet.column: facet.words for facet in every.stream.facets if facet.words}
    unnamed = [column for column in every.columns if isinstance(every.field(column), Discovered)]
    left_out = (*every.key, *every.stream.echoes, *unnamed)
    other = [column for column in every.columns if row[column] != before[column] and column not in left_out]
    told = [column for column in other if words.get(column) not in other and may_see(every, column)]
    return [
        (
            every.label_of(column, current()),
            shown(every, column, before[column]),
            shown(every, column, row[column]),
        )
        for column in told
    ]


def _own_columns(table: browse.DataTable) -> list[str]:
    stream = table.stream
    return [column for column in stream.primary_key if column not in stream.partition_columns]


def _own_key(table: browse.DataTable, row: Row) -> str | None:
    """By what the diary and the notes know this person or row, over all of their parts."""
    own = _own_columns(table)
    return str(row[own[0]]) if len(own) == 1 else None


def _diary(table: browse.DataTable, key: str | None, url: str) -> list[change_rows.Shown]:
    """The newest lines about them."""
    if key is None:
        return []
    wanted = diary.Wanted(streams=(table.stream.name,), key=key)
    return change_rows.rows(url, list(diary.lines(url, wanted, DIARY_LINES)))


def _odd(
    table: browse.DataTable, key: str | None, url: str, campuses: Mapping[str, str]
) -> list[quality_rows.Shown]:
    """What is odd about them."""
    if key is None:
        return []
    sees_personal = bool(current_user.can("admin"))
    wanted = quality.Wanted(streams=(table.stream.name,), key=key)
    found = list(quality.notes(url, wanted, NOTES, sees_personal=sees_personal))
    return quality_rows.rows(url, found, campuses, sees_personal=sees_personal)


def _person(table: browse.DataTable, row: Row) -> Person | None:
    """The person of a row, where the source knows persons by a number and this reader may sync."""
    latest = table.stream.latest
    if latest is None or not row.get(latest.key) or not current_user.can("operator"):
        return None
    source = next(
        key
        for key, streams in diary.streams_by_source().items()
        if table.stream.name in {s.name for s in streams}
    )
    key = db.session.scalar(select(DataSync.key).where(DataSync.fetcher == source).order_by(DataSync.key))
    return None if key is None else Person(key, str(row[latest.key]))
