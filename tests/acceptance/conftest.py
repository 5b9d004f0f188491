"""Fixtures of the acceptance tests."""

from tests.acceptance.children import plane
from tests.acceptance.house import build_house
from tests.fetchers.conftest import server

__all__ = ["build_house", "plane", "server"]
