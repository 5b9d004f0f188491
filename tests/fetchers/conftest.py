"""What tests of fetchers share: a server of exact bytes, and a session to reach it with."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from fetchers.core.events import Events
from fetchers.core.fetcher import HttpSettings
from fetchers.core.spool import Spools
from fetchers.core.wire.http import Session
from tests.fetchers.raw_server import RawServer

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[RawServer]:
    made = RawServer()
    yield made
    made.close()


@pytest.fixture
def events() -> list[dict[str, Any]]:
    """What the session told, in order."""
    return []


@pytest.fixture
def session(events: list[dict[str, Any]]) -> Iterator[Callable[..., Session]]:
    """Make sessions: `session(retry_budget=1, silence_timeout=0.2)`. They are stopped with the test."""
    made: list[Session] = []

    def make(spools: Spools | None = None, **settings: Any) -> Session:
        chosen = {"requests_per_second": 0, "retry_budget": 0, **settings}
        one = Session(HttpSettings(**chosen), Events(events.append), NOW, spools)
        made.append(one)
        return one

    yield make
    for one in made:
        one.stop.set()
