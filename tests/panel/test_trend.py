"""How records and durations went: a point a sync or a day, a line a month, by Tehran's days and the Jalali months."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from panel import trend
from panel.db import writing
from panel.models import DataSync, SyncRun
from panel.report import Month
from panel.trend import Point
from panel.zones import TEHRAN
from tests import past_runs
from tests.statements import listening, plans

Factory = sessionmaker[Session]
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)  # 6 Azar 1405, 15:30 in Tehran
DAY = timedelta(days=1)


@pytest.fixture
def past(factory: Factory, add_sync: Callable[..., DataSync]) -> Callable[..., int]:
    """`past(days, a_day=…)`: a source with such a history; its id."""
    number = iter(range(1, 100))

    def past_(days: int, **how: object) -> int:
        sync = add_sync(f"source-{next(number)}").id
        with writing(factory) as session:
            past_runs.add(session, session.get_one(DataSync, sync), NOW, days, **how)  # type: ignore[arg-type]
        return sync

    return past_


def of(factory: Factory, sync: int) -> trend.Trend:
    with factory() as session:
        return trend.trend(session, sync, NOW)


def test_few_syncs_are_a_point_each(factory: Factory, past: Callable[..., int]) -> None:
    sync = past(3, a_day=4, records=100, seconds=60.0)
    past(5)
    found = of(factory, sync)
    assert not found.by_day and len(found.points) == 12
    assert found.points[-1] == Point(NOW - timedelta(hours=1), 111, 1, 84.0, 84.0)
    assert [point.records for point in found.points] == list(range(100, 112))


def test_of_many_those_of_a_day_in_tehran_are_one_point(factory: Factory, past: Callable[..., int]) -> None:
    sync = past(40, a_day=4, records=1000, seconds=60.0)
    found = of(factory, sync)
    assert found.by_day and sum(point.syncs for point in found.points) == 160
    days = [point.at.astimezone(TEHRAN).date() for point in found.points]
    assert days == sorted(set(days)) and len(days) == 41
    newest = found.points[-1]
    # 02:30, 08:30 and 14:30 in Tehran: what ended at 20:30 was yesterday's.
    assert (newest.at, newest.records, newest.syncs) == (NOW - timedelta(hours=1), 1159, 3)
    assert newest.longest == pytest.approx(60 * 1.5) and newest.mean == pytest.approx(60 * 1.4)
    assert found.points[-2].syncs == 4 and found.points[-2].records == 1156


def test_what_says_nothing_of_the_whole_source_is_left_out(
    factory: Factory, past: Callable[..., int]
) -> None:
    sync = past(2, records=100)
    before = len(of(factory, sync).points)
    others: list[dict[str, object]] = [
        {"status": "failed", "error_code": "E_SERVER"},
        {"dry_run": True},
        {"mode": "undo"},
        {"partitions_wanted": [{"campus": "1110"}]},
        {"requested_at": NOW - 400 * DAY, "finished_at": NOW - 400 * DAY},
    ]
    with writing(factory) as session:
        for number, other in enumerate(others):
            columns = {
                "status": "success", "requested_at": NOW, "finished_at": NOW, "duration_seconds": 1.0, **other,
            }  # fmt: skip
            session.add(
                SyncRun(
                    uuid=f"other-{number}",
                    sync_id=sync,
                    triggered_by="panel",
                    not_before=NOW,
                    records=7,
                    **columns,
                )
            )
    assert len(of(factory, sync).points) == before == 2
    with writing(factory) as session:
        session.add(
            SyncRun(
                uuid="one more", sync_id=sync, status="success", triggered_by="panel", requested_at=NOW,
                not_before=NOW, finished_at=NOW, duration_seconds=1.0, records=7,
            )
        )  # fmt: skip
    assert len(of(factory, sync).points) == 3, "a negative control"


def test_a_source_that_was_never_synced_has_no_trend(
    factory: Factory, add_sync: Callable[..., DataSync]
) -> None:
    found = of(factory, add_sync("new").id)
    assert (found.points, found.by_day, trend.by_month(found.points)) == ([], False, [])
    assert trend.marks([]) == ("days", [])


def at(*day: int, hour: int = 12) -> datetime:
    return datetime(*day, hour, tzinfo=UTC)  # type: ignore[arg-type]


def test_a_month_is_as_it_was_at_its_end_and_compared_with_the_one_before() -> None:
    points = [
        Point(at(2026, 10, 21), 100, 2, 10.0, 12.0),
        # The evening of 21 October in UTC is the first night of Aban in Tehran … of the 23rd.
        Point(at(2026, 10, 22, hour=21), 150, 1, 40.0, 40.0),
        Point(at(2026, 11, 1), None, 1, None, None),
        Point(at(2026, 11, 25), 140, 3, 20.0, 30.0),
    ]
    azar, aban, mehr = trend.by_month(points)
    assert (mehr.month, mehr.records, mehr.change, mehr.syncs) == (Month(1405, 7), 100, None, 2)
    assert (aban.month, aban.records, aban.change, aban.syncs) == (Month(1405, 8), 150, 50, 2)
    assert (aban.mean, aban.longest) == (40.0, 40.0)
    assert (azar.month, azar.records, azar.change, azar.mean) == (Month(1405, 9), 140, -10, 20.0)


@pytest.mark.parametrize(
    ("span", "kind", "first", "most"),
    [
        (300 * DAY, "months", Month(1404, 12).begins, 12),
        (46 * DAY, "months", Month(1405, 8).begins, 2),
        (12 * DAY, "days", None, trend.MARKS + 1),
        (2 * DAY, "hours", None, trend.MARKS + 1),
        (timedelta(hours=2), "hours", None, trend.MARKS + 1),
        (timedelta(0), "hours", None, 1),
    ],
)
def test_the_time_below_a_chart_is_marked_in_what_it_is_long_for(
    span: timedelta, kind: str, first: datetime | None, most: int
) -> None:
    points = [Point(moment, 1, 1, 1.0, 1.0) for moment in (NOW - span, NOW)]
    found, moments = trend.marks(points)
    assert found == kind and len(moments) <= most
    assert all(NOW - span <= moment <= NOW for moment in moments) and moments == sorted(moments)
    assert first is None or moments[0] == first
    assert moments or not span


def test_it_reads_no_runs_that_it_does_not_tell(factory: Factory, past: Callable[..., int]) -> None:
    sync = past(100, a_day=2)
    with listening() as said:
        of(factory, sync)
    assert len([statement for statement, _ in said if statement.startswith("SELECT")]) == 2
    if factory.kw["bind"].dialect.name == "sqlite":
        steps = plans(said, factory, "sync_runs")
        assert steps and not [step for step in steps if step.startswith("SCAN sync_runs")], "\n".join(steps)
        assert [step for step in steps if "sync_id=? AND status=? AND id>?" in step], "\n".join(steps)
