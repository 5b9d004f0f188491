"""Comparing a part that is too large for memory: its rows are in files, what is stored is read some keys at a time.

What is in memory of each record is its hash, its outcome and its key. Everything else is as in compare.py.
"""

from array import array
from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from fetchers.core.spool import Chosen, Pile, Spools, batches
from fetchers.core.store.sql import Row

if TYPE_CHECKING:
    from fetchers.core.load.compare import Delta

KEYS_AT_ONCE = 1000

PAIR = tuple[Row, Row]


class ParsedRows(MutableMapping[int, Row]):
    """The parsed rows of a part by their record's place, in the order in which they were parsed. None is taken out."""

    def __init__(self, records: int, spools: Spools) -> None:
        self._at = array("i", [-1]) * records  # place of a record -> place in the pile
        self._places = array("i")
        self._pile: Pile[Row] = Pile(Row, spools)

    def __setitem__(self, place: int, row: Row) -> None:
        self._at[place] = len(self._places)
        self._places.append(place)
        self._pile.append(row)

    def __getitem__(self, place: int) -> Row:
        return self._pile[self._at[place]]

    def __contains__(self, place: object) -> bool:
        return isinstance(place, int) and self._at[place] >= 0

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __delitem__(self, place: int) -> None:
        raise NotImplementedError("a parsed row stays")

    def in_order(self) -> Iterator[tuple[int, Row]]:
        """Place and row of each, read once."""
        return zip(self._places, self._pile, strict=True)

    def only(self, wanted: bytearray) -> Chosen[Row]:
        """The rows for which `wanted` has a 1; it has a byte for each, in order."""
        return self._pile.only(wanted)


def compare_rows(
    delta: "Delta",
    names: list[Any],
    kept: Callable[[int], bool],
    parsed: ParsedRows,
    was: set[Any],
    stored: Callable[[list[Any]], dict[Any, Row]],
) -> None:
    """Find which of the parsed rows are new, and which differ from the stored ones.

    names: the key of each record. kept: whether the record at this place stays. was: the keys that are stored.
    stored: the stored rows of some keys.
    """
    new = bytearray(len(parsed))
    at = 0
    for batch in batches(parsed.in_order(), KEYS_AT_ONCE):
        there = stored([names[place] for place, _ in batch if kept(place) and names[place] in was])
        for place, row in batch:
            if kept(place):
                before = there.get(names[place])
                if before is None:
                    new[at] = 1
                elif before != row:
                    delta.changed.append((before, row))
            at += 1
    delta.added = parsed.only(new)
