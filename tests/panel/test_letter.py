"""The letter to a gateway's support team: what it tells, when there is none, and what is never in it."""

import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.wire.courtesy import Budget, Cause
from fetchers.core.wire.lamps import Lamp
from panel import letter, runs
from panel.config import Config, load
from panel.db import writing
from panel.gateways import Gateway
from panel.models import DataSync, RunPartition, SyncRun
from panel.version import VERSION
from tests.conftest import ROOT

Factory = sessionmaker[Session]
AT = datetime(2026, 11, 22, 9, 0, 30, tzinfo=UTC)  # 1405/09/01 12:30 in Tehran
PATH = "/API/Golestan/Students_2"
BUSY = {"host": "gateway.example.ac.ir", "status": 503, "path": PATH, "trace": "00-ab12-00"}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(
        {
            "PANEL_INSTANCE": str(tmp_path),
            "GOLESTAN_USERNAME": "canary-user",
            "GOLESTAN_PASSWORD": "canary-Xy7",
        }
    )


@pytest.fixture
def sync(add_sync: Callable[..., DataSync]) -> DataSync:
    return add_sync(
        "students", settings={"base_url": "https://gateway.example.ac.ir/canary-key-in-an-address-77"}
    )


def add_run(factory: Factory, sync: DataSync, status: str, at: datetime, **columns: Any) -> int:
    with writing(factory) as session:
        run = SyncRun(
            uuid=str(uuid4()), sync_id=sync.id, status=status, triggered_by="schedule", requested_at=at,
            not_before=at, started_at=at, finished_at=at, **columns,
        )  # fmt: skip
        session.add(run)
        session.flush()
        return run.id


def facts(factory: Factory, config: Config, run: int) -> letter.Facts | None:
    with factory() as session:
        return letter.of_run(session, runs.get(session, run), config)


def written(factory: Factory, config: Config, run: int, language: str = "en") -> str:
    found = facts(factory, config, run)
    assert found is not None
    return letter.write(found, language).replace("\u2068", "").replace("\u2069", "")


def test_it_tells_what_was_asked_and_when_what_came_how_often_and_since_when(
    factory: Factory, config: Config, sync: DataSync
) -> None:
    add_run(factory, sync, "failed", AT - timedelta(days=3))
    add_run(factory, sync, "success", AT - timedelta(days=2))
    add_run(factory, sync, "failed", AT - timedelta(hours=3), error_code="E_SERVER")
    add_run(factory, sync, "failed", AT - timedelta(hours=2), dry_run=True)
    add_run(factory, sync, "cancelled", AT - timedelta(hours=1))
    run = add_run(factory, sync, "failed", AT, error_code="E_SERVER", error_params=BUSY)
    told = written(factory, config, run)
    for line in (
        "Subject: Problem with the gateway service at https://gateway.example.ac.ir",
        "What happened: The gateway has a fault of its own (status 503).",
        f"Address that was asked: https://gateway.example.ac.ir{PATH}",
        "Requested data: Students",
        "Time it happened: 2026-11-22 09:00:30 UTC (1405/09/01 12:30 in Tehran)",
        "HTTP status: 503",
        "Id of the request: 00-ab12-00",
        "Error code: E_SERVER",
        "So far: 2 runs in a row",
        "Since: 2026-11-22 06:00:30 UTC (1405/09/01 09:30 in Tehran)",
        "Last good run: 2026-11-20 09:00:30 UTC (1405/08/29 12:30 in Tehran)",
        f"Our program: Hamgam {VERSION}, run {run}",
    ):
        assert line in told.splitlines(), f"{line!r} is not in\n{told}"


def test_in_persian_it_is_persian_with_the_codes_as_they_are(
    factory: Factory, config: Config, sync: DataSync
) -> None:
    run = add_run(factory, sync, "failed", AT, error_code="E_SERVER", error_params=BUSY)
    told = written(factory, config, run, "fa")
    for line in (
        "موضوع: اشکال در سرویس درگاه https://gateway.example.ac.ir",
        "چه شد: خود درگاه دچار خطا شده است (کد 503).",
        "دادهٔ درخواستی: دانشجویان",
        "زمان: ۱۴۰۵/۰۹/۰۱ ۱۲:۳۰ به وقت تهران",
        "(2026-11-22 09:00:30 UTC)",
        "تکرار: نخستین بار",
        "آخرین اجرای موفق: تاکنون هیچ",
        "شناسهٔ درخواست: 00-ab12-00",
    ):
        assert line in told.splitlines(), f"{line!r} is not in\n{told}"


def test_a_part_is_told_with_latin_codes_in_persian_too(
    factory: Factory, config: Config, sync: DataSync
) -> None:
    run = add_run(factory, sync, "failed", AT, error_code="E_SERVER", error_params=BUSY)
    found = facts(factory, config, run)
    assert found is not None
    told = letter.write(replace(found, part="campus=1110,term=4051"), "fa")
    assert "بخش: پردیس 1110، نیمسال 4051" in told.splitlines()


