"""Fixtures of the acceptance tests."""

import pytest

from tests.acceptance.children import plane
from tests.acceptance.house import build_house
from tests.fetchers.conftest import server

__all__ = ["build_house", "plane", "server"]


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """Where a house stores its data (ON_BOTH): "" for a file of its own, or an empty database on a server."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return ""
    return str(request.getfixturevalue("postgres_destination"))
