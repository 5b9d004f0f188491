"""The text that the panel's search looks into: the searched columns of a row, folded (DOMAIN.md 1.4).

Beside it stands what the row is sorted by: those columns that make people's alphabetical order.
"""

from collections.abc import Iterable

from fetchers.core.clean import fold
from fetchers.core.clean.alphabet import order_of
from fetchers.core.fetcher import Stream
from fetchers.core.spool import batches
from fetchers.core.store import sql
from fetchers.core.store.sql import Row

ROWS_AT_ONCE = 5000


def place_of(stream: Stream) -> tuple[str, str | None]:
    """Of which table the text is kept, and its one key column; None: the stream is not searched."""
    if stream.latest is not None:
        return stream.latest.table, stream.latest.key
    own = [column for column in stream.primary_key if column not in stream.partition_columns]
    return stream.table, own[0] if len(own) == 1 else None


class SearchRows:
    """Keeps `_hamgam_search` in step with one table. `key`: its one key column; None: it is not searched."""

    def __init__(self, db: sql.Destination, table: str, stream: Stream, key: str | None) -> None:
        self._db = db
        self._table = table
        self._columns = columns = stream.columns
        self._key = columns.index(key) if key is not None else None
        self._places = [columns.index(column) for column in stream.search]
        self._order = [columns.index(column) for column in stream.order]

    def put(self, rows: Iterable[Row]) -> None:
        """Write or renew the text of these rows."""
        if self._key is None or not self._places:
            return
        key, places, order, table = self._key, self._places, self._order, self._table
        sql.put(
            self._db,
            "_hamgam_search",
            ("table_name", "key", "folded", "sorted"),
            ("table_name", "key"),
            (
                (
                    table,
                    str(row[key]),
                    fold(" ".join(str(row[place]) for place in places if row[place] is not None)),
                    order_of(row[place] for place in order) if order else None,
                )
                for row in rows
            ),
        )

    def remove(self, keys: Iterable[str]) -> None:
        """Forget the text of these rows."""
        self._db.executemany(
            "DELETE FROM _hamgam_search WHERE table_name = ? AND key = ?",
            ((self._table, key) for key in keys),
        )

    def prepare(self) -> None:
        """Write the order of rows whose text an earlier version wrote, in the caller's transaction."""
        if self._key is None or not self._places or not self._order:
            return
        lacks = "SELECT 1 FROM _hamgam_search WHERE table_name = ? AND sorted IS NULL LIMIT 1"
        if self._db.execute(lacks, (self._table,)).fetchone() is None:
            return
        every = f"SELECT {sql.names(self._columns)} FROM {sql.name(self._table)}"
        for rows in batches(sql.scroll(self._db, every), ROWS_AT_ONCE):
            self.put(rows)
