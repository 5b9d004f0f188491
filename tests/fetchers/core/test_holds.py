"""Held parts: asked once more, kept for a person, shown by name, published after a yes, refused when moved."""

import contextlib
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from fetchers import Page, Partition
from fetchers.core import registry
from fetchers.core.decide import holds
from fetchers.core.decide.approve import Approval
from fetchers.core.errors import ConnectError
from fetchers.core.events import Events
from fetchers.core.load import guard
from fetchers.core.load.job import Job
from fetchers.core.spec import Spec
from fetchers.students import Students
from tests.fetchers.conftest import NOW
from tests.fetchers.core.conftest import raw

NAMES = ["سارا", "علي", "مریم", "رضا", "نیلوفر"]
TERM = "4051"


def student(number: int) -> dict[str, Any]:
    return {
        "studentnum": str(40311000000 + number),
        "firstname": NAMES[number % len(NAMES)],
        "familyname": f"کریمی {number}",
        "code_Markaz": "1110",
        "term": TERM,
    }


class World:
    """A gateway in memory, its destination, and the runs between them."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'data.db'}"
        self.path = folder / "data.db"
        self.staging = folder / "staging"
        self.rehearsals = folder / "rehearsals"
        self.there: dict[str, list[dict[str, Any]]] = {}  # campus -> who is there
        self.next: dict[str, list[list[dict[str, Any]] | Exception]] = {}  # answers before the true one
        self.asked: Counter[str] = Counter()
        self.events: list[dict[str, Any]] = []
        self.last = ""

    def answer(self, campus: str) -> list[dict[str, Any]]:
        self.asked[campus] += 1
        scripted = self.next.get(campus)
        if scripted:
            answer = scripted.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return self.there[campus]

    def spec(self, **changes: Any) -> Spec:
        self.last = str(uuid.uuid4())
        settings = {
            "base_url": "http://127.0.0.1:9",
            "username": "x",
            "password": "y",
            "campuses": list(self.there),
            "first_term": TERM,
            "connections": 1,
            "requests_per_second": 0,
        }
        base = {
            "run": self.last,
            "epoch": 1,
            "source": "students",
            "settings": settings,
            "database": self.url,
        }
        folders = {"staging": str(self.staging), "rehearsals": str(self.rehearsals)}
        return Spec(**{**base, **folders, "now": NOW, **changes})

    def sync(self, **changes: Any) -> int:
        self.events.clear()
        self.asked.clear()
        return Job(self.spec(**changes), Events(self.events.append)).run()

    def approve(self, about: str, **changes: Any) -> int:
        self.events.clear()
        self.asked.clear()
        return Approval(self.spec(mode="approve", about=about, **changes), Events(self.events.append)).run()

    def said(self) -> dict[str, Any]:
        return self.events[-1]

    def states(self) -> dict[str, str]:
        return {event["part"]: event["state"] for event in self.events if event["event"] == "partition"}

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self.rows_of(self.path, statement)

    def rows_of(self, path: Path, statement: str) -> list[tuple[Any, ...]]:
        db = apsw.Connection(str(path))
        try:
            return list(db.execute(statement))
        finally:
            db.close()

    def data(self) -> list[list[tuple[Any, ...]]]:
        """All that a reader sees, and the books of parts."""
        return [
            self.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3")
            for table in (
                "student_terms",
                "Students",
                "_hamgam_search",
                "_hamgam_partitions",
                "_hamgam_changes",
            )
        ]

    def students(self) -> set[str]:
        return {str(row[0]) for row in self.rows("SELECT studentnum FROM student_terms")}

    def vanishing(self, run: str, **how: Any) -> holds.Page:
        return holds.vanishing(self.staging, "students", run, self.url, **how)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two campuses of forty students each, in step already."""
    world = World(tmp_path)

    class InMemory(Students):
        def student_terms(self, campus: str, term: str) -> Iterator[Page]:
            yield Page(raw(*world.answer(campus)))

        student_terms.stream = Students.student_terms.stream  # type: ignore[attr-defined]

        def campus_terms(self) -> Iterator[Partition]:
            return iter([{"campus": campus, "term": TERM} for campus in self.settings.campuses])

    def load(key: str) -> registry.Listing:
        return registry.Listing(key, InMemory)

    for module in ("load.job", "decide.approve", "decide.holds"):
        monkeypatch.setattr(f"fetchers.core.{module}.load", load)
    world.there = {
        "1110": [student(number) for number in range(40)],
        "1210": [student(number) for number in range(100, 140)],
    }
    assert world.sync() == 0
    yield world


