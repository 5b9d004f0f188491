"""The change diary as an Excel file: right to left for Persian readers, and safe to open.

Every value is written as text, so that no cell is ever a formula, and codes keep their zeros.
"""

from typing import BinaryIO

from flask_babel import gettext as _

from panel import browse, diary, persian
from panel.admin import show
from panel.admin.change_rows import KIND_WORDS, WHY_WORDS
from panel.auth.locale import current, direction
from panel.sheets import Book

MOST_LINES = 50_000


def write(target: BinaryIO, url: str, wanted: diary.Wanted, *, may_see_personal: bool) -> int:
    """Write the newest lines, a row for each field that changed; how many lines there are in the file."""
    tables = {table.stream.name: table for table in browse.tables().values()}
    book = Book(target, right_to_left=direction() == "rtl")
    heads = (
        _("When"),
        _("Source"),
        _("Part"),
        _("Key"),
        _("What happened"),
        _("Field"),
        _("Before"),
        _("After"),
    )
    book.sheet("Hamgam", list(zip(heads, (20, 18, 26, 16, 14, 20, 30, 30), strict=True)))
    count = 0
    for line in diary.lines(url, wanted, MOST_LINES):
        line = diary.masked(line, may_see_personal)
        table = tables.get(line.stream)
        first = (
            persian.jalali_datetime(line.at, current()),
            table.stream.label(current()) if table else line.stream,
            show.part_name(line.part),
            line.key or "",
            str(KIND_WORDS.get(line.kind, line.kind)),
        )
        for field, before, after in _fields(line):
            word = table.label_of(field, current()) if table and field else field
            book.row(None if value is None else str(value) for value in (*first, word, before, after))
        count += 1
    book.close()
    return count


def _fields(line: diary.Change) -> list[tuple[str, object, object]]:
    if line.kind == "changed":
        return list(line.fields)
    if line.moved_to is not None:
        return [("", show.part_name(line.part), show.part_name(line.moved_to))]
    if line.kind == "gone":
        return [(name, value, None) for name, value in (line.before or {}).items() if value] or [
            ("", None, None)
        ]
    after = line.after or {}
    note = WHY_WORDS.get(after.get("why", ""), "") if line.kind == "left" else after.get("rows", "")
    return [("", None, str(note))]
