"""A list of any length, walked in an order that is there already, from one row on, and only as far as a page needs."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, not_, select

from panel.browse import counts
from panel.browse.asked import MOST_ROWS, Asked, Conditions
from panel.browse.expressions import SEARCH, Order, among, apart, behind, beyond, holds, sorted_by
from panel.browse.short import order_of_parts
from panel.browse.wanted import Key, Row, Slice

FURTHEST = 60_000  # rows that are looked at for one page

Walk = Callable[[Asked, str | None, bool], Slice]


def ways(asked: Asked) -> dict[str, Walk]:
    """Column → how to walk in its order. "": in the order in which this table is shown by itself."""
    table, stream = asked.table, asked.stream
    found: dict[str, Walk] = {"": by_key}
    if asked.tally is not None and stream.partition_columns:
        found |= dict.fromkeys(stream.partition_columns, by_parts)
        if not table.has_searched_rows:
            found[""] = by_parts
    if len(table.key) == 1:
        found[table.key[0]] = by_key
    if table.has_searched_rows and stream.order and _names_are_sorted(asked):
        found |= {stream.order[0]: by_name, "": by_name}
    return found


def by_itself(asked: Asked, walk: Walk) -> tuple[str, bool]:
    """By which column that walk goes where none was asked for, and whether descending."""
    if walk is by_name:
        return asked.stream.order[0], False
    return order_of_parts(asked, None, False)[0] if walk is by_parts else (asked.table.key[0], False)


def _names_are_sorted(asked: Asked) -> bool:
    """An older version may have written the destination; the next run sorts them."""
    if "sorted" not in asked.search_columns:
        return False
    lacks = select(SEARCH.c.key).where(SEARCH.c.table_name == asked.table.name, SEARCH.c.sorted.is_(None))
    return asked.db.scalar(lacks.limit(1)) is None


# -- part by part -----------------------------------------------------------------------------------------


def by_parts(asked: Asked, sort: str | None, descending: bool) -> Slice:
    """Part by part: those without a wanted row are passed over, and each of the others is small."""
    assert asked.tally is not None
    names = list(asked.stream.partition_columns)
    rank = _rank(names, order_of_parts(asked, sort, descending))
    parts = sorted(asked.tally.parts, key=lambda part: rank(part.values))
    at = _place(asked)
    lost = asked.cursor() is not None and at is None
    reverse = asked.wanted.backward and not lost
    here: tuple[Any, ...] = ()
    own: Sequence[Any] | None = None
    turn = parts[::-1] if reverse else parts
    if at is not None:
        here, own = tuple(at[: len(names)]), at[len(names) :]
        turn = [
            part for part in turn
            if part.values == here or (rank(part.values) < rank(here)) is reverse
        ]  # fmt: skip
    order = _order_within_part(asked)
    rows: list[Row] = []
    looked, stopped_at = 0, None
    for part in turn:
        conditions = [*asked.in_parts([part]), *_tried(asked)]
        if own is not None and part.values == here:
            conditions.append(behind(order, own, reverse=reverse))
        statement = select(*asked.columns).where(*conditions).order_by(*sorted_by(order, reverse=reverse))
        rows += [
            dict(row) for row in asked.db.execute(statement.limit(asked.size + 1 - len(rows))).mappings()
        ]
        looked += part.rows if asked.uncounted else 0
        if len(rows) > asked.size:
            break
        if looked > FURTHEST and part is not turn[-1]:
            stopped_at = _end_of(asked, part, reverse=reverse)
            break
    found = asked.cut(rows, reverse=reverse)
    found.stopped_at, found.lost = stopped_at, lost
    if found.rows and not asked.uncounted:
        found.first = _first_place(asked, parts, found.rows[0], order)
    return found


def _rank(names: list[str], order: list[tuple[str, bool]]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """By what parts are sorted: as the database sorts their columns, which is by code points."""
    places = [(names.index(name), down) for name, down in order]

    def rank(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(
            (*(-ord(sign) for sign in str(values[place])), 1) if down else str(values[place])
            for place, down in places
        )

    return rank


def _tried(asked: Asked) -> Conditions:
    return [*asked.facets(within_part=True), *asked.days(driving=False), *asked.person_fits()]


def _place(asked: Asked) -> Sequence[Any] | None:
    """The part and the own key of the row at which the page begins; None: there is none, or it is gone."""
    key = asked.cursor()
    if key is None:
        return None
    columns = [asked.real.c[name] for name in (*asked.stream.partition_columns, *asked.table.own_key)]
    return asked.db.execute(select(*columns).where(*asked.is_row(key))).first()


def _order_within_part(asked: Asked) -> Order:
    """By the own key. Where the primary key does not begin with the part, its index would lead through all parts."""
    asked_for = tuple(asked.stream.partition_columns)
    led = asked.table.key[: len(asked_for)] == asked_for
    own = [asked.real.c[name] for name in asked.table.own_key]
    return [(column if led else apart(column), False) for column in own]


def _end_of(asked: Asked, part: counts.Part, *, reverse: bool) -> Key:
    """The key of a part's last row in the direction of the walk, whether it is wanted or not."""
    columns = [asked.real.c[name] for name in asked.table.key]
    statement = select(*columns).where(*asked.in_parts([part]))
    order = sorted_by(_order_within_part(asked), reverse=not reverse)
    return tuple(asked.db.execute(statement.order_by(*order).limit(1)).one())