def part(campus: str) -> str:
    return f"campus={campus},term={TERM}"


def hold(world: World, keep: int = 0, campus: str = "1210") -> str:
    """A run that is held because a campus lost all but so many; its uuid."""
    world.there[campus] = world.there[campus][:keep]
    assert world.sync() == 3
    return world.last


def test_a_part_that_loses_too_much_is_asked_for_once_more_and_believed_if_it_is_whole_again(
    world: World,
) -> None:
    before = world.students()
    world.there["1210"].append(student(150))
    world.next["1210"] = [[]]
    assert world.sync() == 0
    assert world.asked == {"1110": 1, "1210": 2}
    assert world.students() == before | {student(150)["studentnum"]}
    assert world.said()["counts"]["gone"] == 0
    assert not list(world.staging.iterdir())


def test_a_part_that_loses_twice_is_held_and_not_asked_for_a_third_time(world: World) -> None:
    before = world.data()
    hold(world, keep=19)
    assert world.asked == {"1110": 1, "1210": 2}
    told = [event["message"] for event in world.events if event["event"] == "log"]
    assert "1 part would lose too much; it is asked for once more." in told
    assert world.said()["event"] == "held"
    assert world.said()["error"]["code"] == "E_SHRUNK"
    assert world.said()["error"]["params"]["parts"] == [part("1210")]
    assert world.states() == {part("1110"): "done", part("1210"): "held"}
    assert world.data() == before


def test_what_a_part_loses_within_its_limits_is_not_asked_for_again(world: World) -> None:
    world.there["1210"] = world.there["1210"][:-4]
    assert world.sync() == 0
    assert world.asked["1210"] == 1


def test_a_second_answer_that_fails_fails_the_part_and_leaves_nothing_to_decide(world: World) -> None:
    before = world.data()
    world.next["1210"] = [[], ConnectError("refused")]
    assert world.sync() == 1
    assert world.said()["error"]["code"] == "E_PARTIAL"
    assert world.data() == before
    assert holds.parts(world.staging, "students", world.last) == []


def test_a_held_run_names_whom_it_would_remove(world: World) -> None:
    leaving = [one["studentnum"] for one in world.there["1210"][5:]]
    run = hold(world, keep=5)
    page = world.vanishing(run, limit=100)
    assert (page.total, page.moved) == (35, 0)
    assert sorted(line.key[0] for line in page.rows) == sorted(leaving)
    assert {line.part for line in page.rows} == {part("1210")}
    first = page.rows[0]
    assert first.row is not None and first.row["studentnum"] == first.key[0]
    assert first.row["familyname"].startswith("کریمی")
    [held] = holds.parts(world.staging, "students", run)
    assert (held.part, held.rows_before, held.rows_after) == (part("1210"), 40, 5)


def test_the_list_is_searched_in_any_letters_and_digits_and_paged(world: World) -> None:
    run = hold(world)
    assert world.vanishing(run, search="علی").total == 8  # stored as the gateway writes it, with an Arabic ي
    assert [line.key for line in world.vanishing(run, search="۴۰۳۱۱۰۰۰۱۰۷").rows] == [["40311000107"]]
    assert world.vanishing(run, search="nobody").total == 0
    pages = [world.vanishing(run, offset=offset, limit=15).rows for offset in (0, 15, 30)]
    assert [len(page) for page in pages] == [15, 15, 10]
    assert len({line.key[0] for page in pages for line in page}) == 40
    assert world.vanishing(run, part=part("1110")).total == 0


def test_who_turns_up_in_another_part_is_listed_as_moved_and_last(world: World) -> None:
    movers = world.there["1210"][:3]
    world.there["1110"] += movers
    run = hold(world)
    page = world.vanishing(run, limit=100)
    assert (page.total, page.moved) == (40, 3)
    assert {line.key[0] for line in page.rows[-3:]} == {one["studentnum"] for one in movers}
    assert [line.moved for line in page.rows] == [False] * 37 + [True] * 3


def test_an_approval_publishes_what_was_held_and_asks_no_gateway(world: World) -> None:
    run = hold(world, keep=5)
    assert world.approve(run) == 0
    assert not world.asked
    assert world.students() == {one["studentnum"] for campus in world.there.values() for one in campus}
    assert world.said()["counts"] == {
        "read": 5, "added": 0, "changed": 0, "unchanged": 5, "gone": 35, "rejected": 0, "duplicates": 0,
    }  # fmt: skip
    assert world.said()["partitions"] == {"planned": 1, "done": 1, "failed": 0, "held": 0}
    ledger = f"SELECT kind, part, gone FROM _hamgam_ledger WHERE run = '{world.last}' ORDER BY kind"
    assert world.rows(ledger) == [("closing", "", 35), ("opening", "", 0), ("part", part("1210"), 35)]
    assert not list(world.staging.iterdir())
    # The next sync finds everything as it should be.
    assert world.sync() == 0
    assert world.said()["counts"]["unchanged"] == 45


