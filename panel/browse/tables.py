"""Reading the destination's tables for the data browser: only looking, never more than a page.

Which tables there are, their columns, labels and keys come from the fetchers' streams; nothing here knows a
source by name. Names of tables and columns reach the database through SQLAlchemy's identifiers alone.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    and_,
    cast,
    func,
    inspect,
    or_,
    select,
)

from fetchers.core import registry
from fetchers.core.clean import Field, fold
from fetchers.core.fetcher import Label, Stream
from fetchers.core.store import discovered, reading
from panel import destination
from panel.destination import reader

ROWS_A_PAGE = 25
COUNTED_UP_TO = 100_000
COLUMNS_SHOWN = 8
TERMS_SHOWN = 100
ASKED_LABELS = {"campus": Label("پردیس", "Campus"), "term": Label("نیمسال", "Term")}


@dataclass(frozen=True)
class DataTable:
    """A table that can be looked through."""

    name: str
    label: Label
    stream: Stream
    key: tuple[str, ...]
    search_table: str | None  # whose rows `_hamgam_search` has, by `search_key`
    search_key: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        return self.stream.columns

    @property
    def summary(self) -> tuple[str, ...]:
        """The columns that the list shows: the key is always among them."""
        chosen = self.stream.summary or self.columns[:COLUMNS_SHOWN]
        return tuple(dict.fromkeys([*(k for k in self.key if k not in chosen), *chosen]))

    def label_of(self, column: str, locale: str) -> str:
        if column in self.stream.fields:
            return self.stream.fields[column].label(locale)
        asked = self.stream.partition_columns.get(column, column)
        return ASKED_LABELS[asked](locale) if asked in ASKED_LABELS else column

    def field(self, column: str) -> Field | None:
        return self.stream.fields.get(column)

    def is_personal(self, column: str) -> bool:
        """Whether it is for administrators alone: also what no fetcher declares, since nobody said what it holds."""
        field = self.field(column)
        return field.personal if field else column not in self.stream.partition_columns

    def is_number(self, column: str) -> bool:
        field = self.field(column)
        return bool(field and field.sql_type == "INTEGER")


@dataclass(frozen=True)
class Page:
    """What the list shows."""

    rows: Sequence[Mapping[str, Any]]
    total: int
    more: bool  # there are more than were counted
    page: int
    pages: int


def tables() -> dict[str, DataTable]:
    """Every table of every fetcher that can be used, in the catalogue's order; people before their terms."""
    found: dict[str, DataTable] = {}
    for listing in registry.catalogue().values():
        if listing.fetcher is None:
            continue
        for stream in listing.fetcher.streams():
            for table in _tables_of(stream):
                found.setdefault(table.name, table)
    return found


def _tables_of(stream: Stream) -> list[DataTable]:
    latest = stream.latest
    if latest is not None:
        people = DataTable(latest.table, latest.label, stream, (latest.key,), latest.table, latest.key)
        every = DataTable(stream.table, stream.label, stream, stream.primary_key, latest.table, latest.key)
        return [people, every]
    key = stream.primary_key[0] if len(stream.primary_key) == 1 else None
    return [DataTable(stream.table, stream.label, stream, stream.primary_key, key and stream.table, key)]


def with_discovered(url: str, table: DataTable) -> DataTable:
    """The table with the columns that were discovered in this destination. Raises StorageError."""
    try:
        destination = reading.look_into(url)
        if destination is None:
            return table
        with closing(destination):
            [stream] = discovered.streams(destination, [table.stream])
    except sqlite3.Error as error:
        raise reading.unreadable(error) from error
    return replace(table, stream=stream)


def is_there(url: str, table: DataTable) -> bool:
    """Whether the destination has this table yet: before the first sync it has not."""
    return destination.is_there(url, table.name)


