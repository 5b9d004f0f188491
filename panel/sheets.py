"""Tables to save: Excel files and CSV, right to left for Persian readers, and safe to open in any spreadsheet.

Text is always text, so that no cell is ever a formula and codes keep their zeros; numbers are numbers.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from xlsxwriter import Workbook

from panel.auth.locale import current

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = "text/csv; charset=utf-8"
BOM = "\ufeff"  # spreadsheets take UTF-8 for the letters of another century without it
LONGEST_CELL = 32_000  # Excel's own limit is 32,767
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would execute

Column = tuple[str, int]  # heading, width in letters


class Book:
    """An Excel file, written row by row in little memory; one sheet after another."""

    def __init__(self, target: BinaryIO) -> None:
        self._book = Workbook(
            target,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        self._bold = self._book.add_format({"bold": True})

    def sheet(self, name: str, columns: Sequence[Column]) -> None:
        """Begin a sheet; the rows that follow are its own."""
        self._sheet = self._book.add_worksheet(name)
        if current() == "fa":
            self._sheet.right_to_left()
        self._sheet.freeze_panes(1, 0)
        for place, (word, width) in enumerate(columns):
            self._sheet.write_string(0, place, word, self._bold)
            self._sheet.set_column(place, place, width)
        self._at = 1

    def row(self, cells: Iterable[object]) -> None:
        """One more row; empty cells stay empty."""
        for place, value in enumerate(cells):
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._sheet.write_number(self._at, place, value)
            elif value is not None and value != "":
                self._sheet.write_string(self._at, place, _text(value))
        self._at += 1

    def close(self) -> None:
        """Finish the file."""
        self._book.close()


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


def _text(value: object) -> str:
    """One cell's text: no control characters, which would make a file that Excel refuses."""
    text = "".join(sign if sign.isprintable() or sign in "\u200c\u200d" else " " for sign in str(value))
    return text[:LONGEST_CELL]
