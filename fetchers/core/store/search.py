"""The text that the panel's search looks into: the searched columns of a row, folded (DOMAIN.md 1.4)."""

from collections.abc import Iterable

from fetchers.core.clean import fold
from fetchers.core.fetcher import Stream
from fetchers.core.store import sql
from fetchers.core.store.sql import Row


class SearchRows:
    """Keeps `_hamgam_search` in step with one table. `key`: its one key column; None: it is not searched."""

    def __init__(self, db: sql.Destination, table: str, stream: Stream, key: str | None) -> None:
        self._db = db
        self._table = table
        columns = stream.columns
        self._key = columns.index(key) if key is not None else None
        self._places = [columns.index(column) for column in stream.search]

    def put(self, rows: Iterable[Row]) -> None:
        """Write or renew the text of these rows."""
        if self._key is None or not self._places:
            return
        key, places, table = self._key, self._places, self._table
        sql.put(
            self._db,
            "_hamgam_search",
            ("table_name", "key", "folded"),
            ("table_name", "key"),
            (
                (
                    table,
                    str(row[key]),
                    fold(" ".join(str(row[place]) for place in places if row[place] is not None)),
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
