"""One page of a table, whatever its size: searched, narrowed, sorted, with its counts. No page reads all rows.

A list is either *short*: its rows are found by an index, there are at most ten thousand, and everything about
them is exact, in any order. Or it is *long*: then it is walked in an order that is there already (part by part, by
name, by key), from the row at which the last page ended, and only so far as a page needs. What cannot be counted in
passing is not counted, and says so.
"""

from collections.abc import Sequence

from panel.browse import short, walks
from panel.browse.asked import Asked
from panel.browse.tables import DataTable
from panel.browse.wanted import NONE, FacetChoice, Key, Listing, Option, Slice, Wanted
from panel.destination import reader

ROWS_A_PAGE = 25


def listing(
    url: str, table: DataTable, wanted: Wanted, columns: Sequence[str], *, size: int = ROWS_A_PAGE
) -> Listing:
    """One page of a table, which must be there. columns: those that are shown.

    1. How many people fit the search, how many rows the days, how many the facets? Each up to a limit.
    2. Where one of them is small enough: a short list, whose rows are found by that one.
    3. Else a walk.
    """
    with reader(url).connect() as connection:
        asked = Asked(connection, table, wanted, columns, size)
        drivers = asked.drivers()
        if drivers is None:
            return _long(asked)
        total, values = short.counted(asked, drivers)
        found = short.page(asked, drivers, total)
        sort = (wanted.sort, wanted.descending) if wanted.sort else short.by_itself(asked)
        return _made(asked, found, total, values, sort, frozenset(table.columns))


def _long(asked: Asked) -> Listing:
    ways = walks.ways(asked)
    refused = asked.wanted.sort is not None and asked.wanted.sort not in ways
    sort = None if refused else asked.wanted.sort
    walk = ways[sort or ""]
    found = walk(asked, sort, asked.wanted.descending and sort is not None)
    known = asked.tally if not asked.uncounted else None
    return _made(
        asked,
        found,
        asked.known_total,
        known.values if known is not None else None,
        (sort, asked.wanted.descending) if sort else walks.by_itself(asked, walk),
        frozenset(name for name in ways if name),
        refused=refused,
    )


def _made(
    asked: Asked,
    found: Slice,
    total: int | None,
    values: short.Values | None,
    sort: tuple[str, bool],
    sortable: frozenset[str],
    *,
    refused: bool = False,
) -> Listing:
    before, after = _beside(asked, found)
    return Listing(
        rows=found.rows,
        total=total,
        more_than=asked.more_than(found) if total is None else 0,
        first=found.first,
        before=before,
        after=after,
        facets=_choices(asked, values),
        sort=sort[0],
        descending=sort[1],
        sortable=sortable,
        refused=refused,
        stopped=found.stopped_at is not None,
        lost=found.lost,
    )


def _beside(asked: Asked, found: Slice) -> tuple[Key | None, Key | None]:
    """From where the pages before and after this one go on; None: there is none."""
    keys = [tuple(row[name] for name in asked.table.key) for row in found.rows]
    came_from = asked.cursor() is not None and not found.lost
    ahead = keys[0 if found.reverse else -1] if keys and found.more else found.stopped_at
    back = keys[-1 if found.reverse else 0] if keys and came_from else None
    return (ahead, back) if found.reverse else (back, ahead)


def _choices(asked: Asked, values: short.Values | None) -> list[FacetChoice]:
    """Every facet with its values; without counts of what was not counted."""
    if asked.tally is None:
        return []
    found = []
    for facet in asked.stream.facets:
        words = asked.tally.words.get(facet.column, {})
        options = [
            Option(
                NONE if value is None else str(value),
                words.get(value),
                None if values is None else values[facet.column][value],
            )
            for value in asked.tally.values[facet.column]
        ]
        found.append(FacetChoice(facet, options, asked.wanted.facets.get(facet.column, "")))
    return found
