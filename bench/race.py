"""The race: every scenario, size and latency, all contestants in turn, against one gateway."""

import json
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import check, measure
from bench.check import RIGHT, Question
from bench.contestants import PAGE_SIZE, Contestant, Setting
from bench.gateway import Gateway
from bench.measure import Cost

FIRST, UNCHANGED, CHANGED = "first load", "nothing changed", "1 % changed"
SCENARIOS = (FIRST, UNCHANGED, CHANGED)


@dataclass(frozen=True)
class Plan:
    """rows: student rows, in parts of a thousand. repeats: how often each size is measured."""

    rows: Sequence[int] = (20_000, 200_000)
    latencies: Sequence[int] = (0, 50)
    repeats: Sequence[int] = (3, 1)
    deadline: float = 600.0
    part_rows: int = PAGE_SIZE


@dataclass(frozen=True)
class Result:
    """One contestant, measured once. cost None: not run, `verdict` says why."""

    scenario: str
    rows: int
    latency: int
    contestant: Contestant
    cost: Cost | None
    verdict: str

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


def run(
    plan: Plan, contestants: Sequence[Contestant], folder: Path, tell: Callable[[str], None]
) -> Iterator[Result]:
    """Run everything; results as they come.

    For each size: a new world. For each latency and repeat: everybody loads it into an empty database, asks again
    while nothing has changed, and once more after a change of one row in a hundred. Who begins changes each time.
    """
    able = []
    for contestant in contestants:
        missing = contestant.missing()
        if missing is None:
            able.append(contestant)
        else:
            tell(f"{contestant.name}: not run: {missing} is not installed")
    with Gateway() as gateway:
        if plan.rows:
            _warm_up(gateway, able, folder, plan.deadline, tell)
        for rows, repeats in zip(plan.rows, plan.repeats, strict=True):
            parts = max(1, rows // plan.part_rows)
            gateway.world(rows, parts)
            world = _learn(gateway, rows, folder, [])
            for latency in plan.latencies:
                for missing_one in (one for one in contestants if one not in able):
                    for scenario in SCENARIOS:
                        why = f"not run: {missing_one.missing()} is not installed"
                        yield Result(scenario, rows, latency, missing_one, None, why)
                for repeat in range(repeats):
                    order = deque(able)
                    order.rotate(-repeat)
                    homes = {one.name: folder / f"{one.name}-{rows}-{latency}-{repeat}" for one in able}
                    gateway.latency(latency)
                    for scenario in SCENARIOS:
                        if scenario == CHANGED:
                            world = _learn(gateway, rows, folder, gateway.change(max(1, rows // 100)))
                        for one in tuple(order):
                            result = _measure(
                                gateway, world, scenario, latency, one, homes[one.name], plan.deadline
                            )
                            tell(_line(result))
                            yield result
                            if result.cost is None or result.cost.failed:
                                order.remove(one)  # there is nothing to go on with
                    for home in homes.values():
                        shutil.rmtree(home, ignore_errors=True)


def _warm_up(
    gateway: Gateway, able: list[Contestant], folder: Path, deadline: float, tell: Callable[[str], None]
) -> None:
    """Everybody once, not counted: modules are compiled and read from the disk for all alike."""
    gateway.world(200, 2)
    for one in able:
        home = folder / f"{one.name}-warm-up"
        setting = _setting(gateway, home, first=True)
        cost = measure.run(one.command(), one.order(setting), home / "out", one.surroundings(home), deadline)
        if cost.failed:
            tell(f"{one.name}: the warm-up failed ({cost.code}): {cost.said}")
        shutil.rmtree(home, ignore_errors=True)


def _learn(gateway: Gateway, rows: int, folder: Path, changes: list[dict[str, Any]]) -> World:
    truth = {"student_terms": folder / "student_terms.jsonl", "Students": folder / "students.jsonl"}
    for table, path in truth.items():
        gateway.save_truth(table.lower(), path)
    counts = gateway.counts()
    least = int(counts["student_terms"])
    useless = counts["duplicates"]["student_terms"] + counts["rejected"]["student_terms"]
    return World(rows, least, least + useless, {name: str(path) for name, path in truth.items()}, changes)


def _setting(gateway: Gateway, home: Path, *, first: bool) -> Setting:
    home.mkdir(parents=True, exist_ok=True)
    return Setting(gateway.url, gateway.campuses(), gateway.terms(), home / "students.db", first)


def _measure(
    gateway: Gateway,
    world: World,
    scenario: str,
    latency: int,
    one: Contestant,
    home: Path,
    deadline: float,
) -> Result:
    setting = _setting(gateway, home, first=scenario == FIRST)
    output = home / "out"
    cost = measure.run(one.command(), one.order(setting), output, one.surroundings(home), deadline)
    if cost.late:
        verdict = f"stopped after {deadline:.0f} s"
    elif cost.code:
        verdict = f"failed ({cost.code}): {cost.said.splitlines()[-1] if cost.said else 'without a word'}"
    else:
        changes = world.changes if scenario == CHANGED else []
        question = Question(
            str(setting.database), world.truth, (world.least, world.most), one.every_field, changes
        )
        verdict = check.ask(question)
        if verdict == RIGHT and one.every_field:
            verdict = _wrong_counts(output, scenario, world) or RIGHT
    return Result(scenario, world.rows, latency, one, cost, verdict)


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
    head = (
        f"{result.rows:>9,} rows  {result.latency:>3} ms  {result.scenario:<16} {result.contestant.name:<13}"
    )
    if result.cost is None:
        return f"{head} {result.verdict}"
    cost = result.cost
    verdict = result.verdict if result.right else f"WRONG: {result.verdict}"
    return (
        f"{head} {cost.seconds:8.2f} s  {result.rows / cost.seconds:>9,.0f} rows/s  {cost.cpu:7.2f} s CPU"
        f"  {cost.peak:6.0f} MB  {verdict}"
    )
