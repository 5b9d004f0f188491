"""The tables of a destination: the streams' own, and what stands beside them.

Made on first use. A column that a fetcher declares later is added; a column is never dropped or retyped here.
"""

import apsw

from fetchers.core.fetcher import LatestTable, Stream
from fetchers.core.store import checked, discovered, facets, ledger, search, sql

SCHEMA = """
CREATE TABLE IF NOT EXISTS _hamgam_partitions (
    stream TEXT NOT NULL,
    part TEXT NOT NULL,
    digest BLOB NOT NULL,       -- of the mapping's version and every raw record
    rows INTEGER NOT NULL,      -- of this part in the stream's table
    raw_index BLOB NOT NULL,    -- each raw record's hash, outcome and key (core/store/index.py)
    run TEXT NOT NULL,          -- that published it last
    at TEXT NOT NULL,
    PRIMARY KEY (stream, part)
);
CREATE TABLE IF NOT EXISTS _hamgam_pages (
    stream TEXT NOT NULL,
    part TEXT NOT NULL,
    pages BLOB NOT NULL,        -- the pages in which the part came (core/store/index.py)
    PRIMARY KEY (stream, part)
);
CREATE TABLE IF NOT EXISTS _hamgam_changes (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    stream TEXT NOT NULL,
    part TEXT NOT NULL,
    key TEXT,                   -- primary key within the part; null for a part's first load
    kind TEXT NOT NULL,         -- added, changed, gone, loaded; left: a row that an undo did not touch
    before TEXT,                -- JSON: a changed row's differing fields, a gone row whole
    after TEXT,                 -- JSON: a changed row's differing fields; {"rows": n} of a first load
    folded TEXT,                -- what the diary's search looks into
    mark BLOB,                  -- of an added row: a hash of it, to tell whether it was touched since
    at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS _hamgam_rejected (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    stream TEXT NOT NULL,
    part TEXT NOT NULL,
    hash BLOB NOT NULL,         -- of the raw record that it came in
    key TEXT,
    field TEXT,
    reason TEXT NOT NULL,       -- a code of core/clean
    kept INTEGER NOT NULL,      -- 1: the row is stored and this is a note about a field; 0: the row was left out
    raw TEXT,                   -- the field's value; the whole record where the row was left out
    at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS _hamgam_rejected_part ON _hamgam_rejected (stream, part, hash);
-- What the pages about data quality ask: counts by kind and part, lists by kind and key. No line itself need be read.
CREATE INDEX IF NOT EXISTS _hamgam_rejected_kind ON _hamgam_rejected (stream, reason, field, kept, part, key, run);
CREATE TABLE IF NOT EXISTS _hamgam_search (
    table_name TEXT NOT NULL,
    key TEXT NOT NULL,
    folded TEXT NOT NULL,
    sorted TEXT,                -- the row's place in the alphabetical order of people (core/clean/alphabet.py)
    PRIMARY KEY (table_name, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _hamgam_streams (
    stream TEXT PRIMARY KEY,
    seen_fields TEXT NOT NULL,  -- JSON list: the fields that this upstream has been seen to send
    current_mark TEXT,          -- what `latest` last took for the newest value that has begun
    checked_to TEXT             -- the diary's line up to which `clashes` has looked: number and moment
);
"""

DIARY_INDEXES = """
DROP INDEX IF EXISTS _hamgam_changes_run;  -- of the first version; the next one answers its questions too
CREATE INDEX IF NOT EXISTS _hamgam_changes_run_part ON _hamgam_changes (run, stream, part);
CREATE INDEX IF NOT EXISTS _hamgam_changes_key ON _hamgam_changes (stream, key);
CREATE INDEX IF NOT EXISTS _hamgam_changes_part ON _hamgam_changes (stream, part);
-- Holds all that a search asks about, in the order in which lines come, so that long lines need not be read.
CREATE INDEX IF NOT EXISTS _hamgam_changes_at ON _hamgam_changes (at, kind, stream, key, folded);
"""

SEARCH_INDEX = "CREATE INDEX IF NOT EXISTS _hamgam_search_sorted ON _hamgam_search (table_name, sorted, key)"


