"""Watch the fields that a gateway sends: lost ones refuse a part, strangers are counted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from fetchers.core.clean import Discovered, RowCleaner
from fetchers.core.clean.rows import Alike, shown
from fetchers.core.errors import SchemaError
from fetchers.core.fetcher import Stream

# A field that no record of a part has is only noticed where there are enough records to tell.
ENOUGH_RECORDS = 20
WITHOUT_KEY = 0.05
REMEMBERED_LAYOUTS = 64
REMEMBERED_STRANGERS = 200


class _News(NamedTuple):
    """What is odd about the records of one layout."""

    lost: frozenset[str]
    strangers: tuple[str, ...]


class SchemaWatch:
    """The fields of one stream's records (DOMAIN.md part 3, rows 15 to 17; FAULTS.md F36).

    strangers: keys of the part at hand that no column wants, and in how many of its records each is. came_as: what
    JSON type each had first. seen_fields: what this upstream has ever been seen to send of the declared fields;
    seen_now: what this run has seen, discovered ones too.
    """

    def __init__(
        self, stream: Stream, cleaner: RowCleaner, own_key: tuple[str, ...], may_be_missing: Iterable[str]
    ) -> None:
        """own_key: the key's columns within a part. may_be_missing: fields that this gateway may leave out."""
        discovered = {name for name, field in stream.fields.items() if isinstance(field, Discovered)}
        self._fields = frozenset(stream.fields)
        self._declared = self._fields - discovered
        self._wanted = {name.casefold(): name for name in stream.fields}
        self._asked = frozenset(column.casefold() for column in stream.partition_columns)
        self._cleaner = cleaner
        self._own_key = own_key
        # A discovered field may be in some parts only, or go as it came.
        self._may_be_missing = frozenset(may_be_missing) | discovered
        self._layouts: dict[tuple[str, ...], _News | None] = {}
        self._renamed: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._wrong_types: Counter[str] = Counter()
        self._missing_before: Counter[str] = Counter()
        self.strangers: dict[str, int] = {}
        self.came_as: dict[str, str] = {}
        self.seen_fields: set[str] = set()
        self.seen_now: set[str] = set()

    def carry_on(self, former: "SchemaWatch") -> None:
        """Go on from the watch of the same stream when it had fewer columns."""
        self.seen_fields |= former.seen_fields
        self.seen_now |= former.seen_now

    def begin(self) -> None:
        """A part begins."""
        self._missing_before = Counter(self._cleaner.missing)
        self._renamed, self._reasons, self._wrong_types = Counter(), Counter(), Counter()
        self.strangers, self.came_as = {}, {}

    def note(self, records: Sequence[Any], alike: Alike) -> None:
        """Parsed records of the part, and which of them have the same keys."""
        for layout, places in alike.items():
            if layout is None:
                continue
            try:
                news = self._layouts[layout]
            except KeyError:
                news = self._learn(layout)
            if news is not None:
                for place in places:
                    self._renamed.update(news.lost)
                    for key in news.strangers:
                        self._count(shown(key), records[place].get(key))

    def reject(self, reason: str, field: str | None) -> None:
        """One record of the part cannot be kept: why, and which field is to blame."""
        self._reasons[reason] += 1
        if reason == "wrong_type" and field is not None:
            self._wrong_types[field] += 1

    def check(self, tried: int) -> None:
        """The part is read; tried: how many of its records were parsed. Raises SchemaError where a field is lost.

        1. More than a few records without a usable key.
        2. Fields that were there before, or that lack where a stranger stands.
        3. A field that more than a few records send as something that no text can be made of.
        """
        if not tried:
            return
        few = WITHOUT_KEY * tried
        missing = self._cleaner.missing - self._missing_before
        # What this gateway has never sent is none the poorer for a stranger; before a first load, nobody knows.
        renamed = {
            name
            for name, times in self._renamed.items()
            if times > few and (name in self.seen_fields or not self.seen_fields)
        }
        without_key = self._reasons["no_key"] + self._reasons["bad_key"]
        if without_key > max(few, 1 if tried < ENOUGH_RECORDS else 0):
            absent = any(missing[column] > few for column in self._own_key)
            raise SchemaError(
                f"{without_key} of {tried} records have no {', '.join(self._own_key)}.",
                fields=list(self._own_key),
                records=without_key,
                reason="renamed" if renamed.intersection(self._own_key) else "lost" if absent else "null",
                unknown=self._named_strangers(),
            )
        absent_everywhere = {name for name, times in missing.items() if times == tried}
        lost = set(renamed)
        if tried >= ENOUGH_RECORDS:
            lost |= (absent_everywhere - self._may_be_missing) & self.seen_fields
        if lost:
            raise SchemaError(
                f"The gateway no longer sends {', '.join(sorted(lost))}.",
                fields=sorted(lost),
                unknown=self._named_strangers(),
                reason="renamed" if renamed else "lost",
            )
        retyped = sorted(name for name, times in self._wrong_types.items() if times > few)
        if retyped and tried >= ENOUGH_RECORDS:
            raise SchemaError(
                f"The gateway sends {', '.join(retyped)} as another type.", fields=retyped, reason="type"
            )
        self.seen_fields |= self._declared - (absent_everywhere - self._may_be_missing)
        self.seen_now |= self._fields - absent_everywhere

    def _named_strangers(self) -> list[str]:
        return sorted(self.strangers)[:10]

    def _count(self, key: str, value: object) -> None:
        if key in self.strangers:
            self.strangers[key] += 1
            return
        if len(self.strangers) >= REMEMBERED_STRANGERS:  # a key of its own for each record: those go first
            self.strangers = {name: times for name, times in self.strangers.items() if times > 1}
            self.came_as = {name: self.came_as[name] for name in self.strangers}
        if len(self.strangers) < REMEMBERED_STRANGERS:
            self.strangers[key] = 1
            self.came_as[key] = _json_type(value)

    def _learn(self, layout: tuple[str, ...]) -> _News | None:
        """What records of these keys lack while a stranger stands in them (most likely renamed), and the strangers."""
        there = {key.casefold(): key for key in reversed(layout)}
        strangers = there.keys() - self._wanted.keys() - self._asked
        news = None
        if strangers:
            lost = {name for key, name in self._wanted.items() if key not in there} - self._may_be_missing
            told = islice((key for small, key in there.items() if small in strangers), REMEMBERED_STRANGERS)
            news = _News(frozenset(lost), tuple(told))
        if len(self._layouts) >= REMEMBERED_LAYOUTS:
            self._layouts.clear()
        self._layouts[layout] = news
        return news


def _json_type(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "list" if isinstance(value, list) else "object"
