"""F15: the disk of the destination is full, before a run and in the middle of it; then the disk of everything.

The run fails with `E_STORAGE`, says that the disk is full and how many bytes are free, and stores each part wholly or
not at all. The pages can be read meanwhile, what they cannot save is told in a sentence; and with room on the disk the
next run succeeds with no hand work.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from panel import explain
from tests.faults.injectors import Disk
from tests.nasty.gateway import ScriptedGateway, student
from tests.nasty.place import CAMPUSES, Outcome, Place

MANY = 400  # rows of a campus: about 300 kB with what is kept beside them


def told(outcome: Outcome, reason: str) -> str:
    """The error as a person reads it; with its code, its reason, and short enough."""
    error = outcome.error
    assert (outcome.code, error["code"], error["params"]["reason"]) == (1, "E_STORAGE", reason), error
    words = explain.message(error["code"], error["params"])
    assert len(words) <= 500 and "Your data are safe" in words
    return words


@pytest.fixture
def small(
    disk: Callable[..., Disk], gateway: ScriptedGateway, tmp_path: Path
) -> Iterator[tuple[Disk, Place]]:
    """A destination alone on a disk of 4 MB; every campus has many students."""
    mounted = disk("data")
    for place, campus in enumerate(CAMPUSES):
        gateway.rows[campus] = [student(place * 1000 + n, campus) for n in range(MANY)]
    place = Place(tmp_path, gateway, f"sqlite:///{mounted.path / 'data.db'}")
    yield mounted, place
    place.close()


def stored(place: Place) -> dict[str, int]:
    return dict(place.rows("SELECT codePardis, count(DISTINCT studentnum) FROM student_terms GROUP BY 1"))


def test_a_full_disk_ends_a_run_and_the_next_one_heals(small: tuple[Disk, Place]) -> None:
    disk, place = small
    assert place.sync("faculty").code == place.sync(campuses=CAMPUSES[:1]).code == 0
    before = place.picture()
    disk.fill()
    words = told(outcome := place.sync(campuses=CAMPUSES[:3]), "disk_full")
    assert f"0 MB are free in {disk.path}" in words
    assert outcome.error["params"]["free"] == 0 and not outcome.error["retryable"]
    disk.make_room()
    assert place.picture() == before
    assert place.sync(campuses=CAMPUSES[:3]).code == 0
    assert stored(place) == dict.fromkeys(CAMPUSES[:3], MANY)


def test_a_disk_that_fills_up_in_mid_run_keeps_whole_parts(small: tuple[Disk, Place]) -> None:
    disk, place = small
    outcome = place.sync(campuses=CAMPUSES)  # more than 4 MB
    told(outcome, "disk_full")
    done = {campus for campus, (state, _) in outcome.states().items() if state == "done"}
    assert 0 < len(done) < len(CAMPUSES)
    assert stored(place) == dict.fromkeys(done, MANY)
    assert place.value("SELECT count(*) FROM _hamgam_ledger WHERE kind = 'part'") == len(done)
    assert place.value("PRAGMA integrity_check") == "ok"
    disk.grow("32m")
    assert place.sync(campuses=CAMPUSES).code == 0
    assert stored(place) == dict.fromkeys(CAMPUSES, MANY)
