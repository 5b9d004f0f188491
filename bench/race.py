"""The race: every scenario, size and latency, all contestants in turn, against one gateway."""

import json
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import check, measure
from bench.check import RIGHT, Question
from bench.contestants import HAMGAM, PAGE_SIZE, THE_TWO, Contestant, Setting
from bench.gateway import Gateway
from bench.measure import Cost

FIRST, UNCHANGED, CHANGED = "first load", "nothing changed", "1 % changed"
SCENARIOS = (FIRST, UNCHANGED, CHANGED)
ROW_BYTES = 829  # of a student's JSON, about


@dataclass(frozen=True)
class Size:
    """Student rows in parts of a thousand, and how they are measured.

    latencies: milliseconds before each answer, everybody takes part. alone: the same for Hamgam and its measure alone,
    where the others would take too long. repeats: runs of each cell.
    """

    rows: int
    latencies: Sequence[int] = ()
    alone: Sequence[int] = ()
    repeats: int = 1


@dataclass(frozen=True)
class Plan:
    """What is measured. body: megabytes of a whole list that comes in one answer, for Hamgam alone; 0: none."""

    sizes: Sequence[Size] = (
        Size(20_000, latencies=(0, 50), repeats=3),
        Size(200_000, latencies=(0,), alone=(50,)),
        Size(1_000_000, alone=(0,)),
    )
    body: int = 250
    deadline: float = 600.0
    part_rows: int = PAGE_SIZE


@dataclass(frozen=True)
class Result:
    """One contestant, measured once. cost None: not run, `verdict` says why. body: bytes of the one answer, or 0."""

    scenario: str
    rows: int
    latency: int
    contestant: Contestant
    cost: Cost | None
    verdict: str
    body: int = 0

    @property
    def right(self) -> bool:
        """Measured, and its database is what it should be."""
        return self.verdict == RIGHT


@dataclass
class World:
    """What the gateway serves now, and where its truth is written down."""

    rows: int
    least: int
    most: int
    truth: dict[str, str]
    changes: list[dict[str, Any]]


@dataclass(frozen=True)
class Home:
    """A contestant's own folder and database."""

    folder: Path
    database: str


