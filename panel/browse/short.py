"""A list of at most ten thousand rows, found by an index: exact in every way, and sorted by any column."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from panel.browse.asked import Asked, Conditions
from panel.browse.expressions import Order, behind, placed, sorted_by
from panel.browse.wanted import Slice

Values = dict[str, Counter[Any]]


def counted(asked: Asked, drivers: Conditions) -> tuple[int, Values | None]:
    """How many rows there are, and of each facet the values; None: those were not counted."""
    tally = asked.tally
    if tally is None or (asked.is_driven_by_counts and asked.uncounted):
        return asked.number([*drivers, *asked.facets()]), None
    if asked.is_driven_by_counts:
        return tally.wanted, tally.values
    names = [facet.column for facet in asked.stream.facets]
    if not names:
        return asked.number(drivers), {}
    found: Values = {name: Counter(dict.fromkeys(tally.values[name], 0)) for name in names}
    total = 0
    columns = [asked.real.c[name] for name in names]
    for *line, rows in asked.db.execute(select(*columns, func.count()).where(*drivers).group_by(*columns)):
        values = dict(zip(names, line, strict=True))
        refused = [name for name, value in asked.chosen.items() if values[name] != value]
        total += 0 if refused else rows
        for name, value in values.items():
            if refused in ([], [name]):
                found[name][value] += rows
    return total, found


def page(asked: Asked, drivers: Conditions, total: int) -> Slice:
    """A page, and its place among all."""
    where = [*drivers, *asked.facets()]
    order = order_of(asked, asked.wanted.sort, asked.wanted.descending)
    key = asked.cursor()
    at: Sequence[Any] | None = None
    if key is not None:
        at = asked.db.execute(select(*(column for column, _ in order)).where(*asked.is_row(key))).first()
    lost = key is not None and at is None
    reverse = asked.wanted.backward and not lost
    statement = select(*asked.columns).where(*where).order_by(*sorted_by(order, reverse=reverse))
    if at is not None:
        statement = statement.where(behind(order, at, reverse=reverse))
    found = asked.read(statement, reverse=reverse)
    found.lost = lost
    if at is None:
        found.first = max(1, total - len(found.rows) + 1) if reverse else 1
    elif found.rows:
        before = asked.number([*where, behind(order, at, reverse=True)])
        found.first = before + 1 - len(found.rows) if reverse else before + 2
    return found


def by_itself(asked: Asked) -> tuple[str, bool]:
    """By which column the list is sorted where none was asked for, and whether descending."""
    if asked.table.has_searched_rows and asked.stream.order:
        return asked.stream.order[0], False
    order = order_of_parts(asked, None, False)
    return order[0] if order else (asked.table.key[0], False)


def order_of(asked: Asked, sort: str | None, descending: bool) -> Order:
    """By a column, or as this table is shown by itself; at last by the key, so that no row is seen twice."""
    real, stream, table = asked.real, asked.stream, asked.table
    by_name = [placed(asked.db, table, real.c[name]) for name in stream.order]
    if sort is None and table.has_searched_rows and by_name:
        order = [(column, False) for column in by_name]
    elif sort is None or sort in stream.partition_columns:
        order = [(real.c[name], down) for name, down in order_of_parts(asked, sort, descending)]
    elif sort in stream.order[:1]:
        order = [(column, descending) for column in by_name]
    elif sort in table.key:
        order = [(real.c[sort], descending)]
    else:
        order = [(placed(asked.db, table, real.c[sort]), descending)]
    known = {column.key for column, _ in order}
    return [*order, *((real.c[name], False) for name in table.key if name not in known)]


def order_of_parts(asked: Asked, sort: str | None, descending: bool) -> list[tuple[str, bool]]:
    """Columns of what was asked for, and whether descending: the one chosen, then the newest first, then by codes."""
    names = list(asked.stream.partition_columns)
    newest = asked.stream.latest.newest if asked.stream.latest else None
    order = [(sort, descending)] if sort else []
    order += [(name, True) for name in names if name == newest and name != sort]
    return [*order, *((name, False) for name in names if name not in (newest, sort))]