def prepare(db: sql.Destination, declared: list[Stream]) -> list[Stream]:
    """Make what is missing, in one transaction; the streams as they are here, with what was discovered.

    Raises StorageError, or ConfigError where a discovered column is declared as a number by now.
    """
    try:
        with sql.writing(db):
            return make(db, declared)
    except apsw.Error as error:
        raise sql.storage_error(error, db) from error


def make(db: sql.Destination, declared: list[Stream]) -> list[Stream]:
    """Make what is missing, in the caller's transaction; the streams as they are here."""
    ledger.prepare(db)
    db.execute(SCHEMA)
    db.execute(checked.SCHEMA)
    db.execute(discovered.SCHEMA)
    db.execute(facets.SCHEMA)
    _diary(db)
    _streams(db)
    _search(db)
    discovered.adopt(db, declared)
    streams = discovered.streams(db, declared)
    for stream in streams:
        _table(db, stream, stream.table, stream.primary_key)
        if stream.latest is not None:
            _table(db, stream, stream.latest.table, (stream.latest.key,))
            _person_index(db, stream, stream.latest)
        _for_lists(db, stream)
    return streams


def diary_is_complete(db: sql.Destination) -> bool:
    """Whether the diary has every column; one made by the first version lacks some until the next run."""
    return not _missing_from_diary(db)


def _diary(db: sql.Destination) -> None:
    for column, kind in _missing_from_diary(db).items():
        db.execute(f"ALTER TABLE _hamgam_changes ADD COLUMN {sql.name(column)} {kind}")
    db.execute(DIARY_INDEXES)


def _streams(db: sql.Destination) -> None:
    if "checked_to" not in sql.columns_of(db, "_hamgam_streams"):
        db.execute("ALTER TABLE _hamgam_streams ADD COLUMN checked_to TEXT")


def _search(db: sql.Destination) -> None:
    if "sorted" not in sql.columns_of(db, "_hamgam_search"):
        db.execute("ALTER TABLE _hamgam_search ADD COLUMN sorted TEXT")
    db.execute(SEARCH_INDEX)


def _missing_from_diary(db: sql.Destination) -> dict[str, str]:
    there = sql.columns_of(db, "_hamgam_changes")
    return {name: kind for name, kind in (("folded", "TEXT"), ("mark", "BLOB")) if name not in there}


def _table(db: sql.Destination, stream: Stream, table: str, key: tuple[str, ...]) -> None:
    there = sql.columns_of(db, table)
    if not there:
        declared = ", ".join(f"{sql.name(column)} {_type(stream, column)}" for column in stream.columns)
        db.execute(f"CREATE TABLE {sql.name(table)} ({declared}, PRIMARY KEY ({sql.names(key)}))")
        return
    for column in stream.columns:
        if column not in there:
            db.execute(f"ALTER TABLE {sql.name(table)} ADD COLUMN {sql.name(column)} {_type(stream, column)}")


def _person_index(db: sql.Destination, stream: Stream, latest: LatestTable) -> None:
    _index(db, stream.table, latest.key, (latest.key,))


def _for_lists(db: sql.Destination, stream: Stream) -> None:
    """What the panel's lists need to be quick at any size: counts, an order, and indexes for parts and days."""
    table, key = search.place_of(stream)
    search.SearchRows(db, table, stream, key).prepare()
    tables = [stream.table]
    if stream.latest is not None:
        tables.append(stream.latest.table)
        if stream.partition_columns:
            _index(db, stream.latest.table, "facets", facets.indexed(stream))
    for table in tables:
        facets.prepare(db, table, stream)
        for column in stream.days:
            _index(db, table, column, (column,))


def _index(db: sql.Destination, table: str, word: str, columns: tuple[str, ...]) -> None:
    db.execute(
        f"CREATE INDEX IF NOT EXISTS {sql.name(f'{table}_{word}')} ON {sql.name(table)} ({sql.names(columns)})"
    )


def _type(stream: Stream, column: str) -> str:
    field = stream.fields.get(column)
    return "TEXT" if field is None else field.sql_type
