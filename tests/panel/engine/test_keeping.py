"""The idle engine removes what is older than each source's rule, and waits while a run is about."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.store import columns, ledger, sql
from panel import runs
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.engine.keeping import forget_what_is_old
from panel.engine.worker import execute_here
from panel.models import AuditEntry, DataSync, SyncRun
from tests.panel.engine.workshop import STUB, Workshop, as_written
from tests.statements import listening

AddSync = Callable[..., DataSync]
Factory = sessionmaker[Session]


@pytest.fixture
def old(house_config: Config) -> str:
    """The uuid of a run of ten years ago, which made one faculty member anew."""
    write(house_config.data_database_url, "old", utcnow() - timedelta(days=3650))
    return "old"


def write(url: str, run: str, at: datetime) -> None:
    db = sql.connect(url)
    columns.prepare(db, [])
    moment = at.isoformat(timespec="milliseconds")
    with db:
        ledger.enter(db, run=run, epoch=0, kind="opening", outcome="plan")
        db.execute("UPDATE _hamgam_ledger SET at = ? WHERE run = ?", (moment, run))
        db.execute(
            "INSERT INTO _hamgam_changes (run, stream, part, key, kind, at) VALUES (?, 'faculty', '', '1', 'added', ?)",
            (run, moment),
        )
    db.close()


def lines(config: Config) -> list[str]:
    with closing(sqlite3.connect(config.data_database_url.removeprefix("sqlite:///"))) as db:
        return [run for (run,) in db.execute("SELECT run FROM _hamgam_changes ORDER BY id")]


def tidy(workshop: Workshop, go_on: Callable[[], bool] = lambda: True) -> bool:
    return forget_what_is_old(workshop.factory, workshop.config, workshop.epoch, utcnow(), go_on)


def ended(factory: Factory, sync: DataSync, uuid: str, **values: Any) -> None:
    with writing(factory) as session:
        session.add(
            SyncRun(
                uuid=uuid, sync_id=sync.id, status="success", triggered_by="cli", requested_at=utcnow(),
                not_before=utcnow(), added=1, **values,
            )
        )  # fmt: skip


def test_old_lines_go_and_the_trail_says_how_many(
    old: str, workshop: Workshop, add_sync: AddSync, factory: Factory
) -> None:
    add_sync("faculty")
    assert tidy(workshop)
    assert lines(workshop.config) == []
    with factory() as session:
        entry = session.scalars(select(AuditEntry)).one()
        assert (entry.actor, entry.action, entry.subject) == ("engine", "diary_cut", "faculty")
        assert entry.details == {"lines": 1}


def test_a_source_that_keeps_for_ever_does(old: str, workshop: Workshop, add_sync: AddSync) -> None:
    add_sync("faculty", diary_days=0)
    assert tidy(workshop)
    assert lines(workshop.config) == [old]


def test_the_newest_run_that_can_be_undone_stays_however_old(
    old: str, workshop: Workshop, add_sync: AddSync, factory: Factory, house_config: Config
) -> None:
    sync = add_sync("faculty")
    write(house_config.data_database_url, "older", utcnow() - timedelta(days=4000))
    for uuid in ("older", old, "without lines"):
        ended(factory, sync, uuid)
    assert tidy(workshop)
    assert lines(workshop.config) == [old]


def test_a_run_that_was_undone_is_not_the_one_that_stays(
    old: str, workshop: Workshop, add_sync: AddSync, factory: Factory
) -> None:
    sync = add_sync("faculty")
    ended(factory, sync, old)
    with factory() as session:
        undone = session.scalars(select(SyncRun.id)).one()
    ended(factory, sync, "undo", mode=runs.UNDO, about_run_id=undone)
    assert tidy(workshop)
    assert lines(workshop.config) == []


def test_nothing_is_removed_while_a_run_is_asked_for(
    old: str, workshop: Workshop, add_sync: AddSync, factory: Factory
) -> None:
    sync = add_sync("faculty")
    run = workshop.ask(add_sync("students"))
    assert not tidy(workshop)
    assert lines(workshop.config) == [old]
    with writing(factory) as session:
        runs.cancel(session, runs.get(session, run.id), now=utcnow(), user=None)
    assert not tidy(workshop, go_on=lambda: False)
    assert lines(workshop.config) == [old]
    assert tidy(workshop)
    assert lines(workshop.config) == []
    assert sync.diary_days == 1095


def test_where_no_engine_is_ever_idle_the_command_that_executed_a_run_tidies(
    old: str, house_config: Config, factory: Factory, add_sync: AddSync
) -> None:
    sync = add_sync("faculty", retries=0)
    with writing(factory) as session:
        run = runs.request(session, sync, triggered_by="cli", now=utcnow()).run
    inline = replace(house_config, engine="inline")
    execute_here(inline, run.id, child=STUB, resolve=as_written)
    assert lines(house_config) == []


def test_to_find_nothing_old_costs_as_much_with_many_sources_as_with_few(
    workshop: Workshop, add_sync: AddSync, factory: Factory, house_config: Config
) -> None:
    write(house_config.data_database_url, "young", utcnow() - timedelta(days=3))

    def asked() -> int:
        with listening() as said:
            assert tidy(workshop)
        return len(said)

    ended(factory, add_sync("faculty"), "first")
    few = asked()
    for number in range(12):
        ended(factory, add_sync(f"faculty-{number}", fetcher="faculty"), f"run {number}")
    assert asked() == few
    assert lines(workshop.config) == ["young"]


def test_between_two_sources_it_looks_whether_it_may_go_on(
    old: str, workshop: Workshop, add_sync: AddSync, factory: Factory
) -> None:
    for number in range(12):
        add_sync(f"faculty-{number}", fetcher="faculty")
    assert not tidy(workshop, go_on=lambda: lines(workshop.config) == [old])
    with factory() as session:
        assert session.scalars(select(AuditEntry.subject)).all() == ["faculty-0"]
