"""The tables that can be looked through, and single rows of them."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, String, Table, select

from fetchers.core import registry
from fetchers.core.clean import Field
from fetchers.core.fetcher import Facet, Label, Stream
from fetchers.core.store import discovered, reading, search
from panel import destination
from panel.destination import reader

COLUMNS_SHOWN = 8
TERMS_SHOWN = 100
ASKED_LABELS = {"campus": Label("پردیس", "Campus"), "term": Label("نیمسال", "Term")}
# What their columns are called, where those hold something that does not say it by itself.
_COLUMN_LABELS = {"campus": Label("کد پردیس", "Campus code")}


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
        """The columns that the list shows first: the key is always among them."""
        return self.with_key(self.stream.summary or self.columns[:COLUMNS_SHOWN])

    @property
    def own_key(self) -> tuple[str, ...]:
        """The key's columns that were not asked for: what tells a part's rows apart."""
        return tuple(column for column in self.key if column not in self.stream.partition_columns)

    @property
    def has_searched_rows(self) -> bool:
        """Whether its own rows are the ones that the search knows, one for each."""
        return self.search_table == self.name and self.key == (self.search_key,)

    @property
    def is_indexed_by_facets(self) -> bool:
        """Whether an index finds rows by part and facets: the table of newest rows has one."""
        return self.stream.latest is not None and self.name == self.stream.latest.table

    def with_key(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The columns, behind those of the key that are not among them."""
        return tuple(dict.fromkeys([*(k for k in self.key if k not in columns), *columns]))

    def label_of(self, column: str, locale: str) -> str:
        if column in self.stream.fields:
            return self.stream.fields[column].label(locale)
        asked = self.stream.partition_columns.get(column, column)
        label = _COLUMN_LABELS.get(asked) or ASKED_LABELS.get(asked)
        return label(locale) if label else column

    def facet_label(self, facet: Facet, locale: str) -> str:
        """What people call a facet: it is read in words where its column holds codes."""
        label = ASKED_LABELS.get(self.stream.partition_columns.get(facet.column, ""))
        return label(locale) if label else self.label_of(facet.words or facet.column, locale)

    def field(self, column: str) -> Field | None:
        return self.stream.fields.get(column)

    def is_personal(self, column: str) -> bool:
        """Whether it is for administrators alone: also what no fetcher declares, since nobody said what it holds."""
        field = self.field(column)
        return field.personal if field else column not in self.stream.partition_columns

    def is_number(self, column: str) -> bool:
        field = self.field(column)
        return bool(field and field.sql_type == "INTEGER")

    def as_stored(self, column: str, text: str) -> Any:
        """A value from an address, of its column's type; what is no number matches nothing."""
        if not self.is_number(column):
            return text
        sign = text[1:] if text.startswith("-") else text
        return int(text) if sign.isascii() and sign.isdigit() and len(sign) < 19 else None

    def real(self) -> Table:
        """The table as SQLAlchemy names it."""
        return _real(self.name, tuple((column, self.is_number(column)) for column in self.columns))


@lru_cache(maxsize=64)
def _real(name: str, columns: tuple[tuple[str, bool], ...]) -> Table:
    """Made once, so that SQLAlchemy knows its own statements again."""
    return Table(
        name, MetaData(), *(Column(column, BigInteger if number else String) for column, number in columns)
    )


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
    searched, key = search.place_of(stream)
    where = (searched, key) if key else (None, None)
    every = DataTable(stream.table, stream.label, stream, stream.primary_key, *where)
    latest = stream.latest
    if latest is None:
        return [every]
    return [DataTable(latest.table, latest.label, stream, (latest.key,), *where), every]


def with_discovered(url: str, table: DataTable) -> DataTable:
    """The table with the columns that were discovered in this destination. Raises StorageError."""
    try:
        there = reading.look_into(url)
        if there is None:
            return table
        with closing(there):
            [stream] = discovered.streams(there, [table.stream])
    except sqlite3.Error as error:
        raise reading.unreadable(error) from error
    return replace(table, stream=stream)


def is_there(url: str, table: DataTable) -> bool:
    """Whether the destination has this table yet: before the first sync it has not."""
    return destination.is_there(url, table.name)


def row(url: str, table: DataTable, key: Mapping[str, str]) -> dict[str, Any] | None:
    """One row whole, by its key."""
    real = table.real()
    where = [real.c[column] == table.as_stored(column, key[column]) for column in table.key]
    with reader(url).connect() as connection:
        found = connection.execute(select(real).where(*where)).mappings().first()
    return dict(found) if found else None


def rows_of(url: str, table: DataTable, keys: Sequence[str], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Some columns of these rows, by a key of one column."""
    real = table.real()
    [key] = table.key
    wanted = [stored for text in keys if (stored := table.as_stored(key, text)) is not None]
    chosen = dict.fromkeys([key, *columns])
    statement = select(*(real.c[column] for column in chosen)).where(real.c[key].in_(wanted))
    with reader(url).connect() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


def every_part(table: DataTable) -> DataTable:
    """The table of parts of the same stream: the terms of students."""
    return next(one for one in _tables_of(table.stream) if one.name == table.stream.table)


def parts_of_person(url: str, table: DataTable, value: str) -> list[dict[str, Any]]:
    """Every row of a person in the table of parts (a student's terms), newest first."""
    latest = table.stream.latest
    if latest is None:
        return []
    real = every_part(table).real()
    order = [real.c[latest.newest].desc(), *(real.c[column] for column in latest.prefer_equal)]
    with reader(url).connect() as connection:
        found = connection.execute(
            select(real).where(real.c[latest.key] == value).order_by(*order).limit(TERMS_SHOWN)
        )
        return [dict(one) for one in found.mappings()]
