"""Fixtures of the acceptance tests."""

from tests.acceptance.children import plane
from tests.acceptance.house import build_house

__all__ = ["build_house", "plane"]
