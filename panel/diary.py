"""Reading the change diary: who appeared, left or changed, by run, source, kind, field, day and person.

A search looks into `folded`, which the publisher writes from the searched columns, so it finds people however their
names are typed, and those who are gone.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Row,
    Select,
    String,
    Table,
    and_,
    case,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.sql.elements import ColumnElement

from fetchers.core import registry
from fetchers.core.clean import fold
from fetchers.core.fetcher import Stream
from panel import days, moves
from panel.destination import columns_there, is_there, reader

KINDS = ("added", "changed", "gone", "moved", "loaded", "left")
COUNTED_UP_TO = 10_000
LINES_AT_ONCE = 500  # of a file: each time it is asked who of them moved
MOST_WORDS = 8
MASK = "••••"

CHANGES = Table(
    "_hamgam_changes",
    MetaData(),
    Column("id", Integer, primary_key=True),
    *(
        Column(name, String)
        for name in ("run", "stream", "part", "key", "kind", "before", "after", "folded", "at")
    ),
)


KEPT = Table("_hamgam_kept", MetaData(), Column("stream", String), Column("since", String))


@dataclass(frozen=True)
class Wanted:
    """Which lines. run: a UUID. since, until: days in Tehran, both included. words: as a person typed them."""

    run: str | None = None
    streams: tuple[str, ...] | None = None
    kind: str | None = None
    field: str | None = None
    since: date | None = None
    until: date | None = None
    words: str = ""
    key: str | None = None


@dataclass(frozen=True)
class Change:
    """One line. before, after: fields by name; None where there is nothing on that side.

    moved_to: of one who moved (two lines in the diary, one here), the part that they came to.
    """

    id: int
    run: str
    stream: str
    part: str
    key: str | None
    kind: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    at: datetime
    moved_to: str | None = None

    @property
    def fields(self) -> list[tuple[str, Any, Any]]:
        """Of a changed row: field, from, to."""
        if self.kind != "changed":
            return []
        before, after = self.before or {}, self.after or {}
        return [(name, before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])]


@dataclass(frozen=True)
class Page:
    """Some lines, newest first. `more`: there are more than were counted."""

    changes: list[Change]
    total: int
    more: bool
    page: int
    pages: int


def streams() -> dict[str, Stream]:
    """Every stream of every fetcher that can be used."""
    return {stream.name: stream for found in streams_by_source().values() for stream in found}


def streams_by_source() -> dict[str, list[Stream]]:
    """Fetcher → its streams."""
    return {
        key: listing.fetcher.streams() if listing.fetcher else []
        for key, listing in registry.catalogue().items()
    }


def page(url: str, wanted: Wanted, *, number: int = 1, size: int = 50) -> Page:
    """One page of lines, newest first; counted up to a limit, since nobody turns a thousand pages."""
    if not is_there(url, CHANGES.name):
        return Page([], 0, False, 1, 1)
    with reader(url).connect() as connection:
        where = _where(wanted, _has_folded(connection), _paired(connection))
        some = select(CHANGES.c.id).where(*where).limit(COUNTED_UP_TO + 1).subquery()
        total = connection.scalar(select(func.count()).select_from(some)) or 0
        pages = max(1, -(-min(total, COUNTED_UP_TO) // size))
        number = max(1, min(number, pages))
        found = connection.execute(_lines(where).offset((number - 1) * size).limit(size)).all()
        shown = _with_moves(connection, [_change(row) for row in found])
    return Page(shown, total, total > COUNTED_UP_TO, number, pages)


def lines(url: str, wanted: Wanted, limit: int) -> Iterator[Change]:
    """The newest lines, for a file."""
    if not is_there(url, CHANGES.name):
        return
    with reader(url).connect() as connection:
        statement = _lines(_where(wanted, _has_folded(connection), _paired(connection))).limit(limit)
        found = connection.execute(statement.execution_options(stream_results=True))
        for some in found.partitions(LINES_AT_ONCE):
            yield from _with_moves(connection, [_change(row) for row in some])


def counts(url: str, run: str) -> dict[str, int]:
    """How many lines of each kind a run has, as they are shown: who moved is one, and neither gone nor added."""
    if not is_there(url, CHANGES.name):
        return {}
    with reader(url).connect() as connection:
        halves = _paired(connection)
        kind = case(
            (and_(CHANGES.c.kind == "gone", halves), "moved"),
            (and_(CHANGES.c.kind == "added", halves), None),
            else_=CHANGES.c.kind,
        ).label("shown")
        each = select(kind).where(CHANGES.c.run == run).subquery()
        counted = select(each.c.shown, func.count()).where(each.c.shown.is_not(None)).group_by(each.c.shown)
        return {str(found): int(n) for found, n in connection.execute(counted)}


def whole_since(url: str, streams: Sequence[str] | None = None) -> datetime | None:
    """From when on the diary of these streams (None: of all) is whole; None: from the first line on."""
    if not is_there(url, KEPT.name):
        return None
    since = select(func.max(KEPT.c.since))
    if streams is not None:
        since = since.where(KEPT.c.stream.in_(streams))
    with reader(url).connect() as connection:
        found = connection.scalar(since)
    return None if found is None else datetime.fromisoformat(found)


def masked(change: Change, may_see_personal: bool, mask: str | None = MASK) -> Change:
    """The line without personal data; of a stream that no fetcher declares any more, without any values."""
    if may_see_personal:
        return change
    stream = streams().get(change.stream)

    def hide(values: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        if values is None or change.kind == "loaded":
            return values
        return {name: mask if value and _personal(stream, name) else value for name, value in values.items()}

    after = change.after if change.kind == "left" else hide(change.after)
    return replace(change, before=hide(change.before), after=after)


def _personal(stream: Stream | None, column: str) -> bool:
    if stream is None:
        return True
    field = stream.fields.get(column)
    # What no fetcher declares was discovered: nobody has said what it holds.
    return field.personal if field else column not in stream.partition_columns


def _has_folded(connection: Connection) -> bool:
    """A destination that the first version made has no such column until the next run."""
    return "folded" in columns_there(connection, CHANGES.name)


def _lines(where: Sequence[ColumnElement[bool]]) -> Select[Any]:
    named = (
        CHANGES.c[name] for name in ("id", "run", "stream", "part", "key", "kind", "before", "after", "at")
    )
    return select(*named).where(*where).order_by(CHANGES.c.id.desc())


def _paired(connection: Connection) -> ColumnElement[bool]:
    return moves.paired(CHANGES, moves.terms(streams().values()), connection.dialect.name)


def _with_moves(connection: Connection, found: list[Change]) -> list[Change]:
    """The same lines; those of people who came in another part of the same term say so."""
    before_terms = moves.terms(streams().values())
    keys = {line.key for line in found if line.kind == "gone" and line.stream in before_terms and line.key}
    if not keys:
        return found
    came = moves.arrivals(connection, CHANGES, before_terms, sorted(keys))

    def moved_to(line: Change) -> str | None:
        if line.kind != "gone" or line.key is None or line.stream not in before_terms:
            return None
        term = moves.term_of(line.part, before_terms[line.stream])
        part = came.get(moves.Arrival(line.run, line.stream, line.key, term))
        return None if part == line.part else part

    parts = [(line, moved_to(line)) for line in found]
    return [replace(line, kind="moved", moved_to=part) if part else line for line, part in parts]


def _of_kind(kind: str | None, halves: ColumnElement[bool]) -> ColumnElement[bool]:
    line = CHANGES.c
    if kind is None:
        return not_(and_(line.kind == "added", halves))
    if kind == "moved":
        return and_(line.kind == "gone", halves)
    return and_(line.kind == kind, not_(halves)) if kind in moves.PAIRED else line.kind == kind


def _where(wanted: Wanted, has_folded: bool, halves: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    line = CHANGES.c
    found: list[ColumnElement[bool]] = []
    if wanted.run is not None:
        found.append(line.run == wanted.run)
    if wanted.streams is not None:
        found.append(line.stream.in_(wanted.streams))
    if wanted.key is not None:
        found.append(line.key == wanted.key)
    if wanted.field is not None:
        named = json.dumps(wanted.field) + ":"
        found += [line.kind == "changed", line.before.contains(named, autoescape=True)]
    if wanted.since is not None:
        found.append(line.at >= _as_written(days.begins(wanted.since)))
    if wanted.until is not None:
        found.append(line.at < _as_written(days.ends(wanted.until)))
    for word in fold(wanted.words).split()[:MOST_WORDS]:
        is_key = line.key == word
        found.append(or_(line.folded.contains(word, autoescape=True), is_key) if has_folded else is_key)
    found.append(_of_kind(wanted.kind, halves))  # last: it looks for another line
    return found


def _as_written(moment: datetime) -> str:
    """A moment as the diary writes it, so that they compare as texts."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _change(row: Row[Any]) -> Change:
    id_, run, stream, part, key, kind, before, after, at = tuple(row)
    return Change(
        id_, run, stream, part, key, kind, _fields(before), _fields(after), datetime.fromisoformat(at)
    )


def _fields(text: str | None) -> Mapping[str, Any] | None:
    return None if text is None else json.loads(text)
