"""A whole list in one answer of 250 MB: what the child needs for it, and that it ends as any list does."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import database
from tests.acceptance.store import ON_BOTH
from tests.fetchers.raw_server import Line, RawServer, Request, answer
from tests.nasty.gateway import FACULTY, ScriptedGateway, data, member, question
from tests.nasty.place import Outcome, Place
from tests.nasty.test_answers import MEMORY, bomb

__all__ = ["database"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SIZE = 250_000_000
MOST = 400_000_000  # bytes of memory (DESIGN.md 4.3)
AT_ONCE = 5000

ONE = data([member(70_000_000, personelid="90012345", nationalcode=None, city="<city>")])[9:-2]
ROWS = SIZE // (len(ONE) + 1)

# Everything is received, split and kept in memory, as a list of a hundred records is.
ALL_IN_MEMORY = """
from fetchers.core.wire import body
body.PART_IN_MEMORY = 1 << 40
"""


class LargeList:
    """A gateway whose faculty is one list of 250 MB.

    city: of each member, but for every so many (moved), who have another one; gone: every so many have left.
    """

    def __init__(self) -> None:
        self.city, self.moved, self.gone = "تهران", 0, 0
        self.gateway = ScriptedGateway()
        self.gateway.scripts[FACULTY] = [self.turn]

    def turn(self, server: RawServer, request: Request, line: Line) -> bytes | None:
        if question(request).page > 1:
            return answer({"data": []})
        line.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"isSuccess":true,"data":[')
        for at in range(0, ROWS, AT_ONCE):
            here = [
                self.record(n) for n in range(at, min(ROWS, at + AT_ONCE)) if not self.gone or n % self.gone
            ]
            line.sendall((b"," if at else b"") + b",".join(here))
        line.sendall(b'],"message":null}')
        return None

    def record(self, number: int) -> bytes:
        city = "اصفهان" if self.moved and number % self.moved == 0 else self.city
        text = ONE.replace(b"70000000", b"%d" % (70_000_000 + number)).replace(b"90012345", b"%d" % number)
        return text.replace(b"<city>", city.encode())


@pytest.fixture
def large() -> Iterator[LargeList]:
    made = LargeList()
    yield made
    made.gateway.close()


@pytest.fixture
def place(tmp_path: Path, large: LargeList, database: str) -> Iterator[Place]:
    made = Place(tmp_path, large.gateway, database or f"sqlite:///{tmp_path / 'data.db'}")
    yield made
    made.close()


def sync(place: Place, before: str = "", **order: object) -> tuple[Outcome, int]:
    """One child from order to end, and the most bytes of memory that it had."""
    patient = {"request_timeout": 1800, "silence_timeout": 600, "page_size": 100_000}
    outcome = place.sync("faculty", before=MEMORY + before, settings=patient, **order)
    found = re.search(r"peak (\d+)", outcome.stderr)
    assert found
    return outcome, int(found[1]) * 1024


def counts(outcome: Outcome) -> tuple[int, ...]:
    return tuple(outcome.last["counts"][word] for word in ("read", "added", "changed", "unchanged", "gone"))


@ON_BOTH
def test_a_list_of_250_mb_takes_at_most_400_mb(
    place: Place, large: LargeList, record_property: Callable[[str, object], None]
) -> None:
    """A first load, nothing changed, one row of a hundred changed, all changed; a hold, its approval, and an undo."""
    peaks: dict[str, int] = {}

    def told(what: str, found: tuple[Outcome, int], code: int = 0) -> Outcome:
        outcome, peaks[what] = found
        assert outcome.code == code, outcome.last
        return outcome

    assert counts(told("first load", sync(place))) == (ROWS, ROWS, 0, 0, 0)
    assert counts(told("nothing changed", sync(place))) == (ROWS, 0, 0, ROWS, 0)
    large.moved = 100
    some = len(range(0, ROWS, 100))
    assert counts(told("1 % changed", sync(place))) == (ROWS, 0, some, ROWS - some, 0)
    assert place.value("SELECT count(*) FROM faculty WHERE city = 'اصفهان'") == some
    large.city = "قم"
    assert counts(told("all changed", sync(place))) == (ROWS, 0, ROWS - some, some, 0)
    large.gone = 2
    half = len(range(0, ROWS, 2))
    held = told("half is gone: held", sync(place), 3)
    assert place.value("SELECT count(*) FROM faculty") == ROWS
    run = held_run(place)
    told("approved", sync(place, mode="approve", about=run))
    assert place.value("SELECT count(*) FROM faculty") == ROWS - half
    assert held.last["counts"]["gone"] == 0
    for what, peak in peaks.items():
        record_property("summary", f"{what}: {peak / 1e6:.0f} MB")
    assert {what: peak for what, peak in peaks.items() if peak > MOST} == {}


def held_run(place: Place) -> str:
    [path] = (place.folder / "staging").glob("faculty-*.db")
    return path.stem.removeprefix("faculty-")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_same_list_in_memory_takes_more(place: Place) -> None:
    """A negative control: the measure sees a body that is held whole."""
    outcome, peak = sync(place, ALL_IN_MEMORY)
    assert outcome.code == 0 and counts(outcome) == (ROWS, ROWS, 0, 0, 0)
    assert peak > 1.5 * MOST


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_answer_beyond_the_cap_costs_no_memory(place: Place, large: LargeList) -> None:
    """2 GB; and a list that is well formed and goes on and on."""

    def endless(_: RawServer, request: Request, line: Line) -> None:
        line.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"data":[{}')
        while True:
            line.sendall(b",{}" * 300_000)

    for turn in (bomb, endless):
        large.gateway.scripts[FACULTY] = [turn]
        outcome, peak = sync(place)
        assert (outcome.code, outcome.error["code"]) == (1, "E_TOO_LARGE")
        assert peak < 120_000_000
