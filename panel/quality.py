"""Data quality as panel, API and command show it: what is odd in the data, where, and what to do at the source.

Values of personal fields, and records that were left out, are for administrators; for everybody else they are taken
out here, field by field, before anything is shown.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from fetchers.core.clean import flags
from fetchers.core.fetcher import Stream
from fetchers.core.store import quality as store
from fetchers.core.store.quality import Noted, Page, Wanted, campus_of
from panel import diary

MASK = diary.MASK
_NEXT_FIELD = re.compile(r',\s*"')
_TRIES = 5  # a comma and a quotation mark may stand inside a text, too

__all__ = [
    "MASK",
    "Kind",
    "Noted",
    "Overview",
    "Page",
    "Wanted",
    "masked",
    "notes",
    "overview",
    "page",
    "record",
]


@dataclass(frozen=True)
class Kind:
    """One kind of oddity: a reason in a field of a stream. new: said first by the newest run; share: of the rows."""

    stream: Stream
    reason: str
    field: str | None
    kept: bool
    notes: int
    new: int
    share: float | None

    @property
    def name(self) -> str:
        """A name that is the same in addresses and tables: reason and field."""
        return f"{self.reason}:{self.field or ''}"

    def field_label(self, locale: str) -> str:
        """What people call the field; empty where the note is about the whole record."""
        return field_label(self.stream, self.field, locale)


@dataclass(frozen=True)
class Overview:
    """All kinds, the most frequent first, and the same by campus.

    campuses: code → notes by kind (stream, reason, field); rows_of: code → rows that are stored.
    """

    kinds: list[Kind]
    campuses: dict[str, Counter[tuple[str, str, str | None]]]
    rows_of: Counter[str]
    rows: int

    @property
    def notes(self) -> int:
        """How many notes there are about rows that are kept."""
        return sum(kind.notes for kind in self.kinds if kind.kept)

    @property
    def left_out(self) -> int:
        """How many records were left out."""
        return sum(kind.notes for kind in self.kinds if not kind.kept)


def overview(url: str, streams: Sequence[Stream], newest_runs: Sequence[str] = ()) -> Overview:
    """What the destination's notes say of these streams. newest_runs: UUIDs of each source's newest run.

    Raises StorageError.
    """
    by_name = {stream.name: stream for stream in streams}
    if not by_name:
        return Overview([], {}, Counter(), 0)
    new: Counter[tuple[str, str, str | None]] = Counter()
    for run in newest_runs:
        new.update(store.said_first_by(url, run))
    rows: Counter[str] = Counter()
    rows_of: Counter[str] = Counter()
    for (stream, part), n in store.rows_by_part(url, list(by_name)).items():
        rows[stream] += n
        if (campus := campus_of(part)) is not None:
            rows_of[campus] += n
    totals: Counter[tuple[str, str, str | None, bool]] = Counter()
    campuses: dict[str, Counter[tuple[str, str, str | None]]] = {}
    for count in store.counts(url, list(by_name)):
        totals[count.stream, count.reason, count.field, count.kept] += count.notes
        if (campus := campus_of(count.part)) is not None:
            campuses.setdefault(campus, Counter())[count.stream, count.reason, count.field] += count.notes
    kinds = [
        Kind(
            by_name[stream], reason, field, kept, n, new[stream, reason, field],
            n / rows[stream] if kept and rows[stream] else None,
        )
        for (stream, reason, field, kept), n in totals.items()
    ]  # fmt: skip
    kinds.sort(key=lambda kind: (-kind.notes, kind.stream.name, kind.name))
    return Overview(kinds, campuses, rows_of, sum(rows.values()))


def page(url: str, wanted: Wanted, *, sees_personal: bool, number: int = 1, size: int = 50) -> Page:
    """One page of notes, masked. Raises StorageError."""
    found = store.page(url, wanted, number=number, size=size)
    return replace(found, notes=[masked(note, sees_personal) for note in found.notes])


def notes(url: str, wanted: Wanted, limit: int, *, sees_personal: bool) -> Iterator[Noted]:
    """The first notes, masked, for a file. Raises StorageError."""
    return (masked(note, sees_personal) for note in store.notes(url, wanted, limit))


def masked(note: Noted, sees_personal: bool) -> Noted:
    """The note as this person may see it. A record that was left out is never given whole: `record` takes it apart."""
    if note.raw is None or sees_personal:
        return note
    stream = diary.streams().get(note.stream)
    if not note.kept:
        shown = json.dumps(dict(record(note, sees_personal)), ensure_ascii=False)
        return replace(note, raw=shown)
    return replace(note, raw=MASK if note.raw and _personal(stream, note.field) else note.raw)


def record(note: Noted, sees_personal: bool) -> list[tuple[str, Any]]:
    """A record that was left out, field by field: column (or the name as it came) and value, masked where personal.

    What no fetcher declares may hold anything, so it is masked too. Empty where the record cannot be taken apart.
    """
    found = _taken_apart(note.raw or "")
    stream = diary.streams().get(note.stream)
    spelled = {column.casefold(): column for column in _declared(stream)}
    told: list[tuple[str, Any]] = []
    for name, value in found.items():
        column = spelled.get(name.casefold(), name)
        hidden = not sees_personal and value not in (None, "") and _personal(stream, column)
        told.append((column, MASK if hidden else value))
    return told


def field_label(stream: Stream | None, field: str | None, locale: str) -> str:
    """What people call a field; its own name where no fetcher declares it."""
    if not field:
        return ""
    declared = stream.fields.get(field) if stream is not None else None
    return declared.label(locale) if declared is not None else field


def to_dict(source: str, found: Overview) -> dict[str, Any]:
    """The overview as REST and the command give it; sentences in English."""
    return {
        "sync": source,
        "rows": found.rows,
        "notes": found.notes,
        "left_out": found.left_out,
        "kinds": [_kind_dict(kind) for kind in found.kinds],
        "campuses": [
            {"campus": campus, "rows": found.rows_of[campus], "notes": sum(kinds.values())}
            for campus, kinds in sorted(found.campuses.items())
        ],
    }


def _kind_dict(kind: Kind) -> dict[str, Any]:
    todo = flags.mend(kind.reason)
    return {
        "stream": kind.stream.name,
        "reason": kind.reason,
        "field": kind.field,
        "kept": kind.kept,
        "notes": kind.notes,
        "new": kind.new,
        "share": None if kind.share is None else round(kind.share, 6),
        "meaning": flags.what(kind.reason)("en"),
        "mend": todo("en") if todo is not None else None,
    }


def _taken_apart(text: str) -> dict[str, Any]:
    """The fields of a record; of one that was cut (it is kept up to a length), those that are whole."""
    ends = [
        len(text),
        *islice((found.start() for found in reversed(list(_NEXT_FIELD.finditer(text)))), _TRIES),
    ]
    for end in ends:
        try:
            found = json.loads(text[:end] if end == len(text) else text[:end] + "}")
        except ValueError:
            continue
        return found if isinstance(found, dict) else {}
    return {}


def _personal(stream: Stream | None, column: str | None) -> bool:
    """Whether only administrators see it. A name that is no column may hold anything."""
    if column is None:
        return False
    field: Any = _declared(stream).get(column)
    return True if field is None else bool(field.personal)


def _declared(stream: Stream | None) -> Mapping[str, Any]:
    return stream.fields if stream is not None else {}
