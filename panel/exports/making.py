"""Making one file: rows in, cells out, a word about it twice a second, and a line in the audit trail at the end."""

import errno
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from fetchers.core.errors import FetchError
from panel import audit, browse, db
from panel.exports import orders, sheet
from panel.exports.orders import CANCELLED, DONE, FAILED, MAKING, Order, State
from panel.sheets import BOM, Book, csv_line

TELL_EVERY = 0.5  # seconds


class Stopped(Exception):
    """Somebody wishes for an end."""


class TooLong(Exception):
    """It took longer than a file may."""


class _File(Protocol):
    def row(self, cells: Iterable[object]) -> None: ...

    def close(self) -> None: ...

    def drop(self) -> None: ...


class _Csv:
    """CSV in UTF-8, as spreadsheets know it."""

    def __init__(self, path: Path, headings: Iterable[str]) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._file.write(BOM)
        self.row(headings)

    def row(self, cells: Iterable[object]) -> None:
        self._file.write(csv_line(cells))

    def close(self) -> None:
        self._file.close()

    drop = close


def make(order: Order, place: Path, data_url: str, panel_url: str) -> State:
    """Make the file that was ordered; how it ended. What it ended with is told in any case.

    1. Read the list page by page, in its order, as it is shown.
    2. Say how far it is, and look whether somebody wishes for an end.
    3. Write the line of the audit trail: nobody gets a file that nobody knows of.
    """
    try:
        state = _make(order, place, data_url)
        _record(order, panel_url, state)
    except Stopped:
        state = State(CANCELLED)
    except TooLong:
        state = State(FAILED, error="too_long")
    except OSError as error:
        state = State(FAILED, error="disk_full" if error.errno == errno.ENOSPC else "unknown")
    except (SQLAlchemyError, FetchError):
        state = State(FAILED, error="database")
    except Exception:
        orders.clear(place)
        orders.tell(place, State(FAILED, error="unknown"))
        raise
    if state.state != DONE:
        orders.clear(place)
    orders.tell(place, state)
    return state


def _make(order: Order, place: Path, data_url: str) -> State:
    table = browse.tables()[order.table]
    if order.sees_personal:
        table = browse.with_discovered(data_url, table)
    outs = sheet.columns(table, order.columns, order.locale, sees_personal=order.sees_personal)
    path = orders.file_of(place, order.kind)
    file = _open(order, table, outs, path)
    tell = _teller(place)
    count = 0
    try:
        for some in sheet.rows(_pages(order, table, data_url), order.wanted, orders.MOST_ROWS + 1):
            for row in some[: orders.MOST_ROWS - count]:
                file.row(out.cell(row) for out in outs)
            count += len(some)
            tell(min(count, orders.MOST_ROWS))
    except BaseException:
        file.drop()
        raise
    file.close()
    cut = count > orders.MOST_ROWS
    return State(DONE, rows=min(count, orders.MOST_ROWS), size=path.stat().st_size, cut=cut)


def _open(order: Order, table: browse.DataTable, outs: list[sheet.Out], path: Path) -> _File:
    if order.kind == "csv":
        return _Csv(path, [out.heading for out in outs])
    book = Book(path, right_to_left=not order.locale.startswith("en"), temporary=path.parent)
    book.sheet(table.label(order.locale)[:31], sheet.headings(outs))
    return book


def _pages(order: Order, table: browse.DataTable, data_url: str) -> Callable[[browse.Wanted], browse.Listing]:
    return lambda wanted: browse.listing(data_url, table, wanted, order.columns, size=sheet.ROWS_AT_ONCE)


def _teller(place: Path) -> Callable[[int], None]:
    """Says how far it is, now and then; raises Stopped."""
    told = time.monotonic()

    def tell(rows: int) -> None:
        nonlocal told
        if time.monotonic() - told < TELL_EVERY:
            return
        told = time.monotonic()
        if orders.is_stopped(place):
            raise Stopped
        orders.tell(place, State(MAKING, rows=rows))

    return tell


def _record(order: Order, panel_url: str, state: State) -> None:
    with db.writing(db.session_factory(panel_url)) as session:
        audit.record(
            session,
            order.username,
            "data_exported",
            order.table,
            order.address,
            lines=state.rows,
            columns=len(order.columns),
            file=order.kind,
        )


def gently() -> None:
    """Pages and syncs go first; and nobody else reads what is written."""
    os.nice(10)
    os.umask(0o077)
