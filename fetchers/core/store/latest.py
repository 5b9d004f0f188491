"""One row per person: the newest of their rows, kept in the transaction of each part (DESIGN.md part 7).

Newest first: a term that has begun before one that has not, then the later term, then the campus that the row itself
names, then the smaller campus code. Gone with the last of a person's rows.
"""

from collections.abc import Iterable
from itertools import chain
from operator import itemgetter
from typing import Any

from fetchers.core.fetcher import Stream
from fetchers.core.store import sql
from fetchers.core.store.facets import FacetCounts, Values
from fetchers.core.store.search import SearchRows
from fetchers.core.store.sql import Row

Person = str | int
Rank = tuple[Any, bool, Any]


class LatestRows:
    """Keeps a stream's table of newest rows. `ceiling`: values of the newest column above it have not begun."""

    def __init__(self, db: sql.Destination, stream: Stream, ceiling: str | None) -> None:
        assert stream.latest is not None
        self._db = db
        self._stream = stream
        latest = stream.latest
        columns = stream.columns
        self._ceiling = ceiling
        self._person = columns.index(latest.key)
        named_in_rank = (latest.key, latest.newest, *latest.prefer_equal)
        self._pick = itemgetter(*(columns.index(column) for column in named_in_rank))
        self._ages = _Ages(ceiling)
        table, source = sql.name(latest.table), sql.name(stream.table)
        named, person = sql.names(columns), sql.name(latest.key)
        newest = sql.name(latest.newest)
        first, second = (sql.name(column) for column in latest.prefer_equal)
        self._columns = columns
        self._latest = latest
        self._best = (
            f"SELECT {named} FROM {source} WHERE {person} = ?"
            f" ORDER BY {newest} > ?, {newest} DESC, {first} IS DISTINCT FROM {second}, {first} LIMIT 1"
        )
        self._delete = f"DELETE FROM {table} WHERE {person} = ?"
        counted = [*stream.partition_columns, *stream.counted]
        self._current = (
            f"SELECT {sql.names([latest.key, latest.newest, *latest.prefer_equal, *counted])}"
            f" FROM {table} WHERE {person} "
        )
        self._begun = f"SELECT DISTINCT {person} FROM {source} WHERE {newest} > ? AND {newest} <= ?"
        self._search = SearchRows(db, latest.table, stream, latest.key)
        self._facets = FacetCounts(db, latest.table, stream)

    def persons(self, rows: Iterable[Row]) -> list[Person]:
        """Whose rows these are."""
        return [row[self._person] for row in rows]

    def refresh(self, added: list[Row], changed: list[Row], touched: list[Person]) -> None:
        """After rows were added or changed (given as they are now), and rows of `touched` persons taken out.

        An added row can only win against the row that stands. So can a changed one, and where it is the row that stands
        (a person has one row of each term and campus) it goes on standing unless it ranks lower now. Else the best of a
        person is looked up anew.
        """
        mine = [*added, *changed]
        # A rank is smaller for a newer row; the same order as the SQL's ORDER BY.
        ages, pick = self._ages, self._pick
        standing: dict[Person, tuple[Any, Rank]] = {}
        counted: dict[Person, Values] = {}  # of the rows that stood before
        for person, newest, first, second, *values in self._standing(self.persons(mine)):
            standing[person] = newest, (ages[newest], first != second, first)
            counted[person] = tuple(values)
        winners: dict[Person, Row] = {}
        touched = list(touched)
        for place, row in enumerate(mine):
            person, newest, first, second = pick(row)
            rank = (ages[newest], first != second, first)
            there = standing.get(person)
            stands = place >= len(added) and there is not None and (newest, first) == (there[0], there[1][2])
            if there is None or rank < there[1] or (stands and rank == there[1]):
                standing[person] = newest, rank
                winners[person] = row
            elif stands:
                touched.append(person)
        lost: list[Person] = []
        persons = list(dict.fromkeys(touched))
        for person, _, _, _, *values in self._standing([one for one in persons if one not in counted]):
            counted[person] = tuple(values)
        found = sql.look_up(self._db, self._best, [(person, self._ceiling or "") for person in persons])
        for person, best in zip(persons, found, strict=True):
            winners.pop(person, None)
            if best is None:
                lost.append(person)
            else:
                winners[person] = best
        sql.put(self._db, self._latest.table, self._columns, (self._latest.key,), winners.values())
        self._search.put(winners.values())
        self._db.executemany(self._delete, ((person,) for person in lost))
        self._search.remove(str(person) for person in lost)
        self._facets.left(counted[person] for person in chain(winners, lost) if person in counted)
        self._facets.came(winners.values())
        self._facets.write()

    def _standing(self, persons: list[Person]) -> Iterable[Any]:
        """Of the rows that stand for these persons: person, newest, the two of `prefer_equal`, and what is counted."""
        if not persons:
            return ()
        among, those = sql.among(self._db, persons)
        return self._db.execute(self._current + among, (those,))

    def roll_over(self) -> None:
        """When time has passed a term's start: its rows become their persons' newest. In the caller's transaction."""
        stream, ceiling = self._stream.name, self._ceiling
        row = self._db.execute(
            "SELECT current_mark FROM _hamgam_streams WHERE stream = ?", (stream,)
        ).fetchone()
        since = row[0] if row else None
        if ceiling is None or since == ceiling:
            return
        if since is not None:
            # A term that has begun since, or, where a clock was set back, one that has not begun any more.
            bounds = sorted((str(since), ceiling))
            persons = [row[0] for row in self._db.execute(self._begun, bounds)]
            self.refresh([], [], persons)
        self._db.execute(
            "INSERT INTO _hamgam_streams (stream, seen_fields, current_mark) VALUES (?, '[]', ?)"
            " ON CONFLICT (stream) DO UPDATE SET current_mark = excluded.current_mark",
            (stream, ceiling),
        )


class _Ages(dict[str, tuple[bool, tuple[int, ...]]]):
    """How old a value of the newest column is, worked out once for each: smaller is newer."""

    def __init__(self, ceiling: str | None) -> None:
        super().__init__()
        self._ceiling = ceiling

    def __missing__(self, newest: str) -> tuple[bool, tuple[int, ...]]:
        late = self._ceiling is not None and newest > self._ceiling
        self[newest] = age = (late, tuple(-ord(sign) for sign in newest))
        return age
