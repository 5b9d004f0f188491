"""Who leads: one at a time, the next one with a higher epoch, and the destination knows it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.errors import Fenced, StorageError
from fetchers.core.store import ledger
from panel import clock
from panel.config import Config
from panel.db import writing
from panel.engine import lease as leases
from panel.engine.lease import Lease
from panel.models import EngineLease

Factory = sessionmaker[Session]


class Time:
    """Seconds since boot, as a test wants them."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return clock.boottime() + self.ahead


@pytest.fixture
def engine_named(factory: Factory, house_config: Config) -> Callable[..., Lease]:
    def make(owner: str, **options: object) -> Lease:
        return Lease(factory, house_config.data_database_url, owner=owner, **options)  # type: ignore[arg-type]

    return make


def run_out(factory: Factory) -> None:
    """Let the lease's time pass."""
    with writing(factory) as session:
        session.execute(
            update(EngineLease).values(
                until_boottime=EngineLease.until_boottime - 1000,
                until_at=clock.utcnow() - timedelta(seconds=1000),
            )
        )


def test_one_leads_and_the_other_waits(factory: Factory, engine_named: Callable[..., Lease]) -> None:
    first, second = engine_named("first"), engine_named("second")
    assert first.acquire()
    assert not second.acquire()
    with factory() as session:
        holder = leases.holder(session)
    assert holder is not None
    assert (holder.owner, holder.epoch) == ("first", 1)
    first.release()
    with factory() as session:
        assert leases.holder(session) is None
    assert second.acquire()
    assert second.epoch == 2


def test_nobody_leads_where_no_engine_ever_was(factory: Factory) -> None:
    with factory() as session:
        assert leases.holder(session) is None


def test_a_lease_that_ended_is_taken_over_and_its_former_holder_is_fenced(
    factory: Factory, engine_named: Callable[..., Lease], house_config: Config
) -> None:
    first, second = engine_named("first"), engine_named("second")
    assert first.acquire()
    run_out(factory)
    with factory() as session:
        assert leases.holder(session) is None
    assert second.acquire()
    assert not first.renew()
    assert not first.leading
    with pytest.raises(Fenced):
        ledger.raise_fence(house_config.data_database_url, 1)


def test_renewal_keeps_the_lease(factory: Factory, engine_named: Callable[..., Lease]) -> None:
    first, second = engine_named("first"), engine_named("second")
    assert first.acquire()
    run_out(factory)
    assert first.renew()
    assert not second.acquire()


def test_an_engine_that_cannot_renew_is_unsafe_before_its_lease_ends(
    engine_named: Callable[..., Lease],
) -> None:
    time = Time()
    lease = engine_named("first", seconds=60.0, boottime=time)
    assert not lease.safe()
    assert lease.acquire()
    time.ahead = 39
    assert lease.safe()
    time.ahead = 41
    assert not lease.safe()
    assert lease.leading
    assert lease.renew()
    assert lease.safe()


def test_the_epoch_is_above_what_the_destination_has_seen(
    engine_named: Callable[..., Lease], house_config: Config
) -> None:
    ledger.raise_fence(house_config.data_database_url, 41)  # the control database was restored from a copy
    lease = engine_named("first")
    assert lease.acquire()
    assert lease.epoch == 42
    assert ledger.destination_epoch(house_config.data_database_url) == 42


def test_without_the_fence_there_is_no_leading(factory: Factory, engine_named: Callable[..., Lease]) -> None:
    class Broken:
        def destination_epoch(self, url: str) -> int:
            return 0

        def raise_fence(self, url: str, epoch: int) -> None:
            raise StorageError("the disk is full")

    lease = engine_named("first", fence=Broken())
    assert not lease.acquire()
    assert not lease.leading
    assert engine_named("second").acquire()


def test_a_leader_whose_process_is_gone_is_not_waited_for(
    factory: Factory, engine_named: Callable[..., Lease]
) -> None:
    own = leases._owner().split("|")
    dead = engine_named(
        "|".join([own[0], own[1], str(int(own[2]) - 1), own[3]])
    )  # our number, an earlier start
    assert dead.acquire()
    assert engine_named("second").acquire()


def test_a_leader_of_another_namespace_is_waited_for(
    factory: Factory, engine_named: Callable[..., Lease]
) -> None:
    assert engine_named("elsewhere|999999|1|pid:[1]").acquire()
    assert not engine_named("second").acquire()


def test_a_lease_of_another_boot_is_over_where_every_engine_is_on_this_machine(
    factory: Factory, engine_named: Callable[..., Lease]
) -> None:
    assert engine_named("first").acquire()
    with writing(factory) as session:
        session.execute(text("UPDATE engine_lease SET boot_id = 'another'"))
    # On PostgreSQL it may be another machine's boot, and its lease stands.
    assert engine_named("second").acquire() is (factory.kw["bind"].dialect.name == "sqlite")


def test_the_wall_clock_does_not_end_a_lease(
    factory: Factory, engine_named: Callable[..., Lease], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine_named("first").acquire()
    later = clock.utcnow() + timedelta(hours=2)
    monkeypatch.setattr(clock, "utcnow", lambda: later)
    assert not engine_named("second").acquire()
    with factory() as session:
        assert session.scalars(select(EngineLease.owner)).one() == "first"
