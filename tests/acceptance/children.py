"""Real children (`python -m fetchers`) before real simulators, with no panel between the test and them."""

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.house import ask, truth
from tests.acceptance.store import KEYS, Tables
from tests.conftest import Gateway
from tests.warm import Warm

CANARY = "canary-داده-5417"


@dataclass
class Outcome:
    """What a child did: its exit code, its events, its stderr, and the run's id."""

    code: int
    events: list[dict[str, Any]]
    stderr: str
    run: str

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = self.last["counts"]
        return counts

    def parts(self, *states: str) -> set[str]:
        """The parts whose last state is one of these; the event at the end names at most twenty of them."""
        found = {event["part"]: event["state"] for event in self.events if event["event"] == "partition"}
        return {part for part, state in found.items() if state in states}

    def resumed(self) -> set[str]:
        return {part for event in self.events if event["event"] == "plan" for part in event["resumed"]}


@dataclass
class Plane(Tables):
    """A destination of its own, and the children that fill it. database: of a server; "": a file in the folder."""

    folder: Path
    database: str = ""
    started: list[Warm] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "data.db"

    @property
    def place(self) -> Path | str:
        return self.database or self.path

    def settings(self, gateway: Gateway, source: str, **settings: Any) -> dict[str, Any]:
        found: dict[str, Any] = {
            "base_url": gateway.url,
            "username": gateway.username,
            "password": gateway.password,
            "requests_per_second": 0,
            "retry_budget": 20,
        }
        if source == "students":
            found["campuses"] = [row["pardis_code"] for row in ask(f"{gateway.url}/__sim__/campuses")]
            terms = ask(f"{gateway.url}/__sim__/terms")
            found["first_term"] = min(str(one["term"] if isinstance(one, dict) else one) for one in terms)
        return found | settings

    def order(self, gateway: Gateway, source: str, **spec: Any) -> dict[str, Any]:
        settings = self.settings(gateway, source, **spec.pop("settings", {}))
        return {
            "run": str(uuid.uuid4()),
            "epoch": 1,
            "source": source,
            "settings": settings,
            "database": self.database or f"sqlite:///{self.path}",
            "staging": str(self.folder / "staging"),
            "rehearsals": str(self.folder / "rehearsals"),
            "now": datetime.now(UTC).isoformat(),
            **spec,
        }

    def start(self, order: dict[str, Any], module: Sequence[str] = ("fetchers",)) -> Warm:
        """A child that has its order; its stdin stays open, as under the engine."""
        with (self.folder / "stderr").open("ab") as stderr:
            child = Warm(
                *module, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
            )
        self.started.append(child)
        assert child.stdin is not None
        child.stdin.write(json.dumps(order).encode() + b"\n")
        child.stdin.flush()
        return child

    def finish(self, child: Warm, run: str) -> Outcome:
        assert child.stdout is not None
        events = [json.loads(line) for line in child.stdout]
        code = child.wait(60)
        return Outcome(code, events, self.stderr(), run)

    def sync(self, gateway: Gateway, source: str, **spec: Any) -> Outcome:
        order = self.order(gateway, source, **spec)
        return self.finish(self.start(order), order["run"])

    def stderr(self) -> str:
        path = self.folder / "stderr"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def parts(self) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of each published part of student_terms."""
        found: dict[str, list[tuple[Any, ...]]] = {
            part: [] for (part,) in self.rows("SELECT part FROM _hamgam_partitions")
        }
        for row in self.rows("SELECT codePardis, term, * FROM student_terms ORDER BY studentnum"):
            found.setdefault(f"campus={row[0]},term={row[1]}", []).append(row[2:])
        return found


def wanted(gateway: Gateway, table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What a perfect reader would have stored."""
    return {tuple(row[key] for key in KEYS[table]): row for row in truth(gateway, table.lower())}


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Callable[..., Plane]]:
    """Make destinations: `plane()`. Children that are left are killed with the test."""
    made: list[Plane] = []

    def make(name: str = "plane") -> Plane:
        folder = tmp_path / name
        folder.mkdir()
        made.append(Plane(folder))
        return made[-1]

    yield make
    for one in made:
        for child in one.started:
            child.kill()
            child.wait(10)
            child.close()
