"""The monthly sheet: counted by the months of Tehran, from runs that are there."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from panel import report
from panel.db import writing
from panel.models import DataSync, SkippedTick, SyncRun
from panel.report import Month

Factory = sessionmaker[Session]
ABAN, AZAR = Month(1405, 8), Month(1405, 9)
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)  # 6 Azar 1405
HOUR = timedelta(hours=1)


@pytest.fixture
def ended(factory: Factory, add_sync: Callable[..., DataSync]) -> Callable[..., int]:
    """Write a run that has ended: `ended(at, "failed", error_code=…)`."""
    sync = add_sync()
    number = iter(range(1, 1000))

    def ended_(at: datetime, status: str = "success", **columns: object) -> int:
        with writing(factory) as session:
            run = SyncRun(
                **{
                    "uuid": str(next(number)), "sync_id": sync.id, "status": status, "triggered_by": "schedule",
                    "requested_at": at - HOUR, "not_before": at - HOUR, "started_at": at - HOUR, "finished_at": at,
                    "duration_seconds": 60.0, **columns,
                }
            )  # fmt: skip
            session.add(run)
            session.flush()
            return run.id

    return ended_


def sheet(factory: Factory, month: Month = ABAN) -> report.Sheet:
    with factory() as session:
        return report.sheet(session, session.get_one(DataSync, 1), month, NOW)


def test_a_month_begins_and_ends_at_midnight_in_tehran() -> None:
    assert ABAN.begins == datetime(2026, 10, 22, 20, 30, tzinfo=UTC)
    assert ABAN.ends == AZAR.begins == datetime(2026, 11, 21, 20, 30, tzinfo=UTC)
    assert Month.of(ABAN.begins) == ABAN and Month.of(ABAN.begins - timedelta(seconds=1)) == Month(1405, 7)
    # Esfand has 30 days in 1403 and 29 in 1404.
    assert Month(1403, 12).ends - Month(1403, 12).begins == timedelta(days=30)
    assert Month(1404, 12).ends - Month(1404, 12).begins == timedelta(days=29)
    assert Month(1405, 1).before() == Month(1404, 12) and Month(1404, 12).before(-1) == Month(1405, 1)


@pytest.mark.parametrize(
    "text", ["", "1405", "1405-0", "1405-13", "1405-1x", "۱۴۰۵-۰۸", "99999-1", "0-1", "1405-08-01"]
)
def test_what_is_no_month_is_none(text: str) -> None:
    assert Month.read(text) is None


def test_a_month_is_read_as_it_is_written() -> None:
    assert Month.read(str(ABAN)) == ABAN == Month.read("1405-8")


def test_runs_are_counted_in_the_month_in_which_they_ended(
    factory: Factory, ended: Callable[..., int]
) -> None:
    last = ABAN.ends - timedelta(seconds=1)
    ended(ABAN.begins, read=10, added=10, records=10, duration_seconds=50.0)
    ended(ABAN.begins + HOUR, read=12, added=2, gone=1, records=11, duration_seconds=70.0)
    ended(last, "failed", error_code="E_AUTH", read=3)
    ended(last, "cancelled")
    ended(ABAN.ends, read=99, records=99)  # the next month's
    ended(ABAN.begins + HOUR, dry_run=True, read=500, added=500)  # did nothing
    ended(ABAN.begins - timedelta(seconds=1), "held", read=7)
    this = sheet(factory).line
    assert this.ended == {"success": 2, "failed": 1, "cancelled": 1}
    assert this.counts == {"read": 25, "added": 12, "changed": 0, "gone": 1, "rejected": 0}
    assert (this.runs, this.records, this.usual) == (4, 11, 60)
    assert this.success_rate == pytest.approx(2 / 3), "nobody's fault is a cancelled one"
    assert sheet(factory, AZAR).line.records == 99
    before = sheet(factory).lines[1]
    assert (before.month, before.ended, before.success_rate) == (Month(1405, 7), {"held": 1}, 0)
    assert sheet(factory).failures == [("E_AUTH", 1)]
    assert len(sheet(factory).lines) == 12
    assert sheet(factory).lines[-1].runs == 0 and sheet(factory).lines[-1].success_rate is None


def test_the_longest_time_without_a_success_may_begin_or_end_with_the_month(
    factory: Factory, ended: Callable[..., int]
) -> None:
    def gap(month: Month) -> float | None:
        found = sheet(factory, month).line.gap
        return None if found is None else found / 3600

    assert gap(ABAN) is None, "nothing was ever to run"
    ended(ABAN.begins + 100 * HOUR)
    assert gap(ABAN) == pytest.approx((ABAN.ends - ABAN.begins) / HOUR - 100)
    assert gap(Month(1405, 7)) is None, "it had not begun"
    ended(ABAN.begins + 500 * HOUR)
    ended(ABAN.begins + 700 * HOUR, "failed")
    assert gap(ABAN) == 400
    assert gap(AZAR) == pytest.approx((NOW - AZAR.begins) / HOUR), "not after now"
    ended(NOW - HOUR)
    assert gap(AZAR) == pytest.approx((NOW - AZAR.begins) / HOUR - 1)


def test_decisions_are_told_with_names_in_order(factory: Factory, ended: Callable[..., int]) -> None:
    at = ABAN.begins
    held = ended(at + HOUR, "held", decision="approved", decided_by="maryam", decided_at=at + 5 * HOUR)
    ended(at + 2 * HOUR, "held", decision="rejected", decided_by="reza", decided_at=ABAN.ends + HOUR)
    cancelled = ended(at + 3 * HOUR, "cancelled", stop_requested_by="sara")
    ended(at + 7 * HOUR, mode="undo", about_run_id=held, requested_by="maryam")
    told = [(one.what, one.by, one.run) for one in sheet(factory).decisions]
    assert told == [
        ("cancelled", "sara", cancelled),
        ("approved", "maryam", held),
        ("undone", "maryam", held),
    ]
    assert [(one.what, one.by) for one in sheet(factory, AZAR).decisions] == [("rejected", "reza")]


def test_turns_without_a_run_are_counted_with_their_reason(
    factory: Factory, ended: Callable[..., int]
) -> None:
    with writing(factory) as session:
        for hour, reason in enumerate(("holiday", "still_running", "holiday")):
            session.add(SkippedTick(sync_id=1, due_at=ABAN.begins + hour * HOUR, reason=reason))
        session.add(SkippedTick(sync_id=1, due_at=ABAN.ends, reason="paused"))
    found = sheet(factory)
    assert (found.skipped, found.line.skipped) == ([("holiday", 2), ("still_running", 1)], 3)
