"""Reading the destination from the control plane: only looking."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from fetchers.core.clean.alphabet import order_key


@lru_cache(maxsize=8)
def reader(url: str) -> Engine:
    """An engine that cannot write, nor make the file that it should read."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return create_engine(
            url, poolclass=NullPool
        )  # a page asks once or twice; none is kept open for the next
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
    return inspect(reader(url)).has_table(table)
