"""What a run would remove, gathered part by part, and judged over all that it is about before any of it goes.

A row that leaves one part while its person turns up in another part of the same term has moved, and is no loss.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from fetchers.core.clean import fold
from fetchers.core.errors import Shrunk
from fetchers.core.fetcher import Stream
from fetchers.core.load.compare import Delta
from fetchers.core.load.guard import Limits, Loss, judge, too_much
from fetchers.core.load.staging import Gone, Staging
from fetchers.core.store import lookup, sql


class Judging:
    """The losses of one stream in one run."""

    def __init__(
        self,
        db: sql.Destination,
        stream: Stream,
        staging: Staging,
        limits: Limits,
        parts: Collection[str],
    ) -> None:
        """parts: what the run is about, those that it had done before included.

        Its losses are judged against the rows of these: a quarter off everything that was asked for must not pass
        because ten times as much was not asked for. What was done before counts, for parts that remove nothing are
        published at once: after an interruption, those that remove some are what is left.
        """
        self._db = db
        self._stream = stream
        self._staging = staging
        self._limits = limits
        self._losses: dict[str, Loss] = {}
        self._added: dict[str, tuple[str | None, set[Any]]] = {}  # part -> its term, and who is new in it
        self._arrived: dict[str | None, set[Any]] | None = None  # the same by term, once it is asked for
        own = [column for column in stream.primary_key if column not in stream.partition_columns]
        self._persons = stream.latest is not None and own == [stream.latest.key]
        self._rows_before = sum(
            int(rows)
            for part, rows in db.execute(
                "SELECT part, rows FROM _hamgam_partitions WHERE stream = ?", (stream.name,)
            )
            if part in parts
        )

    def lose(self, delta: Delta, *, full: bool = False) -> None:
        """A part that removes rows was staged. full: its answer looks cut off at a full page."""
        self._losses[delta.part] = Loss(
            delta.part, delta.rows_before, delta.rows_after, len(delta.gone), full=full
        )

    def arrive(self, delta: Delta) -> None:
        """Remember who was added, to tell a move to another part from a loss."""
        latest = self._stream.latest
        if latest is not None and self._persons and self._rows_before:
            self._arrived = None
            place = self._stream.columns.index(latest.key)
            term = delta.partition.get(self._stream.partition_columns.get(latest.newest, ""))
            self._added[delta.part] = term, {row[place] for row in delta.added}

    def doubtful(self) -> set[str]:
        """The parts that, each by itself, would lose too much; forgotten here, for they are asked for again."""
        found = {loss.part for loss in self._with_moves() if too_much(loss, self._limits)}
        for part in found:
            self._staging.drop(self._stream, part)
            del self._losses[part]
        return found

    def verdict(self) -> Shrunk | None:
        """Whether the staged parts may be published. None: yes. Else why not, naming those that must wait."""
        return judge(self._with_moves(), self._rows_before, self._limits)

    def who_leaves(self, delta: Delta) -> Iterator[Gone]:
        """The rows that a part would remove, as the list keeps them."""
        return who_leaves(self._db, delta, self._arrived_beside(delta.part))

    def _arrived_beside(self, part: str) -> set[Any]:
        """Who is new in some part of the same term: whoever registers for the next one has not left this one for it."""
        if self._arrived is None:
            self._arrived = {}
            for term, persons in self._added.values():
                self._arrived.setdefault(term, set()).update(persons)
        term, _ = self._added.get(part, (None, None))
        return self._arrived.get(term, set())

    def _with_moves(self) -> list[Loss]:
        found = []
        for loss in self._losses.values():
            beside = self._arrived_beside(loss.part)
            gone = self._staging.gone(self._stream, loss.part) if beside else []
            moved = sum(key in beside for key in gone if not isinstance(key, list))
            found.append(replace(loss, moved=moved))
        return found


def who_leaves(db: sql.Destination, delta: Delta, moved: set[Any]) -> Iterator[Gone]:
    """The rows that a part would remove, as the list keeps them. moved: the persons who appear elsewhere."""
    stream = delta.stream
    searched = tuple(column for column in stream.search if column in stream.columns)
    for key in delta.gone:
        row = lookup.row(db, stream, delta.partition, key, searched) if searched else None
        words = [
            *(key if isinstance(key, list) else [key]),
            *(value for value in row or () if value is not None),
        ]
        yield Gone(key, not isinstance(key, list) and key in moved, fold(" ".join(map(str, words))))
