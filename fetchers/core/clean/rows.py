"""Clean whole records, many at once: match their keys with the columns, clean each value, say what was odd.

The quick way is column by column, in calls into C for a whole column: each value is looked up in what its field made of
earlier ones, and those never seen are tested together. Only what is odd is cleaned by itself. A RowCleaner belongs to
one thread.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from fetchers.core.clean.fields import REMEMBERED_LENGTH, REMEMBERED_VALUES, Field, Reject

REMEMBERED_LAYOUTS = 64
RAW_LENGTH = 200

Value = str | int | None
Values = tuple[Value, ...]
Alike = dict[
    tuple[str, ...] | None, Sequence[int]
]  # keys in their order → the places of the records with these


class Flag(NamedTuple):
    """Something odd in one value: the column, the word for it (flags.FLAGS), and the value as it came."""

    column: str
    reason: str
    raw: str


class Cleaned(NamedTuple):
    """Many records as they are stored, each in the order of the fields; None where one cannot be kept.

    flags, rejects: what was odd in a record, or why it is left out, by its place.
    """

    rows: list[Values | None]
    flags: dict[int, list[Flag]]
    rejects: dict[int, Reject]


class _Layout(NamedTuple):
    """How the records with these keys, in this order, become rows."""

    order: tuple[int, ...]  # where each column's value is; -1: nowhere
    missing: tuple[str, ...]
    doubles: tuple[tuple[str, int, int], ...]  # column, where its value is, where another one is


_ODD: Any = object()  # stands for a value that is flagged, refused, or of an unusual type
# Of one type each that no other is equal to: to a dict, 1, 1.0 and True are one key.
_USUAL_TYPES = frozenset({str, int, type(None), object})


class _Column:
    """What a field makes of values, and a bounded memory of it. A flag is raised each time, so it is not remembered."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._usual = field.usual()
        self._known: dict[Any, Value] = {_ODD: _ODD}
        self._met = self._new = 0
        self._numbers = False  # some keys are numbers: then types must be looked at first
        self._varied = False  # hardly a value comes twice: a memory would cost more than it saves
        self.odd = False  # whether an odd value was ever met

    def __call__(self, column: Sequence[Any]) -> list[Value]:
        """The values as they are stored, _ODD where one must be cleaned by itself."""
        known = self._known
        if not self._numbers and not self._varied:
            try:
                return list(map(known.__getitem__, column))
            except (KeyError, TypeError):
                pass  # something new, or what cannot be looked up at all
        if not _USUAL_TYPES.issuperset(map(type, column)):
            column = [raw if type(raw) in _USUAL_TYPES else _ODD for raw in column]
            self.odd = True
        fresh = set(column).difference(known)
        if fresh:
            known = self._learn(column, fresh)
        return list(map(known.__getitem__, column))

    def _learn(self, column: Sequence[Any], fresh: set[Any]) -> dict[Any, Value]:
        """What to look this column's values up in, after values that are not remembered."""
        self._met += len(column)
        self._new += len(fresh)
        if len(self._known) + len(fresh) > REMEMBERED_VALUES:
            self._varied = self._new * 2 > self._met >= REMEMBERED_VALUES
            self._known = {_ODD: _ODD}
            fresh = set(column) - {_ODD}
        found = self._clean_all([raw for raw in fresh if type(raw) is str])
        for raw in fresh - found.keys():
            found[raw] = self._clean(raw)
            self._numbers = self._numbers or type(raw) is int
        if self._varied or len(fresh) > REMEMBERED_VALUES:
            return self._known | found
        long = [raw for raw in found if type(raw) is str and len(raw) > REMEMBERED_LENGTH]
        if long:
            all_of_it = self._known | found
            for raw in long:
                del found[raw]
            self._known |= found
            return all_of_it
        self._known |= found
        return self._known

    def _clean_all(self, texts: list[str]) -> dict[Any, Value]:
        if self._usual is None:
            return {raw: self._clean(raw) for raw in texts}
        lines, odd = self._usual(texts)
        found: dict[Any, Value] = dict(zip(texts, lines, strict=True))
        if odd:
            for raw, line in zip(texts, lines, strict=True):
                if line in odd:
                    found[raw] = self._clean(raw)
        return found

    def _clean(self, raw: object) -> Value:
        try:
            value, flag = self._field.clean(raw)
        except Reject:
            flag = "refused"
        if flag is not None:
            self.odd = True
            return _ODD
        return value


