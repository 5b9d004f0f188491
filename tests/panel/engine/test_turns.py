"""Turns that start no run, pauses that end by themselves, and what a calendar's change does to schedules."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.clean import to_gregorian
from panel import holidays, runs, upcoming, zones
from panel.db import writing
from panel.engine import pause, schedule, windows
from panel.engine.days import Calendar, ScheduleError
from panel.engine.retry import Fault
from panel.engine.settle import settle
from panel.engine.verdict import Judgement
from panel.engine.windows import Typed
from panel.models import AuditEntry, DataSync, EngineLease, SkippedTick, SyncRun
from tests.panel.engine.test_schedule import at, end, only, start_due

AddSync = Callable[..., DataSync]
Factory = sessionmaker[Session]

NOON = at("2026-11-22 12:00")  # Sunday, 1405/09/01, 15:30 in Tehran
NIGHTLY = windows.read(Typed(at="02:30", on="all", quiet_from="07:00", quiet_to="20:00")).to_json()


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def skipped(factory: Factory) -> list[tuple[datetime, str]]:
    with factory() as session:
        ticks = session.scalars(select(SkippedTick).order_by(SkippedTick.due_at))
        return [(tick.due_at, tick.reason) for tick in ticks]


def list_days(factory: Factory, *days: date, kind: str = "holiday") -> None:
    with writing(factory) as session:
        holidays.write(session, [holidays.Line(kind, day, day) for day in days], keep=True)


# -- pause until -------------------------------------------------------------------------------------------


def test_a_pause_ends_by_itself_and_its_turns_are_written_down(factory: Factory, add_sync: AddSync) -> None:
    add_sync(schedule_kind="interval", interval_minutes=10, next_run_at=NOON, paused_until=NOON + minutes(25))
    for number in (0, 10, 20):
        assert start_due(factory, NOON + minutes(number)) == []
        assert only(factory, DataSync).next_run_at == NOON + minutes(number + 10), "its beat goes on"
    assert skipped(factory) == [(NOON + minutes(number), "paused_until") for number in (0, 10, 20)]
    with factory() as session:
        assert schedule.is_anything_due(session, NOON + minutes(25))
    start_due(factory, NOON + minutes(25))
    assert only(factory, DataSync).paused_until is None
    entry = only(factory, AuditEntry)
    assert (entry.actor, entry.action, entry.subject) == ("engine", "pause_ended", "faculty")
    [run] = start_due(factory, NOON + minutes(30))
    assert run.scheduled_for == NOON + minutes(30)


def test_a_pause_that_ended_while_the_engine_was_down_is_told_from_what_was_missed(
    factory: Factory, add_sync: AddSync
) -> None:
    add_sync(schedule_kind="interval", interval_minutes=60, next_run_at=NOON, paused_until=NOON + minutes(90))
    [run] = start_due(factory, NOON + minutes(200))
    assert run.scheduled_for == NOON + minutes(120), "the first turn after the pause"
    assert run.catches_up
    assert skipped(factory) == [
        (NOON, "paused_until"),
        (NOON + minutes(60), "paused_until"),
        (NOON + minutes(180), "caught_up"),
    ]
    assert only(factory, DataSync).paused_until is None


def test_a_pause_does_not_lift_the_one_after_an_undo(factory: Factory, add_sync: AddSync) -> None:
    add_sync(
        schedule_kind="interval",
        interval_minutes=60,
        next_run_at=NOON,
        paused_reason="undo",
        paused_until=NOON + minutes(30),
    )
    assert start_due(factory, NOON + minutes(1)) == []
    assert start_due(factory, NOON + minutes(61)) == []
    row = only(factory, DataSync)
    assert (row.paused_reason, row.paused_until) == ("undo", None)
    assert [reason for _, reason in skipped(factory)] == ["paused", "paused"]


def test_resuming_ends_both_pauses(factory: Factory, add_sync: AddSync) -> None:
    add_sync(paused_reason="undo", paused_until=NOON + minutes(30))
    with writing(factory) as session:
        sync = session.scalars(select(DataSync)).one()
        assert sync.is_paused(NOON)
        assert runs.resume(session, sync, now=NOON)
        assert not sync.is_paused(NOON) and not runs.resume(session, sync, now=NOON)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1405/09/01 16:00", "2026-11-22 12:30"),
        ("۱۴۰۵/۰۹/۰۲", "2026-11-22 20:30"),
        ("1405-12-29 8:05", "2027-03-20 04:35"),
        ("2026-12-22T08:00", "2026-12-22 04:30"),
    ],
)
def test_the_end_of_a_pause_is_read_on_tehrans_clock(text: str, expected: str) -> None:
    assert pause.read_until(text, NOON) == at(expected)


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "1405/09/01 15:00", "1405/12/30", "1405/10/01 25:00", "1409/01/01", "2026-02-30"]
)
def test_a_moment_that_no_pause_can_end_at_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        pause.read_until(text, NOON)


# -- catching up, overlap ----------------------------------------------------------------------------------


def test_the_run_that_catches_up_says_so_and_one_on_time_does_not(
    factory: Factory, add_sync: AddSync
) -> None:
    add_sync(schedule_kind="interval", interval_minutes=60, next_run_at=NOON)
    [late] = start_due(factory, NOON + minutes(190))
    assert late.catches_up and only(factory, SyncRun).scheduled_for == NOON
    end(factory, late)
    [next_one] = start_due(factory, NOON + minutes(240.05))
    assert not next_one.catches_up


def test_turns_that_pass_while_a_run_is_going_are_not_called_caught_up(
    factory: Factory, add_sync: AddSync
) -> None:
    sync = add_sync(schedule_kind="interval", interval_minutes=10, next_run_at=NOON)
    with writing(factory) as session:
        runs.request(session, session.merge(sync), triggered_by="panel", now=NOON)
    assert start_due(factory, NOON + minutes(25)) == []
    assert [reason for _, reason in skipped(factory)] == ["still_running"] * 3


@pytest.mark.parametrize(
    ("back", "reason", "then"),
    [
        # The turn was at 02:30; it is now 15:30, 06:59 and 20:00 in Tehran.
        ("2026-11-22 12:00", "quiet_hours", "2026-11-22 16:30"),
        ("2026-11-22 03:29", None, "2026-11-22 23:00"),
        ("2026-11-22 16:30", None, "2026-11-22 23:00"),
    ],
)
def test_nothing_is_made_up_for_in_quiet_hours_but_right_after(
    factory: Factory, add_sync: AddSync, back: str, reason: str | None, then: str
) -> None:
    due = at("2026-11-21 23:00")
    add_sync(schedule_kind="calendar", calendar_rules=NIGHTLY, next_run_at=due)
    started = start_due(factory, at(back))
    assert only(factory, DataSync).next_run_at == at(then)
    if reason is None:
        assert [run.scheduled_for for run in started] == [due] and skipped(factory) == []
        return
    assert started == [] and skipped(factory) == [(due, reason)]
    [run] = start_due(factory, at(then))
    assert run.scheduled_for == at(then)
    assert only(factory, DataSync).next_run_at == at("2026-11-22 23:00")


def test_nothing_is_made_up_for_on_a_holiday(factory: Factory, add_sync: AddSync) -> None:
    rules = windows.read(Typed(at="02:30", on="all")).to_json()
    due = at("2026-11-21 23:00")
    add_sync(schedule_kind="calendar", calendar_rules=rules, next_run_at=due)
    list_days(factory, date(2026, 11, 23))
    assert start_due(factory, at("2026-11-23 12:00")) == []
    assert skipped(factory) == [(due, "holiday")]
    assert only(factory, DataSync).next_run_at == at("2026-11-23 20:30"), "when the holiday is over"


def test_a_turn_that_is_seconds_late_begins_though_the_quiet_hours_have(
    factory: Factory, add_sync: AddSync
) -> None:
    rules = windows.read(Typed(every="30", on="all", quiet_from="21:31", quiet_to="06:00")).to_json()
    due = at("2026-11-22 18:00")  # 21:30 in Tehran
    add_sync(schedule_kind="calendar", calendar_rules=rules, next_run_at=due)
    assert len(start_due(factory, due + timedelta(seconds=90))) == 1
    assert only(factory, DataSync).next_run_at == at("2026-11-23 02:30")


# -- back-off ----------------------------------------------------------------------------------------------


def fail(factory: Factory, run: SyncRun, now: datetime) -> None:
    with writing(factory) as session:
        session.merge(EngineLease(id=1, owner="test", epoch=1))
        session.flush()
        assert runs.claim(session, run.id, epoch=1, now=NOON) is not None
    with writing(factory) as session:
        judged = Judgement("failed", Fault("E_SERVER", {"status": 503}))
        assert settle(session, run.id, judged, epoch=1, now=now) == "failed"


def test_turns_that_a_back_off_leaves_out_are_written_down(factory: Factory, add_sync: AddSync) -> None:
    add_sync(
        schedule_kind="interval", interval_minutes=10, next_run_at=NOON, retries=0, consecutive_failures=2
    )
    [run] = start_due(factory, NOON)
    fail(factory, run, NOON + minutes(2))
    assert only(factory, DataSync).next_run_at == NOON + minutes(50), "40 minutes on, and then its beat"
    assert skipped(factory) == [(NOON + minutes(number), "backing_off") for number in (10, 20, 30, 40)]


def test_a_turn_that_a_back_off_had_left_out_is_told_as_what_became_of_it(
    factory: Factory, add_sync: AddSync
) -> None:
    """Whoever plans anew ends a back-off, whose turns were written down in advance."""
    add_sync(schedule_kind="cron", cron="*/10 * * * *", next_run_at=NOON, retries=0, consecutive_failures=2)
    [run] = start_due(factory, NOON)
    fail(factory, run, NOON + minutes(2))
    assert [reason for _, reason in skipped(factory)] == ["backing_off"] * 4
    with writing(factory) as session:
        schedule.replan(session, NOON + minutes(3))
    [again] = start_due(factory, NOON + minutes(10))
    assert start_due(factory, NOON + minutes(20)) == []
    assert again.scheduled_for == NOON + minutes(10)
    told = [(20, "still_running"), (30, "backing_off"), (40, "backing_off")]
    assert skipped(factory) == [(NOON + minutes(number), reason) for number, reason in told]


@pytest.mark.parametrize(
    ("failures", "now", "expected"),
    [
        # Each half hour from 06:00 to 22:00 in Tehran. The night is no gap: at 21:40 it is the half hour that doubles.
        (1, "2026-11-22 18:10", None),
        (2, "2026-11-22 12:10", "2026-11-22 13:30"),
        (4, "2026-11-22 17:40", "2026-11-23 02:30"),
        (9, "2026-11-22 18:10", "2026-11-23 02:30"),
    ],
)
def test_a_schedule_with_quiet_hours_backs_off(failures: int, now: str, expected: str | None) -> None:
    rules = windows.read(Typed(every="30", on="all", quiet_from="22:00", quiet_to="06:00"))
    sync = DataSync(schedule_kind="calendar", calendar_rules=rules.to_json())
    found = schedule.after_failure(sync, failures, at(now), Calendar())
    assert found == (at(expected) if expected else None)


def test_a_nightly_schedule_never_loses_its_turn() -> None:
    sync = DataSync(schedule_kind="calendar", calendar_rules=windows.read(Typed(at="02:30")).to_json())
    assert schedule.after_failure(sync, 50, NOON, Calendar()) is None


# -- the calendar ------------------------------------------------------------------------------------------


def test_a_new_holiday_moves_what_was_planned_on_it(factory: Factory, add_sync: AddSync) -> None:
    rules = windows.read(Typed(at="02:30", on="all")).to_json()
    planned = at("2026-11-22 23:00")
    add_sync(schedule_kind="calendar", calendar_rules=rules, next_run_at=planned)
    list_days(factory, date(2026, 11, 23))
    with writing(factory) as session:
        schedule.replan(session, NOON)
    assert only(factory, DataSync).next_run_at == planned + timedelta(days=1)


def test_what_is_due_already_stays_due_when_the_calendar_changes(factory: Factory, add_sync: AddSync) -> None:
    rules = windows.read(Typed(at="02:30", on="all")).to_json()
    add_sync(schedule_kind="calendar", calendar_rules=rules, next_run_at=NOON - minutes(1))
    with writing(factory) as session:
        schedule.replan(session, NOON)
    assert only(factory, DataSync).next_run_at == NOON - minutes(1)


def test_a_schedule_that_has_run_out_does_not_keep_the_engine_busy(
    factory: Factory, add_sync: AddSync
) -> None:
    rules = windows.read(Typed(registration="15"))
    add_sync(schedule_kind="calendar", calendar_rules=rules.to_json(), next_run_at=NOON)
    assert len(start_due(factory, NOON)) == 1
    assert only(factory, DataSync).next_run_at is None
    with factory() as session:
        assert not schedule.is_anything_due(session, NOON + timedelta(days=1))
    list_days(factory, to_gregorian(1405, 11, 1), kind="registration")
    with writing(factory) as session:
        schedule.replan(session, NOON)
    assert only(factory, DataSync).next_run_at == zones.instant(
        to_gregorian(1405, 11, 1), datetime.min.time(), zones.TEHRAN
    )


def test_the_clock_of_the_house_rules_cron_too(factory: Factory, add_sync: AddSync) -> None:
    add_sync(schedule_kind="cron", cron="30 2 * * *", next_run_at=at("2026-11-22 23:00"))
    with writing(factory) as session:
        assert holidays.choose(session, zone="Europe/Berlin")
        schedule.replan(session, NOON)
    assert only(factory, DataSync).next_run_at == at("2026-11-23 01:30")


def test_a_time_in_the_hour_that_comes_twice_is_over_when_it_was_there_once() -> None:
    """Asked in the second 02:15 of that night, cron's 02:30 must not be the first one, which is past."""
    berlin = Calendar(zone=zones.zone("Europe/Berlin"))
    sync = DataSync(schedule_kind="cron", cron="30 2 * * *")
    second = at("2026-10-25 01:15")
    assert schedule.next_due(sync, second, berlin) == at("2026-10-26 01:30")


