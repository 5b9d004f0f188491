"""The measuring of the control plane: a history as the engine leaves it, figures judged as they are, a real engine."""

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from bench.report import write
from bench.size import report
from bench.size.history import Size, fill
from bench.size.scenes import Burst, Delays, Figures, Hourly, Page
from panel import runs
from panel.config import load
from panel.db import session_factory, writing
from panel.models import (
    ACTIVE,
    DataSync,
    RunAttempt,
    RunLog,
    RunPartition,
    SyncRun,
)
from tests.conftest import ROOT

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
GATEWAY = {"base_url": "http://127.0.0.1:9", "username": "hamgam", "password": "not-a-real-password"}


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_the_history_is_what_an_engine_would_have_left(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    environ = {"PANEL_INSTANCE": str(tmp_path / "instance")}
    if kind == "postgresql":
        environ["PANEL_DATABASE_URL"] = request.getfixturevalue("postgres_database")
    config = load(environ)
    fill(config, Size(syncs=12, runs=600), GATEWAY, NOW)
    factory = session_factory(config.panel_database_url)
    with factory() as session:
        assert session.scalar(select(func.count()).select_from(DataSync)) == 12
        statuses = dict(session.execute(select(SyncRun.status, func.count()).group_by(SyncRun.status)).all())
        assert sum(statuses.values()) == 600 and statuses["success"] > 500
        assert not set(statuses) & set(ACTIVE) and {"failed", "held"} < set(statuses)
        for table in (RunAttempt, RunPartition, RunLog):
            assert (session.scalar(select(func.count()).select_from(table)) or 0) >= 600
        for sync in session.scalars(select(DataSync)):
            newest = select(func.max(SyncRun.id)).where(SyncRun.sync_id == sync.id)
            assert sync.last_run_id == session.scalar(newest)
            assert sync.last_run is not None and sync.status == sync.last_run.status
            assert sync.next_run_at is not None and sync.next_run_at > NOW
    with writing(factory) as session:
        sync = session.scalars(select(DataSync).limit(1)).one()
        assert runs.request(session, sync, triggered_by="cli", now=NOW).run.id == 601
    factory.kw["bind"].dispose()


def test_a_percentile_is_a_value_that_was_measured() -> None:
    delays = Delays([float(number) for number in range(200, 0, -1)])
    assert (delays.at(50), delays.at(99), delays.at(100), delays.most) == (100.0, 198.0, 200.0, 200.0)
    assert Delays([0.3]).at(99) == 0.3


def figures(
    late: float, *, lost: int = 0, out_of_order: int = 0, page: float = 0.05, idle: float = 0.004
) -> Figures:
    delays = Delays([0.1] * 98 + [late] * 2)
    return Figures(
        "SQLite",
        Size(1000, 300_000),
        idle=idle,
        pages=[
            Page("status page", "/", Delays([page] * 9), 380.0),
            Page("all", "/all", Delays([9.0]), 1.0, judged=False),
        ],
        hourly=Hourly(5, 100, delays, delays, 0.03, lost=lost, not_well=0),
        burst=Burst(200, 30.0, 31.0, out_of_order=out_of_order, not_started=0, not_well=0),
    )


@pytest.mark.parametrize(
    ("given", "met"),
    [
        ({"late": 1.9}, True),
        ({"late": 2.1}, False),
        ({"late": 1.9, "lost": 1}, False),
        ({"late": 1.9, "out_of_order": 1}, False),
        ({"late": 1.9, "page": 0.11}, False),
        ({"late": 1.9, "idle": 0.021}, False),
    ],
)
def test_each_target_is_judged_by_what_was_measured(given: dict[str, float], met: bool) -> None:
    found = [figures(**given)]  # type: ignore[arg-type]
    assert report.all_met(found) is met
    assert ("not met" in report.markdown(found, [], date(2026, 11, 27))) is not met


def test_a_scene_that_was_left_out_has_no_figures() -> None:
    told = report.markdown([Figures("SQLite", Size(3, 2000), idle=0.004)], [], date(2026, 11, 27))
    assert "0.40 %, met" in told and "p99" not in told.replace("| p50 | p99 | longest |", "")
    assert "first event" not in told and "due" not in told


def test_the_page_has_a_place_for_these_figures_beside_the_others(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text((ROOT / "docs" / "performance.md").read_text(encoding="utf-8"), encoding="utf-8")
    before = page.read_text(encoding="utf-8")
    write(page, "the figures", report.BEGIN, report.END)
    after = page.read_text(encoding="utf-8")
    assert "the figures" in after
    assert after.split(report.BEGIN)[0] == before.split(report.BEGIN)[0]
    assert after.split(report.END)[1] == before.split(report.END)[1]


@pytest.mark.slow
def test_a_real_engine_is_measured(tmp_path: Path) -> None:
    small = [
        "--syncs",
        "6",
        "--runs",
        "60",
        "--due",
        "5",
        "--only",
        "burst",
        "--database",
        "sqlite",
        "--no-write",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "bench.size", *small, "--work", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| 5 due at once: not started | none | SQLite | 6 | 60 | 0, met |" in done.stdout
    assert list(tmp_path.iterdir()) == []
