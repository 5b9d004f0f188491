"""What becomes of a held run: accepted, rejected, superseded or lapsed; once, and by whom."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel import config as configuration
from panel import decisions, runs
from panel.db import writing
from panel.engine import spec
from panel.engine.lapse import discard_needless, let_holds_lapse
from panel.models import AuditEntry, DataSync, EngineLease, SyncRun

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
Factory = sessionmaker[Session]
AddSync = Callable[..., DataSync]


@pytest.fixture
def sync(factory: Factory, add_sync: AddSync) -> DataSync:
    with writing(factory) as session:
        session.merge(EngineLease(id=1, owner="test", epoch=1))
    return add_sync("students")


def begin(factory: Factory, sync: DataSync, **options: object) -> SyncRun:
    with writing(factory) as session:
        run = runs.request(session, sync, triggered_by="panel", now=NOW, **options).run  # type: ignore[arg-type]
        claimed = runs.claim(session, run.id, epoch=1, now=NOW)
    assert claimed is not None
    return claimed


def end(factory: Factory, run: SyncRun, status: str, code: str | None = None) -> None:
    with writing(factory) as session:
        assert runs.finish(session, run.id, runs.Outcome(status, code), epoch=1, now=NOW)


def held(factory: Factory, sync: DataSync) -> SyncRun:
    run = begin(factory, sync)
    end(factory, run, "held", "E_SHRUNK")
    return run


def approve(factory: Factory, run: SyncRun) -> runs.Requested:
    with writing(factory) as session:
        found = runs.get(session, run.id)
        return decisions.approve(session, found, triggered_by="panel", now=NOW, user="reza")


def reject(factory: Factory, run: SyncRun) -> None:
    with writing(factory) as session:
        decisions.reject(session, runs.get(session, run.id), now=NOW, user="reza")


def decision(factory: Factory, run: SyncRun) -> tuple[str | None, str | None]:
    with factory() as session:
        found = runs.get(session, run.id)
        assert found.status == "held"  # terminal, whatever is decided
        return found.decision, found.decided_by


def test_an_approval_is_a_run_of_its_own_about_the_held_one(factory: Factory, sync: DataSync) -> None:
    run = held(factory, sync)
    asked = approve(factory, run)
    assert not asked.joined
    assert (asked.run.mode, asked.run.about_run_id, asked.run.status) == ("approve", run.id, "pending")
    assert decision(factory, run) == (None, None)


def test_only_its_success_is_the_decision(factory: Factory, sync: DataSync) -> None:
    run = held(factory, sync)
    for ending, expected in (
        ("cancelled", (None, None)),
        ("failed", (None, None)),
        ("success", ("approved", "reza")),
    ):
        approval = approve(factory, run).run
        with writing(factory) as session:
            assert runs.claim(session, approval.id, epoch=1, now=NOW)
        end(factory, approval, ending)
        assert decision(factory, run) == expected


def test_a_second_yes_joins_the_first(factory: Factory, sync: DataSync) -> None:
    run = held(factory, sync)
    first = approve(factory, run)
    second = approve(factory, run)
    assert second.joined
    assert second.run.id == first.run.id


def test_nobody_can_accept_while_another_run_is_active(factory: Factory, sync: DataSync) -> None:
    run = held(factory, sync)
    with writing(factory) as session:
        runs.request(session, sync, triggered_by="schedule", now=NOW)
    with pytest.raises(decisions.CannotDecide, match="Another run"):
        approve(factory, run)


def test_a_no_is_written_down_and_moves_nothing_else(factory: Factory, sync: DataSync) -> None:
    run = held(factory, sync)
    with factory() as session:
        before = session.get(DataSync, sync.id).to_dict()  # type: ignore[union-attr]
    reject(factory, run)
    assert decision(factory, run) == ("rejected", "reza")
    with factory() as session:
        after = session.get(DataSync, sync.id).to_dict()  # type: ignore[union-attr]
    assert after == before


@pytest.mark.parametrize("first", ["approved", "rejected", "superseded", "lapsed"])
def test_what_is_decided_stays_decided(factory: Factory, sync: DataSync, first: str) -> None:
    run = held(factory, sync)
    with writing(factory) as session:
        assert runs.decide(session, SyncRun.id == run.id, decision=first, now=NOW, user="maryam")
    with pytest.raises(decisions.CannotDecide):
        approve(factory, run)
    with pytest.raises(decisions.CannotDecide):
        reject(factory, run)
    assert decision(factory, run) == (first, "maryam")


def test_a_run_that_is_not_held_has_nothing_to_decide(factory: Factory, sync: DataSync) -> None:
    run = begin(factory, sync)
    with pytest.raises(decisions.CannotDecide, match="not held"):
        approve(factory, run)
    end(factory, run, "success")
    with pytest.raises(decisions.CannotDecide, match="not held"):
        reject(factory, run)


def test_a_no_is_too_late_while_the_yes_is_under_way(factory: Factory, sync: DataSync) -> None:
    run = held(factory, sync)
    approve(factory, run)
    with pytest.raises(decisions.CannotDecide, match="being accepted"):
        reject(factory, run)


def test_the_next_ordinary_run_supersedes_when_it_starts_and_not_before(
    factory: Factory, sync: DataSync
) -> None:
    run = held(factory, sync)
    with writing(factory) as session:
        asked = runs.request(session, sync, triggered_by="panel", now=NOW).run
    assert decision(factory, run) == (None, None)
    with writing(factory) as session:
        assert runs.claim(session, asked.id, epoch=1, now=NOW)
    assert decision(factory, run) == ("superseded", None)
    with factory() as session:
        [entry] = session.scalars(select(AuditEntry)).all()
        assert (entry.actor, entry.action, entry.subject) == ("engine", "hold_superseded", "students")
        assert entry.details == {"run": run.id, "by": asked.id}


@pytest.mark.parametrize("options", [{"dry_run": True}, {"mode": "undo"}])
def test_a_rehearsal_and_an_undo_supersede_nothing(factory: Factory, sync: DataSync, options: dict) -> None:
    run = held(factory, sync)
    begin(factory, sync, **options)
    assert decision(factory, run) == (None, None)


def test_runs_of_another_source_supersede_nothing(
    factory: Factory, sync: DataSync, add_sync: AddSync
) -> None:
    run = held(factory, sync)
    begin(factory, add_sync("faculty"))
    assert decision(factory, run) == (None, None)


@pytest.fixture
def house_config(tmp_path: Path) -> configuration.Config:
    return configuration.load({"PANEL_INSTANCE": str(tmp_path / "instance")}, root=tmp_path)


def test_a_hold_lapses_after_its_days_and_its_staged_rows_go(
    factory: Factory, sync: DataSync, house_config: configuration.Config
) -> None:
    run = held(factory, sync)
    staged = house_config.instance / "staging" / f"students-{run.uuid}.db"
    staged.parent.mkdir(parents=True)
    staged.touch()
    with writing(factory) as session:
        session.get(DataSync, sync.id).hold_days = 3  # type: ignore[union-attr]
    assert let_holds_lapse(factory, house_config, NOW + timedelta(days=3, seconds=-1)) == []
    assert decision(factory, run) == (None, None)
    assert staged.exists()
    assert let_holds_lapse(factory, house_config, NOW + timedelta(days=3)) == [run.id]
    assert decision(factory, run) == ("lapsed", None)
    assert not staged.exists()
    with factory() as session:
        trail = session.scalars(select(AuditEntry)).one()
        assert (trail.actor, trail.action, trail.subject) == ("engine", "hold_lapsed", "students")
    assert let_holds_lapse(factory, house_config, NOW + timedelta(days=4)) == []


def test_what_was_staged_goes_once_a_person_has_said_no_and_not_before(
    factory: Factory, sync: DataSync, house_config: configuration.Config
) -> None:
    run = held(factory, sync)
    house_config.staging.mkdir(parents=True)
    staged = house_config.staging / f"students-{run.uuid}.db"
    of_nobody = house_config.staging / "students-00000000-0000-0000-0000-000000000000.db"
    for path in (staged, of_nobody):
        path.touch()
    assert discard_needless(factory, house_config, NOW) == []
    accepting = approve(factory, run).run
    assert discard_needless(factory, house_config, NOW) == []
    with writing(factory) as session:
        runs.cancel(session, runs.get(session, accepting.id), now=NOW, user="reza")
    reject(factory, run)
    assert discard_needless(factory, house_config, NOW) == [staged]
    assert (staged.exists(), of_nobody.exists()) == (False, True)
    assert discard_needless(factory, house_config, NOW) == []


def test_what_a_run_staged_that_could_not_tidy_up_goes_when_it_has_ended(
    factory: Factory, sync: DataSync, house_config: configuration.Config
) -> None:
    run = begin(factory, sync)
    house_config.staging.mkdir(parents=True)
    staged = [house_config.staging / f"students-{run.uuid}.db{end}" for end in ("", "-wal", "-shm")]
    for path in staged:
        path.touch()
    assert discard_needless(factory, house_config, NOW) == []
    end(factory, run, "failed", "E_LOST")
    assert discard_needless(factory, house_config, NOW) == sorted(staged)
    assert [path for path in staged if path.exists()] == []


def test_a_hold_that_is_being_accepted_does_not_lapse(
    factory: Factory, sync: DataSync, house_config: configuration.Config
) -> None:
    run = held(factory, sync)
    approve(factory, run)
    assert let_holds_lapse(factory, house_config, NOW + timedelta(days=99)) == []
    assert decision(factory, run) == (None, None)


def test_the_child_of_an_approval_gets_no_login_and_the_held_runs_name(
    factory: Factory, sync: DataSync, house_config: configuration.Config
) -> None:
    run = held(factory, sync)
    approval = approve(factory, run).run
    with factory() as session:
        made = spec.build(session, runs.get(session, approval.id), house_config, epoch=1, now=NOW)
    assert isinstance(made, spec.Spec)
    assert (made.order["mode"], made.order["about"], made.order["run"]) == (
        "approve",
        run.uuid,
        approval.uuid,
    )
    assert made.order["staging"] == str(house_config.instance / "staging")
    assert "settings" not in made.order
    assert made.secrets == ()
