"""What is stored now: a part's digest, how many rows each table has, some columns of one row."""

from collections.abc import Sequence
from typing import Any

from fetchers.core.fetcher import Stream
from fetchers.core.store import sql
from fetchers.core.store.index import Key


def digest_of(db: sql.Destination, stream: str, part: str) -> bytes | None:
    """The digest of a part as it is published now; None: there is no such part."""
    row: Any = db.execute(
        "SELECT digest FROM _hamgam_partitions WHERE stream = ? AND part = ?", (stream, part)
    ).fetchone()
    return None if row is None else bytes(row[0])


def how_many(db: sql.Destination, streams: Sequence[Stream]) -> dict[str, int]:
    """Rows of each table now; the one that people count first."""
    found: dict[str, int] = {}
    for stream in streams:
        for table in (*((stream.latest.table,) if stream.latest is not None else ()), stream.table):
            found[table] = sql.number(db, f"SELECT count(*) FROM {sql.name(table)}")
    return found


def row(
    db: sql.Destination, stream: Stream, partition: dict[str, str], key: Key, columns: Sequence[str]
) -> tuple[Any, ...] | None:
    """Some columns of a stored row, by its part and its key within the part."""
    own = [column for column in stream.primary_key if column not in stream.partition_columns]
    named = [*stream.partition_columns, *own]
    match = " AND ".join(f"{sql.name(column)} = ?" for column in named) or "TRUE"
    values = (
        *(partition[name] for name in stream.partition_columns.values()),
        *(key if isinstance(key, list) else [key]),
    )
    statement = f"SELECT {sql.names(columns)} FROM {sql.name(stream.table)} WHERE {match}"
    found: tuple[Any, ...] | None = db.execute(statement, values).fetchone()
    return found
