"""What a list asks of a database, in the SQL of SQLite and of PostgreSQL."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    any_,
    bindparam,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from fetchers.core.clean import Code, Email, JalaliDate, NationalCode, Phone
from fetchers.core.clean.alphabet import FROM, LAST, LONGEST, TO
from panel.browse.tables import DataTable
from panel.destination import on_postgresql

SEARCH = Table(
    "_hamgam_search",
    MetaData(),
    *(Column(name, String) for name in ("table_name", "key", "folded", "sorted")),
)
LARGEST = 2**62  # stands for a number that is missing: behind all others

Order = list[tuple[ColumnElement[Any], bool]]  # what to sort by, and whether descending


def holds(connection: Connection, column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """Whether a folded text has this folded word in it. Quicker than LIKE, and knows no wildcards."""
    find = func.strpos if on_postgresql(connection) else func.instr
    return find(column, word) > 0


def among(
    connection: Connection, column: ColumnElement[Any], values: Sequence[Any], *, numbers: bool
) -> ColumnElement[bool]:
    """Whether a value is one of these, however many they are."""
    if on_postgresql(connection):
        kind = ARRAY(BigInteger() if numbers else String())
        return column == any_(bindparam(None, list(values), type_=kind))
    listed = func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(select(listed.c.value))


def apart(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same value, by which no index is chosen: where it is known that another one is better."""
    return column + 0 if isinstance(column.type, Integer) else column.concat("")


def is_value(column: ColumnElement[Any], value: Any) -> ColumnElement[bool]:
    """Whether a column has this value; None: whether it has none."""
    return column.is_(None) if value is None else column == value


def placed(connection: Connection, table: DataTable, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """What a column is sorted by: text as the Persian alphabet goes, empty values last."""
    field = table.field(str(column.key))
    if isinstance(column.type, Integer):
        return func.coalesce(column, LARGEST)
    if field is None or isinstance(field, Code | Email | JalaliDate | NationalCode | Phone):
        return func.coalesce(column, LAST)
    if on_postgresql(connection):
        key = func.trim(func.translate(func.left(column, LONGEST), FROM, TO))
    else:
        key = func.order_key(column)  # panel/destination.py makes it known to SQLite
    return func.coalesce(func.nullif(key, ""), LAST)


def behind(order: Order, values: Sequence[Any], *, reverse: bool = False) -> ColumnElement[bool]:
    """Whether a row comes behind the one with these values; reverse: before it."""
    alternatives = []
    for place, (column, descending) in enumerate(order):
        same = [one == value for (one, _), value in zip(order[:place], values[:place], strict=True)]
        beyond = column < values[place] if descending != reverse else column > values[place]
        alternatives.append(and_(*same, beyond))
    return or_(*alternatives) if alternatives else literal(False)


def beyond(order: Order, values: Sequence[Any], *, reverse: bool = False) -> ColumnElement[bool]:
    """As `behind`, where all columns go in one direction: databases find that place in an index."""
    columns, here = tuple_(*(column for column, _ in order)), tuple_(*values)
    return columns < here if order[0][1] != reverse else columns > here


def sorted_by(order: Order, *, reverse: bool = False) -> list[ColumnElement[Any]]:
    """As ORDER BY wants it."""
    return [column.desc() if descending != reverse else column.asc() for column, descending in order]
