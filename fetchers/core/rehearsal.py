"""A destination as a dry run sees it: everything may be read, nothing can be written."""

import apsw

from fetchers.core import columns, sql
from fetchers.core.fetcher import Stream


def open_destination(url: str, streams: list[Stream]) -> apsw.Connection:
    """The destination behind `url`, for reading. What it lacks, and be it all, stands empty in memory beside it.

    Raises StorageError.
    """
    path = sql.path_of(url)
    try:
        db = apsw.Connection(":memory:")
        db.set_busy_timeout(sql.BUSY_TIMEOUT_MS)
        columns.prepare(db, streams)
        if path.exists():
            made = db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
            db.execute("ATTACH ? AS destination", (str(path),))
            there = {str(row[0]) for row in db.execute("SELECT name FROM destination.sqlite_master")}
            for (table,) in made:
                if str(table) in there:
                    _stand_in(db, str(table))
        db.execute("PRAGMA query_only = ON")
    except (apsw.Error, OSError) as error:
        raise sql.storage_error(error) from error
    return db


def _stand_in(db: apsw.Connection, table: str) -> None:
    """Let the name of a table mean the destination's, with NULL for the columns that it does not have yet."""
    wanted = _columns(db, "main", table)
    there = {column.casefold() for column in _columns(db, "destination", table)}
    db.execute(f"DROP TABLE main.{sql.name(table)}")
    missing = [column for column in wanted if column.casefold() not in there]
    if missing:
        more = ", ".join(f"NULL AS {sql.name(column)}" for column in missing)
        db.execute(
            f"CREATE TEMP VIEW {sql.name(table)} AS SELECT *, {more} FROM destination.{sql.name(table)}"
        )


def _columns(db: apsw.Connection, schema: str, table: str) -> list[str]:
    return [str(row[0]) for row in db.execute("SELECT name FROM pragma_table_info(?, ?)", (table, schema))]
