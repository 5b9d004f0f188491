"""Undo in the control plane: what may be taken back, and the automatic sync that waits for a person afterwards."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel import runs, undoing
from panel.config import load
from panel.db import writing
from panel.engine import schedule, spec
from panel.engine.retry import Fault
from panel.models import DataSync, EngineLease, SkippedTick, SyncRun

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
Factory = sessionmaker[Session]
AddSync = Callable[..., DataSync]


def ended(factory: Factory, sync: DataSync, status: str = "success", **values: Any) -> SyncRun:
    """A run that has ended, and changed something unless `values` say otherwise."""
    with writing(factory) as session:
        session.merge(EngineLease(id=1, owner="test", epoch=1))
        run = runs.request(session, session.merge(sync), triggered_by="panel", now=NOW, user="Reza").run
        assert runs.claim(session, run.id, epoch=1, now=NOW) is not None
        counts = {"added": 3, **values}
        runs.finish(session, run.id, runs.Outcome(status, counts=counts, records=40), epoch=1, now=NOW)
        return runs.get(session, run.id)


def undo(factory: Factory, run: SyncRun) -> runs.Requested:
    with writing(factory) as session:
        return undoing.undo(session, runs.get(session, run.id), triggered_by="cli", now=NOW, user="Maryam")


def carry_out(factory: Factory, undoing: SyncRun, status: str = "success") -> SyncRun:
    with writing(factory) as session:
        assert runs.claim(session, undoing.id, epoch=1, now=NOW) is not None
        outcome = runs.Outcome(status, counts={"gone": 3}, records=37)
        runs.finish(session, undoing.id, outcome, epoch=1, now=NOW + timedelta(minutes=5))
        return runs.get(session, undoing.id)


def the_sync(factory: Factory) -> DataSync:
    with factory() as session:
        return session.scalars(select(DataSync)).one()


def test_an_undo_is_a_run_of_its_own_about_the_other(factory: Factory, add_sync: AddSync) -> None:
    run = ended(factory, add_sync())
    asked = undo(factory, run)
    assert not asked.joined
    assert (asked.run.mode, asked.run.about_run_id, asked.run.requested_by) == ("undo", run.id, "Maryam")
    assert undo(factory, run).joined, "a second click joins it"


@pytest.mark.parametrize("status", ["failed", "cancelled", "held"])
def test_what_a_run_published_before_it_ended_otherwise_can_be_undone(
    factory: Factory, add_sync: AddSync, status: str
) -> None:
    assert not undo(factory, ended(factory, add_sync(), status)).joined


def test_a_run_that_changed_nothing_or_goes_on_is_refused(factory: Factory, add_sync: AddSync) -> None:
    sync = add_sync()
    nothing = ended(factory, sync, added=0)
    with pytest.raises(undoing.CannotUndo, match="changed nothing"):
        undo(factory, nothing)
    something = ended(factory, sync)
    with writing(factory) as session:
        active = runs.request(session, session.merge(sync), triggered_by="panel", now=NOW).run
    with pytest.raises(undoing.CannotUndo, match="not ended"):
        undo(factory, active)
    with pytest.raises(undoing.CannotUndo, match="Another run"):
        undo(factory, something)


def test_undone_once_is_undone_until_the_undo_is_undone(factory: Factory, add_sync: AddSync) -> None:
    run = ended(factory, add_sync())
    failed = carry_out(factory, undo(factory, run).run, "failed")
    assert failed.status == "failed"
    first = carry_out(factory, undo(factory, run).run)
    with pytest.raises(undoing.CannotUndo, match="already"):
        undo(factory, run)
    carry_out(factory, undo(factory, first).run)
    assert not undo(factory, run).joined


def test_an_undo_pauses_the_schedule_until_a_person_resumes_it(factory: Factory, add_sync: AddSync) -> None:
    sync = add_sync(schedule_kind="interval", interval_minutes=60, next_run_at=NOW + timedelta(minutes=30))
    run = ended(factory, sync)
    carry_out(factory, undo(factory, run).run)
    row = the_sync(factory)
    assert (row.paused_reason, row.records, row.records_delta) == ("undo", 37, -3)
    assert row.last_success_at == NOW, "an undo is no sync"
    due = NOW + timedelta(minutes=45)
    with writing(factory) as session:
        assert schedule.start_due(session, due) == []
    with factory() as session:
        [skipped] = session.scalars(select(SkippedTick)).all()
        assert (skipped.reason, skipped.run_id, skipped.due_at) == (
            "paused",
            None,
            NOW + timedelta(minutes=30),
        )
    assert the_sync(factory).next_run_at == NOW + timedelta(minutes=90)
    with writing(factory) as session:
        assert runs.resume(session, session.merge(the_sync(factory)), now=due)
        assert not runs.resume(session, session.scalars(select(DataSync)).one(), now=due)
    with writing(factory) as session:
        assert len(schedule.start_due(session, NOW + timedelta(minutes=91))) == 1


def test_a_failed_undo_pauses_nothing_and_counts_as_no_failure_of_the_source(
    factory: Factory, add_sync: AddSync
) -> None:
    carry_out(factory, undo(factory, ended(factory, add_sync())).run, "failed")
    row = the_sync(factory)
    assert (row.paused_reason, row.consecutive_failures) == (None, 0)


def test_the_order_for_an_undo_needs_no_settings_and_holds_no_secret(
    factory: Factory, add_sync: AddSync, tmp_path: Any
) -> None:
    config = load({"PANEL_INSTANCE": str(tmp_path), "GOLESTAN_PASSWORD": "canary-password"})
    run = ended(factory, add_sync(settings={}))
    asked = undo(factory, run).run
    with factory() as session:
        made = spec.build(session, runs.get(session, asked.id), config, epoch=1, now=NOW)
    assert isinstance(made, spec.Spec)
    assert (made.order["mode"], made.order["about"]) == ("undo", run.uuid)
    assert "settings" not in made.order and made.secrets == ()


def test_an_undo_whose_run_is_gone_ends_with_a_reason(
    factory: Factory, add_sync: AddSync, tmp_path: Any
) -> None:
    run = ended(factory, add_sync())
    asked = undo(factory, run).run
    with writing(factory) as session:
        session.delete(runs.get(session, run.id))
    with factory() as session:
        made = spec.build(
            session, runs.get(session, asked.id), load({"PANEL_INSTANCE": str(tmp_path)}), epoch=1, now=NOW
        )
    assert isinstance(made, Fault) and made.code == "E_UNDO"
