"""Reading the destination from the control plane: only looking."""

import threading
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url

from fetchers.core.clean.alphabet import order_key
from fetchers.core.store import reading

MOST_READERS = 8  # addresses
KEPT_OPEN = 1  # connections to a server, of each worker: a page that asks once more need not sign in again
MOST_OPEN = 20  # at the same time beyond those


def reader(url: str) -> Engine:
    """An engine that cannot write, nor make the file that it should read."""
    with _lock:
        found = _readers.pop(url, None) or _made(url)
        _readers[url] = found  # the last one used is the last one
        surplus = _readers.pop(next(iter(_readers))) if len(_readers) > MOST_READERS else None
    if surplus is not None:
        surplus.dispose()
    return found


def let_go() -> None:
    """Close every connection that waits for the next page."""
    with _lock:
        found = list(_readers.values())
        _readers.clear()
    for engine in found:
        engine.dispose()
    reading.let_go()


_readers: dict[str, Engine] = {}
_lock = threading.Lock()


def _made(url: str) -> Engine:
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return create_engine(
            url,
            pool_size=KEPT_OPEN,
            max_overflow=MOST_OPEN,
            pool_pre_ping=True,
            execution_options={"postgresql_readonly": True},
        )
    engine = create_engine(f"sqlite:///file:{address.database}?mode=rw&uri=true")

    @event.listens_for(engine, "connect")
    def _only_look(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.create_function("order_key", 1, _order_key, deterministic=True)

    return engine


def _order_key(text: object) -> str | None:
    """What SQLite sorts a text by; PostgreSQL's translate() does it there (panel/browse/expressions.py)."""
    return None if text is None else order_key(str(text))


def is_there(url: str, table: str) -> bool:
    """Whether the destination has this table yet: before the first sync it has not."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        return False
    return bool(columns(url, table))


def columns(url: str, table: str) -> set[str]:
    """The columns that a table has in this destination; none where it is not there. The destination must be there."""
    with reader(url).connect() as connection:
        return columns_there(connection, table)


def on_postgresql(connection: Connection) -> bool:
    """Whether this is a PostgreSQL server."""
    return connection.dialect.name == "postgresql"


def columns_there(connection: Connection, table: str) -> set[str]:
    """The same by a connection that is open. One short question, where SQLAlchemy's inspector asks several."""
    if on_postgresql(connection):
        asked = text(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(quote_ident(:name))"
            " AND attnum > 0 AND NOT attisdropped"
        )
    else:
        asked = text("SELECT name FROM pragma_table_info(:name)")
    return set(connection.scalars(asked, {"name": table}))
