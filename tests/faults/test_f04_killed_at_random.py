"""Whatever ends a child, and when: each part is as it was or as it shall be, the books say which, the next run goes on.

F01, F03, F04. A sweep: half of the kills come at a random moment, a quarter while parts are staged, a quarter inside a
publish (tests/faults/failpoints.py). Four on each database in the normal run, two hundred with `make faults`. KILL_SEED
chooses other moments; a failure names the seed and the kill.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from psycopg import sql

from fetchers.golestan import terms
from tests.acceptance.children import Plane, wanted
from tests.acceptance.house import ask, until
from tests.acceptance.store import plain
from tests.conftest import Gateway
from tests.faults.books import by_part, disagreements, entries, illegal

NOW = "2026-11-22T09:00:00Z"
TODAY = ("--today", "2026-11-22")
CURRENT = "4051"
SEED = int(os.environ.get("KILL_SEED", "1"))
KINDS = ("at random", "at random", "staging", "publish")
WORLD = ("--size", "tiny", "--seed", "5", "--latency", "15", "--totals", "present", *TODAY)
DELTA = {"added": 30, "changed": 30, "gone": 18, "stream": "students"}


class Files:
    """Destinations that are SQLite files."""

    def __init__(self, plane: Callable[..., Plane]) -> None:
        self._plane = plane

    def new(self, name: str, like: Plane | None = None) -> Plane:
        house = self._plane(name)
        if like is not None:
            with closing(sqlite3.connect(like.path)) as db:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            shutil.copy(like.path, house.path)
        return house

    def exists(self, house: Plane) -> bool:
        return house.path.exists() and bool(house.rows("SELECT 1 FROM sqlite_master WHERE name = 'Students'"))

    def settled(self, house: Plane) -> list[str]:
        """After a kill; what is wrong with the file itself."""
        with closing(sqlite3.connect(house.path)) as db:
            said = db.execute("PRAGMA integrity_check").fetchone()
        return [] if said == ("ok",) else [f"integrity: {said}"]

    def drop(self, house: Plane) -> None:
        shutil.rmtree(house.folder)


class Servers:
    """Destinations that are databases of a PostgreSQL server."""

    def __init__(self, plane: Callable[..., Plane], server: str) -> None:
        self._plane = plane
        self._server = psycopg.connect(plain(server), autocommit=True)
        self._base = plain(server).rsplit("/", 1)[0]
        self._made: list[str] = []

    def new(self, name: str, like: Plane | None = None) -> Plane:
        house = self._plane(name)
        database = f"hamgam_kill_{uuid.uuid4().hex[:12]}"
        template = self._name(like) if like is not None else "template1"
        names = map(sql.Identifier, (database, template))
        self._server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        self._made.append(database)
        house.database = f"{self._base}/{database}"
        return house

    def exists(self, house: Plane) -> bool:
        return bool(house.rows("SELECT 1 FROM pg_class WHERE relname = 'Students'"))

    def settled(self, house: Plane) -> list[str]:
        """The server may still be working at what the killed child had sent: wait until that session is over."""
        statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"

        def over() -> bool:
            return self._server.execute(statement, (self._name(house),)).fetchone() == (0,)

        until(over, "the server to end the killed child's session", 30)
        return []

    def drop(self, house: Plane) -> None:
        shutil.rmtree(house.folder)
        self._drop(self._name(house))

    def close(self) -> None:
        while self._made:
            self._drop(self._made[-1])
        self._server.close()

    def _drop(self, database: str) -> None:
        self._made.remove(database)
        self._server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    def _name(self, house: Plane) -> str:
        return house.database.rsplit("/", 1)[1]


Places = Files | Servers


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def places(request: pytest.FixtureRequest, plane: Callable[..., Plane]) -> Iterator[Places]:
    if request.param == "sqlite":
        yield Files(plane)
        return
    made = Servers(plane, request.getfixturevalue("postgres_server"))
    yield made
    made.close()


@dataclass
class Sweep:
    """The kills of one database, before one gateway: half a load, half a delta on a loaded copy."""

    gateway: Gateway
    places: Places
    template: Plane = field(init=False)
    before: dict[str, Any] = field(init=False)
    after: dict[str, Any] = field(init=False)
    moments: dict[tuple[str, str], int] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.template = self.places.new("template")
        assert self.template.sync(self.gateway, "students", now=NOW).code == 0
        self.before = by_part(self.template.table("student_terms"))
        ask(f"{self.gateway.url}/__sim__/delta", DELTA)
        self.after = by_part(wanted(self.gateway, "student_terms"))
        for load in ("first", "delta"):
            house = self.house(load, f"count-{load}")
            order = house.order(self.gateway, "students", now=NOW)
            outcome = house.finish(house.start(order, module=doomed("publish", 0)), order["run"])
            assert outcome.code == 0, outcome.stderr
            assert (
                illegal(house, [outcome.run], self.before if load == "delta" else {}, self.after, CURRENT)
                == []
            )
            words = outcome.stderr.split("moments ")[1].split()
            self.moments |= {(load, "publish"): int(words[0]), (load, "staging"): int(words[1])}
            self.places.drop(house)

    def house(self, load: str, name: str) -> Plane:
        return self.places.new(name, self.template if load == "delta" else None)

    def kill(self, number: int, seed: int, *careless: str) -> list[str]:
        """Start a run on a house of its own, end it, and say what is wrong; then the next run brings the truth."""
        chance = random.Random(f"{seed}-{number}")
        kind = "publish" if careless else KINDS[number % len(KINDS)]
        load = "delta" if number % 8 in (1, 2, 3, 5, 6) else "first"
        house = self.house(load, f"kill-{number}")
        order = house.order(self.gateway, "students", now=NOW)
        if kind == "at random":
            at_a_random_moment(house, order, chance)
        else:
            at = chance.randint(1, self.moments[load, kind])
            at_a_statement(house, order, doomed(kind, at, *careless))
        try:
            return self.judge(house, str(order["run"]), load, kind, go_on=not careless)
        finally:
            self.places.drop(house)

    def let_go(self) -> list[str]:
        """The same for a child whose parent is gone: its lifeline ends."""
        house = self.house("delta", "let-go")
        order = house.order(self.gateway, "students", now=NOW)
        child = house.start(order)
        assert child.stdin is not None
        assert child.stdout is not None
        while json.loads(child.stdout.readline())["event"] != "partition":
            continue
        child.stdin.close()
        assert child.wait(10) in (0, 1)
        try:
            return self.judge(house, str(order["run"]), "delta", "let go", go_on=True)
        finally:
            self.places.drop(house)

    def judge(self, house: Plane, run: str, load: str, kind: str, go_on: bool) -> list[str]:
        self.told[kind] += 1
        wrong = self.places.settled(house) if self.places.exists(house) else []
        done: set[str] = set()
        if not wrong and self.places.exists(house):
            done = entries(house, [run])
            wrong = illegal(house, [run], self.before if load == "delta" else {}, self.after, CURRENT)
        states = {False: "no part in", True: "some parts in"}
        self.told["all parts in" if done >= self.planned() else states[bool(done)]] += 1
        if not wrong and go_on:
            self.goes_on(house, run, done)
        return wrong

    def planned(self) -> set[str]:
        settings = self.template.settings(self.gateway, "students")
        return {
            f"campus={campus},term={term}"
            for campus in settings["campuses"]
            for term in terms.between(settings["first_term"], CURRENT)
        }

    def goes_on(self, house: Plane, run: str, done: set[str]) -> None:
        """The next run asks only for what is missing, and everything is there."""
        since = number_of_last(self.gateway)
        outcome = house.sync(self.gateway, "students", now=NOW, resume=[run])
        assert (outcome.code, outcome.resumed()) == (0, done)
        assert asked_for(self.gateway, since) == self.planned() - done
        assert house.table("student_terms") == {
            k: row for rows in self.after.values() for k, row in rows.items()
        }
        assert house.table("Students") == wanted(self.gateway, "Students")
        assert disagreements(house, CURRENT) == []
        assert not list((house.folder / "staging").glob("*"))
        self.told["next runs reached the truth"] += 1

    def summary(self, seed: int) -> str:
        told = self.told
        kills = ", ".join(f"{told[kind]} {words}" for kind, words in SAID.items())
        states = ", ".join(f"{told[word]} with {word}" for word in STATES)
        database = "SQLite" if isinstance(self.places, Files) else "PostgreSQL"
        return (
            f"{database}, seed {seed}: {sum(told[kind] for kind in SAID)} kill -9 ({kills});"
            f" {states}; {told['next runs reached the truth']} next runs reached the truth"
        )


SAID = {"at random": "at a random moment", "staging": "while staging", "publish": "inside a publish"}
STATES = ("no part in", "some parts in", "all parts in")


def doomed(place: str, number: int, *careless: str) -> tuple[str, ...]:
    return ("tests.faults.failpoints", f"{place}:{number}", *careless)


def at_a_random_moment(house: Plane, order: dict[str, Any], chance: random.Random) -> None:
    child = house.start(order)
    assert child.stdout is not None
    parts = chance.randrange(-2, 11)  # so many have been told of; fewer than none: before the plan
    while parts >= 0 and (line := child.stdout.readline()):
        parts -= json.loads(line)["event"] in ("plan", "partition")
    time.sleep(chance.uniform(0, 0.04))  # a random moment is the point
    with suppress(ProcessLookupError):  # it was quicker, and has ended
        os.killpg(child.pid, signal.SIGKILL)
    child.wait(20)


def at_a_statement(house: Plane, order: dict[str, Any], module: tuple[str, ...]) -> None:
    child = house.start(order, module=module)
    assert child.stdout is not None
    for _ in child.stdout:
        pass
    # Parts come in any order, so now and then a run has fewer moments than the one that was counted.
    assert child.wait(20) in (-signal.SIGKILL, 0), house.stderr()


def asked_for(gateway: Gateway, since: int) -> set[str]:
    requests = ask(f"{gateway.url}/__sim__/requests?since={since}")
    return {f"campus={one['campus']},term={one['term']}" for one in requests if one["campus"]}


def number_of_last(gateway: Gateway) -> int:
    return max((one["n"] for one in ask(f"{gateway.url}/__sim__/requests")), default=0)


KILLS = [
    pytest.param(4, id="four"),
    pytest.param(200, id="two-hundred", marks=[pytest.mark.slow, pytest.mark.timeout(3600)]),
]


@pytest.mark.parametrize("kills", KILLS)
def test_f04_a_killed_child_leaves_each_part_as_it_was_or_as_it_shall_be(
    places: Places, simulator: Callable[..., Gateway], kills: int, record_property: Callable[[str, str], None]
) -> None:
    sweep = Sweep(simulator(*WORLD), places)
    for number in range(kills):
        assert sweep.kill(number, SEED) == [], f"seed {SEED}, kill {number}"
    record_property("summary", sweep.summary(SEED))
    assert sweep.told["some parts in"] > 0, f"no kill came in mid-run: {sweep.told}"
    assert sweep.told["staging"] >= kills // 4
    assert sweep.told["publish"] >= kills // 4
    assert sweep.let_go() == []
    # The negative control: the same kills and the same oracle, of a writer that deletes and inserts in batches.
    many = max(3, kills // 10)
    caught = sum(bool(sweep.kill(number, SEED, "careless")) for number in range(many))
    record_property("summary", f"… and {caught} of {many} kills of a careless writer left an illegal state")
    assert caught >= many * 2 // 3


OUT_OF_STEP = [
    "DELETE FROM student_terms WHERE studentnum = (SELECT max(studentnum) FROM student_terms)",
    "UPDATE student_terms SET city = 'x' WHERE studentnum = (SELECT max(studentnum) FROM student_terms)",
    'DELETE FROM "Students" WHERE studentnum = (SELECT max(studentnum) FROM student_terms)',
    "UPDATE _hamgam_search SET folded = 'x' WHERE key = (SELECT max(key) FROM _hamgam_search)",
    "UPDATE _hamgam_search SET sorted = 'x' WHERE key = (SELECT max(key) FROM _hamgam_search)",
    "DELETE FROM _hamgam_facets WHERE part = (SELECT max(part) FROM _hamgam_facets)",
    "UPDATE _hamgam_partitions SET rows = rows + 1",
    "UPDATE _hamgam_partitions SET digest = raw_index",
    "UPDATE _hamgam_partitions SET raw_index = (SELECT max(raw_index) FROM _hamgam_partitions)",
    "DELETE FROM _hamgam_changes",
    "DELETE FROM _hamgam_ledger WHERE kind = 'part'",
    "UPDATE _hamgam_ledger SET added = added + 1 WHERE kind = 'closing'",
]


def test_f04_the_oracle_sees_a_single_thing_out_of_step(
    plane: Callable[..., Plane], simulator: Callable[..., Gateway]
) -> None:
    files, template = Files(plane), plane("template")
    outcome = template.sync(simulator("--size", "tiny", "--seed", "5", *TODAY), "students", now=NOW)
    after = by_part(template.table("student_terms"))
    assert illegal(template, [outcome.run], {}, after, CURRENT) == []
    for number, edit in enumerate(OUT_OF_STEP):
        house = files.new(f"edit-{number}", template)
        house.write(edit)
        assert illegal(house, [outcome.run], {}, after, CURRENT) != [], edit
