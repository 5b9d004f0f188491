"""The world as it truly is: clean rows, the changes made to them, and what a perfect reader would store."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from hashlib import blake2b
from threading import RLock
from typing import Any, NamedTuple

from . import faculty
from .calendar import term_index, term_of
from .campuses import Campus, Plan, terms_of
from .students import Person, Row, Students, number, share
from .words import CITIES

Unit = tuple[str, str]  # campus code, term; the faculty is one unit
FACULTY: Unit = ("", "")
_REJECTED, _DUPLICATE = share(0.0005), share(0.001)


class Entry(NamedTuple):
    """A row of a unit, with what accompanies it on the wire."""

    key: str
    row: Row
    dirt: bytes  # what its dirt is drawn from
    duplicate: bool  # followed by a second copy in other dirt
    rejected: bool  # followed by a copy without its key, which nobody can keep


@dataclass(frozen=True)
class Change:
    """What was done to a unit since the start. Replaced whole, never changed in place."""

    added: tuple[int, ...] = ()  # slots or member numbers of newcomers
    gone: frozenset[str] = frozenset()
    fields: dict[str, Row] = field(default_factory=dict)  # key -> new values


@dataclass(frozen=True)
class Wanted:
    """The rows that a delta shall touch."""

    stream: str
    added: int
    changed: int
    gone: int
    campus: str | None = None
    term: str | None = None


class World:
    """Truth of one seed and plan, at one date."""

    def __init__(self, plan: Plan, seed: int, today: date, *, dirt: float = 1.0, two_campus: float = 0.001):
        self.plan = plan
        self.seed = seed
        self.today = today
        self.dirt = dirt
        self.students = Students(plan, seed, two_campus)
        self.by_code = {c.code: c for c in plan.campuses}
        self._changes: dict[Unit, Change] = {}
        self._deltas = 0
        self._newcomers = 0
        self._lock = RLock()

    @property
    def newest_term(self) -> str:
        return term_of(self.today)

    def terms(self) -> list[str]:
        return terms_of(self.plan, self.newest_term)

    def units(self) -> list[Unit]:
        """Every part of the students that is not beforehand empty."""
        return [
            (c.code, term)
            for term in self.terms()
            for c in self.plan.campuses
            if c.slots + self.plan.extra and c.is_open(term_index(term))
        ]

    def serves(self, unit: Unit) -> bool:
        """Whether there can be anybody in a unit: a known campus, a term that has begun and is not too old."""
        if unit == FACULTY:
            return True
        campus = self.by_code.get(unit[0])
        return campus is not None and unit[1] in self.terms() and campus.is_open(term_index(unit[1]))

    # -- rows ---------------------------------------------------------------------------------------------

    def entries(self, unit: Unit) -> Iterator[Entry]:
        """The rows of a unit in the order in which they are served."""
        change = self._changes.get(unit, Change())
        rows = self._faculty(change) if unit == FACULTY else self._students(unit, change)
        duplicate, rejected = (
            share(min(1.0, r * self.dirt)) for r in (_DUPLICATE / 65536, _REJECTED / 65536)
        )
        for key, row, dirt in rows:
            if key in change.fields:
                row = {**row, **change.fields[key]}
            yield Entry(
                key,
                row,
                dirt,
                int.from_bytes(dirt[:2]) < duplicate,
                int.from_bytes(dirt[2:4]) < rejected,
            )

    def _faculty(self, change: Change) -> Iterator[tuple[str, Row, bytes]]:
        for member in (*range(self.plan.faculty), *change.added):
            row = faculty.row(self.plan, self.seed, member)
            key = str(row["id"])
            if key not in change.gone:
                yield key, row, self._dirt_of(faculty.digest_of(self.seed, member), "faculty")

    def _students(self, unit: Unit, change: Change) -> Iterator[tuple[str, Row, bytes]]:
        campus, term = self.by_code[unit[0]], unit[1]
        index = term_index(term)
        for person in self._people(campus, index, change):
            key = number(person)
            row = self.students.row(person, campus, index, term)
            yield key, row, self._dirt_of(person.digest, term)

    def _people(self, campus: Campus, term: int, change: Change) -> Iterator[Person]:
        for person in self.students.roster(campus, term):
            if not change.gone or number(person) not in change.gone:
                yield person
        for slot in change.added:
            person = self.students.newcomer(campus, slot, term)
            if number(person) not in change.gone:
                yield person

    @staticmethod
    def _dirt_of(digest: bytes, part: str) -> bytes:
        return blake2b(digest, digest_size=16, salt=part.encode().ljust(16, b"\0")).digest()

    # -- what a perfect reader stores ---------------------------------------------------------------------

    def faculty_rows(self) -> Iterator[Row]:
        return (entry.row for entry in self.entries(FACULTY))

    def student_terms(self, campus: str | None = None, term: str | None = None) -> Iterator[Row]:
        for unit in self.units():
            if campus in (None, unit[0]) and term in (None, unit[1]):
                yield from (entry.row for entry in self.entries(unit))

    def latest(self) -> Iterator[Row]:
        """One row per student: newest term; then the campus that is the student's own; then the lowest code."""
        seen: set[str] = set()
        for term in reversed(self.terms()):
            best: dict[str, Row] = {}
            for row in self.student_terms(term=term):
                key = row["studentnum"]
                if key in seen:
                    continue
                if key not in best or _rank(row) < _rank(best[key]):
                    best[key] = row
            seen.update(best)
            yield from best.values()

    def counts(self) -> dict[str, Any]:
        """How many rows each table shall have, and how many on the wire are of no use."""
        totals = {"faculty": 0, "student_terms": 0}
        rejected, duplicates = dict(totals), dict(totals)
        people: set[str] = set()
        for table, units in (("faculty", [FACULTY]), ("student_terms", self.units())):
            for entry in (e for unit in units for e in self.entries(unit)):
                totals[table] += 1
                duplicates[table] += entry.duplicate
                rejected[table] += entry.rejected
                if table == "student_terms":
                    people.add(entry.key)
        return {**totals, "students": len(people), "rejected": rejected, "duplicates": duplicates}

    # -- changes ------------------------------------------------------------------------------------------

    def apply(self, wanted: Wanted) -> tuple[list[dict[str, Any]], set[Unit]]:
        """Change exactly so many rows, spread over the parts. Returns what was done, and where."""
        with self._lock:
            self._deltas += 1
            dice = random.Random(f"{self.seed}|delta|{self._deltas}")
            units = [FACULTY] if wanted.stream == "faculty" else self._chosen_units(wanted)
            dice.shuffle(units)
            picked = self._pick(units, wanted.changed + wanted.gone, dice)
            done: list[dict[str, Any]] = []
            for n, (unit, entry) in enumerate(picked):
                done.append(self._change(unit, entry) if n < wanted.changed else self._remove(unit, entry))
            for n in range(wanted.added):
                done.append(self._add(units[n % len(units)]))
            return done, {(d["unit"][0], d["unit"][1]) for d in done}

    def _chosen_units(self, wanted: Wanted) -> list[Unit]:
        units = [u for u in self.units() if wanted.campus in (None, u[0]) and wanted.term in (None, u[1])]
        if not units:
            raise ValueError("no part fits the campus and term of this delta")
        return units

    def _pick(self, units: list[Unit], count: int, dice: random.Random) -> list[tuple[Unit, Entry]]:
        """`count` different rows, as evenly from the units as they allow."""
        picked: list[tuple[Unit, Entry]] = []
        left = list(units)
        while left and len(picked) < count:
            need = count - len(picked)
            each = -(-need // len(left))
            rest = []
            for unit in left[:need]:
                taken = (
                    {entry.key for other, entry in picked if other == unit}
                    if len(left) < len(units)
                    else set()
                )
                candidates = [e for e in self.entries(unit) if e.key not in taken]
                chosen = dice.sample(candidates, min(each, len(candidates), count - len(picked)))
                picked.extend((unit, entry) for entry in chosen)
                if len(candidates) > len(chosen):
                    rest.append(unit)
            left = rest + left[need:] if len(picked) < count else []
        if len(picked) < count:
            raise ValueError(f"the delta wants {count} rows and there are {len(picked)}")
        dice.shuffle(picked)
        return picked

    def _change(self, unit: Unit, entry: Entry) -> dict[str, Any]:
        name, after = _new_value(unit, entry)
        change = self._changes.get(unit, Change())
        values = {**change.fields.get(entry.key, {}), name: after}
        self._changes[unit] = replace(change, fields={**change.fields, entry.key: values})
        return _report("changed", unit, entry.key, field=name, before=entry.row[name], after=after)

    def _remove(self, unit: Unit, entry: Entry) -> dict[str, Any]:
        change = self._changes.get(unit, Change())
        self._changes[unit] = replace(change, gone=change.gone | {entry.key})
        return _report("gone", unit, entry.key)

    def _add(self, unit: Unit) -> dict[str, Any]:
        self._newcomers += 1
        change = self._changes.get(unit, Change())
        if unit == FACULTY:
            slot = 50_000 + self._newcomers
            key = str(faculty.FIRST_ID + slot)
        else:
            slot = (10_000_000 if self.plan.steady else 90_000) + self._newcomers
            key = number(self.students.newcomer(self.by_code[unit[0]], slot, term_index(unit[1])))
        self._changes[unit] = replace(change, added=(*change.added, slot))
        return _report("added", unit, key)


def _rank(row: Row) -> tuple[bool, str]:
    return row["codePardis"] != row["code_Markaz"], row["codePardis"]


def _new_value(unit: Unit, entry: Entry) -> tuple[str, str]:
    """A field of this row and another value for it."""
    roll = entry.dirt[-1]
    if unit == FACULTY:
        name = "mobile" if roll & 1 else "employ_state"
        options: Iterable[str] = ("شاغل", "بازنشسته", "مأمور")
    else:
        # A field beside which no code stands: that would have to change with its word.
        name = "phonenum" if roll & 1 else "city"
        options = CITIES
    before = entry.row[name]
    if roll & 1:
        serial = (int(before[-4:]) if before else roll) + 1
        return name, f"0935000{serial % 10000:04d}"
    return name, next(text for text in options if text != before)


def _report(kind: str, unit: Unit, key: str, **details: Any) -> dict[str, Any]:
    if unit == FACULTY:
        return {"kind": kind, "table": "faculty", "key": {"id": int(key)}, "unit": unit, **details}
    named = {"codePardis": unit[0], "term": unit[1], "studentnum": key}
    return {"kind": kind, "table": "student_terms", "key": named, "unit": unit, **details}
