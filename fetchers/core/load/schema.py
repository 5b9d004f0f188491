"""Watch the fields that a gateway sends: lost ones refuse a part, strangers are told."""

from collections import Counter
from collections.abc import Iterable

from fetchers.core.clean import RowCleaner
from fetchers.core.errors import SchemaError
from fetchers.core.fetcher import Stream

# A field that no record of a part has is only noticed where there are enough records to tell.
ENOUGH_RECORDS = 20
WITHOUT_KEY = 0.05


class SchemaWatch:
    """The fields of one stream's records (DOMAIN.md part 3, row 15; FAULTS.md F36)."""

    def __init__(
        self, stream: Stream, cleaner: RowCleaner, own_key: tuple[str, ...], may_be_missing: Iterable[str]
    ) -> None:
        """own_key: the key's columns within a part. may_be_missing: fields that this gateway may leave out."""
        self._fields = frozenset(stream.fields)
        self._wanted = {name.casefold(): name for name in stream.fields}
        self._cleaner = cleaner
        self._own_key = own_key
        self._may_be_missing = frozenset(may_be_missing)
        self._lost_by_layout: dict[tuple[str, ...], frozenset[str]] = {}
        self._renamed: Counter[str] = Counter()
        self._missing_before: Counter[str] = Counter()
        self.seen_fields: set[str] = set()
        self.unknown_fields: set[str] = set()

    def begin(self) -> None:
        """A part begins."""
        self._missing_before = Counter(self._cleaner.missing)
        self._renamed = Counter()

    def note(self, record: object) -> None:
        """One parsed record of the part."""
        if type(record) is dict and (lost := self._lost(tuple(record))):
            self._renamed.update(lost)

    def check(self, tried: int, without_key: int) -> None:
        """The part is read. Raises SchemaError where its records have lost a field.

        tried: how many were parsed; without_key: how many of them had no usable key.
        """
        if not tried:
            return
        if without_key > max(WITHOUT_KEY * tried, 1 if tried < ENOUGH_RECORDS else 0):
            raise SchemaError(
                f"{without_key} of {tried} records have no {', '.join(self._own_key)}.",
                fields=list(self._own_key),
                records=without_key,
            )
        missing = self._cleaner.missing - self._missing_before
        absent = {name for name, times in missing.items() if times == tried} - self._may_be_missing
        lost = {name for name, times in self._renamed.items() if times > WITHOUT_KEY * tried}
        if tried >= ENOUGH_RECORDS:
            lost |= absent & self.seen_fields
        if lost:
            strangers = sorted(self._cleaner.unknown)[:10]
            raise SchemaError(
                f"The gateway no longer sends {', '.join(sorted(lost))}.",
                fields=sorted(lost),
                unknown=strangers,
            )
        self.seen_fields |= self._fields - absent
        self.unknown_fields |= self._cleaner.unknown

    def _lost(self, layout: tuple[str, ...]) -> frozenset[str]:
        """Fields that records of these keys lack while a stranger stands in them: most likely one was renamed."""
        known = self._lost_by_layout.get(layout)
        if known is None:
            there = {key.casefold() for key in layout}
            strangers = there - self._wanted.keys()
            lost = {name for key, name in self._wanted.items() if key not in there} if strangers else set()
            if len(self._lost_by_layout) > 64:
                self._lost_by_layout.clear()
            known = self._lost_by_layout[layout] = frozenset(lost - self._may_be_missing)
        return known
