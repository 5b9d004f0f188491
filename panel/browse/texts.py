"""The folded texts of a table's people in memory: a search reads through 250,000 of them in 10 to 45 ms.

    a search ── is what is remembered still right? ── yes: in memory
                                                  └── no: in the database, while a thread reads them anew

A database takes far longer for it, and an index of letters would be paid for at every load (docs/decisions.md). What
is remembered is exact or not used: it has the stamp that the table had when it was read, and the data plane gives a
table another stamp in each transaction that changes its rows (fetchers/core/store/facets.py).
"""

import logging
import threading
import time
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from panel.browse.counts import stamp_of
from panel.browse.expressions import SEARCH, apart

MOST_TEXTS = 500_000  # people; of more, the texts would take over 80 MB of each worker
REST = 20.0  # seconds between two readings: while a run publishes part by part, each would be old at once
AT_ONCE = 5_000  # rows that are fetched together

Place = tuple[str, str]  # database and table

_log = logging.getLogger(__name__)


class _Lines:
    """Many short texts as one, each with a line end behind it."""

    def __init__(self) -> None:
        self.text = ""  # all of them, once they are closed
        self.starts = array("Q", [0])  # of each, and behind the last one
        self._pieces: list[str] = []

    def add(self, lines: Sequence[str]) -> None:
        """Put these behind those that are there."""
        for line in lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        self._pieces.append("\n".join([*lines, ""]))

    def close(self) -> None:
        """Make them one text. Raises ValueError where one of them has two lines."""
        self.text = "".join(self._pieces)
        self._pieces.clear()
        if self.text.count("\n") != len(self):
            raise ValueError("a text has more than one line")

    def __len__(self) -> int:
        return len(self.starts) - 1

    def at(self, position: int) -> int:
        """Which line this position is in."""
        return bisect_right(self.starts, position) - 1


class Texts:
    """What was read, in alphabetical order. People are known by their place in it."""

    def __init__(self, stamp: str, people: Iterable[Sequence[tuple[str, str]]]) -> None:
        """stamp: the table's, from before they were read. people: key and text, some at a time. Raises ValueError."""
        self.stamp = stamp
        self._keys, self._texts = _Lines(), _Lines()
        for some in people:
            self._keys.add([key for key, _ in some])
            self._texts.add([text for _, text in some])
        self._keys.close()
        self._texts.close()

    def keys(self, places: Iterable[int]) -> list[str]:
        """Whose texts these are."""
        text, starts = self._keys.text, self._keys.starts
        return [text[starts[place] : starts[place + 1] - 1] for place in places]

    def place(self, key: str) -> int | None:
        """Where somebody's text is; None: there is none."""
        keys = self._keys.text
        if keys.startswith(f"{key}\n"):
            return 0
        found = keys.find(f"\n{key}\n")
        return self._keys.at(found + 1) if found >= 0 else None

    def find(self, words: Sequence[str], at: int | None = None, *, reverse: bool = False) -> Iterator[int]:
        """Those whose text has all these folded words in it: behind somebody, or before them, the nearest first."""
        longest = max(words, key=len)
        found = self._before(longest, at) if reverse else self._behind(longest, at)
        others = [word for word in words if word is not longest]
        if not others:
            return found
        text, starts = self._texts.text, self._texts.starts
        return (
            place
            for place in found
            if all(text.find(word, starts[place], starts[place + 1]) >= 0 for word in others)
        )

    def _behind(self, word: str, at: int | None) -> Iterator[int]:
        look, starts = self._texts.text.find, self._texts.starts  # thousands may be found
        here = 0 if at is None else starts[at + 1]
        while (here := look(word, here)) >= 0:
            place = bisect_right(starts, here) - 1
            yield place
            here = starts[place + 1]

    def _before(self, word: str, at: int | None) -> Iterator[int]:
        look, starts = self._texts.text.rfind, self._texts.starts
        here = len(self._texts.text) if at is None else starts[at]
        while (here := look(word, 0, here)) >= 0:
            place = bisect_right(starts, here) - 1
            yield place
            here = starts[place]


def remembered(engine: Engine, table: str, stamp: str) -> Texts | None:
    """The texts of a table, if they are as they were when it had this stamp. Else a thread begins to read them."""
    place = (str(engine.url), table)
    with _lock:
        texts = _remembered.get(place)
        if texts is not None and texts.stamp == stamp:
            return texts
        if time.monotonic() < _rests_until.get(place, 0.0):
            return None
        _rests_until[place] = float("inf")  # nobody else need read them meanwhile
    _begin(lambda: _read(engine, place))
    return None


def forget() -> None:
    """Remember nothing."""
    with _lock:
        _remembered.clear()
        _rests_until.clear()


_remembered: dict[Place, Texts] = {}
_rests_until: dict[Place, float] = {}
_lock = threading.Lock()


def _begin(read: Callable[[], None]) -> None:
    threading.Thread(target=read, name="texts", daemon=True).start()


def _read(engine: Engine, place: Place) -> None:
    """Read the texts of a table, and remember them."""
    texts = None
    try:
        texts = _texts(engine, place[1])
    except (SQLAlchemyError, ValueError) as error:  # searches go on in the database
        _log.warning("texts of %s not remembered: %s", place[1], type(error).__name__)
    finally:
        with _lock:
            _rests_until[place] = time.monotonic() + REST
            if texts is not None:
                _remembered[place] = texts


def _texts(engine: Engine, table: str) -> Texts | None:
    here = SEARCH.c.table_name == table
    with engine.connect() as connection:
        stamp = stamp_of(connection, table)  # first: what changes while the rest is read has another one
        people = connection.scalar(select(func.count()).select_from(SEARCH).where(here))
        if stamp is None or not people or people > MOST_TEXTS:
            return None
        # An index would lead from row to row in this order, all over the table.
        order = (apart(SEARCH.c.sorted), SEARCH.c.key)
        statement = select(SEARCH.c.key, SEARCH.c.folded).where(here).order_by(*order)
        found = connection.execution_options(stream_results=True, max_row_buffer=AT_ONCE).execute(statement)
        return Texts(stamp, ([(key, folded) for key, folded in some] for some in found.partitions(AT_ONCE)))