class RowCleaner:
    """Records in, rows out. `missing`: how often a key was absent; keys that no column wants are passed over."""

    def __init__(self, fields: Mapping[str, Field], required: Sequence[str] = ()) -> None:
        self.columns = tuple(fields)
        self.missing: Counter[str] = Counter()
        self._fields = tuple(fields.values())
        self._cleaners = tuple(_Column(field) for field in self._fields)
        self._required = tuple((self.columns.index(column), column) for column in required)
        self._layouts: dict[tuple[str, ...], _Layout] = {}

    def clean(self, records: Sequence[Any], lead: Values = (), alike: Alike | None = None) -> Cleaned:
        """Clean records. lead: values that go before those of each row. alike: `by_keys` of these records."""
        cleaned = Cleaned([None] * len(records), {}, {})
        for keys, places in (by_keys(records) if alike is None else alike).items():
            if keys is None:
                cleaned.rejects.update((place, Reject("not_an_object")) for place in places)
            else:
                self._clean_alike(records, keys, places, lead, cleaned)
        for place in cleaned.rejects:
            cleaned.rows[place] = None
            cleaned.flags.pop(place, None)
        return cleaned

    def _clean_alike(
        self,
        records: Sequence[Any],
        keys: tuple[str, ...],
        places: Sequence[int],
        lead: Values,
        cleaned: Cleaned,
    ) -> None:
        """Clean the records that have these keys in this order."""
        layout = self._layouts.get(keys) or self._learn(keys)
        for column in layout.missing:
            self.missing[column] += len(places)
        came = list(zip(*(records[place].values() for place in places), strict=True))
        nothing = (None,) * len(places)
        raw = [came[at] if at >= 0 else nothing for at in layout.order]
        for column, kept, other in layout.doubles:
            for n, place in enumerate(places):
                if came[kept][n] != came[other][n]:
                    self._flag(cleaned, place, column, "double_key", came[other][n])
        columns = [cleaner(values) for cleaner, values in zip(self._cleaners, raw, strict=True)]
        for at, after in enumerate(columns):
            if self._cleaners[at].odd:
                for n in [n for n, value in enumerate(after) if value is _ODD]:
                    after[n] = self._clean_odd(cleaned, places[n], at, raw[at][n])
        for at, column in self._required:
            if None in columns[at]:
                for n in [n for n, value in enumerate(columns[at]) if value is None]:
                    odd = any(flag.column == column for flag in cleaned.flags.get(places[n], ()))
                    cleaned.rejects.setdefault(places[n], Reject("bad_key" if odd else "no_key", column))
        rows = zip(*(repeat(value, len(places)) for value in lead), *columns, strict=True)
        if len(places) == len(records):
            cleaned.rows[:] = rows
        else:
            for place, row in zip(places, rows, strict=True):
                cleaned.rows[place] = row

    def _clean_odd(self, cleaned: Cleaned, place: int, at: int, raw: object) -> Value:
        """One value by itself, with its flag; the first one that cannot be kept rejects its record."""
        column = self.columns[at]
        try:
            value, flag = self._fields[at].clean(raw)
        except Reject as reject:
            cleaned.rejects.setdefault(place, Reject(reject.reason, column))
            return None
        if flag is not None:
            self._flag(cleaned, place, column, flag, raw)
        return value

    @staticmethod
    def _flag(cleaned: Cleaned, place: int, column: str, reason: str, raw: object) -> None:
        cleaned.flags.setdefault(place, []).append(Flag(column, reason, shown(raw)))

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
        layout = _Layout(
            order=tuple(places.get(column, [-1])[0] for column in self.columns),
            missing=tuple(column for column in self.columns if column not in places),
            doubles=tuple(
                (column, found[0], other) for column, found in places.items() for other in found[1:]
            ),
        )
        if len(self._layouts) >= REMEMBERED_LAYOUTS:
            self._layouts.clear()
        self._layouts[keys] = layout
        return layout


def by_keys(records: Sequence[Any]) -> Alike:
    """The places of the records that have the same keys in the same order; None: of what is no object."""
    keys = [tuple(record) if type(record) is dict else None for record in records]
    if keys and keys.count(keys[0]) == len(keys):  # nearly always
        return {keys[0]: range(len(keys))}
    groups: dict[tuple[str, ...] | None, list[int]] = {}
    for place, found in enumerate(keys):
        groups.setdefault(found, []).append(place)
    return dict(groups)


def compile_row(fields: Mapping[str, Field], required: Sequence[str] = ()) -> RowCleaner:
    """A cleaner for the records of a stream: its fields in their order, and those that no row may lack."""
    return RowCleaner(fields, required)


def shown(raw: object) -> str:
    """A raw value as text that any database takes: short, and without half characters; nothing is empty."""
    if raw is None:
        return ""
    text = raw if isinstance(raw, str) else repr(raw)
    return text[:RAW_LENGTH].encode("utf-8", "replace").decode().replace("\x00", "")
