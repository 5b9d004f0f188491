"""Clean whole records: match their keys with the columns, clean each value, say what was odd.

The quick way is three calls into C for a whole row: its values in the columns' order, each looked up in the
memory of its field. Only what was never seen, or was odd, runs Python. A RowCleaner belongs to one thread.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import getitem, itemgetter
from typing import Any, NamedTuple

from fetchers.core.clean.fields import (
    INTEGERS,
    NULL,
    REMEMBERED_LENGTH,
    REMEMBERED_VALUES,
    Field,
    Integer,
    Reject,
)

REMEMBERED_LAYOUTS = 64
RAW_LENGTH = 200

Value = str | int | None


class Flag(NamedTuple):
    """Something odd in one value: the column, the word for it (flags.FLAGS), and the value as it came."""

    column: str
    reason: str
    raw: str


class Row(NamedTuple):
    """A record as it is stored, in the order of the fields, and what was odd about it."""

    values: tuple[Value, ...]
    flags: Sequence[Flag]


class _Memory(dict):
    """What a field made of the values seen so far: `memory[raw]` is the cleaned value.

    Only text and None are ever kept as keys, so 1, 1.0 and True cannot be taken for one another, and only
    values without a flag, so a flag is raised each time.
    """

    __slots__ = ("column", "field", "flags", "stays")

    def __init__(self, column: str, field: Field, flags: list[Flag]) -> None:
        super().__init__()
        self.column = column
        self.field = field
        self.flags = flags
        self.stays = field.stays() or _never
        self._begin()

    def __missing__(self, raw: object) -> Value:
        if type(raw) is not str:
            return self.clean(raw)
        value: Value = raw
        if not self.stays(raw):
            value, flag = self.field.clean_text(raw)
            if flag is not None:
                self.flags.append(Flag(self.column, flag, shown(raw)))
                return value
        if len(raw) <= REMEMBERED_LENGTH:
            if len(self) > REMEMBERED_VALUES:
                self.clear()
                self._begin()
            self[raw] = value
        return value

    def _begin(self) -> None:
        """Nothing gives nothing, unless this field wants to be told of it."""
        if self.field.clean(None) == NULL:
            self[None] = None

    def clean(self, raw: object) -> Value:
        try:
            value, flag = self.field.clean(raw)
        except Reject as reject:
            raise Reject(reject.reason, self.column) from None
        if flag is not None:
            self.flags.append(Flag(self.column, flag, shown(raw)))
        return value


class _Numbers(_Memory):
    """The same of a field that stores whole numbers: those that come as such stay what they are."""

    __slots__ = ()

    def __missing__(self, raw: object) -> Value:
        if type(raw) is int and raw in INTEGERS:
            return raw
        return super().__missing__(raw)


def _never(text: str) -> None:
    return None


class _Layout(NamedTuple):
    """How the records with these keys, in this order, become rows."""

    pick: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None  # None: they are in order already
    missing: tuple[str, ...]
    doubles: tuple[tuple[str, int, int], ...]  # column, where its value is, where another one is


class RowCleaner:
    """Records in, rows out. `missing`: how often a key was absent; keys that no column wants are passed over."""

    def __init__(self, fields: Mapping[str, Field], required: Sequence[str] = ()) -> None:
        self.columns = tuple(fields)
        self.missing: Counter[str] = Counter()
        self._flags: list[Flag] = []
        self._memories = tuple(
            (_Numbers if isinstance(field, Integer) else _Memory)(column, field, self._flags)
            for column, field in fields.items()
        )
        self._required = tuple((self.columns.index(column), column) for column in required)
        self._layouts: dict[tuple[str, ...], _Layout] = {}
        self._last: tuple[tuple[str, ...], _Layout] = (), _Layout(None, (), ())

    def __call__(self, record: dict[str, Any]) -> Row:
        """Clean one record. Raises Reject if it cannot be kept."""
        if type(record) is not dict:
            raise Reject("not_an_object")
        keys = tuple(record)
        known, layout = self._last  # nearly always the one before, and told by a glance at the same strings
        if keys != known or not keys:
            layout = self._layouts.get(keys) or self._learn(keys)
            self._last = keys, layout
        pick, missing, doubles = layout
        raw = tuple(record.values())
        flags = self._flags
        if missing:
            self.missing.update(missing)
        if doubles:
            for column, kept, other in doubles:
                if raw[kept] != raw[other]:
                    flags.append(Flag(column, "double_key", shown(raw[other])))
        if pick is not None:
            raw = pick((*raw, None))
        try:
            try:
                values = tuple(map(getitem, self._memories, raw))
            except TypeError:
                values = self._one_by_one(raw)
            for place, column in self._required:
                if values[place] is None:
                    raise Reject(
                        "bad_key" if any(flag.column == column for flag in flags) else "no_key", column
                    )
        except Reject:
            flags.clear()
            raise
        if flags:
            odd = tuple(flags)
            flags.clear()
            return Row(values, odd)
        return Row(values, ())

    def _one_by_one(self, raw: tuple[Any, ...]) -> tuple[Value, ...]:
        """A list or an object cannot be looked up at all. Raises Reject where its field takes none."""
        self._flags[:] = (
            flag for flag in self._flags if flag.reason == "double_key"
        )  # the others come again
        return tuple(
            memory.clean(value) if isinstance(value, list | dict) else memory[value]
            for memory, value in zip(self._memories, raw, strict=True)
        )

    def _learn(self, keys: tuple[str, ...]) -> _Layout:
        """Work out once how records with these keys are read; a column's own spelling goes before others."""
        places: dict[str, list[int]] = {}
        wanted = {column.casefold(): column for column in self.columns}
        for place, key in enumerate(keys):
            column = key if key in self.columns else wanted.get(key.casefold())
            if column is None:
                continue
            if key == column:
                places.setdefault(column, []).insert(0, place)
            else:
                places.setdefault(column, []).append(place)
        order = [places.get(column, [-1])[0] for column in self.columns]
        layout = _Layout(
            pick=None if order == list(range(len(keys))) else _picker(order),
            missing=tuple(column for column in self.columns if column not in places),
            doubles=tuple(
                (column, found[0], other) for column, found in places.items() for other in found[1:]
            ),
        )
        if len(self._layouts) >= REMEMBERED_LAYOUTS:
            self._layouts.clear()
        self._layouts[keys] = layout
        return layout


def compile_row(fields: Mapping[str, Field], required: Sequence[str] = ()) -> RowCleaner:
    """A cleaner for the records of a stream: its fields in their order, and those that no row may lack."""
    return RowCleaner(fields, required)


def shown(raw: object) -> str:
    """A raw value as text that any database takes: short, and without half characters; nothing is empty."""
    if raw is None:
        return ""
    text = raw if isinstance(raw, str) else repr(raw)
    return text[:RAW_LENGTH].encode("utf-8", "replace").decode().replace("\x00", "")


def _picker(order: list[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Read places in this order; the last place, -1, holds what a missing key gives."""
    if len(order) == 1:
        return lambda raw: (raw[order[0]],)
    return itemgetter(*order)
