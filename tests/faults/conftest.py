"""Fixtures of the fault tests. All of them carry the mark `fault`: `make faults` runs the quick ones too."""

from pathlib import Path

import pytest

from tests.acceptance.children import plane
from tests.acceptance.conftest import database
from tests.acceptance.house import build_house
from tests.faults.office import build_office
from tests.fetchers.conftest import server

__all__ = ["build_house", "build_office", "database", "plane", "server"]

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("fault")
