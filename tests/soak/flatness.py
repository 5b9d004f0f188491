"""Whether processes grow: memory, open files and threads of each, over its life.

Only the second half of a life is judged: until then it gets its threads, its connections, its caches.
"""

import csv
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median

import psutil

from panel.engine.process import RUN_VARIABLE
from tests.soak.actors import Actor
from tests.soak.house import SoakHouse

EACH = 3.0  # seconds between two samples
LEAST = 240.0  # seconds: whoever lived shorter cannot be judged
JUDGED = ("engine", "web", "worker", "up")
FILES_OF_A_CHILD = 5  # three pipes, the number of the process as a file, and who waits for all of them


@dataclass(frozen=True)
class Sample:
    """at: seconds. memory: resident, MB. children: of an engine, for each of which it holds some files."""

    at: float
    memory: float
    files: int
    threads: int
    children: int = 0


@dataclass
class Life:
    """One process from its first sample to its last."""

    role: str
    pid: int
    samples: list[Sample] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.samples[-1].at - self.samples[0].at if self.samples else 0.0

    @property
    def long_enough(self) -> bool:
        return self.seconds >= LEAST

    @property
    def later(self) -> list[Sample]:
        """The second half."""
        half = self.samples[0].at + self.seconds / 2
        return [sample for sample in self.samples if sample.at >= half]


MOST_MEMORY = 3.0  # MB in the second half of a life
MOST_FILES, MOST_THREADS = 2, 1


def growth(life: Life) -> list[str]:
    """What grows in a life that is long enough.

    Memory: by the usual slope between any two samples (Theil and Sen), which single peaks do not move.
    Files and threads: by what is usual in the first and in the last third.
    """
    later = life.later
    name = f"{life.role} {life.pid}"
    wrong = []
    grown = slope(later) * (later[-1].at - later[0].at)
    if grown > MOST_MEMORY:
        wrong.append(
            f"{name} grew by {grown:.1f} MB in {life.seconds / 120:.0f} min, to {later[-1].memory:.0f} MB"
        )
    third = len(later) // 3
    for what, most in (("files", MOST_FILES), ("threads", MOST_THREADS)):
        before, after = (
            median(_at_rest(one, what) for one in some) for some in (later[:third], later[-third:])
        )
        if after - before > most:
            wrong.append(f"{name} has {after:.0f} {what}, before {before:.0f}")
    return wrong


def _at_rest(sample: Sample, what: str) -> int:
    return sample.threads if what == "threads" else sample.files - FILES_OF_A_CHILD * sample.children


def slope(samples: Sequence[Sample]) -> float:
    """MB a second: the median of the slopes between any two samples."""
    return median(
        (later.memory - earlier.memory) / (later.at - earlier.at)
        for earlier, later in combinations(samples, 2)
    )


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Meter(Actor):
    """Looks at every process of the house, every few seconds. `wrong`: two that worked on one source at once."""

    def __init__(self, seed: int, house: SoakHouse) -> None:
        super().__init__(seed)
        self.house = house
        self.wrong: list[str] = []
        self._lives: dict[tuple[int, float], Life] = {}

    def act(self) -> float:
        cast = self.house.cast()
        self.wrong += self._beside_each_other(cast["child"])
        at = time.monotonic()
        for role in JUDGED:
            for process in cast[role]:
                children = len(cast["child"]) if role == "engine" else 0
                try:
                    with process.oneshot():
                        key = (process.pid, process.create_time())
                        memory = process.memory_info().rss / 1e6
                        sample = Sample(at, memory, process.num_fds(), process.num_threads(), children)
                except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                    continue
                self._lives.setdefault(key, Life(role, process.pid)).samples.append(sample)
        return EACH

    def _beside_each_other(self, children: list[psutil.Process]) -> list[str]:
        sources = dict(
            self.house.rows(
                "panel.db", "SELECT r.uuid, s.key FROM sync_runs r JOIN data_syncs s ON s.id = r.sync_id"
            )
        )
        runs: dict[str, list[tuple[psutil.Process, str]]] = {}
        for child in children:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                run = child.environ()[RUN_VARIABLE]
                runs.setdefault(sources.get(run, run), []).append((child, run))
        # They were all there; who is there still was so at one moment with every other one of these.
        alive = {
            source: [(child.pid, run) for child, run in some if _lives(child)]
            for source, some in runs.items()
        }
        return [
            f"at one time, processes of {source}: {some}" for source, some in alive.items() if len(some) > 1
        ]

    @property
    def lives(self) -> list[Life]:
        return list(self._lives.values())

    def write(self, path: Path) -> None:
        """All samples, for whoever wants to look closer."""
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(("role", "pid", "at", "memory_mb", "files", "threads", "children"))
            for life in self.lives:
                for one in life.samples:
                    row = (f"{one.at:.1f}", f"{one.memory:.2f}", one.files, one.threads, one.children)
                    table.writerow((life.role, life.pid, *row))
