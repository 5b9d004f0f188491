"""A whole job over a gateway in memory: what it tells, what it leaves behind, whatever goes wrong on the way."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fetchers import Page
from fetchers.core import registry
from fetchers.core.errors import AuthError, GatewayError, TimedOut
from fetchers.core.events import Events
from fetchers.core.load import compare
from fetchers.core.load.job import Job, check
from fetchers.core.store.postgres import PostgresDestination
from tests.fetchers.core.conftest import raw
from tests.fetchers.core.test_holds import TERM, World, part, student, world

__all__ = ["world"]


def last(world: World, code: int, **changes: Any) -> dict[str, Any]:
    """Sync, expect this exit code, and exactly one last word; it."""
    assert world.sync(**changes) == code
    endings = [event for event in world.events if event["event"] in ("result", "error", "held")]
    assert endings == world.events[-1:]
    return world.said()


# -- what goes wrong ----------------------------------------------------------------------------------------


def test_a_refused_login_after_a_failed_part_is_told_as_such(world: World) -> None:
    world.next = {"1110": [GatewayError("no", status=400)], "1210": [AuthError("no", status=401)]}
    said = last(world, 1)
    assert said["error"]["code"] == "E_AUTH"
    assert said["records"]["student_terms"] == 80


@pytest.mark.parametrize("mistake", [KeyError("40311234501"), RecursionError(), SystemExit(3)])
def test_a_mistake_of_the_fetcher_fails_its_part_and_no_other(
    world: World, mistake: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    right = world.answer

    def breaks(campus: str) -> list[dict[str, Any]]:
        if campus == "1110":
            raise mistake
        return right(campus)

    world.answer = breaks  # type: ignore[method-assign]
    world.there["1210"].append(student(199))
    said = last(world, 1)
    assert said["error"]["code"] == "E_PARTIAL"
    assert world.states() == {part("1110"): "failed", part("1210"): "done"}
    assert student(199)["studentnum"] in world.students()
    # Where it happened is on stderr; whose data it was about is nowhere.
    told = capfd.readouterr().err
    assert type(mistake).__name__ in told
    assert "40311234501" not in told + json.dumps(world.events)


def test_a_mistake_of_ours_fails_its_part_and_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    right = compare.Comparer.compare

    def wrong(self: Any, partition: Any, records: Any) -> Any:
        if partition["campus"] == "1110":
            raise OverflowError("40311234501")
        return right(self, partition, records)

    monkeypatch.setattr(compare.Comparer, "compare", wrong)
    world.there["1210"].append(student(199))
    said = last(world, 1)
    assert (said["error"]["code"], said["error"]["params"]["codes"]) == ("E_PARTIAL", ["E_INTERNAL"])
    assert student(199)["studentnum"] in world.students()
    assert "40311234501" not in json.dumps(world.events)


def test_a_mistake_outside_all_parts_still_has_a_last_word(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(self: Any, *_: Any) -> None:
        raise ZeroDivisionError("40311234501")

    monkeypatch.setattr(Job, "_settle", wrong)
    said = last(world, 1)
    assert said["error"]["code"] == "E_INTERNAL"
    assert not said["error"]["retryable"]
    assert "40311234501" not in json.dumps(world.events)


def test_a_plan_that_breaks_is_the_fetchers_mistake(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = __import__("fetchers.core.load.job", fromlist=["load"]).load("students")

    def breaks(self: Any) -> Iterator[Any]:
        raise LookupError("40311234501")

    monkeypatch.setattr(listing.fetcher, "campus_terms", breaks)
    said = last(world, 1)
    assert said["error"]["code"] == "E_FETCHER"
    assert "40311234501" not in json.dumps(said)


def test_a_fetcher_that_cannot_be_tested_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = __import__("fetchers.core.load.job", fromlist=["load"]).load("students")

    def breaks(self: Any) -> str:
        raise NotImplementedError

    monkeypatch.setattr(listing.fetcher, "check", breaks)
    events: list[dict[str, Any]] = []
    assert check(world.spec(check=True), Events(events.append)) == 1
    assert (events[-1]["event"], events[-1]["error"]["code"]) == ("error", "E_FETCHER")


def test_a_setting_that_cannot_be_is_told_by_name_and_without_its_value(world: World) -> None:
    spec = world.spec()
    spec.settings["password"] = ["canary"]
    world.events.clear()
    assert Job(spec, Events(world.events.append)).run() == 1
    said = world.said()
    assert (said["error"]["code"], said["error"]["params"]["setting"]) == ("E_CONFIG", "password")
    assert "canary" not in json.dumps(world.events)


@pytest.mark.parametrize("campus", ["", " ", "11 10", "1110,term=4051", "۱۱۱۰", "x" * 17])
def test_a_campus_that_is_none_is_a_setting_to_mend(world: World, campus: str) -> None:
    spec = world.spec()
    spec.settings["campuses"] = ["1110", campus]
    world.events.clear()
    assert Job(spec, Events(world.events.append)).run() == 1
    assert world.said()["error"]["code"] == "E_CONFIG"


def test_a_campus_with_blanks_or_twice_is_one_campus(world: World) -> None:
    spec = world.spec()
    spec.settings["campuses"] = ["1110", "1110 ", "1210", "1110"]
    world.events.clear()
    assert Job(spec, Events(world.events.append)).run() == 0
    assert world.said()["partitions"]["planned"] == 2


def test_no_campus_at_all_is_no_success(world: World) -> None:
    spec = world.spec()
    spec.settings["campuses"] = []
    world.events.clear()
    assert Job(spec, Events(world.events.append)).run() == 1


def test_a_wish_for_parts_that_are_not_planned_is_no_success(world: World) -> None:
    assert last(world, 1, partitions=[{"campus": "9999"}])["error"]["code"] == "E_PLAN"


# -- attempts -----------------------------------------------------------------------------------------------


def again(world: World, code: int, **changes: Any) -> dict[str, Any]:
    """Another attempt of the run before."""
    spec = world.spec(**changes)
    return _attempt(world, spec.model_copy(update={"run": world.first}), code)  # type: ignore[attr-defined]


def _attempt(world: World, spec: Any, code: int) -> dict[str, Any]:
    world.events.clear()
    world.asked.clear()
    assert Job(spec, Events(world.events.append)).run() == code
    return world.said()


def test_a_second_attempt_asks_only_for_what_failed_and_counts_all_of_it(world: World) -> None:
    world.next = {"1210": [TimedOut("late", deadline="request")]}
    world.there["1110"].append(student(198))
    world.there["1210"].append(student(199))
    last(world, 1)
    world.first = world.last  # type: ignore[attr-defined]
    said = again(world, 0, attempt=2)
    assert world.asked == {"1210": 1}
    assert (said["counts"]["added"], said["counts"]["read"]) == (2, 82)
    assert said["partitions"] == {"planned": 2, "done": 2, "failed": 0, "held": 0}


def test_a_second_attempt_whose_plan_has_grown_goes_on(world: World) -> None:
    # A term began, or a campus was added, between the two.
    world.next = {"1210": [TimedOut("late", deadline="request")]}
    last(world, 1)
    world.first = world.last  # type: ignore[attr-defined]
    world.there["1310"] = [student(number) for number in range(200, 205)]
    said = again(world, 0, attempt=2)
    assert world.asked == {"1210": 1, "1310": 1}
    assert said["partitions"]["done"] == 3


def test_another_run_resumes_only_a_run_of_the_same_plan(world: World) -> None:
    world.next = {"1210": [TimedOut("late", deadline="request")]}
    last(world, 1)
    first = world.last
    world.there["1310"] = [student(number) for number in range(200, 205)]
    last(world, 0, resume=[first])
    assert world.asked == {"1110": 1, "1210": 1, "1310": 1}


# -- losses -------------------------------------------------------------------------------------------------


def test_a_new_term_does_not_excuse_those_who_leave_the_old_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Everybody registers for the next term, and on the same day the gateway loses three quarters of this one.
    listing = __import__("fetchers.core.load.job", fromlist=["load"]).load("students")

    def two_terms(self: Any) -> Iterator[dict[str, str]]:
        return iter(
            [{"campus": campus, "term": term} for term in ("4052", TERM) for campus in ("1110", "1210")]
        )

    def rows(self: Any, campus: str, term: str) -> Iterator[Page]:
        found = world.answer(campus)
        yield Page(raw(*[{**row, "term": term} for row in (found if term == "4052" else found[:10])]))

    rows.stream = listing.fetcher.student_terms.stream  # type: ignore[attr-defined]
    monkeypatch.setattr(listing.fetcher, "campus_terms", two_terms)
    monkeypatch.setattr(listing.fetcher, "student_terms", rows)
    said = last(world, 3)
    assert said["error"]["code"] == "E_SHRUNK"
    assert said["error"]["params"]["gone"] == 60


def test_a_move_to_another_campus_of_the_term_is_no_loss(world: World) -> None:
    world.there["1210"] += world.there["1110"][5:]
    world.there["1110"] = world.there["1110"][:5]
    assert last(world, 0)["counts"]["gone"] == 35


def test_losses_are_weighed_against_what_was_there_before_the_run(world: World) -> None:
    # 60 of 400 are over a tenth; the hundreds who came in the same run do not make it less.
    world.there = {
        campus: [student(100 * number + n) for n in range(80)]
        for number, campus in enumerate(("1110", "1210", "1310", "1410", "1510"))
    }
    limits = {"part_rows": 1000, "part_percent": 100.0, "total_rows": 50, "total_percent": 10.0}
    last(world, 0, guard=limits)
    for campus in ("1110", "1210", "1310"):
        world.there[campus] = world.there[campus][:60]
    world.there["1410"] += [student(5000 + n) for n in range(400)]
    assert last(world, 3, guard=limits)["error"]["params"] | {"parts": None} == {
        "reason": "total",
        "gone": 60,
        "before": 400,
        "held": 3,
        "parts": None,
    }


# -- a dry run ----------------------------------------------------------------------------------------------


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file but those of rehearsals."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "rehearsals" not in path.parts
    }


def test_a_dry_run_counts_and_changes_no_byte(world: World) -> None:
    before = fingerprint(world.path.parent)
    world.there["1110"][3]["firstname"] = "دیگری"
    world.there["1110"].append(student(199))
    world.there["1210"] = world.there["1210"][:5]
    said = last(world, 3, dry_run=True)
    assert (said["event"], said["error"]["code"], said["records"]) == ("result", "E_SHRUNK", {})
    counts = said["counts"]
    # As of a real run, the counts are of what would be published; the other part would be held.
    assert (counts["added"], counts["changed"], counts["gone"], counts["unchanged"]) == (1, 1, 0, 39)
    assert said["partitions"] == {"planned": 2, "done": 1, "failed": 0, "held": 1}
    assert fingerprint(world.path.parent) == before


def test_a_dry_run_asks_again_for_what_lost_too_much_as_a_real_one_does(world: World) -> None:
    world.next = {"1210": [world.there["1210"][:5]]}
    said = last(world, 0, dry_run=True)
    assert (world.asked["1210"], said["counts"]["gone"], said["counts"]["unchanged"]) == (2, 0, 80)


def test_a_dry_run_of_which_a_part_fails_fails_and_keeps_what_the_others_would_change(world: World) -> None:
    before = fingerprint(world.path.parent)
    world.there["1110"].append(student(199))
    world.next = {"1210": [GatewayError("no", status=400)]}
    said = last(world, 1, dry_run=True)
    assert said["error"]["code"] == "E_PARTIAL"
    [book] = world.rehearsals.glob("*.db")
    assert world.rows_of(book, "SELECT kind, part FROM _hamgam_changes") == [("added", part("1110"))]
    assert world.rows_of(book, "SELECT kind FROM _hamgam_ledger") == [("part",)]
    assert fingerprint(world.path.parent) == before


def test_a_dry_run_without_a_place_for_its_rehearsal_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="folder for its rehearsal"):
        world.spec(dry_run=True, rehearsals="")


def test_a_dry_run_of_a_new_destination_makes_none(world: World, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    said = last(world, 0, dry_run=True, database=f"sqlite:///{fresh / 'data.db'}", staging=str(fresh / "s"))
    assert said["counts"]["added"] == 80
    assert not fresh.exists()


def test_a_dry_run_leaves_what_waits_for_a_person(world: World) -> None:
    whole = world.there["1210"]
    world.there["1210"] = []
    last(world, 3)
    held = world.last
    world.there["1210"] = whole
    last(world, 0, dry_run=True)
    assert world.vanishing(held).total == 40


def test_a_dry_run_sees_a_destination_of_an_older_version(world: World) -> None:
    for statement in (
        "ALTER TABLE student_terms DROP COLUMN fathername",
        "DROP TABLE _hamgam_search",
    ):
        world.rows(statement)
    before = fingerprint(world.path.parent)
    said = last(world, 0, dry_run=True)
    assert said["counts"]["unchanged"] == 80
    said = last(world, 0, dry_run=True, mode="full")
    assert said["counts"]["read"] == 80
    assert fingerprint(world.path.parent) == before


# -- two writers of one destination -------------------------------------------------------------------------


def test_a_part_that_another_process_published_meanwhile_is_not_published_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = compare.Comparer.compare

    def beaten(self: Any, partition: Any, records: Any) -> Any:
        delta = right(self, partition, records)
        if partition["campus"] == "1110":
            monkeypatch.setattr(compare.Comparer, "compare", right)
            inner = World(world.path.parent)
            inner.there = {**world.there, "1110": [*world.there["1110"], student(198)]}
            other = inner.spec(staging=str(world.path.parent / "other"))
            # The other process: a run of its own over the same gateway, with one student more.
            saved = world.there
            world.there = inner.there
            assert Job(other, Events(inner.events.append)).run() == 0
            world.there = saved
        return delta

    world.there["1110"].append(student(199))
    monkeypatch.setattr(compare.Comparer, "compare", beaten)
    said = last(world, 1)
    assert said["error"]["params"]["codes"] == ["E_MOVED"]
    assert said["error"]["retryable"]
    found = world.students()
    assert student(198)["studentnum"] in found
    # And the books still fit the rows: the next run heals by itself.
    last(world, 0)
    assert world.students() == {row["studentnum"] for rows in world.there.values() for row in rows}


# -- progress -----------------------------------------------------------------------------------------------


def test_pages_are_a_sign_of_life_while_a_large_part_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing: registry.Listing = __import__("fetchers.core.load.job", fromlist=["load"]).load("students")
    seen: list[int] = []

    def slowly(self: Any, campus: str, term: str) -> Iterator[Page]:
        rows = world.answer(campus)
        for start in range(0, len(rows), 10):
            yield Page(raw(*rows[start : start + 10]))
            told = len([event for event in world.events if event["event"] == "progress"])
            wait_for(lambda told=told: len([e for e in world.events if e["event"] == "progress"]) > told)  # type: ignore[misc]
            seen.append(max(e["staged"] for e in world.events if e["event"] == "progress"))

    slowly.stream = listing.fetcher.student_terms.stream  # type: ignore[attr-defined,union-attr]
    monkeypatch.setattr(listing.fetcher, "student_terms", slowly)
    world.there = {"1110": world.there["1110"]}
    last(world, 0)
    assert seen == sorted(seen)
    assert 0 < seen[1] <= 40


def wait_for(condition: Callable[[], bool]) -> None:
    import threading
    import time

    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.02)


# -- a destination that goes on by itself -------------------------------------------------------------------


def test_a_part_is_told_as_done_when_everybody_can_see_it_and_not_before(
    world: World, postgres_destination: str
) -> None:
    seen: list[tuple[str, int]] = []
    with psycopg.connect(postgres_destination.replace("+psycopg", ""), autocommit=True) as reader:

        def tell(event: dict[str, Any]) -> None:
            if event["event"] == "partition":
                rows = reader.execute("SELECT rows FROM _hamgam_partitions WHERE part = %s", (event["part"],))
                seen.append((event["state"], rows.fetchone()[0]))  # type: ignore[index]

        assert Job(world.spec(database=postgres_destination), Events(tell)).run() == 0
    assert seen == [("done", 40), ("done", 40)]


def test_a_part_whose_commit_fails_is_not_told_as_done_and_fails_the_run(
    world: World, postgres_destination: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(self: PostgresDestination) -> None:
        if self.goes_on:
            self._db.close()  # the server has gone away
        finish(self)

    finish = PostgresDestination.finish
    with monkeypatch.context() as trouble:
        trouble.setattr(PostgresDestination, "finish", lost)
        assert last(world, 1, database=postgres_destination)["error"]["code"] == "E_STORAGE"
    assert world.states() == {}
    assert last(world, 0, database=postgres_destination)["counts"]["added"] == 80