def test_a_run_that_failed_in_part_is_told_by_what_most_of_its_parts_met(
    factory: Factory, config: Config, sync: DataSync
) -> None:
    codes = ["E_STORAGE"] * 3 + ["E_TIMEOUT"] * 2 + ["E_SERVER"]
    run = add_run(
        factory, sync, "failed", AT, error_code="E_PARTIAL", partitions_planned=40, partitions_failed=6,
        error_params={"failed": 6, "planned": 40, "codes": sorted(set(codes))},
    )  # fmt: skip
    with writing(factory) as session:
        for position, code in enumerate(codes):
            params = {"deadline": "silence", "seconds": 60.0, "path": PATH} if code == "E_TIMEOUT" else {}
            session.add(
                RunPartition(
                    run_id=run,
                    part=f"campus=1{position}10,term=4051",
                    position=position,
                    state="failed",
                    error_code=code,
                    error_params=params,
                )  # fmt: skip
            )
    told = written(factory, config, run)
    assert "What happened: The gateway took the connection and then was silent for 60 seconds." in told
    assert "Part: campus 1310, term 4051" in told
    assert "So far: this is the first time; in this run 2 of 40 parts" in told
    assert "Error code: E_TIMEOUT (silence)" in told


@pytest.mark.parametrize(
    ("code", "params"),
    [
        ("E_STORAGE", {"reason": "disk_full"}),
        ("E_CONNECT", {"reason": "network"}),
        ("E_CONNECT", {"reason": "dns_down"}),
        ("E_TIMEOUT", {"deadline": "run"}),
        ("E_CONFIG", {"setting": "base_url"}),
        ("E_PARTIAL", {"codes": ["E_STORAGE"]}),
        ("E_LOST", {}),
    ],
)
def test_what_its_keeper_cannot_mend_is_not_written_about(
    factory: Factory, config: Config, sync: DataSync, code: str, params: dict[str, Any]
) -> None:
    assert (
        facts(factory, config, add_run(factory, sync, "failed", AT, error_code=code, error_params=params))
        is None
    )
    assert facts(factory, config, add_run(factory, sync, "success", AT)) is None


def test_a_source_without_a_gateway_has_no_letter(
    factory: Factory, config: Config, add_sync: Callable[..., DataSync]
) -> None:
    run = add_run(factory, add_sync("faculty"), "failed", AT, error_code="E_SERVER", error_params=BUSY)
    assert facts(factory, config, run) is None


def test_no_key_no_login_and_no_number_of_a_person_is_in_it(
    factory: Factory, config: Config, sync: DataSync
) -> None:
    params = {
        "status": 400,
        "path": "/canary-key-in-an-address-77/API/Golestan/Students_2/0012345679",
        "said": "Student 40311234501 (0012345679) \u202e\nBcc: everybody@example.ac.ir",
    }
    run = add_run(factory, sync, "failed", AT, error_code="E_GATEWAY", error_params=params)
    for language in letter.LANGUAGES:
        told = written(factory, config, run, language)
        for canary in ("canary", "40311234501", "0012345679", "\u202e", "\nBcc"):
            assert canary not in told, f"{canary!r} is in\n{told}"
        assert "https://gateway.example.ac.ir/--------/API/Golestan/Students_2/--------" in told
        assert "Student --------" in told


def gateway(kind: str, cause: Cause | None) -> Gateway:
    lamp = Lamp(
        kind=kind,
        since=AT - timedelta(minutes=5),
        cause=cause,
        failures=12,
        answered_at=AT - timedelta(hours=1),
    )
    return Gateway("https://gateway.example.ac.ir", ("faculty", "students"), Budget(4, 4.0), lamp)


def test_of_a_gateway_that_is_down_it_tells_since_when_and_how_many_requests() -> None:
    found = letter.of_gateway(
        gateway("down", Cause("E_CONNECT", {"reason": "refused", "host": "gateway.example.ac.ir"})), AT
    )
    assert found is not None
    told = letter.write(found, "en")
    for line in (
        "Requested data: Faculty, Students",
        "So far: 12 requests in a row",
        "Since: 2026-11-22 08:55:30 UTC (1405/09/01 12:25 in Tehran)",
        "Last good answer: 2026-11-22 08:00:30 UTC (1405/09/01 11:30 in Tehran)",
        f"Our program: Hamgam {VERSION}",
    ):
        assert line in told.splitlines(), f"{line!r} is not in\n{told}"


def test_of_a_gateway_that_is_well_or_that_our_network_does_not_reach_there_is_none() -> None:
    assert letter.of_gateway(gateway("well", None), AT) is None
    assert letter.of_gateway(gateway("down", Cause("E_CONNECT", {"reason": "network"})), AT) is None


def test_the_version_is_the_package_s() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
