"""Rendered units: every row as JSON bytes, kept in one piece per unit, so that a page is one slice."""

from __future__ import annotations

import json
import random
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Lock, RLock
from typing import Any

from .dirt import Dirt
from .truth import FACULTY, Unit, World

try:
    import orjson
except ImportError:  # the standard library writes the same text, more slowly
    orjson = None  # type: ignore[assignment]


def _dumps(value: dict[str, Any]) -> bytes:
    if orjson is not None:
        return orjson.dumps(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Rendered:
    """The rows of a unit, joined by commas, and where each begins."""

    blob: bytes
    starts: array[int]  # one more than rows; the last is len(blob) + 1

    def __len__(self) -> int:
        return len(self.starts) - 1

    def slice(self, first: int, last: int) -> bytes:
        """Rows first..last-1, joined by commas."""
        last = min(last, len(self))
        return self.blob[self.starts[first] : self.starts[last] - 1] if first < last else b""


def join(rows: Iterable[bytes]) -> Rendered:
    pieces = list(rows)
    starts = array("Q", [0])
    at = 0
    for piece in pieces:
        at += len(piece) + 1
        starts.append(at)
    return Rendered(b",".join(pieces), starts)


class Pages:
    """Renders units when they are first asked for, and keeps them within a budget of bytes."""

    def __init__(self, world: World, *, variant: str | None = None, budget: int = 2 << 30) -> None:
        self.world = world
        self.variant = variant
        self._dirt = Dirt(world.dirt, variant)
        self._kept: OrderedDict[tuple[Unit, str | None], Rendered] = OrderedDict()
        self._size = 0
        self._budget = budget
        self._lock = Lock()
        self._rendering = RLock()  # one at a time: more would only fight for the interpreter

    def unit(self, unit: Unit, change: str | None = None) -> Rendered:
        """The rendered unit; `change` renames ("old=new") or adds ("+new") a key in every row."""
        key = (unit, change)
        if (found := self._look(key)) is not None:
            return found
        with self._rendering:
            if (found := self._look(key)) is not None:
                return found
            made = join(self._rows(unit, _changer(change)))
            with self._lock:
                self._kept[key] = made
                self._size += len(made.blob)
                while self._size > self._budget and len(self._kept) > 1:
                    _, old = self._kept.popitem(last=False)
                    self._size -= len(old.blob)
            return made

    def forget(self, units: Iterable[Unit]) -> None:
        touched = set(units)
        with self._rendering, self._lock:
            for key in [k for k in self._kept if k[0] in touched]:
                self._size -= len(self._kept.pop(key).blob)

    def warm(self) -> int:
        """Render everything now; returns the number of rows on the wire."""
        return sum(len(self.unit(unit)) for unit in (FACULTY, *self.world.units()))

    def largest(self) -> int:
        """Bytes of the largest part of the students."""
        return max((len(self.unit(unit).blob) for unit in self.world.units()), default=0)

    def _look(self, key: tuple[Unit, str | None]) -> Rendered | None:
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
            return found

    def _rows(self, unit: Unit, changed: Callable[[dict[str, Any]], dict[str, Any]]) -> list[bytes]:
        rows = [_dumps(changed(raw)) for raw in self._raw(unit)]
        if self.variant == "record_order":
            random.Random(f"{self.world.seed}|order|{unit}").shuffle(rows)
        return rows

    def _raw(self, unit: Unit) -> Iterator[dict[str, Any]]:
        key = "id" if unit == FACULTY else "studentnum"
        dirty = self._dirt.faculty if unit == FACULTY else self._dirt.student
        for entry in self.world.entries(unit):
            raw = dirty(entry.row, entry.dirt)
            yield raw
            if entry.duplicate:
                copy = dirty(entry.row, entry.dirt, 1)
                if copy == raw:  # never the same bytes twice: that is what a broken paging looks like
                    copy = {**raw, key: f"{raw[key]}  "}
                yield copy
            if entry.rejected:
                yield self._dirt.keyless(raw, key, entry.dirt)


def _changer(change: str | None) -> Callable[[dict[str, Any]], dict[str, Any]]:
    if change is None:
        return lambda raw: raw
    if change.startswith("+"):
        return lambda raw: {**raw, change[1:]: "1"}
    old, _, new = change.partition("=")
    return lambda raw: {new if k == old else k: v for k, v in raw.items()}
