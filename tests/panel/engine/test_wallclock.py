"""The wall clock is set back: nothing waits longer for it than it would have, and no due time counts as answered."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel import clock, runs
from panel.db import writing
from panel.engine import schedule, wallclock
from panel.models import DataSync, EngineLease, SyncRun

AddSync = Callable[..., DataSync]
Factory = sessionmaker[Session]
WRONG = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
BACK = timedelta(hours=2)
RIGHT = WRONG - BACK


def pull_back(factory: Factory) -> None:
    with writing(factory) as session:
        wallclock.pull_back(session, BACK, RIGHT)


def next_run_at(factory: Factory) -> datetime | None:
    with factory() as session:
        return session.scalars(select(DataSync.next_run_at)).one()


@pytest.mark.parametrize(
    ("columns", "planned", "expected"),
    [
        ({"schedule_kind": "interval", "interval_minutes": 60}, 35, 35),
        ({"schedule_kind": "interval", "interval_minutes": 60 * 24}, 60 * 20, 60 * 20),
        ({"schedule_kind": "cron", "cron": "30 * * * *"}, 60, 60),  # Tehran's half past is UTC's full hour
        (
            {"schedule_kind": "cron", "cron": "30 * * * *"},
            4 * 60,
            4 * 60,
        ),  # a back-off stays as long as it was
        (
            {"schedule_kind": "cron", "cron": "0 0 * * *"},
            6 * 60 + 30,
            8 * 60 + 30,
        ),  # a midnight is a midnight
    ],
)
def test_the_next_moment_is_no_further_off_than_it_was(
    factory: Factory, add_sync: AddSync, columns: dict[str, object], planned: int, expected: int
) -> None:
    add_sync(**columns, next_run_at=WRONG + timedelta(minutes=planned))
    pull_back(factory)
    assert next_run_at(factory) == RIGHT + timedelta(minutes=expected)


def test_what_is_due_or_off_is_left_alone(factory: Factory, add_sync: AddSync) -> None:
    due = RIGHT - timedelta(minutes=1)
    add_sync("faculty", schedule_kind="interval", interval_minutes=60, next_run_at=due)
    pull_back(factory)
    assert next_run_at(factory) == due


def test_a_due_time_that_the_former_clock_answered_is_answered_again(
    factory: Factory, add_sync: AddSync
) -> None:
    add_sync(schedule_kind="interval", interval_minutes=60, next_run_at=WRONG - timedelta(minutes=30))
    with writing(factory) as session:
        session.merge(EngineLease(id=1, owner="test", epoch=1))
        [run] = schedule.start_due(session, WRONG)
        assert runs.claim(session, run.id, epoch=1, now=WRONG) is not None
        assert runs.finish(session, run.id, runs.Outcome("success"), epoch=1, now=WRONG)
    pull_back(factory)
    for hours in range(4):  # at 12:30, 13:30, and so on, by the right clock
        now = RIGHT + timedelta(minutes=30, hours=hours)
        with writing(factory) as session:
            [again] = schedule.start_due(session, now)
            assert again.scheduled_for == now
            assert runs.claim(session, again.id, epoch=1, now=now) is not None
            assert runs.finish(session, again.id, runs.Outcome("success"), epoch=1, now=now)


def test_without_pulling_back_nothing_would_be_due_for_hours(factory: Factory, add_sync: AddSync) -> None:
    # The negative control.
    add_sync(schedule_kind="interval", interval_minutes=60, next_run_at=WRONG + timedelta(minutes=35))
    with writing(factory) as session:
        assert schedule.start_due(session, RIGHT + timedelta(minutes=90)) == []


def test_a_waiting_attempt_waits_no_longer_than_it_would_have(factory: Factory, add_sync: AddSync) -> None:
    sync = add_sync()
    with writing(factory) as session:
        session.merge(EngineLease(id=1, owner="test", epoch=1))
        run = runs.request(session, sync, triggered_by="panel", now=WRONG).run
        assert runs.claim(session, run.id, epoch=1, now=WRONG) is not None
        later = WRONG + timedelta(minutes=5)
        assert runs.retry(
            session, run.id, epoch=1, now=WRONG, not_before=later, error_code="E_SERVER", error_params={}
        )
    pull_back(factory)
    with factory() as session:
        found = session.scalars(select(SyncRun)).one()
    assert found.not_before == RIGHT + timedelta(minutes=5)
    assert found.waiting is not None
    assert datetime.fromisoformat(found.waiting["until"]) == found.not_before


def test_the_watch_sees_a_step_back_and_neither_a_step_forward_nor_a_slow_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = {"boot": 1000.0, "ahead": 0.0}
    monkeypatch.setattr(clock, "boottime", lambda: seconds["boot"])
    monkeypatch.setattr(
        clock, "utcnow", lambda: WRONG + timedelta(seconds=seconds["boot"] + seconds["ahead"])
    )
    watch = wallclock.Watch()

    def later(boot: float, ahead: float) -> timedelta | None:
        seconds["boot"] += boot
        seconds["ahead"] += ahead
        return watch.set_back()

    assert later(3600, 0) is None
    assert later(1, 7200) is None
    assert later(10, -0.5) is None
    assert later(1, -7200) == timedelta(seconds=7200)
    assert later(1, 0) is None


def test_an_engine_of_before_is_heard_of_in_the_future_only_if_the_clock_was_set_back() -> None:
    assert wallclock.since_heartbeat(None, RIGHT) is None
    assert wallclock.since_heartbeat(RIGHT - timedelta(days=1), RIGHT) is None
    assert wallclock.since_heartbeat(RIGHT + timedelta(seconds=30), RIGHT) is None
    assert wallclock.since_heartbeat(WRONG, RIGHT) == BACK
