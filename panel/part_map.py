"""The parts of a run as a map: rows by the first name of a part, columns by the second, a state in each cell.

It knows no source: whatever a fetcher calls its parts by (campus and term, a faculty, a year and a month and a day) is
read from the parts themselves. One name gives a strip, more than two a map of the first two, in which a cell stands for
several parts. So does a cell of a map that would have more than MOST_CELLS.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

MOST_CELLS = 2_400  # 60 campuses in 40 terms; more nobody can read, and a page has 200 kB
NOWHERE = ""  # the state of a cell for which no part was planned
# Of the parts of one cell, the state that is shown is the first of these.
WORST_FIRST = ("failed", "held", "staged", "planned", "unreached", "done", "resumed", "not_due")

Order = Callable[[str], Any]


@dataclass(frozen=True)
class Line:
    """A row or a column: the values of the parts in it, the first of which is its address; several where it is one of
    a map that would be too large."""

    values: tuple[str, ...]

    @property
    def key(self) -> str:
        return self.values[0]


@dataclass(frozen=True)
class PartMap:
    """The parts of one stream.

    stream: "" where the source has one stream. down, across: what rows and columns are called in a part; down: None of
    a strip, which has one row. states: a row after the other. parts: of each cell, by its place.
    """

    stream: str
    down: str | None
    across: str
    rows: list[Line]
    columns: list[Line]
    states: list[list[str]]
    parts: Mapping[tuple[int, int], Sequence[str]]

    def at(self, row: str, column: str) -> tuple[int, int] | None:
        """The place of a cell by the addresses of its row and its column."""
        down = [place for place, line in enumerate(self.rows) if line.key == row]
        across = [place for place, line in enumerate(self.columns) if line.key == column]
        place = (down[0], across[0]) if down and across else None
        return place if place in self.parts else None

    def shape(self) -> str:
        """The same for maps that differ in nothing but their states."""
        lines = [self.stream, self.down, self.across]
        values = [[line.values for line in self.rows], [line.values for line in self.columns]]
        nowhere = [[state == NOWHERE for state in row] for row in self.states]
        return hashlib.blake2b(json.dumps([lines, values, nowhere]).encode(), digest_size=8).hexdigest()


def named(label: str) -> tuple[str, dict[str, str]]:
    """A part by its label: the stream, "" where there is only one, and its names with their values.

    "campus=1110,term=4051" or "students/campus=1110,term=4051"; a value may hold a comma.
    """
    stream, slash, rest = label.partition("/")
    if not slash or "=" in stream:
        stream, rest = "", label
    found: dict[str, str] = {}
    name = ""
    for piece in rest.split(",") if rest else []:
        before, equals, value = piece.partition("=")
        if equals:
            name = before
            found[name] = value
        elif name:
            found[name] += f",{piece}"
    return stream, found


def maps(parts: Iterable[tuple[str, str]], order: Mapping[str, Order]) -> list[PartMap]:
    """A map of each stream that is fetched in parts; none of a stream with one part, which needs no map.

    parts: label and state, in the order of the plan. order: by what the values of a name are sorted; those of others
    stay in the order of the plan.
    """
    streams: dict[str, list[tuple[dict[str, str], str, str]]] = {}
    for label, state in parts:
        stream, names = named(label)
        if names:
            streams.setdefault(stream, []).append((names, label, state))
    return [_map(stream, found, order) for stream, found in streams.items() if len(found) > 1]


def _map(
    stream: str, found: Sequence[tuple[dict[str, str], str, str]], order: Mapping[str, Order]
) -> PartMap:
    first, *others = found[0][0]
    down, across = (first, others[0]) if others else (None, first)
    rows, columns = _values(found, down, order), _values(found, across, order)
    step = min(len(columns), ceil(len(rows) * len(columns) / MOST_CELLS))
    columns = _lines([line.key for line in columns], step)
    rows = _lines([line.key for line in rows], ceil(len(rows) * len(columns) / MOST_CELLS))
    row_of = {value: place for place, line in enumerate(rows) for value in line.values}
    column_of = {value: place for place, line in enumerate(columns) for value in line.values}
    states = [[NOWHERE] * len(columns) for _row in rows]
    cells: dict[tuple[int, int], list[str]] = {}
    for names, label, state in found:
        place = row_of[names.get(down, "") if down else ""], column_of[names.get(across, "")]
        cells.setdefault(place, []).append(label)
        states[place[0]][place[1]] = _worse(states[place[0]][place[1]], state)
    return PartMap(stream, down, across, rows, columns, states, cells)


def _values(
    found: Sequence[tuple[dict[str, str], str, str]], name: str | None, order: Mapping[str, Order]
) -> list[Line]:
    if name is None:
        return [Line(("",))]
    values: Iterable[str] = dict.fromkeys(names.get(name, "") for names, _label, _state in found)
    return _lines(sorted(values, key=order[name]) if name in order else list(values), 1)


def _lines(values: Sequence[str], step: int) -> list[Line]:
    return [Line(tuple(values[at : at + step])) for at in range(0, len(values), step)]


def _worse(one: str, other: str) -> str:
    return other if one == NOWHERE or _place(other) < _place(one) else one


def _place(state: str) -> int:
    return WORST_FIRST.index(state) if state in WORST_FIRST else len(WORST_FIRST)