def _first_place(asked: Asked, parts: Sequence[counts.Part], row: Row, order: Order) -> int:
    """The place of a row among all: after the wanted rows of the parts before its own, and some of its own."""
    here = tuple(row[name] for name in asked.stream.partition_columns)
    own = [row[name] for name in asked.table.own_key]
    before = 0
    for part in parts:
        if part.values == here:
            return (
                before
                + asked.number([*asked.in_parts([part]), *_tried(asked), behind(order, own, reverse=True)])
                + 1
            )
        before += part.wanted
    return before + 1


# -- by key -----------------------------------------------------------------------------------------------


def by_key(asked: Asked, sort: str | None, descending: bool) -> Slice:
    """In the order of the primary key, which is where the page begins."""
    at, reverse = asked.cursor(), asked.wanted.backward
    order: Order = [(asked.real.c[name], descending) for name in asked.table.key]
    directed = sorted_by(order, reverse=reverse)
    tried = [*asked.facets(), *asked.days(driving=False), *asked.person_fits()]
    reach: list[ColumnElement[bool]] = []
    if at is not None:
        reach.append(beyond(order, at, reverse=reverse))
    end = None
    if tried:
        furthest = select(*(column for column, _ in order)).where(*reach).order_by(*directed)
        end = asked.db.execute(furthest.limit(1).offset(FURTHEST - 1)).first()
        if end is not None:
            reach.append(not_(beyond(order, end, reverse=reverse)))
    found = asked.read(select(*asked.columns).where(*reach, *tried).order_by(*directed), reverse=reverse)
    if end is not None and not found.more:
        found.stopped_at = tuple(end)
    if at is None and not reverse:
        found.first = 1
    return found


# -- by name ----------------------------------------------------------------------------------------------


def by_name(asked: Asked, sort: str | None, descending: bool) -> Slice:
    """In alphabetical order: keys from the index of names, some at a time, and of those the rows that fit."""
    [name] = asked.table.key
    people = _InMemory(asked, descending) if asked.texts is not None else _InDatabase(asked, descending)
    key = asked.cursor()
    at: Any = None if key is None else people.place(str(key[0]))
    lost = key is not None and at is None
    reverse = asked.wanted.backward and not lost
    begins = at is None and not reverse
    rows: list[Row] = []
    looked, many, ended = 0, 2 * asked.size, False
    while len(rows) <= asked.size and looked < FURTHEST and not ended:
        some = people.beyond(at, many, reverse=reverse)
        rows += _rows_of(asked, [asked.table.as_stored(name, key) for _, key in some])
        at, ended = (some[-1][0] if some else at), len(some) < many
        looked += len(some)
        many = min(4 * many, MOST_ROWS)
    found = asked.cut(rows, reverse=reverse)
    found.lost, found.first = lost, 1 if begins else None
    if not found.more and not ended and some:
        found.stopped_at = (asked.table.as_stored(name, some[-1][1]),)
    return found


class _InDatabase:
    """Those whom a search finds, or everybody, by the index of names. A place is a name and a key."""

    def __init__(self, asked: Asked, descending: bool) -> None:
        self._asked = asked
        self._order: Order = [(SEARCH.c.sorted, descending), (SEARCH.c.key, descending)]
        self._of_table = SEARCH.c.table_name == asked.table.name
        self._texts = [holds(asked.db, SEARCH.c.folded, word) for word in asked.words]

    def place(self, key: str) -> Sequence[Any] | None:
        mine = select(SEARCH.c.sorted, SEARCH.c.key).where(self._of_table, SEARCH.c.key == key)
        return self._asked.db.execute(mine).first()

    def beyond(self, at: Sequence[Any] | None, many: int, *, reverse: bool) -> list[tuple[Any, str]]:
        statement = select(SEARCH.c.sorted, SEARCH.c.key).where(self._of_table, *self._texts)
        if at is not None:
            statement = statement.where(beyond(self._order, at, reverse=reverse))
        statement = statement.order_by(*sorted_by(self._order, reverse=reverse)).limit(many)
        return [(row, row.key) for row in self._asked.db.execute(statement)]


class _InMemory:
    """Those whom a search finds, where their texts are in memory. A place is a number."""

    def __init__(self, asked: Asked, descending: bool) -> None:
        assert asked.texts is not None
        self._texts, self._words, self._descending = asked.texts, asked.words, descending
        self.place = asked.texts.place

    def beyond(self, at: Any, many: int, *, reverse: bool) -> list[tuple[Any, str]]:
        found = self._texts.find(self._words, at, reverse=reverse != self._descending)
        places = list(islice(found, many))
        return list(zip(places, self._texts.keys(places), strict=True))


def _rows_of(asked: Asked, keys: list[Any]) -> Iterator[Row]:
    """The rows of these keys that fit, in the order of the keys."""
    [name] = asked.table.key
    those = among(asked.db, asked.real.c[name], keys, numbers=asked.table.is_number(name))
    statement = select(*asked.columns).where(those, *asked.facets(), *asked.days(driving=False))
    by_key = {row[name]: dict(row) for row in asked.db.execute(statement).mappings()}
    return (by_key[key] for key in keys if key in by_key)
