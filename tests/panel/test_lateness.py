"""What should have happened and did not: told whoever looks, also while no engine runs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session, sessionmaker

from panel import holidays, lateness, runs
from panel.db import writing
from panel.engine import pause, schedule
from panel.engine.settle import settle
from panel.engine.verdict import Judgement
from panel.models import DataSync, EngineLease, RunPartition, SyncRun

Factory = sessionmaker[Session]
AddSync = Callable[..., DataSync]
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def hourly(factory: Factory, add_sync: AddSync) -> DataSync:
    """Due at 09:00 and each hour after; late for at most half an hour."""
    with writing(factory) as session:
        session.merge(EngineLease(id=1, owner="test", epoch=1))
    return add_sync(schedule_kind="interval", interval_minutes=60, next_run_at=NOW, grace_minutes=30)


def standing(factory: Factory, now: datetime) -> lateness.Timeliness:
    with factory() as session:
        return lateness.timeliness(session.scalars(select(DataSync)).one(), now)


def tick(factory: Factory, now: datetime) -> None:
    with writing(factory) as session:
        schedule.start_due(session, now)


def run(factory: Factory, began: datetime, took: timedelta, status: str = "success") -> int:
    """Let the waiting run begin and end."""
    with writing(factory) as session:
        run_id = session.scalars(select(SyncRun.id).where(SyncRun.status == "pending")).one()
        assert runs.claim(session, run_id, epoch=1, now=began)
    with writing(factory) as session:
        ended = settle(
            session, run_id, Judgement(status), epoch=1, now=began + took, seconds=took.total_seconds()
        )
        assert ended == status
    return run_id


def ask(factory: Factory, now: datetime, **options: object) -> None:
    with writing(factory) as session:
        sync = session.scalars(select(DataSync)).one()
        runs.request(session, sync, triggered_by="panel", now=now, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minutes", "turn"),
    [(-1, None), (0, None), (2, None), (3, "late"), (30, "late"), (31, "overdue"), (6000, "overdue")],
)
def test_a_turn_that_nothing_answers_is_late_and_after_the_grace_overdue(
    factory: Factory, hourly: DataSync, minutes: int, turn: str | None
) -> None:
    how = standing(factory, NOW + minutes * MINUTE)
    assert (how.turn, how.due_at) == (turn, NOW if turn else None)
    assert how.needs_a_person == (turn == "overdue")


def test_a_run_that_waits_for_others_is_late_since_its_own_due_time(
    factory: Factory, hourly: DataSync
) -> None:
    tick(factory, NOW)
    assert standing(factory, NOW + MINUTE).turn is None
    how = standing(factory, NOW + 40 * MINUTE)
    assert (how.turn, how.due_at) == ("overdue", NOW)
    run(factory, NOW + 41 * MINUTE, MINUTE)
    assert standing(factory, NOW + 43 * MINUTE).turn is None


def test_a_run_that_a_person_asked_for_is_nobodys_turn(factory: Factory, hourly: DataSync) -> None:
    ask(factory, NOW - 50 * MINUTE)
    assert standing(factory, NOW - 5 * MINUTE).turn is None


@pytest.mark.parametrize(
    "columns",
    [
        {"schedule_kind": "off"},
        {"paused_reason": "undo"},
        {"paused_until": NOW + 10 * HOUR},
    ],
)
def test_what_a_person_switched_off_or_paused_is_never_late(
    factory: Factory, hourly: DataSync, columns: dict[str, object]
) -> None:
    assert standing(factory, NOW + 5 * HOUR).turn == "overdue"
    with writing(factory) as session:
        session.execute(update(DataSync).values(**columns))
    assert standing(factory, NOW + 5 * HOUR).turn is None


def test_data_are_stale_when_the_turn_that_should_renew_them_brought_nothing(
    factory: Factory, hourly: DataSync
) -> None:
    assert standing(factory, NOW).stale is None, "there are none yet"
    tick(factory, NOW)
    run(factory, NOW, 6 * MINUTE)
    with factory() as session:
        sync = session.scalars(select(DataSync)).one()
        assert (sync.data_as_of, sync.usual_seconds) == (NOW, 360)
        assert sync.fresh_until == NOW + HOUR + 30 * MINUTE + 6 * MINUTE, "the next turn, grace, a usual run"
    assert standing(factory, NOW + 96 * MINUTE).stale is False
    assert standing(factory, NOW + 97 * MINUTE).stale is True
    tick(factory, NOW + HOUR)
    run(factory, NOW + HOUR, MINUTE, "failed")
    assert standing(factory, NOW + 97 * MINUTE).stale is True, "a failure renews nothing"
    tick(factory, NOW + 2 * HOUR)
    run(factory, NOW + 2 * HOUR, MINUTE)
    assert standing(factory, NOW + 3 * HOUR).stale is False


def test_who_says_how_old_data_may_be_is_told_whatever_the_schedule_says(
    factory: Factory, hourly: DataSync
) -> None:
    tick(factory, NOW)
    run(factory, NOW, MINUTE)
    with writing(factory) as session:
        session.execute(update(DataSync).values(fresh_hours=24, schedule_kind="off"))
    assert standing(factory, NOW + 24 * HOUR).stale is False
    assert standing(factory, NOW + 24 * HOUR + MINUTE).stale is True
    with writing(factory) as session:
        session.execute(update(DataSync).values(fresh_hours=0, renewal_due_at=None))
    assert standing(factory, NOW + 999 * HOUR).stale is None, "by hand only: nothing is expected"


def test_a_pause_is_not_waited_for_and_hides_nothing_that_is_owed(factory: Factory, hourly: DataSync) -> None:
    tick(factory, NOW)
    run(factory, NOW, MINUTE)
    with writing(factory) as session:
        sync = session.scalars(select(DataSync)).one()
        pause.pause(session, sync, NOW + 10 * HOUR, NOW + 5 * MINUTE, "maryam")
        assert sync.renewal_due_at == NOW + 10 * HOUR
    assert standing(factory, NOW + 9 * HOUR).stale is False
    with writing(factory) as session:
        sync = session.scalars(select(DataSync)).one()
        pause.pause(session, sync, NOW + 90 * HOUR, NOW + 20 * HOUR, "maryam")
    assert standing(factory, NOW + 20 * HOUR).stale is True, "it was owed before"


def test_another_schedule_begins_anew_and_forgives_nothing(factory: Factory, hourly: DataSync) -> None:
    tick(factory, NOW)
    run(factory, NOW, MINUTE)

    def every(minutes: int, now: datetime) -> None:
        with writing(factory) as session:
            sync = session.scalars(select(DataSync)).one()
            schedule.set_schedule(sync, "interval", minutes, None, None, holidays.calendar(session), now)

    every(600, NOW + 10 * MINUTE)
    assert standing(factory, NOW + 9 * HOUR).stale is False
    every(60, NOW + 12 * HOUR)  # when the turn of ten hours has brought nothing
    assert standing(factory, NOW + 12 * HOUR).stale is True


def test_what_an_earlier_run_fetched_makes_the_data_as_old_as_that(
    factory: Factory, hourly: DataSync
) -> None:
    def parts(run_id: int, state: str) -> None:
        with writing(factory) as session:
            session.add(RunPartition(run_id=run_id, part="campus=1110", position=0, state=state))
            session.execute(update(SyncRun).where(SyncRun.id == run_id).values(partitions_done=1))

    ask(factory, NOW)
    run(factory, NOW, MINUTE, "failed")  # this one finished no part
    ask(factory, NOW + HOUR)
    parts(run(factory, NOW + HOUR, MINUTE, "failed"), "done")
    ask(factory, NOW + 2 * HOUR)
    with factory() as session:
        waiting = session.scalars(select(SyncRun.id).where(SyncRun.status == "pending")).one()
    parts(waiting, "resumed")
    run(factory, NOW + 2 * HOUR, MINUTE)
    with factory() as session:
        assert session.scalars(select(DataSync.data_as_of)).one() == NOW + HOUR
    ask(factory, NOW + 3 * HOUR)
    run(factory, NOW + 3 * HOUR, MINUTE)
    with factory() as session:
        assert session.scalars(select(DataSync.data_as_of)).one() == NOW + 3 * HOUR


def test_an_undo_makes_the_data_as_old_as_they_were_and_its_own_undo_as_new(
    factory: Factory, hourly: DataSync
) -> None:
    def as_of() -> datetime | None:
        with factory() as session:
            return session.scalars(select(DataSync.data_as_of)).one()

    def undo(run_id: int, now: datetime) -> int:
        with factory() as session:
            about = session.get(SyncRun, run_id)
        ask(factory, now, mode="undo", about=about)
        return run(factory, now, MINUTE)

    ask(factory, NOW)
    run(factory, NOW, MINUTE)
    ask(factory, NOW + HOUR)
    second = run(factory, NOW + HOUR, MINUTE)
    undone = undo(second, NOW + 2 * HOUR)
    assert as_of() == NOW
    undo(undone, NOW + 3 * HOUR)
    assert as_of() == NOW + HOUR


def test_what_was_held_and_accepted_is_of_when_it_was_fetched(factory: Factory, hourly: DataSync) -> None:
    ask(factory, NOW)
    held = run(factory, NOW, MINUTE, "held")
    with factory() as session:
        about = session.get(SyncRun, held)
    ask(factory, NOW + 5 * HOUR, mode="approve", about=about)
    run(factory, NOW + 5 * HOUR, MINUTE)
    with factory() as session:
        assert session.scalars(select(DataSync.data_as_of)).one() == NOW


def test_only_what_needs_a_person_is_counted(factory: Factory, hourly: DataSync, add_sync: AddSync) -> None:
    add_sync("off", next_run_at=NOW)
    add_sync("punctual", schedule_kind="interval", interval_minutes=60, next_run_at=NOW + 10 * HOUR)
    add_sync("stale", data_as_of=NOW - 50 * HOUR, fresh_hours=48)
    with factory() as session:
        found = lateness.needing_a_person(session, NOW + 2 * HOUR)
        assert [(sync.key, how.turn, how.stale) for sync, how in found] == [
            ("faculty", "overdue", None),
            ("stale", None, True),
        ]
        assert not lateness.needing_a_person(session, NOW - 10 * HOUR)


def test_of_many_sources_only_those_are_read_that_may_need_a_person(
    factory: Factory, add_sync: AddSync
) -> None:
    for number, hours in enumerate((24, 24, 30, 48)):
        add_sync(f"fresh-{number}", data_as_of=NOW - 20 * HOUR, fresh_hours=hours)
    add_sync("stale", data_as_of=NOW - 25 * HOUR, fresh_hours=24)
    read = []

    def note(sync: DataSync, _context: object) -> None:
        read.append(sync.key)

    event.listen(DataSync, "load", note)
    try:
        with factory() as session:
            assert [sync.key for sync, _ in lateness.needing_a_person(session, NOW)] == ["stale"]
    finally:
        event.remove(DataSync, "load", note)
    assert read == ["stale"]
