"""A dry run against the real run after it, with the same upstream: the same counts and lines, and not a byte moved.

Real children before a simulator, on SQLite and PostgreSQL; the quick variants, in one process, are in
tests/fetchers/core/test_rehearsal.py. What the real run did is read from the destination, what the dry run foretold
from its file below `rehearsals`.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fetchers.core.store import sql
from tests.acceptance.children import Outcome, Plane
from tests.acceptance.house import ask
from tests.conftest import Gateway

Change = Callable[["Scene"], None]
TOLD = "kind, part, key, before, after, folded, mark"
BOOKED = "stream, part, outcome, read, added, changed, unchanged, gone, rejected, duplicates"


class Scene:
    """A destination of one kind, its gateway, and runs of both sorts."""

    def __init__(self, plane: Plane, gateway: Gateway, url: str, source: str) -> None:
        self.plane = plane
        self.gateway = gateway
        self.url = url
        self.source = source

    def run(self, **spec: Any) -> Outcome:
        return self.plane.sync(self.gateway, self.source, database=self.url, **spec)

    def ask(self, about: str, **body: Any) -> Any:
        return ask(f"{self.gateway.url}/__sim__/{about}", body)

    def digest(self) -> dict[str, str]:
        """Every row of every table; of a file, its bytes too. Held parts of earlier runs belong to it."""
        db = sql.connect_to_read(self.url)
        found: dict[str, str] = {}
        if db is not None:
            try:
                for table in _tables(db):
                    rows = sorted(repr(tuple(row)) for row in db.execute(f"SELECT * FROM {sql.name(table)}"))
                    found[table] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
            finally:
                db.close()
        for path in sorted(self.plane.folder.rglob("*")):
            if path.is_file() and path.name != "stderr" and "rehearsals" not in path.parts:
                found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def execute(self, *statements: str) -> None:
        """What somebody does by hand in the destination."""
        db = sql.connect(self.url)
        try:
            for statement in statements:
                db.execute(statement)
        finally:
            db.close()

    def did(self, run: str) -> dict[str, list[Any]]:
        return _books(self.url, run) | {"vanishing": _vanishing(self.plane.folder / "staging", run)}

    def foretold(self, run: str) -> dict[str, list[Any]]:
        folder = self.plane.folder / "rehearsals"
        url = f"sqlite:///{folder / f'{self.source}-{run}.db'}"
        return _books(url, run) | {"vanishing": _vanishing(folder / "staging", run)}


def _tables(db: sql.Destination) -> list[str]:
    catalogue = (
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        if sql.on_postgresql(db)
        else "SELECT name FROM sqlite_master WHERE type = 'table'"
    )
    return sorted(str(row[0]) for row in db.execute(catalogue))


def _rows(url: str, statement: str, *values: str) -> list[Any]:
    db = sql.connect_to_read(url)
    if db is None:
        return []
    try:
        return sorted((tuple(row) for row in db.execute(statement, values)), key=repr)
    finally:
        db.close()


def _books(url: str, run: str) -> dict[str, list[Any]]:
    return {
        "diary": _rows(url, f"SELECT {TOLD} FROM _hamgam_changes WHERE run = ?", run),
        "ledger": _rows(url, f"SELECT {BOOKED} FROM _hamgam_ledger WHERE run = ? AND kind = 'part'", run),
    }


def _vanishing(folder: Path, run: str) -> list[Any]:
    return [
        row
        for path in folder.glob(f"*-{run}.db")
        for row in _rows(f"sqlite:///{path}", "SELECT stream, part, key, moved, folded FROM vanishing")
    ]


def told(outcome: Outcome) -> dict[str, Any]:
    """What a child says at its end, less what only a real run knows."""
    error = outcome.last.get("error") or {}
    why = {**error.get("params", {})}
    why["parts"] = sorted(why.get("parts", []))  # as the threads brought them
    return {
        "code": outcome.code,
        "counts": outcome.counts,
        "partitions": outcome.last["partitions"],
        "error": (error.get("code"), why),
        "states": {
            event["part"]: event["state"] for event in outcome.events if event["event"] == "partition"
        },
    }


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def scene(request: pytest.FixtureRequest, plane: Any, simulator: Any) -> Callable[[str], Scene]:
    """`scene("students")`: nothing is loaded yet."""

    def make(source: str) -> Scene:
        made = plane()
        gateway = simulator("--size", "tiny", "--seed", "11", "--latency", "0")
        url = f"sqlite:///{made.path}"
        if request.param == "postgresql":
            url = str(request.getfixturevalue("postgres_destination"))
        return Scene(made, gateway, url, source)

    return make


def nothing_at_all(scene: Scene) -> None:
    """The gateway is as it was."""


def some_rows(scene: Scene) -> None:
    scene.ask("delta", added=7, changed=5, gone=4, stream=scene.source)


def half_of_everything_vanishes(scene: Scene) -> None:
    """The whole source is over its limits; new rows come as well."""
    scene.ask("delta", added=6, stream=scene.source)
    scene.ask("fault", kind="half", endpoint=scene.source, times=None)


def a_campus_is_empty(scene: Scene) -> None:
    """Of one campus all parts are held; the others are published."""
    scene.ask("delta", added=3, changed=2, gone=2, stream="students", campus="1110")
    scene.ask("fault", kind="empty", endpoint="students", campus="1120", times=None)


def some_moved(scene: Scene) -> None:
    """Three are stored under another campus than the one that the gateway has them in: they leave it and come back."""
    db = sql.connect_to_read(scene.url)
    assert db is not None
    [(campus, term)] = db.execute(
        'SELECT "codePardis", "term" FROM student_terms WHERE "codePardis" <> \'1120\''
        " GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2 LIMIT 1"
    )
    db.close()
    mine = f"\"term\" = '{term}' AND \"codePardis\" = '{campus}'"
    scene.execute(
        "UPDATE student_terms SET \"codePardis\" = '1120' WHERE " + mine + ' AND "studentnum" IN'
        f' (SELECT "studentnum" FROM student_terms WHERE {mine} AND "studentnum" NOT IN'
        f' (SELECT "studentnum" FROM student_terms WHERE "term" = \'{term}\' AND "codePardis" = \'1120\')'
        ' ORDER BY "studentnum" LIMIT 3)'
    )


def rehearse_and_do(scene: Scene, again: Change = nothing_at_all, **spec: Any) -> tuple[Any, Any]:
    """A dry run, then the real one: what each told and wrote down. again: what happens to the gateway between them."""
    before = scene.digest()
    dry = scene.run(dry_run=True, **spec)
    foretold = {**told(dry), **scene.foretold(dry.run)}
    assert dry.last["event"] == "result"
    assert scene.digest() == before
    again(scene)
    real = scene.run(**spec)
    assert (scene.digest() != before) or real.code == 3 or not foretold["diary"]
    return foretold, {**told(real), **scene.did(real.run)}


CASES = [
    ("students", a_campus_is_empty, {}),
    pytest.param("faculty", some_rows, {}, marks=pytest.mark.slow),
    pytest.param("students", some_rows, {}, marks=pytest.mark.slow),
    pytest.param("students", half_of_everything_vanishes, {}, marks=pytest.mark.slow),
    pytest.param("students", some_moved, {"mode": "full"}, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(
    ("source", "change", "spec"), CASES, ids=lambda case: getattr(case, "__name__", None)
)
def test_a_dry_run_foretells_exactly_what_the_real_run_does(
    scene: Callable[[str], Scene], source: str, change: Change, spec: dict[str, Any]
) -> None:
    here = scene(source)
    assert here.run().code == 0
    change(here)
    foretold, done = rehearse_and_do(here, **spec)
    assert foretold == done
    assert foretold["diary"] or foretold["vanishing"], "a comparison of nothing with nothing"
    if change in (half_of_everything_vanishes, a_campus_is_empty):
        assert foretold["code"] == 3
        assert foretold["partitions"]["held"]
        assert foretold["vanishing"]
    if change is some_moved:
        assert {line[0] for line in foretold["diary"]} >= {"added", "gone"}


@pytest.mark.slow
@pytest.mark.parametrize("source", ["faculty", "students"])
def test_a_first_load_is_foretold_and_the_destination_stays_away(
    scene: Callable[[str], Scene], source: str
) -> None:
    here = scene(source)
    foretold, done = rehearse_and_do(here)
    assert foretold == done
    assert {line[0] for line in foretold["diary"]} == {"loaded"}


def test_what_a_gateway_changes_between_the_two_is_seen(scene: Callable[[str], Scene]) -> None:
    """The negative control: a comparison that cannot differ proves nothing."""
    here = scene("students")
    assert here.run().code == 0
    some_rows(here)
    foretold, done = rehearse_and_do(here, again=lambda one: one.ask("delta", changed=1, stream="students"))
    assert foretold["counts"] != done["counts"]
    assert foretold["diary"] != done["diary"]


@pytest.mark.slow
def test_a_dry_run_leaves_what_waits_for_a_person(scene: Callable[[str], Scene]) -> None:
    here = scene("students")
    assert here.run().code == 0
    a_campus_is_empty(here)
    held = here.run()
    assert held.code == 3
    waiting = here.did(held.run)["vanishing"]
    before = here.digest()
    assert here.run(dry_run=True).code == 3
    assert here.digest() == before
    assert here.did(held.run)["vanishing"] == waiting != []


@pytest.mark.slow
def test_a_dry_run_after_a_run_that_failed_asks_for_what_the_real_one_would(
    scene: Callable[[str], Scene],
) -> None:
    here = scene("students")
    here.ask("fault", kind="server_error", endpoint="students", campus="1120", times=None)
    failed = here.run(settings={"retry_budget": 0})
    assert failed.code == 1
    here.ask("reset")
    foretold, done = rehearse_and_do(here, resume=[failed.run])
    assert foretold == done
    assert 0 < len(foretold["ledger"]) < foretold["partitions"]["planned"]
