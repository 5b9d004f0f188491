"""The columns that nobody declared: what a gateway began to send, and the history of what it sends.

Discovered columns stand at the end of their stream, in the order in which they came, so that rows staged before one
came are rows that end sooner. `streams` is the one place that says which columns a stream has in a destination.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fetchers.core.clean import Discovered
from fetchers.core.errors import ConfigError
from fetchers.core.fetcher import Label, Stream
from fetchers.core.store import ledger, sql

SCHEMA = """
CREATE TABLE IF NOT EXISTS _hamgam_columns (
    stream TEXT NOT NULL,
    name TEXT NOT NULL,
    origin TEXT NOT NULL,       -- declared, discovered
    place INTEGER NOT NULL,     -- order of the discovered ones
    came_as TEXT,               -- of a discovered one: text, number, boolean, list, object or null, at first
    since TEXT,                 -- first seen; null: before these books were kept
    run TEXT NOT NULL,          -- that saw it first
    last_seen TEXT,             -- when a record with it was last read; unchanged records are not read anew
    PRIMARY KEY (stream, name)
);
CREATE TABLE IF NOT EXISTS _hamgam_schema (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    run TEXT NOT NULL,
    stream TEXT NOT NULL,
    kind TEXT NOT NULL,         -- a word of KINDS
    field TEXT NOT NULL,
    detail TEXT
);
"""

# added: became a column. ignored: not stored, detail says why (IGNORED). refused: new, and the schema is frozen.
# lost, renamed, type, null: a part was refused for it. returned: it came again after one of these.
REFUSALS = ("refused", "lost", "renamed", "type", "null")
KINDS = ("added", "ignored", *REFUSALS, "returned")
# asked: the sync says so. name: cannot be a column's name. taken: the table has another column of this name.
# many: there are MOST_COLUMNS already. once: in one record alone.
IGNORED = ("asked", "name", "taken", "many", "once")

MOST_COLUMNS = 50  # of one stream
MOST_IGNORED = 200  # keys of one stream that are told as ignored, ever
KEPT_EVENTS = 1000  # of one stream

# Names that SQLite or PostgreSQL keep for themselves.
RESERVED = frozenset(
    ("rowid", "oid", "_rowid_", "tableoid", "cmin", "cmax", "xmin", "xmax", "ctid"),
)


@dataclass(frozen=True)
class Column:
    """What is known of one column. since, last_seen: ISO 8601 in UTC; None: not known, or not seen yet."""

    name: str
    origin: str
    came_as: str | None
    since: str | None
    last_seen: str | None


@dataclass(frozen=True)
class Event:
    """A line of the history: when, which run (its UUID), a word of KINDS, the field, and more about it."""

    at: str
    run: str
    stream: str
    kind: str
    field: str
    detail: str | None


def streams(db: sql.Destination, declared: Sequence[Stream]) -> list[Stream]:
    """The streams as this destination has them: the declared fields, then the discovered ones."""
    if not is_there(db):
        return list(declared)
    found: dict[str, list[str]] = {}
    for stream, name in db.execute(
        "SELECT stream, name FROM _hamgam_columns WHERE origin = 'discovered' ORDER BY stream, place"
    ):
        found.setdefault(str(stream), []).append(str(name))
    return [lengthened(stream, found.get(stream.name, ())) for stream in declared]


def lengthened(stream: Stream, names: Iterable[str]) -> Stream:
    """The stream with these discovered fields at its end; itself where it has them all."""
    taken = {column.casefold() for column in stream.columns}
    more = {name: Discovered(Label(name, name)) for name in names if name.casefold() not in taken}
    return replace(stream, fields={**stream.fields, **more}) if more else stream


def is_there(db: sql.Destination) -> bool:
    """Whether the destination has these books: one that was last written by an older version has not."""
    if sql.on_postgresql(db):
        return db.execute("SELECT to_regclass('_hamgam_columns')").fetchone()[0] is not None
    return sql.number(db, "SELECT count(*) FROM pragma_table_info(?)", ("_hamgam_columns",)) > 0


# -- writing, always in the caller's transaction ----------------------------------------------------------


def adopt(db: sql.Destination, declared: Sequence[Stream]) -> None:
    """Where a fetcher declares by now what was discovered before: the column is the fetcher's.

    Raises ConfigError where it is declared as a number: what was discovered is stored as text.
    """
    for stream in declared:
        own = {column.casefold(): column for column in stream.columns}
        for (name,) in db.execute(
            "SELECT name FROM _hamgam_columns WHERE stream = ? AND origin = 'discovered'", (stream.name,)
        ).fetchall():
            column = own.get(str(name).casefold())
            if column is None:
                continue
            field = stream.fields.get(column)
            if field is not None and field.sql_type != "TEXT":
                raise ConfigError(
                    f"The column {column} of {stream.table} holds text since it was discovered;"
                    " declare it as Code or Text.",
                    setting="fields",
                )
            for table in tables(stream):
                if column != name and name in sql.columns_of(db, table):
                    renamed = f"RENAME COLUMN {sql.name(name)} TO {sql.name(column)}"
                    db.execute(f"ALTER TABLE {sql.name(table)} {renamed}")
            db.execute(
                "UPDATE _hamgam_columns SET origin = 'declared', name = ? WHERE stream = ? AND name = ?",
                (column, stream.name, name),
            )


def why_not(db: sql.Destination, stream: Stream, key: str) -> str | None:
    """Why a key cannot become a column of this stream, a word of IGNORED; None: it can."""
    small = key.casefold()
    if not sql.NAME.fullmatch(key) or small in RESERVED or small.startswith("_hamgam"):
        return "name"
    if small in {column.casefold() for column in stream.columns}:
        return "taken"
    for table in tables(stream):
        there = _types(db, table).get(small)
        if there is not None and there != (key, "text"):
            return "taken"
    if sum(isinstance(field, Discovered) for field in stream.fields.values()) >= MOST_COLUMNS:
        return "many"
    return None


def add(db: sql.Destination, stream: Stream, came_as: Mapping[str, str], run: str) -> None:
    """Make these columns of the stream's tables, and write them into the books. Each was asked about with `why_not`.

    On PostgreSQL it waits for readers of the table no longer than a publisher waits for another: StorageError.
    """
    if sql.on_postgresql(db):
        db.execute(f"SET LOCAL lock_timeout = {sql.BUSY_TIMEOUT_MS}")
    now = ledger.timestamp()
    place = sql.number(
        db, "SELECT coalesce(max(place), 0) FROM _hamgam_columns WHERE stream = ?", (stream.name,)
    )
    for name, kind in came_as.items():
        place += 1
        for table in tables(stream):
            if name not in sql.columns_of(db, table):
                db.execute(f"ALTER TABLE {sql.name(table)} ADD COLUMN {sql.name(name)} TEXT")
        db.execute(
            "INSERT INTO _hamgam_columns (stream, name, origin, place, came_as, since, run, last_seen)"
            " VALUES (?, ?, 'discovered', ?, ?, ?, ?, ?)",
            (stream.name, name, place, kind, now, run, now),
        )
        tell(db, stream.name, run, [("added", name, kind)])


def see(db: sql.Destination, stream: str, run: str, fields: Iterable[str]) -> None:
    """These fields were in records that this run has read."""
    now = ledger.timestamp()
    declared = "SELECT count(*) FROM _hamgam_columns WHERE stream = ? AND origin = 'declared'"
    older = "SELECT count(*) FROM _hamgam_ledger WHERE stream = ? AND run != ?"
    unknown = not sql.number(db, declared, (stream,)) and sql.number(db, older, (stream, run)) > 0
    db.executemany(
        "INSERT INTO _hamgam_columns (stream, name, origin, place, since, run, last_seen)"
        " VALUES (?, ?, 'declared', 0, ?, ?, ?)"
        " ON CONFLICT (stream, name) DO UPDATE SET last_seen = excluded.last_seen",
        [(stream, name, None if unknown else now, run, now) for name in sorted(fields)],
    )


def tell(
    db: sql.Destination, stream: str, run: str, news: Iterable[tuple[str, str, str | None]]
) -> list[tuple[str, str]]:
    """Write (kind, field, detail) into the history, unless it is what was told of that field last.

    What was written: (kind, field).
    """
    last = last_told(db, stream)
    ignored = sum(kind == "ignored" for kind in last.values())
    now = ledger.timestamp()
    told: list[tuple[str, str]] = []
    for kind, field, detail in news:
        if last.get(field) == kind or (kind == "ignored" and ignored >= MOST_IGNORED):
            continue
        ignored += kind == "ignored"
        last[field] = kind
        told.append((kind, field))
        db.execute(
            "INSERT INTO _hamgam_schema (at, run, stream, kind, field, detail) VALUES (?, ?, ?, ?, ?, ?)",
            (now, run, stream, kind, field, detail),
        )
    if told:
        db.execute(
            "DELETE FROM _hamgam_schema WHERE stream = ? AND id NOT IN"
            " (SELECT id FROM _hamgam_schema WHERE stream = ? ORDER BY id DESC LIMIT ?)",
            (stream, stream, KEPT_EVENTS),
        )
    return told


# -- reading ----------------------------------------------------------------------------------------------


def last_told(db: sql.Destination, stream: str) -> dict[str, str]:
    """Field → the last kind of event that the history has of it."""
    return {
        str(field): str(kind)
        for field, kind in db.execute(
            "SELECT field, kind FROM _hamgam_schema WHERE stream = ? ORDER BY id", (stream,)
        )
    }


def columns(db: sql.Destination, stream: str) -> dict[str, Column]:
    """What is known of a stream's columns, by name; empty where there are no books yet."""
    if not is_there(db):
        return {}
    return {
        str(row[0]): Column(*row)
        for row in db.execute(
            "SELECT name, origin, came_as, since, last_seen FROM _hamgam_columns WHERE stream = ?", (stream,)
        )
    }


def history(db: sql.Destination, of: Sequence[str], limit: int, since: str = "") -> list[Event]:
    """The newest events of these streams, newest first. since: only those after this moment, ISO 8601 in UTC."""
    if not of or not is_there(db):
        return []
    found = db.execute(
        "SELECT at, run, stream, kind, field, detail FROM _hamgam_schema"
        f" WHERE stream IN ({sql.marks(of)}) AND at > ? ORDER BY id DESC LIMIT ?",
        (*of, since, limit),
    )
    return [Event(*row) for row in found]


def tables(stream: Stream) -> tuple[str, ...]:
    """The tables that have a stream's columns."""
    return (stream.table,) if stream.latest is None else (stream.table, stream.latest.table)


def _types(db: sql.Destination, table: str) -> dict[str, tuple[str, str]]:
    """Of each column of a table: its name in small letters → (name, type in small letters)."""
    if sql.on_postgresql(db):
        found = db.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped",
            (sql.name(table),),
        )
    else:
        found = db.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
    return {str(name).casefold(): (str(name), str(kind).casefold()) for name, kind in found}
