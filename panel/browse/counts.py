"""How many rows have which values, from what the data plane has counted (fetchers/core/store/facets.py)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, MetaData, String, Table, select

from fetchers.core.fetcher import Stream
from fetchers.core.store.facets import STAMP
from panel.browse.tables import DataTable

FACETS = Table(
    "_hamgam_facets",
    MetaData(),
    *(Column(name, String) for name in ("table_name", "part", "columns", "counts")),
)

Values = tuple[Any, ...]
Chosen = Mapping[str, Any]  # column → the one value that is wanted


@dataclass(frozen=True)
class Part:
    """A part: its values, its rows, and how many of them are wanted."""

    values: Values
    rows: int
    wanted: int


@dataclass(frozen=True)
class Tally:
    """What was chosen, counted. values: of each facet, how many rows each value has if it is chosen instead."""

    all_rows: int  # of the table
    parts: list[Part]  # that have wanted rows
    values: dict[str, Counter[Any]]
    words: Mapping[str, Mapping[Any, str]]  # column of codes → code → the word that most of its rows have

    @property
    def wanted(self) -> int:
        """How many rows are wanted."""
        return sum(part.wanted for part in self.parts)

    @property
    def rows(self) -> int:
        """How many rows the parts have in which some are wanted."""
        return sum(part.rows for part in self.parts)


class Counts:
    """The counts of one table. Values that stand together in many parts are kept once, and known by a number."""

    def __init__(self, stream: Stream, parts: Sequence[tuple[Values, Sequence[tuple[Values, int]]]]) -> None:
        self._asked = list(stream.partition_columns)
        self._counted = list(stream.counted)
        self._facets = [facet.column for facet in stream.facets]
        numbers: dict[Values, int] = {}
        self._parts = [
            (
                part,
                sum(rows for _, rows in lines),
                [(numbers.setdefault(line, len(numbers)), rows) for line, rows in lines],
            )
            for part, lines in parts
        ]
        self._lines = list(numbers)
        self._everywhere = [0] * len(self._lines)
        for _, _, lines in self._parts:
            for number, rows in lines:
                self._everywhere[number] += rows
        self._words = self._said(stream)

    def tally(self, chosen: Chosen) -> Tally:
        """Count what is chosen, and what else could be. chosen: facets' columns and their values."""
        in_part = [(place, name) for place, name in enumerate(self._asked) if name in chosen]
        in_row = [(place, name) for place, name in enumerate(self._counted) if name in chosen]
        fits = [all(line[place] == chosen[name] for place, name in in_row) for line in self._lines]
        values = self._nothing()
        here = [0] * len(self._lines)  # rows of each line, in the parts that are wanted
        found: list[Part] = []
        for part, rows, lines in self._parts:
            refused = [name for place, name in in_part if part[place] != chosen[name]]
            if len(refused) > 1:
                continue
            wanted = sum(n for number, n in lines if fits[number]) if in_row else rows
            if wanted:
                for place, name in enumerate(self._asked):
                    if name in values and refused in ([], [name]):
                        values[name][part[place]] += wanted
            if refused:
                continue
            if in_part:
                for number, n in lines:
                    here[number] += n
            if wanted:
                found.append(Part(part, rows, wanted))
        self._count_lines(here if in_part else self._everywhere, in_row, chosen, values)
        return Tally(sum(self._everywhere), found, values, self._words)

    def _count_lines(
        self, here: list[int], in_row: list[tuple[int, str]], chosen: Chosen, values: dict[str, Counter[Any]]
    ) -> None:
        for number, rows in enumerate(here):
            if not rows:
                continue
            line = self._lines[number]
            refused = [name for place, name in in_row if line[place] != chosen[name]]
            for place, name in enumerate(self._counted):
                if name in values and refused in ([], [name]):
                    values[name][line[place]] += rows

    def _nothing(self) -> dict[str, Counter[Any]]:
        """Every value that there is anywhere can be chosen, also those of which nothing would be left."""
        found: dict[str, Counter[Any]] = {}
        for name in self._facets:
            if name in self._asked:
                place = self._asked.index(name)
                found[name] = Counter({part[place]: 0 for part, _, _ in self._parts})
            else:
                place = self._counted.index(name)
                found[name] = Counter({line[place]: 0 for line in self._lines})
        return found

    def _said(self, stream: Stream) -> dict[str, dict[Any, str]]:
        found: dict[str, dict[Any, str]] = {}
        for facet in stream.facets:
            if facet.words is None or facet.column not in self._counted:
                continue
            code, word = self._counted.index(facet.column), self._counted.index(facet.words)
            said: dict[Any, Counter[str]] = {}
            for line, rows in zip(self._lines, self._everywhere, strict=True):
                if line[code] is not None and line[word]:
                    said.setdefault(line[code], Counter())[str(line[word])] += rows
            found[facet.column] = {value: words.most_common(1)[0][0] for value, words in said.items()}
        return found


_remembered: dict[tuple[str, str], tuple[str, Counts]] = {}  # database and table → stamp and counts


def read(connection: Connection, table: DataTable) -> Counts | None:
    """The counts of a table; None where the next run will make them: an older version wrote the destination.

    They are remembered, and read anew when the data plane has changed them.
    """
    here = FACETS.c.table_name == table.name
    stamp = connection.execute(
        select(FACETS.c.counts, FACETS.c.columns).where(here, FACETS.c.part == STAMP)
    ).first()
    if stamp is None or msgspec.json.decode(stamp.columns) != list(table.stream.counted):
        return None
    place = (str(connection.engine.url), table.name)
    before = _remembered.get(place)
    if before is not None and before[0] == stamp.counts:
        return before[1]
    found = connection.execute(select(FACETS.c.part, FACETS.c.counts).where(here, FACETS.c.part != STAMP))
    counts = Counts(
        table.stream, [(tuple(msgspec.json.decode(row.part)), _lines(row.counts)) for row in found]
    )
    _remembered[place] = (stamp.counts, counts)
    return counts


def stamp_of(connection: Connection, table: str) -> str | None:
    """The stamp of a table's rows, which is another one after each change; None: the next run will give it one."""
    here = FACETS.c.table_name == table
    return connection.scalar(select(FACETS.c.counts).where(here, FACETS.c.part == STAMP))


def _lines(counts: str) -> list[tuple[Values, int]]:
    lines: Sequence[list[Any]] = msgspec.json.decode(counts)
    return [(tuple(line[:-1]), line[-1]) for line in lines]