def run(
    plan: Plan, contestants: Sequence[Contestant], folder: Path, tell: Callable[[str], None]
) -> Iterator[Result]:
    """Run everything; results as they come.

    For each size: a new world. For each latency and repeat: everybody loads it into an empty database, asks again
    while nothing has changed, and once more after a change of one row in a hundred. Who begins changes each time.
    At the end, the same with a whole list in one answer.
    """
    missing = {one.key: why for one in contestants if (why := one.missing()) is not None}
    for one in contestants:
        if one.key in missing:
            tell(f"{one.name} ({one.database.name}): not run: {missing[one.key]}")
    with Gateway() as gateway:
        race = _Race(gateway, folder, plan.deadline, tell)
        race.warm_up([one for one in contestants if one.key not in missing])
        for size in plan.sizes:
            gateway.world(size.rows, max(1, size.rows // plan.part_rows))
            for latency in (*size.latencies, *size.alone):
                here = contestants
                if latency not in size.latencies:
                    here = [one for one in contestants if one.name in THE_TWO]
                for repeat in range(size.repeats):
                    order = deque(here)
                    order.rotate(-repeat)
                    yield from race.round(size.rows, latency, order, missing)
        if plan.body:
            rows = max(100, plan.body * 1_000_000 // ROW_BYTES)
            body = gateway.world(rows, 1, whole=True)
            ours = deque(one for one in contestants if one.name == HAMGAM.name)
            yield from race.round(rows, 0, ours, missing, body)


class _Race:
    """Rounds against one gateway."""

    def __init__(self, gateway: Gateway, folder: Path, deadline: float, tell: Callable[[str], None]) -> None:
        self._gateway = gateway
        self._folder = folder
        self._deadline = deadline
        self._tell = tell

    def warm_up(self, able: Sequence[Contestant]) -> None:
        """Everybody once, not counted: modules are compiled and read from the disk for all alike."""
        self._gateway.world(200, 2)
        for one in able:
            with self._home(one) as home:
                cost = self._execute(one, home, FIRST)
                if cost.failed:
                    said = one.trouble(cost, home.folder / "out")
                    self._tell(f"{one.name}: the warm-up failed ({cost.code}): {said}")

    def round(
        self,
        rows: int,
        latency: int,
        contestants: Iterable[Contestant],
        missing: Mapping[str, str],
        body: int = 0,
    ) -> Iterator[Result]:
        """All scenarios of one size and latency, everybody once. missing: why somebody cannot take part."""
        lost = {key: f"not run: {why}" for key, why in missing.items()}
        world = self._learn(rows, [])
        self._gateway.latency(latency)
        with ExitStack() as stack:
            homes = {
                one.key: stack.enter_context(self._home(one)) for one in contestants if one.key not in lost
            }
            for scenario in SCENARIOS:
                if scenario == CHANGED and any(key not in lost for key in homes):
                    world = self._learn(rows, self._gateway.change(max(1, rows // 100)))
                for one in contestants:
                    if one.key in lost:
                        yield Result(scenario, rows, latency, one, None, lost[one.key], body)
                        continue
                    cost = self._execute(one, homes[one.key], scenario)
                    verdict = self._judge(one, homes[one.key], scenario, world, cost)
                    result = Result(scenario, rows, latency, one, cost, verdict, body)
                    self._tell(_line(result))
                    yield result
                    if cost.failed:  # there is nothing to go on with
                        lost[one.key] = f"not run: {scenario} failed"

    @contextmanager
    def _home(self, one: Contestant) -> Iterator[Home]:
        folder = self._folder / one.key
        folder.mkdir()
        try:
            with one.database.scratch(folder) as address:
                yield Home(folder, address)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _execute(self, one: Contestant, home: Home, scenario: str) -> Cost:
        gateway = self._gateway
        setting = Setting(
            gateway.url, gateway.campuses(), gateway.terms(), home.database, home.folder, scenario == FIRST
        )
        one.database.rest()
        return measure.run(
            one.command(),
            one.order(setting),
            home.folder / "out",
            one.surroundings(home.folder),
            self._deadline,
        )

    def _learn(self, rows: int, changes: list[dict[str, Any]]) -> World:
        tables = {
            "student_terms": self._folder / "student_terms.jsonl",
            "Students": self._folder / "students.jsonl",
        }
        for table, path in tables.items():
            self._gateway.save_truth(table.lower(), path)
        counts = self._gateway.counts()
        least = int(counts["student_terms"])
        useless = counts["duplicates"]["student_terms"] + counts["rejected"]["student_terms"]
        truth = {name: str(path) for name, path in tables.items()}
        return World(rows, least, least + useless, truth, changes)

    def _judge(self, one: Contestant, home: Home, scenario: str, world: World, cost: Cost) -> str:
        if cost.late:
            return f"stopped after {self._deadline:.0f} s"
        output = home.folder / "out"
        if cost.code:
            return f"failed ({cost.code}): {one.trouble(cost, output)}"
        changes = world.changes if scenario == CHANGED else []
        question = Question(home.database, world.truth, (world.least, world.most), one.every_field, changes)
        verdict = check.ask(question)
        if verdict == RIGHT and one.every_field:
            return _wrong_counts(output, scenario, world) or RIGHT
        return verdict


def _wrong_counts(output: Path, scenario: str, world: World) -> str | None:
    """What is wrong with the counts that Hamgam itself gives, if anything."""
    last = json.loads(output.read_bytes().splitlines()[-1])
    changed = len(world.changes) if scenario == CHANGED else 0
    expected = {
        "read": world.most,
        "added": world.least if scenario == FIRST else 0,
        "changed": changed,
        "unchanged": 0 if scenario == FIRST else world.least - changed,
        "gone": 0,
    }
    found = {name: last["counts"][name] for name in expected}
    if last["event"] != "result" or found != expected:
        return f"it counted {found} instead of {expected}"
    return None


def _line(result: Result) -> str:
    one = result.contestant
    head = (
        f"{result.rows:>9,} rows  {result.latency:>3} ms  {result.scenario:<16}"
        f" {one.name:<13} {one.database.name:<11}"
    )
    if result.cost is None:
        return f"{head} {result.verdict}"
    cost = result.cost
    verdict = result.verdict if result.right else f"WRONG: {result.verdict}"
    return (
        f"{head} {cost.seconds:8.2f} s  {result.rows / cost.seconds:>9,.0f} rows/s  {cost.cpu:7.2f} s CPU"
        f"  {cost.peak:6.0f} MB  {verdict}"
    )
