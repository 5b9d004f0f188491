"""The doorbell: wakes whoever waits, and harms nobody when nobody does."""

import threading
from pathlib import Path

import pytest

from panel import doorbell
from panel.doorbell import Doorbell


@pytest.fixture(params=["short", "long"])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder whose socket fits into an address, and one whose does not."""
    folder = tmp_path / ("x" if request.param == "short" else "x" * 120)
    folder.mkdir()
    return folder


def test_nobody_listens_and_nothing_happens(instance: Path) -> None:
    assert not doorbell.ring(instance)


def test_a_ring_wakes_the_one_who_waits(instance: Path) -> None:
    bell = Doorbell(instance)
    woken = threading.Event()
    waiter = threading.Thread(target=lambda: bell.wait(60) and woken.set())
    waiter.start()
    assert doorbell.ring(instance)
    assert woken.wait(30)
    waiter.join()
    assert not bell.wait(0)
    bell.close()


def test_many_rings_are_one_waking(instance: Path) -> None:
    bell = Doorbell(instance)
    for _ in range(1000):
        doorbell.ring(instance)
    assert bell.wait(30)
    assert not bell.wait(0)
    bell.wake()
    assert bell.wait(30)
    bell.close()


def test_a_stale_socket_is_replaced_and_a_successor_keeps_its_own(instance: Path) -> None:
    killed = Doorbell(instance)  # as after kill -9: the file stays
    successor = Doorbell(instance)
    killed.close()
    assert doorbell.ring(instance)
    assert successor.wait(30)
    successor.close()
    assert not doorbell.ring(instance)
