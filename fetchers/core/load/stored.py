"""What is stored of a part, for comparing: all of its rows, or those of some keys."""

from collections.abc import Iterator
from typing import Any

from fetchers.core.fetcher import Partition, Stream
from fetchers.core.store import sql
from fetchers.core.store.sql import Row


class StoredRows:
    """Reads the rows of one stream. A key is that within a part: a value, or a tuple where it has several columns."""

    def __init__(self, db: sql.Destination, stream: Stream, own_key: tuple[str, ...]) -> None:
        """own_key: the key's columns within a part."""
        self._destination = db
        self._asked = tuple(stream.partition_columns.values())
        self._own_key = own_key
        self._places = [stream.columns.index(column) for column in own_key]
        where = " AND ".join(f"{sql.name(column)} = ?" for column in stream.partition_columns) or "TRUE"
        table, named = sql.name(stream.table), sql.names(stream.columns)
        self._select_part = f"SELECT {named} FROM {table} WHERE {where}"
        self._select_keys = f"SELECT {sql.names(own_key)} FROM {table} WHERE {where}"
        match = " AND ".join(f"{sql.name(column)} = ?" for column in own_key)
        self._select_row = f"{self._select_part} AND {match}"

    @property
    def _db(self) -> sql.Destination:
        """What is committed; another part may still be on its way in."""
        return sql.aside(self._destination)

    def all(self, partition: Partition) -> dict[Any, Row]:
        """Every row of the part, by its key."""
        return self._by_key(self._db.execute(self._select_part, self._values(partition)))

    def keys(self, partition: Partition) -> Iterator[Any]:
        """The key of every row of the part."""
        for row in self._db.execute(self._select_keys, self._values(partition)):
            yield row[0] if len(row) == 1 else tuple(row)

    def some(self, partition: Partition, wanted: list[Any], size: int) -> dict[Any, Row]:
        """The rows of these keys: one by one where they are few of so many (size), else the whole part at once."""
        return self.all(partition) if len(wanted) * 4 > size else self._one_by_one(partition, wanted)

    def few(self, partition: Partition, wanted: list[Any]) -> dict[Any, Row]:
        """The rows of these keys, which are some hundreds of a part that is too large to be read at once."""
        if not wanted:
            return {}
        if len(self._own_key) > 1:
            return self._one_by_one(partition, wanted)
        among, values = sql.among(self._db, wanted)
        statement = f"{self._select_part} AND {sql.name(self._own_key[0])} {among}"
        return self._by_key(self._db.execute(statement, (*self._values(partition), values)))

    def _one_by_one(self, partition: Partition, wanted: list[Any]) -> dict[Any, Row]:
        asked = self._values(partition)
        questions = [(*asked, *(key if isinstance(key, tuple) else (key,))) for key in wanted]
        rows = sql.look_up(self._db, self._select_row, questions)
        return {key: row for key, row in zip(wanted, rows, strict=True) if row is not None}

    def _by_key(self, rows: Iterator[Row]) -> dict[Any, Row]:
        if len(self._places) == 1:
            place = self._places[0]
            return {row[place]: row for row in rows}
        return {tuple(row[place] for place in self._places): row for row in rows}

    def _values(self, partition: Partition) -> tuple[str, ...]:
        return tuple(partition[name] for name in self._asked)