# -- what is told ------------------------------------------------------------------------------------------


def test_the_next_times_are_those_after_a_pause_and_none_after_an_undo() -> None:
    sync = DataSync(schedule_kind="interval", interval_minutes=60, next_run_at=NOON + minutes(5))
    first = [NOON + minutes(5 + 60 * number) for number in range(5)]
    assert schedule.upcoming(sync, NOON, Calendar(), 5) == first
    sync.paused_until = NOON + minutes(125)
    assert schedule.upcoming(sync, NOON, Calendar(), 2) == [NOON + minutes(125), NOON + minutes(185)]
    sync.paused_reason = "undo"
    assert schedule.upcoming(sync, NOON, Calendar(), 2) == []
    sync = DataSync(schedule_kind="off", next_run_at=None)
    assert schedule.upcoming(sync, NOON, Calendar(), 5) == []


def test_a_back_off_is_seen_in_the_next_times() -> None:
    sync = DataSync(schedule_kind="cron", cron="0 * * * *", next_run_at=at("2026-11-22 17:30"))
    assert schedule.upcoming(sync, NOON, Calendar(), 2) == [at("2026-11-22 17:30"), at("2026-11-22 18:30")]


def test_what_programs_are_told(factory: Factory, add_sync: AddSync) -> None:
    add_sync(schedule_kind="calendar", calendar_rules=NIGHTLY, next_run_at=at("2026-11-22 23:00"))
    with factory() as session:
        told = upcoming.told(session, session.scalars(select(DataSync)).one(), NOON, times=2)
    assert told == {
        "key": "faculty",
        "schedule": {"kind": "calendar", "interval_minutes": None, "cron": None, "calendar": NIGHTLY},
        "paused": None,
        "paused_until": None,
        "zone": "Asia/Tehran",
        "next": ["2026-11-22T23:00:00.000Z", "2026-11-23T23:00:00.000Z"],
        "skipped": [],
    }


@pytest.mark.parametrize(
    ("kind", "typed", "problem"),
    [
        ("calendar", Typed(at="02:30"), None),
        ("calendar", None, "Give a time"),
        ("calendar", Typed(registration="15"), "lists no registration weeks"),
        ("calendar", Typed(registration="15", weeks="14,21"), None),
    ],
)
def test_a_schedule_that_never_comes_due_says_so_when_it_is_entered(
    kind: str, typed: Typed | None, problem: str | None
) -> None:
    rules = windows.read(typed) if typed else None
    said = schedule.check_schedule(kind, None, None, rules, Calendar(), NOON)
    assert said is None if problem is None else said is not None and problem in said