def page(url: str, table: DataTable, *, search: str, sort: str | None, descending: bool, number: int) -> Page:
    """One page of a table.

    1. Count, up to a limit: nobody turns a hundred thousand pages, and counting a million rows takes long.
    2. Read the page's rows in the order asked for, then by key, so that no row is seen twice.
    """
    real = _table(table)
    with reader(url).connect() as connection:
        where = _matching(connection, table, real, search)
        some = select(real.c[table.key[0]]).where(*where).limit(COUNTED_UP_TO + 1).subquery()
        counted = connection.scalar(select(func.count()).select_from(some)) or 0
        pages = max(1, -(-min(counted, COUNTED_UP_TO) // ROWS_A_PAGE))
        number = min(number, pages)
        order: list[ColumnElement[Any]] = []
        if sort in table.columns:
            order.append(real.c[sort].desc() if descending else real.c[sort].asc())
        order += [real.c[key].asc() for key in table.key if key != sort]
        rows: Select[Any] = (
            select(*(real.c[column] for column in table.summary))
            .where(*where)
            .order_by(*order)
            .offset((number - 1) * ROWS_A_PAGE)
            .limit(ROWS_A_PAGE)
        )
        found = [dict(row._mapping) for row in connection.execute(rows)]
    return Page(found, min(counted, COUNTED_UP_TO + 1), counted > COUNTED_UP_TO, number, pages)


def row(url: str, table: DataTable, key: Mapping[str, str]) -> dict[str, Any] | None:
    """One row whole, by its key."""
    real = _table(table)
    where = [real.c[column] == _as_stored(table, column, key[column]) for column in table.key]
    with reader(url).connect() as connection:
        found = connection.execute(select(real).where(*where)).mappings().first()
    return dict(found) if found else None


def rows_of(url: str, table: DataTable, keys: Sequence[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Some columns of these rows, by a key of one column."""
    real = _table(table)
    [key] = table.key
    wanted = [stored for text in keys if (stored := _as_stored(table, key, text)) is not None]
    chosen = dict.fromkeys([key, *columns])
    statement = select(*(real.c[column] for column in chosen)).where(real.c[key].in_(wanted))
    with reader(url).connect() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


def parts_of_person(url: str, table: DataTable, value: str) -> list[dict[str, Any]]:
    """Every row of a person in the table of parts (a student's terms), newest first."""
    latest = table.stream.latest
    if latest is None:
        return []
    every = next(one for one in _tables_of(table.stream) if one.name == table.stream.table)
    real = _table(every)
    with reader(url).connect() as connection:
        found = connection.execute(
            select(*(real.c[column] for column in every.summary))
            .where(real.c[latest.key] == value)
            .order_by(real.c[latest.newest].desc())
            .limit(TERMS_SHOWN)
        )
        return [dict(one) for one in found.mappings()]


def _table(table: DataTable) -> Table:
    return Table(
        table.name,
        MetaData(),
        *(Column(name, Integer if table.is_number(name) else String) for name in table.columns),
    )


SEARCH = Table(
    "_hamgam_search",
    MetaData(),
    Column("table_name", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("folded", String),
)


def _matching(
    connection: Connection, table: DataTable, real: Table, search: str
) -> list[ColumnElement[bool]]:
    """Rows in which every searched word occurs, whatever letters and digits it was typed with."""
    words = fold(search).split()[:8]
    if not words:
        return []
    has_text = bool(table.search_table) and inspect(connection).has_table(SEARCH.name)
    if has_text and table.search_key:
        folded = [SEARCH.c.folded.contains(word, autoescape=True) for word in words]
        wanted = cast(SEARCH.c.key, Integer) if table.is_number(table.search_key) else SEARCH.c.key
        keys = select(wanted).where(SEARCH.c.table_name == table.search_table, *folded)
        return [real.c[table.search_key].in_(keys)]
    columns = [column for column in table.stream.search or table.columns if not table.is_personal(column)]
    return [
        and_(
            *(
                or_(*(cast(real.c[column], String).contains(word, autoescape=True) for column in columns))
                for word in words
            )
        )
    ]


def _as_stored(table: DataTable, column: str, text: str) -> Any:
    """A key's value from an address, of its column's type; what is no number matches nothing."""
    if not table.is_number(column):
        return text
    sign = text[1:] if text.startswith("-") else text
    return int(text) if sign.isascii() and sign.isdigit() and len(sign) < 19 else None
