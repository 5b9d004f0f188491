"""Which run is far from what is usual."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel import runs, usual
from panel.db import writing
from panel.models import DataSync, EngineLease, SyncRun

Factory = sessionmaker[Session]
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MINUTES = [300.0, 320.0, 290.0, 310.0, 305.0, 330.0]


@pytest.fixture
def ended(factory: Factory, add_sync: Callable[..., DataSync]) -> Callable[..., SyncRun]:
    """Let a run of the source take so many seconds."""
    sync = add_sync()
    with writing(factory) as session:
        session.merge(EngineLease(id=1, owner="test", epoch=1))

    def ended_(seconds: float, status: str = "success", **options: object) -> SyncRun:
        with writing(factory) as session:
            run = runs.request(session, sync, triggered_by="cli", now=NOW, **options).run  # type: ignore[arg-type]
            assert runs.claim(session, run.id, epoch=1, now=NOW)
        with writing(factory) as session:
            outcome = runs.Outcome(status, seconds=seconds)
            done = runs.finish(session, run.id, outcome, epoch=1, now=NOW + timedelta(seconds=seconds))
            assert done
            return done

    return ended_


@pytest.mark.parametrize(
    ("before", "seconds", "said"),
    [
        (MINUTES, 310, None),
        (MINUTES, 600, None),  # twice as long happens
        (MINUTES, 1000, "long"),
        (MINUTES, 60, "short"),
        (MINUTES, 200, None),
        (MINUTES[:4], 1000, None),  # four tell too little
        ([1.0, 1.1, 0.9, 1.0, 1.2], 9, None),  # nine times as long, and nobody would notice
        ([1.0, 1.1, 0.9, 1.0, 1.2], 0.01, None),
        ([60.0] * 8 + [900.0], 1000, None),  # now and then it fetches the closed terms too
        ([60.0] * 8 + [900.0], 1400, "long"),
    ],
)
def test_far_from_usual(
    ended: Callable[..., SyncRun], before: list[float], seconds: float, said: str | None
) -> None:
    for took in before:
        ended(took)
    assert ended(seconds).unusual == said


def test_what_is_usual_is_learned_from_whole_successes_of_the_same_mode(
    ended: Callable[..., SyncRun], factory: Factory
) -> None:
    for took in MINUTES:
        ended(took)
        ended(2.0, "failed")
        ended(3.0, dry_run=True)
        ended(4.0, partitions=[{"campus": "1110"}])
        ended(5000.0, mode="full")
    assert ended(310).unusual is None
    with factory() as session:
        known = usual.usual(session, 1, "incremental")
        assert known and (known.shortest, known.longest, known.of) == (290, 330, 7)
        assert session.scalars(select(DataSync.usual_seconds)).one() == known.median
    assert ended(2.0, "failed").unusual is None
    assert ended(2.0, dry_run=True).unusual is None
    assert ended(2.0, partitions=[{"campus": "1110"}]).unusual is None
    assert ended(2.0).unusual == "short"
    assert ended(5100.0, mode="full").unusual is None
