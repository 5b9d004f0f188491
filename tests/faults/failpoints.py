"""A child (`python -m fetchers`) that fails, or stands still, at a moment of a test's own choosing.

    python -m tests.faults.failpoints PLACE:NUMBER[:ACT] [FOLDER] [careless]

PLACE, with its moments counted from 1:
  start      before it reads its order
  fetch      a part is about to be asked for
  staging    a statement or a row in the file where parts wait
  publish    a statement or a row inside the transactions that publish parts, and just after each commit
  closing    inside the closing transaction, its entry written and not yet committed
  closed     just after that commit, and nobody has been told
  result     the end was told, and the process is still there
NUMBER 0: never; at the end stderr says how many moments there were.
ACT: kill (by -9, unless said otherwise), exit (with code 0, without a word), stop (stand still until FOLDER/go is
there), eat (take memory until there is none), helpers (start one in this group and one that leaves it, and go on).
FOLDER: where the file `reached` says that the moment has come. A child that finds it there goes on unharmed, so only
the first attempt of a run fails.
careless: the publisher deletes a part and inserts it anew in batches, each committed by itself, as hand-written
scripts do.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apsw

from fetchers import __main__ as child
from fetchers.core.load import fetching
from fetchers.core.load.compare import Delta
from fetchers.core.load.job import Job
from fetchers.core.load.publish import Publisher
from fetchers.core.load.tally import Tally
from fetchers.core.store import ledger, sql
from fetchers.core.store.postgres import PostgresDestination

BATCH = 7
HELPER = "import time; time.sleep(600)"
_real_open_file, _real_publish, _real_enter = sql.open_file, Publisher.publish, ledger.enter
_real_records, _real_close, _real_end = fetching.Threads._records, Job._close_books, Tally.tell_end
_real_execute, _real_executemany, _real_copy_last, _real_finish = (
    PostgresDestination.execute,
    PostgresDestination.executemany,
    PostgresDestination.copy_last,
    PostgresDestination.finish,
)


class Doom:
    """Counts moments, and acts at the chosen one."""

    def __init__(self, place: str, number: int, act: str, folder: Path | None) -> None:
        self._place = place
        self._number = number
        self._act = act
        self._folder = folder
        self.met: Counter[str] = Counter()
        self.publishing = False

    def moment(self, place: str) -> None:
        self.met[place] += 1
        if place == self._place and self.met[place] == self._number and self._first_time():
            getattr(self, f"_{self._act}")()

    def while_publishing(self) -> None:
        if self.publishing:
            self.moment("publish")

    def each(self, rows: Iterable[Any]) -> Iterator[Any]:
        for row in rows:
            self.while_publishing()
            yield row

    def _first_time(self) -> bool:
        if self._folder is None:
            return True
        try:
            (self._folder / "reached").open("x").close()
        except FileExistsError:
            return False
        return True

    def _kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _exit(self) -> None:
        os._exit(0)

    def _stop(self) -> None:
        assert self._folder is not None
        while not (self._folder / "go").exists():
            time.sleep(0.02)

    def _eat(self) -> None:
        eaten = []
        while True:
            eaten.append(b"\1" * (8 << 20))  # written to, so that the memory is really taken

    def _helpers(self) -> None:
        for own_session in (False, True):
            subprocess.Popen([sys.executable, "-c", HELPER], start_new_session=own_session)


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

    def copy_last(self: PostgresDestination, statement: str, rows: Any) -> None:
        _real_copy_last(self, statement, doom.each(rows))

    def finish(self: PostgresDestination) -> None:
        if self._commit_due:  # what went on is to be committed now
            doom.moment("publish")
        _real_finish(self)

    def publishing(self: Publisher, delta: Delta, *, wait: bool = True) -> bool:
        doom.publishing = True
        goes_on = publish(self, delta, wait=wait)
        doom.while_publishing()  # committed, or about to be, and nobody has been told
        doom.publishing = False
        return goes_on

    def records(self: fetching.Threads, part: fetching.Part) -> Any:
        doom.moment("fetch")
        return _real_records(self, part)

    def enter(db: sql.Destination, **entry: Any) -> None:
        _real_enter(db, **entry)
        if entry["kind"] == "closing":
            doom.moment("closing")

    def close_books(self: Job, streams: Any) -> None:
        _real_close(self, streams)
        doom.moment("closed")

    def tell_end(self: Tally, *what: Any) -> None:
        _real_end(self, *what)
        doom.moment("result")

    sql.open_file = open_file
    ledger.enter = enter
    PostgresDestination.execute = execute  # type: ignore[method-assign]
    PostgresDestination.executemany = executemany  # type: ignore[method-assign]
    PostgresDestination.copy_last = copy_last  # type: ignore[method-assign]
    PostgresDestination.finish = finish  # type: ignore[method-assign]
    Publisher.publish = publishing  # type: ignore[method-assign]
    fetching.Threads._records = records  # type: ignore[method-assign]
    Job._close_books = close_books  # type: ignore[method-assign]
    Tally.tell_end = tell_end  # type: ignore[method-assign]


def _careless(self: Publisher, delta: Delta, *, wait: bool = True) -> bool:
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
    return _real_publish(self, Delta(**{**vars(delta), "added": [], "changed": [], "gone": []}), wait=wait)


def main(where: str, *more: str) -> int:
    place, number, act = (*where.split(":"), "kill")[:3]
    folder = next((Path(word) for word in more if word != "careless"), None)
    doom = Doom(place, int(number), act, folder)
    _arm(doom, _careless if "careless" in more else _real_publish)
    doom.moment("start")
    code = child.main([])
    print(f"moments {doom.met['publish']} {doom.met['staging']}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))
