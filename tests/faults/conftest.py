"""Fixtures of the fault tests: whole houses, scripted gateways and their places, and disks that fail.

All of these tests carry the mark `fault`: `make faults` runs the quick ones too.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.children import plane
from tests.acceptance.conftest import database
from tests.acceptance.house import build_house
from tests.faults.injectors import Disk, FailingDisk, Unavailable, silent_name_service, unmount_quietly
from tests.faults.office import build_office
from tests.fetchers.conftest import events, server, session
from tests.nasty.conftest import gateway, loaded, new_place, place
from tests.web import app, client, maryam, reza, rows, web_config

__all__ = [
    "app", "build_house", "build_office", "client", "database", "events", "gateway", "loaded", "maryam", "new_place",
    "place", "plane", "reza", "rows", "server", "session", "web_config",
]  # fmt: skip

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("fault")


@pytest.fixture
def disk(tmp_path: Path, require_services: Callable[[str], None]) -> Iterator[Callable[..., Disk]]:
    """Mount small disks: `disk("data", "4m")`. They are gone after the test."""
    made: list[Disk] = []

    def make(name: str = "disk", size: str = "4m") -> Disk:
        try:
            made.append(Disk(tmp_path / name, size))
        except Unavailable as error:
            require_services(str(error))
        return made[-1]

    yield make
    for one in made:
        unmount_quietly(one)


@pytest.fixture
def failing_disk(tmp_path: Path, require_services: Callable[[str], None]) -> Iterator[FailingDisk]:
    """An ext4 on a loop device."""
    try:
        made = FailingDisk(tmp_path / "failing", tmp_path / "failing.img")
    except Unavailable as error:
        require_services(str(error))
        raise
    yield made
    unmount_quietly(made)


@pytest.fixture
def no_names(tmp_path: Path, require_services: Callable[[str], None]) -> Iterator[None]:
    """A name service that takes every question and says nothing."""
    try:
        with silent_name_service(tmp_path):
            yield
    except Unavailable as error:
        require_services(str(error))
