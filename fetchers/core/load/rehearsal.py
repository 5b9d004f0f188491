"""A destination as a dry run sees it: everything may be read, nothing can be written.

What the destination lacks, and be it all, is made empty beside it: in memory with SQLite, as temporary tables with
PostgreSQL. Where it has a table, that table's name means it; columns that it does not have yet are NULL.
"""

import apsw

from fetchers.core.fetcher import Stream
from fetchers.core.store import columns, sql


def open_destination(url: str, streams: list[Stream]) -> sql.Destination:
    """The destination behind `url`, for reading. Raises StorageError, or ConfigError."""
    try:
        return _server(url, streams) if sql.is_postgresql(url) else _file(url, streams)
    except (apsw.Error, OSError) as error:
        raise sql.storage_error(error) from error


def _file(url: str, streams: list[Stream]) -> sql.Destination:
    path = sql.path_of(url)
    db = apsw.Connection(":memory:")
    db.set_busy_timeout(sql.BUSY_TIMEOUT_MS)
    columns.prepare(db, streams)
    if path.exists():
        made = db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        db.execute("ATTACH ? AS destination", (str(path),))
        for (table,) in made:
            _stand_in(db, str(table), "main", "destination")
    db.execute("PRAGMA query_only = ON")
    return db


def _server(url: str, streams: list[Stream]) -> sql.Destination:
    db = sql.connect(url)
    try:
        schema = str(db.execute("SELECT current_schema()").fetchone()[0])
        db.execute("SET search_path = pg_temp")  # whatever is made now is of this session alone
        columns.prepare(db, streams)
        made = db.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'"
        ).fetchall()
        for (table,) in made:
            _stand_in(db, str(table), "pg_temp", schema)
        db.execute(f"SET search_path = pg_temp, {sql.name(schema)}")
        db.execute("SET default_transaction_read_only = on")
    except BaseException:
        db.close()
        raise
    return db


def _stand_in(db: sql.Destination, table: str, beside: str, schema: str) -> None:
    """If the destination has this table, let its name mean that."""
    there = {column.casefold() for column in _columns(db, table, schema)}
    if not there:
        return
    wanted = _columns(db, table, beside)
    db.execute(f"DROP TABLE {beside}.{sql.name(table)}")
    if missing := [column for column in wanted if column.casefold() not in there]:
        more = ", ".join(f"NULL AS {sql.name(column)}" for column in missing)
        whole = f"{sql.name(schema)}.{sql.name(table)}"
        db.execute(f"CREATE TEMP VIEW {sql.name(table)} AS SELECT *, {more} FROM {whole}")


def _columns(db: sql.Destination, table: str, schema: str) -> list[str]:
    if isinstance(db, apsw.Connection):
        found = db.execute("SELECT name FROM pragma_table_info(?, ?)", (table, schema))
    else:
        found = db.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = ? AND table_schema ="
            " CASE ? WHEN 'pg_temp' THEN (SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()) ELSE ? END",
            (table, schema, schema),
        )
    return [str(row[0]) for row in found]
