"""One gateway that notes who asks it when, and real children of several sources before it."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fetchers.core.wire import lamps
from fetchers.core.wire.gateway import key_of
from tests.fetchers.raw_server import Line, RawServer, Request, Turn
from tests.nasty.gateway import ScriptedGateway, student
from tests.nasty.place import Outcome, Place

PARTS = [f"p{number:02}" for number in range(16)]
# The rules' times, shortened in a child before it starts; back-off is short, so that only the rules hold it back.
HURRY = """
import fetchers.core.wire.courtesy as rules, fetchers.core.wire.http as wire
rules.FIRST_PAUSE = 0.4
wire.random.uniform = lambda low, high: 0.05
"""


@dataclass(frozen=True)
class Seen:
    """One request: when it came, how many were under way with it, what it asked."""

    at: float
    at_once: int
    body: dict[str, Any]

    @property
    def small(self) -> bool:
        """One record of the first page."""
        return bool(self.body.get("paging", {}).get("pageSize") == 1)


@dataclass
class Watched:
    """A gateway with a few students a part. mood: what every request gets instead of an honest answer."""

    gateway: ScriptedGateway
    mood: Turn | None = None
    slowness: float = 0.02
    seen: list[Seen] = field(default_factory=list)
    under_way: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        # The first part is the longest, so that the others, shorter than a page is known to be, are one request each.
        self.gateway.rows |= {
            part: [student(n, part) for n in range(3 if place else 9)] for place, part in enumerate(PARTS)
        }
        self.gateway.server.will(self._turn)

    def _turn(self, server: RawServer, request: Request, line: Line) -> bytes | None:
        with self._lock:
            self.under_way += 1
            self.seen.append(Seen(time.monotonic(), self.under_way, request.json))
        try:
            server.closing.wait(self.slowness)
            mood = self.mood
            if mood is None:
                return self.gateway._turn(server, request, line)
            return mood if isinstance(mood, bytes) else mood(server, request, line)
        finally:
            with self._lock:
                self.under_way -= 1

    def busiest(self, seconds: float) -> int:
        """The most requests that came within so many seconds."""
        times = [one.at for one in self.seen]
        return max(sum(start <= at <= start + seconds for at in times) for start in times)


@contextmanager
def watched() -> Iterator[Watched]:
    made = ScriptedGateway()
    try:
        yield Watched(made)
    finally:
        made.close()


@dataclass
class Child:
    """A running child of one source, with a destination of its own."""

    place: Place
    process: subprocess.Popen[bytes]

    def ends(self) -> Outcome:
        return self.place.finish(self.process)


class Office:
    """Several sources behind one gateway or more, and the folder that they share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shared = folder / "gateways"
        self.places: list[Place] = []

    def start(self, gateway: Watched, *, shared: bool = True, hurry: str = HURRY, **settings: Any) -> Child:
        """A child that fetches every part of a gateway into an empty destination."""
        home = self.folder / f"source-{len(self.places)}"
        home.mkdir()
        place = Place(home, gateway.gateway, f"sqlite:///{home / 'data.db'}")
        self.places.append(place)
        order = place.order(campuses=PARTS, settings={"connections": 4, "retry_budget": 60, **settings})
        if shared:
            order["gateways"] = {"folder": str(self.shared)}
        return Child(place, place.start(order, before=hurry))

    def lamp(self, gateway: Watched) -> lamps.Lamp:
        return lamps.read(self.shared, key_of(gateway.gateway.url))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    for place in made.places:
        place.close()


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Wait for a condition; fail where it does not come."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come"
        threading.Event().wait(0.01)
    return found


def waits(outcome: Outcome) -> list[dict[str, str]]:
    """What a child said that it waits for."""
    said = [event["waiting"] for event in outcome.events if event["event"] == "progress"]
    assert all(json.dumps(one) for one in said)
    return [one for one in said if one]
