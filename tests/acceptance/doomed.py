"""A child that ends itself by kill -9 at a statement of its own choosing.

    python -m tests.acceptance.doomed PLACE NUMBER [careless]

PLACE: `publish`, inside the transactions that publish parts, or `staging`, in the file where parts wait. NUMBER: at
which statement or row there, counted from 1; 0: never, and stderr says at the end how many there were. careless:
the publisher deletes a part and inserts it anew in batches, each committed by itself, as hand-written scripts do.
"""

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import apsw

from fetchers import __main__ as child
from fetchers.core.load.compare import Delta
from fetchers.core.load.publish import Publisher
from fetchers.core.store import sql
from fetchers.core.store.postgres import PostgresDestination

BATCH = 7
_real_open_file, _real_publish = sql.open_file, Publisher.publish
_real_execute, _real_executemany, _real_copy = (
    PostgresDestination.execute,
    PostgresDestination.executemany,
    PostgresDestination.copy,
)


class Doom:
    """Counts moments, and ends the process at the chosen one."""

    def __init__(self, place: str, number: int) -> None:
        self._place = place
        self._number = number
        self.met = {"publish": 0, "staging": 0}
        self.publishing = False

    def moment(self, place: str) -> None:
        self.met[place] += 1
        if place == self._place and self.met[place] == self._number:
            os.kill(os.getpid(), signal.SIGKILL)

    def while_publishing(self) -> None:
        if self.publishing:
            self.moment("publish")

    def each(self, rows: Iterable[Any]) -> Iterator[Any]:
        for row in rows:
            self.while_publishing()
            yield row


def _arm(doom: Doom, publish: Any) -> None:
    def open_file(url: str) -> apsw.Connection:
        connection = _real_open_file(url)
        staging = "/staging/" in url

        def trace(_cursor: Any, _statement: str, _values: Any) -> bool:
            if staging:
                doom.moment("staging")
            else:
                doom.while_publishing()
            return True

        connection.exec_trace = trace  # called for every row of an executemany, too
        return connection

    def execute(self: PostgresDestination, statement: str, values: Any = ()) -> Any:
        doom.while_publishing()
        return _real_execute(self, statement, values)

    def executemany(self: PostgresDestination, statement: str, rows: Any) -> None:
        _real_executemany(self, statement, doom.each(rows))

    def copy(self: PostgresDestination, statement: str, rows: Any) -> None:
        _real_copy(self, statement, doom.each(rows))

    def publishing(self: Publisher, delta: Delta) -> None:
        doom.publishing = True
        publish(self, delta)
        doom.while_publishing()  # committed, and nobody has been told
        doom.publishing = False

    sql.open_file = open_file
    PostgresDestination.execute = execute  # type: ignore[method-assign]
    PostgresDestination.executemany = executemany  # type: ignore[method-assign]
    PostgresDestination.copy = copy  # type: ignore[method-assign]
    Publisher.publish = publishing  # type: ignore[method-assign]


def _careless(self: Publisher, delta: Delta) -> None:
    """Delete, then insert in batches; the books come last."""
    db, stream = self._db, delta.stream
    asked = [delta.partition[name] for name in stream.partition_columns.values()]
    where = " AND ".join(f"{sql.name(column)} = ?" for column in stream.partition_columns)
    table, key = sql.name(stream.table), stream.columns.index("studentnum")
    rows = {
        row[key]: row
        for row in db.execute(f"SELECT {sql.names(stream.columns)} FROM {table} WHERE {where}", asked)
        if row[key] not in delta.gone
    }
    rows |= {row[key]: row for row in [*delta.added, *(after for _, after in delta.changed)]}
    db.execute(f"DELETE FROM {table} WHERE {where}", asked)
    new = list(rows.values())
    statement = sql.upsert(stream.table, stream.columns, stream.primary_key)
    for start in range(0, len(new), BATCH):
        with db:
            db.executemany(statement, new[start : start + BATCH])
    delta.rows_before = 0
    _real_publish(self, Delta(**{**vars(delta), "added": [], "changed": [], "gone": []}))


def main(place: str, number: str, *careless: str) -> int:
    doom = Doom(place, int(number))
    _arm(doom, _careless if careless else _real_publish)
    code = child.main([])
    print(f"moments {doom.met['publish']} {doom.met['staging']}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))
