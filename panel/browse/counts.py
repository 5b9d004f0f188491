"""How many rows have which values, from what the data plane has counted (fetchers/core/store/facets.py)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, MetaData, String, Table, select

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
    words: dict[str, dict[Any, str]]  # column of codes → code → the word that most of its rows have

    @property
    def wanted(self) -> int:
        """How many rows are wanted."""
        return sum(part.wanted for part in self.parts)

    @property
    def rows(self) -> int:
        """How many rows the parts have in which some are wanted."""
        return sum(part.rows for part in self.parts)


class Counts:
    """The counts of one table, read once."""

    def __init__(self, table: DataTable, parts: list[tuple[Values, list[tuple[Values, int]]]]) -> None:
        self._table = table
        self._asked = list(table.stream.partition_columns)
        self._counted = list(table.stream.counted)
        self._parts = parts

    def tally(self, chosen: Chosen) -> Tally:
        """Count what is chosen, and what else could be. chosen: facets' columns and their values."""
        facets = [facet.column for facet in self._table.stream.facets]
        in_part = [(place, name) for place, name in enumerate(self._asked) if name in chosen]
        in_row = [(place, name) for place, name in enumerate(self._counted) if name in chosen]
        values: dict[str, Counter[Any]] = {name: Counter() for name in facets}
        every: Counter[Values] = Counter()  # counted values of rows whose part is wanted
        everywhere: Counter[Values] = Counter()
        found: list[Part] = []
        for part, lines in self._parts:
            for line, rows in lines:
                everywhere[line] += rows
            refused = [name for place, name in in_part if part[place] != chosen[name]]
            if len(refused) > 1:
                continue
            wanted = sum(
                rows for line, rows in lines if all(line[place] == chosen[name] for place, name in in_row)
            )
            for place, name in enumerate(self._asked):
                if name in values and wanted and refused in ([], [name]):
                    values[name][part[place]] += wanted
            if refused:
                continue
            for line, rows in lines:
                every[line] += rows
            if wanted:
                found.append(Part(part, sum(rows for _, rows in lines), wanted))
        for line, rows in every.items():
            refused = [name for place, name in in_row if line[place] != chosen[name]]
            for place, name in enumerate(self._counted):
                if name in values and refused in ([], [name]):
                    values[name][line[place]] += rows
        self._name_all(values, everywhere)
        return Tally(everywhere.total(), found, values, self._words(everywhere))

    def _name_all(self, values: dict[str, Counter[Any]], everywhere: Counter[Values]) -> None:
        """Every value that there is anywhere can be chosen, also those of which nothing would be left."""
        for name, counter in values.items():
            if name in self._asked:
                place = self._asked.index(name)
                counter.update({part[place]: 0 for part, _ in self._parts})
            else:
                place = self._counted.index(name)
                counter.update({line[place]: 0 for line in everywhere})

    def _words(self, everywhere: Counter[Values]) -> dict[str, dict[Any, str]]:
        found: dict[str, dict[Any, str]] = {}
        for facet in self._table.stream.facets:
            if facet.words is None or facet.column not in self._counted:
                continue
            code, word = self._counted.index(facet.column), self._counted.index(facet.words)
            said: dict[Any, Counter[str]] = {}
            for line, rows in everywhere.items():
                if line[code] is not None and line[word]:
                    said.setdefault(line[code], Counter())[str(line[word])] += rows
            found[facet.column] = {value: words.most_common(1)[0][0] for value, words in said.items()}
        return found


def read(connection: Connection, table: DataTable) -> Counts | None:
    """The counts of a table; None where the next run will make them: an older version wrote the destination."""
    found = connection.execute(
        select(FACETS.c.part, FACETS.c.columns, FACETS.c.counts).where(FACETS.c.table_name == table.name)
    ).all()
    if not found or msgspec.json.decode(found[0].columns) != list(table.stream.counted):
        return None
    return Counts(table, [(tuple(msgspec.json.decode(part)), _lines(counts)) for part, _, counts in found])


def _lines(counts: str) -> list[tuple[Values, int]]:
    lines: Sequence[list[Any]] = msgspec.json.decode(counts)
    return [(tuple(line[:-1]), line[-1]) for line in lines]
