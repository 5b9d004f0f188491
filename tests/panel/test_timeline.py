"""Runs and the trail as one story: in order, page by page, of one source or all, and bounded."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session, sessionmaker

from panel import audit, timeline
from panel.clock import utcnow
from panel.db import writing
from panel.models import AuditEntry, DataSync, SyncRun
from tests.statements import listening, plans
from tests.web import add_sync, people_database, rows, web_config

__all__ = ["people_database", "rows", "web_config"]

Rows = sessionmaker[Session]
BEGIN = utcnow().replace(microsecond=0) - timedelta(days=400)
Say = Callable[..., int]


def at(minute: int) -> datetime:
    return BEGIN + timedelta(minutes=minute)


def add_run(rows: Rows, sync_id: int, minute: int, **columns: Any) -> int:
    with writing(rows) as session:
        run = SyncRun(
            uuid=str(uuid4()),
            sync_id=sync_id,
            **{"status": "success", "triggered_by": "schedule", **columns},
            requested_at=at(minute),
            not_before=at(minute),
        )
        session.add(run)
        session.flush()
        return run.id


def note(rows: Rows, minute: int, action: str, subject: str | None = "students", **details: Any) -> int:
    with writing(rows) as session:
        entry = audit.record(session, "maryam", action, subject, "192.0.2.7", **details)
        entry.at = at(minute)
        session.flush()
        return entry.id


def story(rows: Rows, **wanted: Any) -> list[str]:
    """Everything that is told, page by page, the newest first: the number of a run, or what somebody did."""
    told: list[str] = []
    with rows() as session:
        place = None
        for _page in range(100):
            found = timeline.page(
                session, timeline.Wanted(**{"kinds": timeline.KINDS, "after": place, **wanted})
            )
            told += [
                str(one.run.id) if one.run else one.entry.action
                for one in found.events
                if one.run or one.entry
            ]
            place = found.older
            if place is None:
                return told
    raise AssertionError("the pages never end")


def sync_of(rows: Rows, key: str) -> DataSync:
    with rows() as session:
        return session.scalars(select(DataSync).where(DataSync.key == key)).one()


def test_a_setting_changed_between_two_runs_stands_between_them(rows: Rows) -> None:
    students = add_sync(rows)
    first = add_run(rows, students, 1)
    note(rows, 2, "settings_changed", names=["first_term"])
    second = add_run(rows, students, 3)
    assert story(rows) == [str(second), "settings_changed", str(first)]


def test_sign_ins_and_what_a_run_says_itself_are_no_part_of_it(rows: Rows) -> None:
    for minute, action in enumerate(
        ("login", "run_requested", "data_exported", "token_created", "history_cut")
    ):
        note(rows, minute, action)
    note(rows, 9, "run_cancelled", run=1)
    assert story(rows) == ["run_cancelled"]


def test_no_kind_is_told_that_was_not_asked_for(rows: Rows) -> None:
    run = add_run(rows, add_sync(rows), 1)
    note(rows, 2, "settings_changed", names=["password"])
    note(rows, 3, "hold_accepted", run=run)
    assert story(rows, kinds=("runs", "decisions")) == ["hold_accepted", str(run)]
    assert story(rows, kinds=("changes",)) == ["settings_changed"]
    assert story(rows, kinds=("runs",)) == [str(run)]


def test_of_one_source_only_what_it_can_feel(rows: Rows) -> None:
    students, faculty = add_sync(rows), add_sync(rows, "faculty")
    mine, other = add_run(rows, students, 1), add_run(rows, faculty, 2)
    note(rows, 3, "schedule_changed", "faculty", kind="off")
    note(rows, 4, "settings_changed", "faculty", names=["base_url"], shared_with=["students"])
    note(rows, 5, "campus_added", "1110")
    note(rows, 6, "calendar_imported", None)
    assert story(rows, sync=sync_of(rows, "students")) == ["campus_added", "settings_changed", str(mine)]
    assert story(rows, sync=sync_of(rows, "faculty")) == ["settings_changed", "schedule_changed", str(other)]
    with writing(rows) as session:
        session.get_one(DataSync, students).schedule_kind = "calendar"
    assert story(rows, sync=sync_of(rows, "students"))[0] == "calendar_imported"


def test_days_bound_both_books(rows: Rows) -> None:
    students = add_sync(rows)
    runs = [add_run(rows, students, minute) for minute in (1, 3, 5)]
    for minute, action in ((2, "sync_paused"), (4, "sync_resumed"), (6, "pause_ended")):
        note(rows, minute, action)
    assert story(rows, since=at(3), until=at(5)) == ["sync_resumed", str(runs[1])]
    assert story(rows, since=at(5)) == ["pause_ended", str(runs[2])]
    assert story(rows, since=at(9)) == [] and story(rows, until=at(0)) == []
    assert story(rows, until=at(99)) == story(rows)


@pytest.mark.parametrize("looked_at", [1, 3, 7, timeline.LOOKED_AT])
def test_the_pages_together_are_the_whole_story_however_little_each_looks_at(
    rows: Rows, monkeypatch: pytest.MonkeyPatch, looked_at: int
) -> None:
    students, faculty = add_sync(rows), add_sync(rows, "faculty")
    expected = []
    for minute in range(120):
        if minute % 5 == 1:
            expected.append(str(add_run(rows, faculty if minute % 2 else students, minute)))
        elif minute % 11 == 3:
            note(rows, minute, "settings_changed", names=["retries"])
            expected.append("settings_changed")
        else:
            note(rows, minute, "login", None)
    whole = list(reversed(expected))
    monkeypatch.setattr(timeline, "LOOKED_AT", looked_at)
    monkeypatch.setattr(timeline, "EVENTS_A_PAGE", 4)
    assert story(rows) == whole
    assert story(rows, kinds=("changes",)) == [one for one in whole if one == "settings_changed"]
    assert story(rows, kinds=("runs",)) == [one for one in whole if one != "settings_changed"]
    of_one = story(rows, sync=sync_of(rows, "students"))
    assert of_one.count("settings_changed") == whole.count("settings_changed")
    assert len([one for one in of_one if one.isdigit()]) == 12


def test_what_happens_meanwhile_moves_no_page(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "EVENTS_A_PAGE", 2)
    students = add_sync(rows)
    runs = [add_run(rows, students, minute) for minute in range(4)]
    with rows() as session:
        first = timeline.page(session, timeline.Wanted(timeline.KINDS))
    add_run(rows, students, 9)
    note(rows, 9, "sync_paused")
    with rows() as session:
        second = timeline.page(session, timeline.Wanted(timeline.KINDS, after=first.older))
    assert [one.run.id for page in (first, second) for one in page.events if one.run] == runs[::-1]


def test_a_place_survives_its_address_and_nonsense_is_none() -> None:
    assert timeline.place(str(timeline.Place(12, 345))) == timeline.Place(12, 345)
    for text in ("", "x", "1", "1-", "-1-2", "1-2-3", "۱-۲", "9" * 30 + "-1"):
        assert timeline.place(text) is None


def around(rows: Rows, run: int, kinds: tuple[str, ...] = timeline.KINDS) -> list[str]:
    with rows() as session:
        events = timeline.around(session, session.get_one(SyncRun, run), kinds)
        return [str(one.run.id) if one.run else one.entry.action for one in events if one.run or one.entry]


def test_round_a_run_stand_its_neighbours_and_what_happened_between_them(rows: Rows) -> None:
    students, faculty = add_sync(rows), add_sync(rows, "faculty")
    runs = [add_run(rows, students, 10 * minute) for minute in range(7)]
    add_run(rows, faculty, 31)
    note(rows, 5, "settings_changed", names=["retries"])  # before the neighbours
    note(rows, 25, "settings_changed", names=["retries"])
    note(rows, 26, "settings_changed", "faculty", names=["retries"])
    note(rows, 35, "hold_accepted", run=runs[3], by_run=runs[4])
    note(rows, 55, "sync_paused")  # behind them
    found = around(rows, runs[3])
    assert found == [
        *(str(runs[5]), str(runs[4]), "hold_accepted", str(runs[3])),
        *("settings_changed", str(runs[2]), str(runs[1])),
    ]
    assert "settings_changed" not in around(rows, runs[3], ("runs", "decisions"))


def test_a_run_that_takes_it_back_is_told_however_much_later_it_came(rows: Rows) -> None:
    students = add_sync(rows)
    runs = [add_run(rows, students, minute) for minute in range(9)]
    undo = add_run(rows, students, 50, mode="undo", about_run_id=runs[1])
    assert around(rows, runs[1])[0] == str(undo)


def fill(rows: Rows, runs: int, entries: int) -> None:
    """A house with a history."""
    students, faculty = add_sync(rows), add_sync(rows, "faculty")
    with writing(rows) as session:
        session.execute(
            insert(SyncRun),
            [
                {
                    "uuid": str(uuid4()), "sync_id": students if n % 3 else faculty, "status": "success",
                    "triggered_by": "schedule", "requested_at": at(n), "not_before": at(n),
                }
                for n in range(runs)
            ],
        )  # fmt: skip
        session.execute(
            insert(AuditEntry),
            [{"at": at(n), "actor": "reza", "action": "login", "subject": None} for n in range(entries)],
        )


@pytest.mark.parametrize("key", [None, "students"])
def test_no_page_reads_a_table_or_sorts_it(rows: Rows, key: str | None) -> None:
    fill(rows, 200, 200)
    sync = None if key is None else sync_of(rows, key)
    with listening() as said, rows() as session:
        wanted = timeline.Wanted(timeline.KINDS, sync=sync, since=at(20), until=at(150))
        first = timeline.page(session, wanted)
        timeline.page(session, timeline.Wanted(timeline.KINDS, sync=sync, after=first.older))
        run = session.get_one(SyncRun, 100)
        timeline.around(session, run, timeline.KINDS)
    steps = plans(said, rows, "sync_runs") + plans(said, rows, "audit_entries")
    assert len(steps) > 8
    bad = [
        step for step in steps if "TEMP B-TREE" in step or step.startswith(("SCAN sync_runs", "SCAN audit"))
    ]
    # The whole house has no condition but a number: a walk down the numbers, which ends with the page.
    assert [step for step in bad if "LIMIT" not in step or "TEMP" in step] == [], "\n".join(bad)
