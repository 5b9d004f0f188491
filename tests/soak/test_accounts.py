"""The accountant of due times, and that it sees what is missing, twice, or badly explained."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker

from panel.config import Config
from panel.db import writing
from panel.engine import schedule
from panel.models import DataSync, SkippedTick, SyncRun
from tests.soak.accounts import Account, Beat, Run, Skip, account, read

FIRST = datetime(2026, 11, 22, 12, 0, 7, 250_000, tzinfo=UTC)


def minute(number: float) -> datetime:
    return FIRST + timedelta(minutes=number)


BEAT = Beat("faculty", FIRST)
SECOND = timedelta(seconds=1)
RUNS = [
    Run(1, "faculty", "success", minute(0), minute(0) + SECOND, minute(1) + SECOND),
    Run(2, "faculty", "failed", minute(2), minute(4) + SECOND, minute(4.5)),
    Run(3, "faculty", "success", None, minute(6), minute(6.2)),
    Run(4, "students", "running", minute(0), minute(0), None),
    Run(5, "faculty", "success", minute(7), minute(7), minute(7.5)),
]
SKIPS = [
    Skip("faculty", minute(1), "still_running", 1),
    Skip("faculty", minute(3), "caught_up", 2),
    Skip("faculty", minute(4), "caught_up", 2),
    Skip("faculty", minute(5), "backing_off", 2),
    Skip("faculty", minute(6), "backing_off", 2),
]


def books(runs: list[Run] = RUNS, skips: list[Skip] = SKIPS, until: float = 7.9) -> Account:
    return account(BEAT, minute(until), runs, skips)


def test_a_run_or_a_line_for_each_due_time_is_in_order() -> None:
    found = books()
    assert found.wrong == []
    assert (found.due, found.on_time, found.caught_up) == (8, 2, 1)
    assert found.skipped == {"still_running": 1, "caught_up": 2, "backing_off": 2}
    assert found.latest == timedelta(minutes=2, seconds=1)


def without(number: int) -> list[Run]:
    return [run for run in RUNS if run.number != number]


def changed(number: int, **what: object) -> list[Run]:
    return [replace(run, **what) if run.number == number else run for run in RUNS]  # type: ignore[arg-type]


def instead(place: int, **what: object) -> list[Skip]:
    return [*SKIPS[:place], replace(SKIPS[place], **what), *SKIPS[place + 1 :]]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("runs", "skips", "said"),
    [
        pytest.param(without(5), SKIPS, "nothing tells of 12:07:07.25", id="a run is missing"),
        pytest.param(RUNS, SKIPS[1:], "nothing tells of 12:01:07.25", id="a line is missing"),
        pytest.param(
            changed(5, due=None), SKIPS, "nothing tells of 12:07:07.25", id="a person's run is none"
        ),
        pytest.param(
            RUNS, [*SKIPS, Skip("faculty", minute(7), "still_running", 5)], "more than once", id="both"
        ),
        pytest.param([*RUNS, replace(RUNS[0], number=9)], SKIPS, "run 1, run 9", id="two runs"),
        pytest.param(
            [*RUNS, Run(9, "faculty", "success", minute(10), minute(10), None)],
            [*SKIPS, Skip("faculty", minute(10), "backing_off", 2)],
            "more than once",
            id="both, of a time that comes later",
        ),
        pytest.param(changed(5, due=minute(7) + SECOND), SKIPS, "12:07:08.25 was never due", id="never due"),
        pytest.param(
            RUNS, [*SKIPS, Skip("faculty", minute(-1), "caught_up", 2)], "never due", id="too early"
        ),
        pytest.param(RUNS, instead(0, reason="paused"), "nobody asked for that", id="nobody paused it"),
        pytest.param(RUNS, instead(0, run=4), "no such run of this source", id="another source's run"),
        pytest.param(RUNS, instead(3, reason="still_running", run=1), "long before", id="it had ended"),
        pytest.param(RUNS, instead(1, run=1), "does not make up", id="caught up by a run of before"),
        pytest.param(RUNS, instead(3, run=1), "did not fail", id="backing off after a success"),
    ],
)
def test_whatever_is_missing_or_twice_or_badly_explained_is_named(
    runs: list[Run], skips: list[Skip], said: str
) -> None:
    assert books().wrong == []
    found = books(runs, skips)
    assert any(said in what for what in found.wrong), found.wrong


@pytest.fixture
def ticked(control_db: sessionmaker[Session]) -> Callable[[float], None]:
    """A source that is due each minute, and an engine that looks at the clock now and then."""
    with writing(control_db) as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == "faculty")).one()
        sync.schedule_kind, sync.interval_minutes, sync.next_run_at = "interval", 1, FIRST

    def tick(at: float) -> None:
        with writing(control_db) as session:
            schedule.start_due(session, minute(at))

    return tick


def test_what_an_engine_writes_is_read_and_a_line_that_is_taken_away_is_missed(
    ticked: Callable[[float], None], control_db: sessionmaker[Session], instance: Config
) -> None:
    for at in (0.01, 1.01, 3.5):
        ticked(at)
    panel = instance.instance / "panel.db"
    found = account(BEAT, minute(3), *read(panel))
    assert (found.wrong, found.due, found.on_time, found.skipped) == ([], 4, 1, {"still_running": 3})
    for rows, due in ((SkippedTick, "12:02:07.25"), (SyncRun, "12:00:07.25")):
        with writing(control_db) as session:
            one = SkippedTick.due_at == minute(2) if rows is SkippedTick else SyncRun.id > 0
            session.execute(delete(rows).where(one))
        missed = account(BEAT, minute(3), *read(panel))
        assert f"faculty: nothing tells of {due}" in missed.wrong
