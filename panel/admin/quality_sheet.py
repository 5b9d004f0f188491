"""The notes about records as a file with which a registrar mends them at the source: Excel, or CSV."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from flask_babel import gettext as _

from fetchers.core.clean import flags
from panel import diary, persian, quality
from panel.admin import change_rows
from panel.admin.quality_rows import part_of
from panel.auth.locale import current, direction
from panel.sheets import BOM, Book, Column, csv_line

MOST_NOTES = 50_000
AT_ONCE = 500  # names are looked up for so many rows at a time


@dataclass(frozen=True)
class Wants:
    """What the file is to hold, and who may see it. campuses: code → name."""

    url: str
    wanted: quality.Wanted
    campuses: Mapping[str, str]
    sees_personal: bool


def write(target: BinaryIO, wants: Wants) -> None:
    """Write the notes, and on a second sheet how many there are of each kind. Raises StorageError."""
    book = Book(target, right_to_left=direction() == "rtl")
    book.sheet(_("Data quality"), _columns())
    for cells in _lines(wants):
        book.row(cells)
    book.sheet(
        _("Counts"),
        [
            (_("Source"), 18),
            (_("Field"), 20),
            (_("What is odd"), 50),
            (_("How many"), 12),
            (_("Share of rows"), 12),
        ],
    )
    streams = [stream for stream in diary.streams().values() if stream.name in wants.wanted.streams]
    for kind in quality.overview(wants.url, streams).kinds:
        book.row(
            (
                kind.stream.label(current()),
                kind.field_label(current()),
                flags.what(kind.reason)(current()),
                kind.notes,
                kind.share,
            )
        )
    book.close()


def csv_lines(wants: Wants) -> Iterator[str]:
    """The notes as CSV, line by line. Raises StorageError."""
    yield BOM + csv_line(word for word, _width in _columns())
    for cells in _lines(wants):
        yield csv_line(cells)


def count(wants: Wants) -> int:
    """How many notes the file holds, as far as they are counted. Raises StorageError."""
    return quality.page(wants.url, wants.wanted, sees_personal=False, size=1).total


def _columns() -> list[Column]:
    return [
        (_("Campus code"), 12),
        (_("Campus"), 24),
        (_("Term"), 8),
        (_("Source"), 18),
        (_("Key"), 16),
        (_("Name"), 24),
        (_("Field"), 20),
        (_("Value at the source"), 30),
        (_("What is odd"), 44),
        (_("What to do at the source"), 44),
        (_("In the database"), 14),
        (_("Since"), 18),
    ]


def _lines(wants: Wants) -> Iterator[tuple[object, ...]]:
    found = quality.notes(wants.url, wants.wanted, MOST_NOTES, sees_personal=wants.sees_personal)
    tables = change_rows.tables_of_people()
    while some := list(islice(found, AT_ONCE)):
        names = change_rows.names_of(wants.url, tables, some)
        for note in some:
            yield _cells(note, names.get((note.stream, note.key or ""), ""), wants)


def _cells(note: quality.Noted, who: str, wants: Wants) -> tuple[object, ...]:
    stream = diary.streams().get(note.stream)
    part = part_of(note)
    campus = part.get("campus", "")
    todo = flags.mend(note.reason)
    return (
        campus,
        wants.campuses.get(campus, ""),
        part.get("term", ""),
        stream.label(current()) if stream is not None else note.stream,
        note.key,
        who,
        quality.field_label(stream, note.field, current()),
        note.raw if note.kept else _record(note, wants),
        flags.what(note.reason)(current()),
        todo(current()) if todo is not None else "",
        _("kept") if note.kept else _("rejected"),
        persian.jalali_datetime(note.at, current()),
    )


def _record(note: quality.Noted, wants: Wants) -> str:
    """A record that was left out, in one cell: field by field."""
    stream = diary.streams().get(note.stream)
    return " | ".join(
        f"{quality.field_label(stream, name, current())}: {value}"
        for name, value in quality.record(note, wants.sees_personal)
        if value not in (None, "")
    )
