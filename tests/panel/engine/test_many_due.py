"""Many sources due at once: all of them get their turn, those that have waited longest first."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session, sessionmaker

from panel import runs
from panel.config import Config
from panel.db import writing
from panel.engine import dispatch, schedule
from panel.engine.recover import recover
from panel.engine.worker import Engine
from panel.models import DataSync, EngineLease
from tests.panel.engine.workshop import Workshop
from tests.statements import listening, plans

AddSync = Callable[..., DataSync]
Factory = sessionmaker[Session]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BATCH, MANY = 20, 30


@pytest.fixture
def keys(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sources that are due, longest overdue first, more than one look takes. They were made in the opposite order."""
    monkeypatch.setattr(schedule, "BATCH", BATCH)
    made = [f"source-{number:03}" for number in range(MANY)]
    with writing(factory) as session:
        session.add(EngineLease(id=1, owner="test", epoch=1))
        session.execute(
            insert(DataSync),
            [
                {
                    "key": key,
                    "fetcher": "faculty",
                    "schedule_kind": "interval",
                    "interval_minutes": 60,
                    "next_run_at": NOON - timedelta(seconds=number),
                    "created_at": NOON,
                    "updated_at": NOON,
                }
                for number, key in enumerate(made)
            ],
        )
    return list(reversed(made))


def start_due(factory: Factory, now: datetime) -> int:
    with writing(factory) as session:
        return len(schedule.start_due(session, now))


def served(factory: Factory, now: datetime, places: int = 4) -> list[str]:
    """Start what waits until nothing does, each time as many as there are places; whose turn it was, in order."""
    order = []
    while claimed := dispatch.claim_waiting(factory, epoch=1, room=places, now=now):
        assert len(claimed) <= places
        for run_id in claimed:
            with writing(factory) as session:
                order.append(runs.get(session, run_id).sync.key)
                assert runs.finish(session, run_id, runs.Outcome("success"), epoch=1, now=now)
    return order


def test_all_that_are_due_at_once_are_started_those_overdue_longest_first(
    factory: Factory, keys: list[str]
) -> None:
    asked = [start_due(factory, NOON + timedelta(seconds=tick)) for tick in range(3)]
    assert asked == [BATCH, MANY - BATCH, 0]
    assert served(factory, NOON + timedelta(minutes=1)) == keys
    assert start_due(factory, NOON + timedelta(minutes=1)) == 0, "each is due again in an hour, not before"


def test_whoever_asks_meanwhile_waits_for_those_before_and_not_for_those_after(
    factory: Factory, keys: list[str], add_sync: AddSync
) -> None:
    start_due(factory, NOON)
    asked = add_sync("asked-by-reza", fetcher="faculty")
    with writing(factory) as session:
        runs.request(
            session, asked, triggered_by="panel", now=NOON + timedelta(milliseconds=500), user="reza"
        )
    start_due(factory, NOON + timedelta(seconds=1))
    order = served(factory, NOON + timedelta(minutes=1))
    assert order.index("asked-by-reza") == BATCH
    assert [key for key in order if key != "asked-by-reza"] == keys


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_the_engine_asks_each_second_reads_no_run_that_has_ended(
    workshop: Workshop, factory: Factory
) -> None:
    with listening() as said:
        assert dispatch.claim_waiting(factory, epoch=workshop.epoch, room=4, now=NOON) == []
        assert recover(workshop.house, workshop.epoch, frozenset()) == []
    steps = plans(said, factory, "sync_runs")
    assert len(steps) == 2 and all(step.startswith("SEARCH sync_runs USING") for step in steps), steps


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_house_says_how_many_runs_execute_at_once(house_config: Config) -> None:
    engine = Engine(replace(house_config, runs_at_once=7))
    assert engine._pace.at_once == 7
    engine._database.dispose()
