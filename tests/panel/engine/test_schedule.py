"""What is due: a table of moments, and ticks that are never lost silently."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel import runs, zones
from panel.db import writing
from panel.engine import schedule
from panel.engine.days import Calendar
from panel.models import DataSync, EngineLease, SkippedTick, SyncRun

AddSync = Callable[..., DataSync]
Factory = sessionmaker[Session]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


TEHRAN = Calendar()
NOON = at("2026-11-22 12:00")


def start_due(factory: Factory, now: datetime) -> list[SyncRun]:
    with writing(factory) as session:
        return schedule.start_due(session, now)


def only(factory: Factory, model: type[Any]) -> Any:
    with factory() as session:
        return session.scalars(select(model)).one()


def end(factory: Factory, run: SyncRun, status: str = "success") -> None:
    with writing(factory) as session:
        session.merge(EngineLease(id=1, owner="test", epoch=1))
        session.flush()
        assert runs.claim(session, run.id, epoch=1, now=run.not_before) is not None
        runs.finish(session, run.id, runs.Outcome(status), epoch=1, now=run.not_before)


@pytest.mark.parametrize(
    ("kind", "interval", "cron", "planned", "after", "expected"),
    [
        ("off", None, None, None, "2026-11-22 12:00", None),
        ("interval", 60, None, None, "2026-11-22 12:00", "2026-11-22 13:00"),
        ("interval", 60, None, "2026-11-22 11:17", "2026-11-22 12:00", "2026-11-22 12:17"),
        ("interval", 60, None, "2026-11-22 12:17", "2026-11-22 12:17", "2026-11-22 13:17"),
        ("interval", 60, None, "2026-11-23 09:17", "2026-11-22 12:00", "2026-11-22 12:17"),
        # Tehran is at +03:30 all the year round since 2022.
        ("cron", None, "30 2 * * *", None, "2026-11-22 12:00", "2026-11-22 23:00"),
        ("cron", None, "30 2 * * *", None, "2026-11-22 23:00", "2026-11-23 23:00"),
        ("cron", None, "*/7 * * * *", None, "2026-11-22 12:00", "2026-11-22 12:05"),
        ("cron", None, "*/7 * * * *", None, "2026-11-22 12:26", "2026-11-22 12:30"),  # 15:56, then 16:00
        # 2026-11-22 is a Sunday; weekday 1 is Monday, 0 and 7 are Sunday.
        ("cron", None, "0 8 * * 1", None, "2026-11-22 12:00", "2026-11-23 04:30"),
        ("cron", None, "0 8 * * 0", None, "2026-11-22 12:00", "2026-11-29 04:30"),
        ("cron", None, "0 8 * * 7", None, "2026-11-22 12:00", "2026-11-29 04:30"),
        ("cron", None, "0 8 * * MON", None, "2026-11-22 12:00", "2026-11-23 04:30"),
        ("cron", None, "0 8 29 2 *", None, "2026-11-22 12:00", "2028-02-29 04:30"),
        ("cron", None, "0 0 31 * *", None, "2026-11-22 12:00", "2026-12-30 20:30"),
    ],
)
def test_the_next_due_moment(
    kind: str, interval: int | None, cron: str | None, planned: str | None, after: str, expected: str | None
) -> None:
    sync = DataSync(schedule_kind=kind, interval_minutes=interval, cron=cron)
    sync.next_run_at = at(planned) if planned else None
    assert schedule.next_due(sync, at(after), TEHRAN) == (at(expected) if expected else None)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        # Berlin: 02:30 does not exist on 29 March 2026 and happens twice on 25 October 2026.
        ("2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 00:30"]),
        ("2026-10-24 12:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
    ],
)
def test_daily_is_once_on_both_days_of_the_clock_change(after: str, expected: list[str]) -> None:
    sync = DataSync(schedule_kind="cron", cron="30 2 * * *")
    berlin = Calendar(zone=zones.zone("Europe/Berlin"))
    first = schedule.next_due(sync, at(after), berlin)
    assert first is not None
    second = schedule.next_due(sync, first, berlin)
    assert [first, second] == [at(moment) for moment in expected]


@pytest.mark.parametrize(
    ("kind", "interval", "cron", "right"),
    [
        ("off", None, None, True),
        ("interval", 1, None, True),
        ("interval", 0, None, False),
        ("interval", None, None, False),
        ("interval", 10**9, None, False),
        ("cron", None, "0 2 * * *", True),
        ("cron", None, "*/15 8-18 * * 6,0-3", True),
        ("cron", None, "0 2 * *", False),
        ("cron", None, "0 0 2 * * *", False),
        ("cron", None, "61 2 * * *", False),
        ("cron", None, "0 0 30 2 *", False),
        ("cron", None, "", False),
        ("cron", None, None, False),
        ("hourly", None, None, False),
    ],
)
def test_what_people_enter_is_checked(kind: str, interval: int | None, cron: str | None, right: bool) -> None:
    assert (schedule.check_schedule(kind, interval, cron, None, TEHRAN, NOON) is None) is right


def test_what_is_due_is_started_once_and_moves_on(factory: Factory, add_sync: AddSync) -> None:
    add_sync(schedule_kind="interval", interval_minutes=10, next_run_at=NOON)
    assert start_due(factory, NOON - timedelta(seconds=1)) == []
    [run] = start_due(factory, NOON + timedelta(seconds=1))
    assert (run.triggered_by, run.scheduled_for, run.requested_by) == ("schedule", NOON, None)
    assert only(factory, DataSync).next_run_at == NOON + timedelta(minutes=10)
    assert start_due(factory, NOON + timedelta(seconds=2)) == []


def test_a_tick_that_finds_the_run_still_going_is_recorded(factory: Factory, add_sync: AddSync) -> None:
    add_sync(schedule_kind="interval", interval_minutes=10, next_run_at=NOON)
    [run] = start_due(factory, NOON)
    assert start_due(factory, NOON + timedelta(minutes=10)) == []
    tick = only(factory, SkippedTick)
    assert (tick.due_at, tick.reason, tick.run_id) == (NOON + timedelta(minutes=10), "still_running", run.id)
    assert only(factory, DataSync).next_run_at == NOON + timedelta(minutes=20)


def test_after_downtime_one_run_catches_up_and_the_others_are_recorded(
    factory: Factory, add_sync: AddSync
) -> None:
    add_sync(schedule_kind="interval", interval_minutes=60, next_run_at=NOON)
    back = NOON + timedelta(hours=3, minutes=5)
    [run] = start_due(factory, back)
    assert run.scheduled_for == NOON
    with factory() as session:
        ticks = session.scalars(select(SkippedTick).order_by(SkippedTick.due_at)).all()
    assert [(tick.due_at, tick.reason) for tick in ticks] == [
        (NOON + timedelta(hours=hours), "caught_up") for hours in (1, 2, 3)
    ]
    assert only(factory, DataSync).next_run_at == NOON + timedelta(hours=4)
    end(factory, run)
    assert start_due(factory, back + timedelta(minutes=1)) == []


def test_a_long_downtime_leaves_a_bounded_record(factory: Factory, add_sync: AddSync) -> None:
    add_sync(schedule_kind="interval", interval_minutes=1, next_run_at=NOON)
    assert len(start_due(factory, NOON + timedelta(days=7))) == 1
    with factory() as session:
        assert len(session.scalars(select(SkippedTick)).all()) == schedule.MISSED_TICKS_KEPT


def test_two_schedulers_start_a_due_time_once(factory: Factory, add_sync: AddSync) -> None:
    add_sync(schedule_kind="interval", interval_minutes=10, next_run_at=NOON)
    [run] = start_due(factory, NOON)
    end(factory, run)
    with writing(factory) as session:  # a former leader that wakes up with what it knew
        session.get(DataSync, run.sync_id).next_run_at = NOON
    assert start_due(factory, NOON + timedelta(seconds=1)) == []
    with factory() as session:
        assert session.scalars(select(SkippedTick)).all() == []


def test_a_schedule_that_was_switched_on_without_a_moment_gets_one(
    factory: Factory, add_sync: AddSync
) -> None:
    add_sync("faculty", schedule_kind="interval", interval_minutes=10)
    add_sync("students", schedule_kind="off", next_run_at=NOON)
    with factory() as session:
        assert schedule.is_anything_due(session, NOON)
    assert start_due(factory, NOON) == []
    with factory() as session:
        moments = {sync.key: sync.next_run_at for sync in session.scalars(select(DataSync))}
        assert not schedule.is_anything_due(session, NOON)
    assert moments == {"faculty": NOON + timedelta(minutes=10), "students": None}


@pytest.mark.parametrize(
    ("interval", "failures", "minutes"),
    [
        (1, 1, None),
        (1, 2, 2),
        (1, 3, 4),
        (1, 9, 256),
        (1, 10, 360),
        (1, 99, 360),
        (60, 2, 120),
        (60, 5, 360),
        (360, 9, None),
        (1440, 9, None),
    ],
)
def test_a_broken_source_backs_off(interval: int, failures: int, minutes: int | None) -> None:
    sync = DataSync(schedule_kind="interval", interval_minutes=interval, next_run_at=NOON)
    expected = NOON + timedelta(minutes=minutes) if minutes else None
    assert schedule.after_failure(sync, failures, NOON, TEHRAN) == expected


def test_a_daily_cron_never_loses_its_turn() -> None:
    sync = DataSync(schedule_kind="cron", cron="30 2 * * *")
    assert schedule.after_failure(sync, 50, NOON, TEHRAN) is None


def test_an_hourly_cron_backs_off_to_a_due_time() -> None:
    sync = DataSync(schedule_kind="cron", cron="0 * * * *")
    # Four hours after 12:31, and then the next full hour in Tehran, which is half past in UTC.
    assert schedule.after_failure(sync, 3, at("2026-11-22 12:31"), TEHRAN) == at("2026-11-22 17:30")
