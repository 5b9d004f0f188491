"""What needs a person now, the most urgent first; and what goes on by itself, apart from it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import errors
from fetchers.core.wire.courtesy import Budget
from fetchers.core.wire.lamps import Lamp
from panel import attention, holidays, storage
from panel.attention import Halt, Hold, Need, Setback
from panel.db import writing
from panel.gateways import Gateway
from panel.lateness import LATE, OVERDUE, Timeliness
from panel.models import DataSync, SyncRun

Factory = sessionmaker[Session]
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Source:
    """What is known of a source that is as it should be, but for what a test says."""

    key: str = "faculty"
    broken: str | None = None
    missing: str | None = None
    hold: Hold | None = None
    halt: Halt | None = None
    timeliness: Timeliness | None = None

    @property
    def need(self) -> str | None:
        return attention.kind_of(self)


FAILED = Halt(Setback(7, NOW - HOUR, heals=False))
HEALS = Halt(Setback(7, NOW - HOUR, heals=True))
OVERDUE_NOW = Timeliness(OVERDUE, NOW - 3 * HOUR, None)
STALE_NOW = Timeliness(None, None, True, NOW - 5 * HOUR)
LATE_NOW = Timeliness(LATE, NOW - HOUR / 6, False)


def gateway(kind: str) -> Gateway:
    lamp = Lamp(kind=kind, since=NOW - HOUR)
    return Gateway("https://gateway.example.ac.ir", ("faculty",), Budget(4, 4.0), lamp)


def kinds(*sources: Source, **house: Any) -> list[str]:
    return [need.kind for need in attention.attention(sources, **house).needs]


@pytest.mark.parametrize(
    ("source", "need"),
    [
        (Source(hold=Hold(9, NOW - 2 * HOUR)), ("held", NOW - 2 * HOUR, 9)),
        (Source(halt=FAILED), ("failed", NOW - HOUR, 7)),
        (Source(broken="no such file"), ("broken", None, None)),
        (Source(missing="Password"), ("missing", None, None)),
        (Source(timeliness=OVERDUE_NOW), ("overdue", NOW - 3 * HOUR, None)),
        (Source(timeliness=STALE_NOW), ("stale", NOW - 5 * HOUR, None)),
        (Source(halt=Halt(stuck="paused")), ("paused", None, None)),
        (Source(halt=Halt(stuck="unplanned")), ("unplanned", None, None)),
    ],
)
def test_each_trouble_of_a_source_is_told_with_since_when_and_the_run(
    source: Source, need: tuple[str, datetime | None, int | None]
) -> None:
    kind, since, run = need
    assert attention.attention([source]).needs == [Need(kind, source, since, run)]


@pytest.mark.parametrize(
    "source",
    [Source(), Source(timeliness=Timeliness(None, None, False)), Source(halt=Halt()), Source(missing="")],
)
def test_a_source_that_is_as_it_should_be_needs_nobody(source: Source) -> None:
    """A negative control of all the above."""
    found = attention.attention([source], gateways=[gateway("well"), gateway("slow"), gateway("failing")])
    assert (found.needs, found.by_themselves) == ([], [])


def test_what_concerns_the_whole_house_is_told_too() -> None:
    disk = storage.Trouble(storage.FULL, {"folder": "/srv", "free": "0.1"})
    gap = holidays.Trouble("The list of holidays ended on %(day)s.", ("faculty",), date(2026, 11, 1))
    down = gateway("down")
    found = attention.attention([], engine_down=True, disk=disk, gateways=[down], calendar=[gap])
    assert found.needs == [
        Need("engine"),
        Need("disk", about=disk),
        Need("gateway", since=NOW - HOUR, about=down),
        Need("calendar", about=gap),
    ]


def test_the_most_urgent_comes_first_and_of_one_kind_the_longest() -> None:
    young, old = Source("young", hold=Hold(2, NOW - HOUR)), Source("old", hold=Hold(1, NOW - 9 * HOUR))
    late, failed = Source("late", timeliness=OVERDUE_NOW), Source("failed", halt=FAILED)
    disk = storage.Trouble(storage.FULL)
    found = attention.attention([late, young, failed, old], disk=disk, gateways=[gateway("down")])
    told = [need.source.key if need.source else need.kind for need in found.needs]
    assert told == ["disk", "old", "young", "failed", "gateway", "late"]


def test_of_a_new_house_the_first_steps_tell_what_is_missing_and_nothing_else() -> None:
    found = attention.attention(
        [Source(missing="Password"), Source(hold=Hold(9, NOW))], engine_down=True, is_new=True
    )
    assert [need.kind for need in found.needs] == ["engine", "held"]


def test_of_several_troubles_of_one_source_the_one_is_told_that_explains_the_others() -> None:
    assert kinds(Source(hold=Hold(9, NOW), halt=FAILED, timeliness=STALE_NOW)) == ["held"]
    assert kinds(Source(missing="Password", halt=FAILED, timeliness=STALE_NOW)) == ["missing"]
    assert kinds(Source(halt=Halt(FAILED.setback, "paused"), timeliness=STALE_NOW)) == ["failed"]


def test_a_failure_that_heals_is_apart_until_the_data_are_too_old() -> None:
    heals = Source(halt=HEALS)
    found = attention.attention([heals, Source("late", timeliness=LATE_NOW)])
    assert (found.needs, [one.key for one in found.by_themselves]) == ([], ["faculty", "late"])
    assert kinds(Source(halt=HEALS, timeliness=STALE_NOW)) == ["failed"]
    assert kinds(Source(halt=HEALS, timeliness=OVERDUE_NOW)) == ["failed"]


def test_while_the_engine_is_down_nothing_is_named_that_waits_for_it_alone() -> None:
    late = [Source("overdue", timeliness=OVERDUE_NOW), Source("stale", timeliness=STALE_NOW)]
    soon = Source("late", timeliness=LATE_NOW)
    found = attention.attention([*late, soon, Source(halt=FAILED)], engine_down=True)
    assert [need.kind for need in found.needs] == ["engine", "failed"]
    assert found.by_themselves == []


def all_errors(one: type[errors.FetchError]) -> list[type[errors.FetchError]]:
    return [one, *(below for child in one.__subclasses__() for below in all_errors(child))]


def test_what_may_pass_is_what_the_fetchers_try_again() -> None:
    """But for those whose params tell, and what is held, which is no failure."""
    by_params = {"E_CONNECT", "E_STORAGE", "E_PARTIAL"}
    tree = [one for one in all_errors(errors.FetchError) if one not in (errors.FetchError, errors.Transient)]
    retried = {one.code for one in tree if one.retryable}
    known = {one.code for one in tree} - by_params
    assert {code for code in known if attention.may_heal(code, {})} == retried - by_params


@pytest.mark.parametrize(
    ("code", "params", "heals"),
    [
        ("E_CONNECT", {"reason": "refused"}, True),
        ("E_CONNECT", {"reason": "tls_expired"}, False),
        ("E_TIMEOUT", {"deadline": "run"}, True),
        ("E_STORAGE", {"reason": "busy"}, True),
        ("E_STORAGE", {"reason": "disk_full"}, False),
        ("E_PARTIAL", {"codes": ["E_SERVER", "E_TIMEOUT"]}, True),
        ("E_PARTIAL", {"codes": ["E_SERVER", "E_SCHEMA"]}, False),
        ("E_PARTIAL", {}, False),
        ("E_LOST", {}, True),
        ("E_AUTH", {}, False),
        ("E_FENCED", {}, False),
        (None, {}, False),
    ],
)
def test_whether_a_reason_may_pass(code: str | None, params: dict[str, Any], heals: bool) -> None:
    assert attention.may_heal(code, params) is heals


@pytest.fixture
def ends(factory: Factory, add_sync: Callable[..., DataSync]) -> Callable[..., int]:
    """Add a sync whose newest run is this way; its id."""

    def ends_(key: str, status: str, run: dict[str, Any] | None = None, **columns: Any) -> int:
        sync = add_sync(key, **columns)
        with writing(factory) as session:
            newest = SyncRun(
                uuid=str(uuid4()), sync_id=sync.id, status=status, triggered_by="schedule", requested_at=NOW - HOUR,
                not_before=NOW - HOUR, finished_at=None if status == "pending" else NOW, **(run or {}),
            )  # fmt: skip
            session.add(newest)
            session.flush()
            mine = session.get_one(DataSync, sync.id)
            mine.last_run_id, mine.status, mine.error_code = newest.id, status, newest.error_code
        return sync.id

    return ends_


HOURLY = {"schedule_kind": "interval", "interval_minutes": 60, "next_run_at": NOW + HOUR}
SERVER = {"error_code": "E_SERVER", "error_params": {"status": 503}}


@pytest.mark.parametrize(
    ("run", "columns", "heals"),
    [
        (SERVER, HOURLY, True),
        (SERVER, HOURLY | {"consecutive_failures": 2}, True),
        (SERVER, HOURLY | {"consecutive_failures": 3}, False),
        (SERVER, {}, False),  # by hand only: nobody comes back to it
        (SERVER, HOURLY | {"next_run_at": None}, False),
        (SERVER, HOURLY | {"paused_reason": "undo"}, False),
        (SERVER, HOURLY | {"paused_until": NOW + HOUR}, False),
        (SERVER, HOURLY | {"paused_until": NOW - HOUR}, True),
        ({"error_code": "E_AUTH"}, HOURLY, False),
        ({"error_code": "E_PARTIAL", "error_params": {"codes": ["E_RATE"]}}, HOURLY, True),
    ],
)
def test_a_failure_heals_if_its_reason_may_pass_and_the_schedule_comes_back(
    factory: Factory, ends: Callable[..., int], run: dict[str, Any], columns: dict[str, Any], heals: bool
) -> None:
    sync = ends("faculty", "failed", run, **columns)
    with factory() as session:
        setback = attention.halts(session, NOW)[sync].setback
    assert setback and setback.run and (setback.at, setback.heals) == (NOW, heals)


def test_a_run_that_waits_for_another_attempt_goes_on_and_a_first_one_is_no_setback(
    factory: Factory, ends: Callable[..., int]
) -> None:
    again = ends("again", "pending", {"attempt": 2, **SERVER})
    ends("first", "pending")
    ends("well", "success", None, **HOURLY)
    ends("cancelled", "cancelled")
    with factory() as session:
        found = attention.halts(session, NOW)
    assert set(found) == {again}
    assert found[again].setback and found[again].setback.heals


def test_a_schedule_that_starts_nothing_is_stuck(factory: Factory, add_sync: Callable[..., DataSync]) -> None:
    undone = add_sync("undone", paused_reason="undo", **HOURLY).id
    over = add_sync("over", schedule_kind="calendar", next_run_at=None).id
    add_sync("by-hand", paused_reason="undo")
    add_sync("unplanned-yet", schedule_kind="interval", interval_minutes=60)
    add_sync("well", **HOURLY)
    with factory() as session:
        found = attention.halts(session, NOW)
    assert {sync: halt.stuck for sync, halt in found.items()} == {undone: "paused", over: "unplanned"}


def test_a_failure_whose_run_is_off_the_list_needs_somebody(
    factory: Factory, add_sync: Callable[..., DataSync]
) -> None:
    sync = add_sync("faculty", status="failed", error_code="E_SERVER", **HOURLY).id
    with factory() as session:
        assert attention.halts(session, NOW)[sync].setback == Setback(None, None, heals=False)
