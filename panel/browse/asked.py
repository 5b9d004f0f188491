"""What was asked of a table, as conditions: which are few enough to find rows by, and which are tried row by row."""

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, cast, false, func, or_, select
from sqlalchemy import String as SqlString

from fetchers.core.clean import fold
from panel.browse import counts, texts
from panel.browse.expressions import SEARCH, among, apart, holds, is_value
from panel.browse.tables import DataTable
from panel.browse.wanted import NONE, Key, Row, Slice, Wanted
from panel.destination import columns_there

MOST_PEOPLE = 2_000  # whom a search finds, for their rows to be a short list
MOST_ROWS = 10_000  # that are read for a short list
MOST_PARTS = 100  # that are named one by one
MOST_WORDS = 8

Conditions = list[ColumnElement[bool]]


class Asked:
    """One question. Every part of it is looked at once, and only if it is needed."""

    def __init__(
        self, connection: Connection, table: DataTable, wanted: Wanted, columns: Sequence[str], size: int
    ) -> None:
        self.db = connection
        self.table = table
        self.stream = table.stream
        self.wanted = wanted
        self.size = size
        self.real = table.real()
        names = dict.fromkeys([*table.key, *self.stream.partition_columns, *columns])
        self.columns = [self.real.c[name] for name in names]
        self.chosen: dict[str, Any] = {
            facet.column: None if text == NONE else table.as_stored(facet.column, text)
            for facet in self.stream.facets
            if (text := wanted.facets.get(facet.column, ""))
        }
        self.words = fold(wanted.search).split()[:MOST_WORDS] if wanted.search else []
        self.search_columns = columns_there(connection, SEARCH.name)
        self.has_counts = bool(columns_there(connection, counts.FACETS.name))
        known = counts.read(connection, table) if self.has_counts else None
        self.tally = known.tally(self.chosen) if known is not None else None

    # -- what fits, up to a limit -------------------------------------------------------------------------

    @cached_property
    def texts(self) -> texts.Texts | None:
        """The searched texts, where they are in memory as they are in the database; None: look there."""
        if not self.words or not self.by_text or not self.has_counts or "sorted" not in self.search_columns:
            return None
        table = str(self.table.search_table)
        stamp = counts.stamp_of(self.db, table)
        return None if stamp is None else texts.remembered(self.db.engine, table, stamp)

    @cached_property
    def in_memory(self) -> list[Any] | None:
        """Keys of those whom the search finds in memory; None: there is no search there, or it finds too many."""
        if self.texts is None:
            return None
        places = list(islice(self.texts.find(self.words), MOST_ROWS + 1))
        return self._keys(self.texts.keys(places)) if len(places) <= MOST_ROWS else None

    @cached_property
    def people(self) -> list[Any] | None:
        """Keys of those whom the search finds; None: there is no search, or it finds too many to name."""
        if not self.words or not self.by_text:
            return None
        if self.texts is not None:
            few = self.in_memory is not None and len(self.in_memory) <= MOST_PEOPLE
            return self.in_memory if few else None
        found = self.db.scalars(select(SEARCH.c.key).where(*self.in_text()).limit(MOST_PEOPLE + 1)).all()
        return self._keys(found) if len(found) <= MOST_PEOPLE else None

    @cached_property
    def in_days(self) -> int | None:
        """Rows within the days; None: no days are asked for, or there are too many rows."""
        span = self.days()
        return self._number_of(span) if span else None

    @property
    def uncounted(self) -> bool:
        """Whether something is asked for that the counts of the data plane know nothing of."""
        return bool(self.words or self.days())

    @property
    def known_total(self) -> int | None:
        """How many rows a long list has; None: nobody counted them."""
        if not self.uncounted:
            return None if self.tally is None else self.tally.wanted
        if self.in_memory is None or self.chosen or self.wanted.days or not self.table.has_searched_rows:
            return None
        return len(self.in_memory)

    @property
    def by_text(self) -> bool:
        """Whether there is a folded text of this table's people."""
        return bool(self.search_columns) and self.table.search_key is not None

    def drivers(self) -> Conditions | None:
        """The conditions of a short list, the first of which find its rows by an index; None: it is a long one."""
        if self.people is not None:
            name = str(self.table.search_key)
            found = among(self.db, self.real.c[name], self.people, numbers=self.table.is_number(name))
            return [found, *self.days(driving=False)]
        if self.in_days is not None:
            return [*self.days(), *self.person_fits()]
        rest = [*self.days(driving=False), *self.person_fits()]
        if self.tally is None:
            return rest if self._number_of([]) is not None else None
        if not self.tally.parts:
            return [false()]
        if self.tally.all_rows <= MOST_ROWS:
            return rest
        if self.table.is_indexed_by_facets and self.tally.wanted <= MOST_ROWS:
            by_index = [*self.in_parts(self.tally.parts), *self.facets(driving=True)]
            both = self._found_among(by_index)
            return [*by_index, *rest] if both is None else [both, *self.days(driving=False)]
        return [*self.in_parts(self.tally.parts), *rest] if self.tally.rows <= MOST_ROWS else None

    def _found_among(self, those: Conditions) -> ColumnElement[bool] | None:
        """Being one of those rows and found by the search, which knows each by its key; None: it cannot tell that."""
        if self.in_memory is None or not self.table.has_searched_rows:
            return None
        name = self.table.key[0]
        column = self.real.c[name]
        found = set(self.in_memory).intersection(self.db.scalars(select(column).where(*those)))
        return among(self.db, column, sorted(found), numbers=self.table.is_number(name))

    @property
    def is_driven_by_counts(self) -> bool:
        """Whether a short list has all rows that the counts know of, but for what is not counted."""
        return self.people is None and self.in_days is None and self.tally is not None

    # -- conditions ---------------------------------------------------------------------------------------

    def in_text(self) -> Conditions:
        """The search, of the folded texts."""
        return [
            SEARCH.c.table_name == self.table.search_table,
            *(holds(self.db, SEARCH.c.folded, word) for word in self.words),
        ]

    def person_fits(self) -> Conditions:
        """The search, tried row by row; where there is no folded text, in the searched columns as they are."""
        if not self.words:
            return []
        if self.in_memory is not None:
            name = str(self.table.search_key)
            numbers = self.table.is_number(name)
            return [among(self.db, apart(self.real.c[name]), self.in_memory, numbers=numbers)]
        if self.by_text:
            key = cast(self.real.c[str(self.table.search_key)], SqlString)
            text = select(SEARCH.c.folded).where(
                SEARCH.c.table_name == self.table.search_table, SEARCH.c.key == key
            )
            return [holds(self.db, text.scalar_subquery(), word) for word in self.words]
        texts = [
            func.coalesce(cast(self.real.c[name], SqlString), "")
            for name in self.stream.search or self.table.columns
            if not self.table.is_personal(name)
        ]
        return [or_(*(holds(self.db, text, word) for text in texts)) for word in self.words]

    def days(self, *, driving: bool = True) -> Conditions:
        """Within the days that are asked for. driving: rows are to be found by them."""
        found = []
        for name, (since, until) in self.wanted.days.items():
            column = self.real.c[name] if driving else apart(self.real.c[name])
            found += [column >= since] if since else []
            found += [column <= until] if until else []
        return found

    def facets(self, *, within_part: bool = False, driving: bool = False) -> Conditions:
        """Having the values that are chosen. within_part: a part is chosen already. driving: rows are found by them."""
        return [
            is_value(self.real.c[name] if driving else apart(self.real.c[name]), value)
            for name, value in self.chosen.items()
            if not (within_part and name in self.stream.partition_columns)
        ]

    def in_parts(self, parts: Sequence[counts.Part]) -> Conditions:
        """Of one of these parts. Many are named by their values alone, so that the facets must still be asked for."""
        columns = [self.real.c[name] for name in self.stream.partition_columns]
        if len(columns) > 1 and 1 < len(parts) <= MOST_PARTS and not self.table.is_indexed_by_facets:
            each = (zip(columns, part.values, strict=True) for part in parts)
            return [or_(*(and_(*(column == value for column, value in pairs)) for pairs in each))]
        found = []
        for place, name in enumerate(self.stream.partition_columns):
            values = list(dict.fromkeys(part.values[place] for part in parts))
            column = self.real.c[name]
            numbers = self.table.is_number(name)
            found.append(
                column == values[0] if len(values) == 1 else among(self.db, column, values, numbers=numbers)
            )
        return found

    def _keys(self, texts: Sequence[str]) -> list[Any]:
        name = str(self.table.search_key)
        if not self.table.is_number(name):
            return list(texts)
        return [self.table.as_stored(name, text) for text in texts]

    def is_row(self, key: Key) -> Conditions:
        """Being the row of this key."""
        return [self.real.c[name] == value for name, value in zip(self.table.key, key, strict=True)]

    # -- reading ------------------------------------------------------------------------------------------

    def cursor(self) -> Key | None:
        """The key of the row behind or before which the page is; None: at the beginning or the end."""
        texts = self.wanted.after or self.wanted.before
        if len(texts) != len(self.table.key):
            return None
        key = tuple(map(self.table.as_stored, self.table.key, texts))
        return None if None in key else key

    def read(self, statement: Select[Any], *, reverse: bool) -> Slice:
        """A page of rows, read in the direction of the walk."""
        rows = [dict(row) for row in self.db.execute(statement.limit(self.size + 1)).mappings()]
        return self.cut(rows, reverse=reverse)

    def cut(self, rows: list[Row], *, reverse: bool) -> Slice:
        """At most a page of them, in the order in which they are shown."""
        more, rows = len(rows) > self.size, rows[: self.size]
        return Slice(rows[::-1] if reverse else rows, more=more, reverse=reverse)

    def more_than(self, found: Slice) -> int:
        """Than how many rows a long list has surely more, where nobody counted them."""
        seen = max(0, len(found.rows) - (0 if found.more else 1))
        if self.chosen or (self.words and self.days()):
            return seen
        if self.words:
            too_many = MOST_ROWS if self.texts is not None and self.in_memory is None else MOST_PEOPLE
            return too_many if self.by_text else seen
        return MOST_ROWS

    def number(self, conditions: Conditions) -> int:
        """How many rows fit, all of them counted."""
        return int(self.db.scalar(select(func.count()).select_from(self.real).where(*conditions)) or 0)

    def _number_of(self, conditions: Conditions) -> int | None:
        """How many rows fit; None: too many for a short list."""
        some = select(self.real.c[self.table.key[0]]).where(*conditions).limit(MOST_ROWS + 1).subquery()
        n = int(self.db.scalar(select(func.count()).select_from(some)) or 0)
        return n if n <= MOST_ROWS else None
