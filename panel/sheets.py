"""Tables to save: Excel files and CSV, right to left for Persian readers, and safe to open in any spreadsheet.

Text is always text, so that no cell is ever a formula and codes keep their zeros; numbers are numbers.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import BinaryIO

from xlsxwriter import Workbook

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"
BOM = "\ufeff"  # spreadsheets take UTF-8 for the letters of another century without it
LONGEST_CELL = 32_000  # Excel's own limit is 32,767
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would execute

Column = tuple[str, int]  # heading, width in letters


class Book:
    """An Excel file, written row by row in little memory; one sheet after another."""

    def __init__(
        self, target: BinaryIO | Path, *, right_to_left: bool, temporary: Path | None = None
    ) -> None:
        """temporary: the folder for what is written before the file is; None: the system's own."""
        self._right_to_left = right_to_left
        self._book = Workbook(
            str(target) if isinstance(target, Path) else target,
            {
                "constant_memory": True,
                "tmpdir": str(temporary) if temporary is not None else None,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        self._bold = self._book.add_format({"bold": True})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})

    def sheet(self, name: str, columns: Sequence[Column]) -> None:
        """Begin a sheet; the rows that follow are its own."""
        self._sheet = self._book.add_worksheet(name)
        if self._right_to_left:
            self._sheet.right_to_left()
        self._sheet.freeze_panes(1, 0)
        for place, (word, width) in enumerate(columns):
            self._sheet.write_string(0, place, word, self._bold)
            self._sheet.set_column(place, place, width)
        self._at = 1

    def row(self, cells: Iterable[object]) -> None:
        """One more row; empty cells stay empty, and days are dates."""
        sheet, at = self._sheet, self._at
        for place, value in enumerate(cells):
            if value is None or value == "":
                continue
            if isinstance(value, str):
                sheet.write_string(at, place, _text(value))
            elif isinstance(value, int | float) and not isinstance(value, bool):
                sheet.write_number(at, place, value)
            elif isinstance(value, date):
                sheet.write_datetime(at, place, value, self._day)
            else:
                sheet.write_string(at, place, _text(str(value)))
        self._at += 1

    def close(self) -> None:
        """Finish the file."""
        self._book.close()

    def drop(self) -> None:
        """Let go of what was written of a file that will not be."""
        for sheet in self._book.worksheets():
            if sheet.row_data_fh is not None:
                sheet.row_data_fh.close()


def csv_line(cells: Iterable[object]) -> str:
    """A line of CSV in which no spreadsheet takes a cell for a formula."""
    written = io.StringIO()
    csv.writer(written).writerow(_harmless(cell) for cell in cells)
    return written.getvalue()


def _harmless(cell: object) -> str:
    text = "" if cell is None else str(cell)
    if isinstance(cell, int | float):
        return text
    return f"'{text}" if text.startswith(FORMULA) else text


def _text(text: str) -> str:
    """One cell's text: no control characters, which would make a file that Excel refuses."""
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() or sign in "\u200c\u200d" else " " for sign in text)
    return text[:LONGEST_CELL]
