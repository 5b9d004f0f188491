"""How many rows of each part have which values: what the panel's lists are narrowed by, without reading the rows.

Kept in the transaction that changes the rows, for the stream's table and for its table of newest rows. A row belongs to
the part that its own columns name, so a row of newest rows counts where it came from.
"""

import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any

from fetchers.core.fetcher import Stream
from fetchers.core.store import sql
from fetchers.core.store.sql import Row

SCHEMA = """
CREATE TABLE IF NOT EXISTS _hamgam_facets (
    table_name TEXT NOT NULL,
    part TEXT NOT NULL,         -- JSON list: the rows' values of the columns that hold what was asked for; '': a stamp
    columns TEXT NOT NULL,      -- JSON list: the columns whose values are counted
    counts TEXT NOT NULL,       -- JSON list of [value, …, number of rows]; a stamp: another one after rows changed
    PRIMARY KEY (table_name, part)
) WITHOUT ROWID;
"""

Values = tuple[Any, ...]
STAMP = ""  # a part that no row is of: by it readers see whether what they remember of rows and counts is still right


class FacetCounts:
    """Keeps `_hamgam_facets` in step with one table."""

    def __init__(self, db: sql.Destination, table: str, stream: Stream) -> None:
        self._db = db
        self._table = table
        self._columns = json.dumps(stream.counted)
        self._asked = len(stream.partition_columns)
        self._pick = _picker(stream, [*stream.partition_columns, *stream.counted])
        self._news: Counter[Values] = Counter()

    def values(self, row: Row) -> Values:
        """What counts of a row: its part, then its counted values."""
        return self._pick(row)

    def came(self, rows: Iterable[Row]) -> None:
        """These rows are there now."""
        self._news.update(map(self._pick, rows))

    def went(self, rows: Iterable[Row]) -> None:
        """These rows are there no more, or no more as they were."""
        self._news.subtract(map(self._pick, rows))

    def left(self, values: Iterable[Values]) -> None:
        """The same, of rows of which only `values` are known."""
        self._news.subtract(values)

    def write(self) -> None:
        """Write down what came and went, in the caller's transaction; the stamp also where no number is another one."""
        if not self._news:
            return
        news: dict[Values, Counter[Values]] = {}
        for values, change in self._news.items():
            if change:
                news.setdefault(values[: self._asked], Counter())[values[self._asked :]] = change
        self._news.clear()
        names = {part: _json(part) for part in news}
        among, those = sql.among(self._db, list(names.values()))
        before = dict(
            self._db.execute(
                f"SELECT part, counts FROM _hamgam_facets WHERE table_name = ? AND part {among}",
                (self._table, those),
            )
        )
        empty: list[str] = []
        rows = [_stamp(self._table, self._columns)]
        for part, changes in news.items():
            counts: Counter[Values] = Counter(dict(_read(before.get(names[part], "[]"))))
            counts.update(changes)
            if written := _write(counts):
                rows.append((self._table, names[part], self._columns, written))
            else:
                empty.append(names[part])
        _put(self._db, rows)
        self._db.executemany(
            "DELETE FROM _hamgam_facets WHERE table_name = ? AND part = ?",
            ((self._table, part) for part in empty),
        )


def prepare(db: sql.Destination, table: str, stream: Stream) -> None:
    """Count what is there, in the caller's transaction, where nobody has, or where other columns were counted.

    That reads the table once: some seconds for a million rows, once after an update of Hamgam.
    """
    wanted = json.dumps(stream.counted)
    least, greatest = db.execute(
        "SELECT min(columns), max(columns) FROM _hamgam_facets WHERE table_name = ?", (table,)
    ).fetchone()
    if least == greatest == wanted:
        return
    db.execute("DELETE FROM _hamgam_facets WHERE table_name = ?", (table,))
    asked = len(stream.partition_columns)
    named = sql.names([*stream.partition_columns, *stream.counted])
    statement = (
        f"SELECT {named}, count(*) FROM {sql.name(table)} GROUP BY {named}"
        if named
        else f"SELECT count(*) FROM {sql.name(table)}"
    )
    found: dict[Values, Counter[Values]] = {}
    for *values, rows in sql.scroll(db, statement):
        if rows:
            found.setdefault(tuple(values[:asked]), Counter())[tuple(values[asked:])] = rows
    _put(
        db,
        [
            *((table, _json(part), wanted, _write(counts)) for part, counts in found.items()),
            _stamp(table, wanted),
        ],
    )


def _stamp(table: str, columns: str) -> tuple[str, str, str, str]:
    return table, STAMP, columns, secrets.token_hex(8)


def indexed(stream: Stream) -> tuple[str, ...]:
    """The columns by which rows of the table of newest rows are found: the part, then the other facets."""
    return tuple(dict.fromkeys([*stream.partition_columns, *(facet.column for facet in stream.facets)]))


def _put(db: sql.Destination, rows: Iterable[tuple[str, str, str, str]]) -> None:
    sql.put(db, "_hamgam_facets", ("table_name", "part", "columns", "counts"), ("table_name", "part"), rows)


def _picker(stream: Stream, columns: list[str]) -> Callable[[Row], Values]:
    places = [stream.columns.index(column) for column in columns]
    if not places:
        return lambda row: ()
    if len(places) == 1:
        [only] = places
        return lambda row: (row[only],)
    return itemgetter(*places)


def _read(counts: str) -> Iterator[tuple[Values, int]]:
    for *values, rows in json.loads(counts):
        yield tuple(values), int(rows)


def _write(counts: Counter[Values]) -> str:
    """As JSON; empty where there is no row left."""
    lines = [[*values, rows] for values, rows in counts.items() if rows > 0]
    return _json(lines) if lines else ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
