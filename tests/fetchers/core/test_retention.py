"""What is older than the rule goes; the newest run that can be undone stays whole; and nobody half undoes a run."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fetchers.core import registry
from fetchers.core.decide import undo
from fetchers.core.errors import CannotUndo, Fenced
from fetchers.core.store import ledger, retention, sql
from fetchers.core.store.retention import Cut, Rule
from tests.fetchers.core.conftest import House

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.fixture
def house(destination: str) -> Iterator[House]:
    """Runs of 400, 300, 200 and 20 days ago: the first load, then one added, one gone, one changed."""
    fetcher = registry.load("faculty").fetcher
    assert fetcher is not None
    made = House(destination, fetcher.streams()[0])
    members = [{"id": number, "name": "مریم", "family": "یوسفی"} for number in (1, 2, 3)]
    for days, people in (
        (400, members[:2]),
        (300, members),
        (200, members[1:]),
        (20, [{**members[1], "name": "مینا"}, members[2]]),
    ):
        made.sync(*people)
        run = f"run-{made.runs}"
        with made.db:
            ledger.enter(made.db, run=run, epoch=1, kind="opening", outcome="plan")
            for table in ("_hamgam_changes", "_hamgam_ledger"):
                at = (NOW - timedelta(days=days)).isoformat(timespec="milliseconds")
                made.db.execute(f"UPDATE {table} SET at = ? WHERE run = ?", (at, run))
    ledger.raise_fence(made.url, 5)
    yield made
    made.db.close()


def cut(
    house: House, days: int, *undoable: str, epoch: int = 5, go_on: Callable[[], bool] = lambda: True
) -> Cut:
    rule = Rule(("faculty",), NOW - timedelta(days=days), undoable)
    return retention.cut(house.url, rule, epoch=epoch, now=NOW, go_on=go_on)


def runs(house: House, table: str = "_hamgam_changes", where: str = "TRUE") -> list[str]:
    return [run for (run,) in house.rows(f"SELECT DISTINCT run FROM {table} WHERE {where} ORDER BY run")]


def test_what_is_older_goes_and_the_ends_of_runs_stay(house: House) -> None:
    removed = cut(house, 250)
    assert (removed.lines, removed.entries, removed.done) == (2, 2, True)
    assert runs(house) == ["run-3", "run-4"]
    assert runs(house, "_hamgam_ledger", "kind = 'part'") == ["run-3", "run-4"]
    assert runs(house, "_hamgam_ledger", "kind = 'opening'") == ["run-1", "run-2", "run-3", "run-4"]
    [(since,)] = house.rows("SELECT since FROM _hamgam_kept WHERE stream = 'faculty'")
    assert since == (NOW - timedelta(days=250)).isoformat(timespec="milliseconds")
    again = cut(house, 250)
    assert (again.lines, again.entries, again.done) == (0, 0, True)


def test_where_nothing_is_old_nothing_is_noted(house: House) -> None:
    assert cut(house, 500) == Cut(done=True)
    assert house.rows("SELECT * FROM _hamgam_kept") == []


def test_the_newest_run_that_can_be_undone_stays_and_all_after_it(house: House) -> None:
    assert cut(house, 1, "a run without lines", "run-3", "run-2").lines == 2
    assert runs(house) == ["run-3", "run-4"]
    assert not retention.is_cut(house.db, "run-3", ["faculty"])


def test_entries_of_parts_live_for_a_month_whatever_the_rule(house: House) -> None:
    cut(house, 1)
    assert runs(house) == []
    assert runs(house, "_hamgam_ledger", "kind = 'part'") == ["run-4"]


def test_a_run_whose_lines_went_is_not_undone_and_says_why(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fetchers.core.decide.undo.look_into", sql.connect_to_read)
    cut(house, 250)
    for run in ("run-1", "run-2"):
        with pytest.raises(CannotUndo) as refused:
            undo.preview(house.url, "faculty", run)
        assert refused.value.params["reason"] == "diary"
    assert undo.preview(house.url, "faculty", "run-3").counts.added == 1


def test_a_run_of_which_some_lines_went_is_refused_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cut stops between two batches: what is left of the run looks like all of it."""
    monkeypatch.setattr("fetchers.core.decide.undo.look_into", sql.connect_to_read)
    with house.db:
        house.db.execute("UPDATE _hamgam_changes SET run = 'run-1' WHERE run = 'run-2'")
    monkeypatch.setattr(retention, "AT_ONCE", 1)
    answers = iter([True, False])
    removed = cut(house, 250, go_on=lambda: next(answers))
    assert (removed.lines, removed.done, runs(house)) == (1, False, ["run-1", "run-3", "run-4"])
    with pytest.raises(CannotUndo) as refused:
        undo.preview(house.url, "faculty", "run-1")
    assert refused.value.params["reason"] == "diary"
    assert cut(house, 250) == Cut(lines=1, entries=2, done=True)


def test_a_former_leader_removes_nothing(house: House) -> None:
    with pytest.raises(Fenced):
        cut(house, 250, epoch=4)
    assert runs(house) == ["run-1", "run-2", "run-3", "run-4"]
    assert house.rows("SELECT * FROM _hamgam_kept") == []


def test_another_source_keeps_its_lines(house: House) -> None:
    rule = Rule(("student_terms",), NOW)
    assert retention.cut(house.url, rule, epoch=5, now=NOW, go_on=lambda: True) == Cut(done=True)
    assert len(runs(house)) == 4


def test_notes_go_with_the_parts_that_are_no_more(house: House) -> None:
    def note(part: str, days: int) -> None:
        at = (NOW - timedelta(days=days)).isoformat(timespec="milliseconds")
        house.db.execute(
            "INSERT INTO _hamgam_rejected (run, stream, part, hash, reason, kept, at) VALUES (?, ?, ?, ?, ?, 0, ?)",
            ("run-1", "faculty", part, b"h", "no_key", at),
        )

    with house.db:
        note("", 400)
        note("campus=9", 400)
        note("campus=9", 10)
    assert cut(house, 250).notes == 1
    left: list[Any] = sorted(house.rows("SELECT part FROM _hamgam_rejected WHERE reason = 'no_key'"))
    assert left == [("",), ("campus=9",)]


@pytest.mark.parametrize(("days", "reaches"), [(399, True), (401, False)])
def test_whether_there_is_anything_to_cut_is_known_beforehand(house: House, days: int, reaches: bool) -> None:
    assert retention.reaches_back(house.url, NOW - timedelta(days=days), NOW) is reaches


def test_entries_and_notes_without_lines_are_to_be_cut_too(house: House) -> None:
    long_ago = NOW - timedelta(days=40)
    with house.db:
        house.db.execute("DELETE FROM _hamgam_changes")
    assert retention.reaches_back(house.url, long_ago, NOW), "entries of parts"
    with house.db:
        house.db.execute("DELETE FROM _hamgam_ledger WHERE kind = 'part'")
    assert not retention.reaches_back(house.url, long_ago, NOW)
    with house.db:
        house.db.execute(
            "INSERT INTO _hamgam_rejected (run, stream, part, hash, reason, kept, at) VALUES (?, ?, ?, ?, ?, 0, ?)",
            ("run-1", "faculty", "campus=9", b"h", "no_key", (NOW - timedelta(days=50)).isoformat()),
        )
    assert retention.reaches_back(house.url, long_ago, NOW), "notes of a part that is no more"
