"""A list as a table to save: its columns with their headings, and the cells of its rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from fetchers.core.clean import Integer, JalaliDate, Text, to_gregorian
from fetchers.core.fetcher import Label
from panel.browse import DataTable, Listing, Wanted
from panel.browse.wanted import Row
from panel.diary import MASK
from panel.sheets import Column

ROWS_AT_ONCE = 2_500
FIRST_DAY_OF_EXCEL = date(1900, 3, 1)  # it believes in a 29 February 1900
GREGORIAN = Label("میلادی", "Gregorian")


@dataclass(frozen=True)
class Out:
    """A column of the file: what stands above it, its width in letters, and what stands in it."""

    heading: str
    width: int
    cell: Callable[[Row], object]


def columns(table: DataTable, names: Sequence[str], locale: str, *, sees_personal: bool) -> list[Out]:
    """The columns of the file. Behind a Jalali date stands the same day as a real, Gregorian one."""
    found: list[Out] = []
    for name in names:
        field, label = table.field(name), table.label_of(name, locale)
        if table.is_personal(name) and not sees_personal:
            found.append(Out(label, 14, _masked(name)))
            continue
        found.append(Out(label, _width(field, label), _value(name)))
        if isinstance(field, JalaliDate):
            found.append(Out(f"{label} ({GREGORIAN(locale)})", 14, _day(name)))
    return found


def headings(outs: Sequence[Out]) -> list[Column]:
    """As a sheet wants them."""
    return [(one.heading, one.width) for one in outs]


def rows(page: Callable[[Wanted], Listing], wanted: Wanted, limit: int) -> Iterator[list[Row]]:
    """The first rows of a list in its order, some at a time.

    page: a page of the list. Each begins behind the last row of the one before, so that nothing is twice or left out
    while a sync goes on.
    """
    here = replace(wanted, after=(), before=(), last=False)
    while limit > 0:
        found = page(here)
        yield found.rows[:limit]
        limit -= len(found.rows)
        if found.after is None:
            return
        here = replace(here, after=tuple(map(str, found.after)))


def _width(field: object, label: str) -> int:
    if isinstance(field, Integer):
        return max(8, len(label) + 2)
    return max(26 if type(field) is Text else 14, min(len(label) + 2, 30))


def _value(name: str) -> Callable[[Row], object]:
    return lambda row: row[name]


def _masked(name: str) -> Callable[[Row], object]:
    return lambda row: MASK if row[name] not in (None, "") else None


def _day(name: str) -> Callable[[Row], object]:
    """The Gregorian day of a Jalali date; nothing where the spreadsheet has no such day."""

    def day(row: Row) -> date | None:
        text = row[name]
        if not text:
            return None
        try:
            found = to_gregorian(*(int(part) for part in str(text).split("/")))
        except (TypeError, ValueError):  # a column that an older rule filled
            return None
        return found if found >= FIRST_DAY_OF_EXCEL else None

    return day


def file_name(order_table: str, kind: str, today: Any) -> str:
    """What the file is called when it is saved: in signs that every system takes."""
    return f"hamgam-{order_table}-{str(today).replace('/', '-')}.{kind}"