def test_an_approval_is_refused_when_a_part_has_moved_since(world: World) -> None:
    run = hold(world)
    kept = next(world.staging.iterdir()).read_bytes()
    # A sync of that campus alone, by another hand, with a staging folder of its own.
    world.there["1210"] = [student(number) for number in range(100, 141)]
    assert world.sync(staging=str(world.staging) + "2", partitions=[{"campus": "1210"}]) == 0
    before = world.data()
    assert world.approve(run) == 1
    assert world.said()["error"]["code"] == "E_MOVED"
    assert world.said()["error"]["retryable"] is False
    assert world.data() == before
    assert next(world.staging.iterdir()).read_bytes() == kept


def test_one_moved_part_refuses_the_others_too(world: World) -> None:
    world.there["1110"] = []
    run = hold(world)
    assert len(holds.parts(world.staging, "students", run)) == 2
    world.there["1210"] = [student(number) for number in range(100, 141)]
    assert world.sync(staging=str(world.staging) + "2", partitions=[{"campus": "1210"}]) == 0
    before = world.data()
    assert world.approve(run) == 1
    assert world.data() == before


def test_an_approval_that_was_killed_half_way_is_finished_by_the_next_attempt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.there["1110"] = []
    run = hold(world)
    approval = str(uuid.uuid4())
    real = holds.check_base
    calls: list[str] = []

    def dies_at_the_second(db: apsw.Connection, delta: Any) -> None:
        calls.append(delta.part)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(db, delta)

    monkeypatch.setattr(holds, "check_base", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        world.approve(run, run=approval)
    monkeypatch.setattr(holds, "check_base", real)
    assert len(world.students()) == 40
    assert world.approve(run, run=approval, attempt=2) == 0
    assert world.students() == set()
    assert world.said()["counts"]["gone"] == 80
    assert world.said()["partitions"]["done"] == 2


def test_rows_of_another_shape_are_never_published(world: World) -> None:
    run = hold(world)
    before = world.data()
    with contextlib.closing(apsw.Connection(str(world.staging / f"students-{run}.db"))) as staged:
        staged.execute("UPDATE staged SET shape = replace(shape, 'firstname', 'givenname')")
    assert world.approve(run) == 1
    assert world.said()["error"]["code"] == "E_MOVED"
    assert world.data() == before


def test_an_ordinary_run_supersedes_a_hold_and_a_rehearsal_does_not(world: World) -> None:
    run = hold(world)
    assert world.sync(dry_run=True) == 3
    assert holds.parts(world.staging, "students", run)
    assert world.sync() == 3
    assert holds.parts(world.staging, "students", run) == []
    assert world.approve(run) == 1
    assert world.said()["error"]["code"] == "E_MOVED"


def test_only_what_is_held_stays_staged(world: World) -> None:
    """A part that loses little waits for the verdict too, but is published."""
    world.there["1110"] = world.there["1110"][:-2]
    run = hold(world)
    assert [one.part for one in holds.parts(world.staging, "students", run)] == [part("1210")]
    assert world.states()[part("1110")] == "done"
    assert world.approve(run) == 0
    assert len(world.students()) == 38


def test_what_an_interrupted_attempt_had_staged_is_not_published_by_the_next(world: World) -> None:
    """The file of the same run is there, with a part as it was an hour ago."""
    world.there["1110"] = world.there["1110"][:-2]
    spec = world.spec()
    job = Job(spec, Events(world.events.append))
    job._settle = _dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        job.run()
    world.there["1110"].append(student(77))
    assert Job(spec.model_copy(update={"attempt": 2}), Events(world.events.append)).run() == 0
    assert student(77)["studentnum"] in world.students()
    assert len(world.students()) == 79


def _dies(*_: Any) -> None:
    raise KeyboardInterrupt


def test_without_the_guard_the_data_do_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of every test above that says the old data stay."""
    before = world.data()
    monkeypatch.setattr(guard, "too_much", _believes_everything)
    monkeypatch.setattr("fetchers.core.load.judging.too_much", _believes_everything)
    world.there["1210"] = []
    assert world.sync(guard={"total_rows": 10**9}) == 0
    assert world.data() != before
    assert len(world.students()) == 40


def _believes_everything(*_: Any) -> bool:
    return False
