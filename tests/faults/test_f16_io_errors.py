"""F16: a limit on the size of files; a disk that errs on write and on flush.

Every such error is `E_STORAGE` with its reason, a person is told, and nothing is tried again in a hot loop: only a
person can mend a disk. Each part is stored wholly or not at all, and what the ledger says is there.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from panel import explain
from tests.acceptance.house import House, truth, until
from tests.conftest import ROOT
from tests.faults.injectors import Unavailable, with_failing_calls
from tests.nasty.gateway import student
from tests.nasty.place import CAMPUSES, OLD_ROWS, Outcome, Place

# SIGXFSZ is ignored by Python, so that the write fails as on a disk.
SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (%d, %d))"
NEW = 500  # rows of a campus: more than the limit leaves room for


@pytest.fixture
def growing(place: Place) -> Place:
    """Every campus has many more students than are stored."""
    for number, campus in enumerate(CAMPUSES):
        more = [student(number * 1000 + 100 + n, campus) for n in range(NEW)]
        place.gateway.rows[campus] = [*place.gateway.rows[campus], *more]
    return place


def told(outcome: Outcome, *reasons: str) -> None:
    error = outcome.error
    assert (outcome.code, error["code"]) == (1, "E_STORAGE"), error
    reason = error["params"]["reason"]
    assert reason in reasons, error
    assert not error["retryable"], "a disk does not heal by being asked again"
    assert len([event for event in outcome.events if event["event"] == "error"]) == 1
    words = explain.message(error["code"], error["params"])
    params = error["params"]
    assert len(words) <= 500 and params["folder" if reason == "disk_full" else "file"] in words


def whole_or_not_at_all(place: Place) -> int:
    """How many parts of the growing source are stored; each wholly, as the ledger says."""
    assert place.value("PRAGMA integrity_check") == "ok"
    counts = dict(place.rows("SELECT codePardis, count(*) FROM student_terms GROUP BY 1"))
    assert set(counts.values()) <= {OLD_ROWS, OLD_ROWS + NEW}
    entered = place.rows("SELECT part FROM _hamgam_ledger WHERE kind = 'part' AND added = ?", NEW)
    grown = {campus for campus, count in counts.items() if count > OLD_ROWS}
    assert {f"campus={campus},term=4051" for campus in grown} == {part for (part,) in entered}
    return len(grown)


def heals(place: Place) -> None:
    assert place.sync(campuses=CAMPUSES).code == 0
    assert whole_or_not_at_all(place) == len(CAMPUSES)


def test_f16_a_limit_on_file_sizes_ends_the_run_and_leaves_whole_parts(growing: Place) -> None:
    size = 3 << 20
    outcome = growing.sync(campuses=CAMPUSES, before=SMALL_FILES % (size, size))
    told(outcome, "io")
    assert whole_or_not_at_all(growing) < len(CAMPUSES)
    heals(growing)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("failure", "reasons"),
    [
        ("posix/io/rw/pwrite,probability=1,failinfo=5", ["io"]),
        ("posix/io/rw/pwrite,probability=0.02,failinfo=5", ["io"]),
        # The file beside the log that SQLite shares among processes reports every error as one of the disk; a disk that
        # is full in truth is looked at then (F15), one that only says so here is not.
        ("posix/io/rw/pwrite,probability=0.02,failinfo=28", ["disk_full", "io"]),
        ("posix/io/rw/pwrite,probability=0.02,failinfo=30", ["read_only", "io"]),
        # SQLite says of a page that cannot be read either that the read failed or that the page is damaged, by where
        # it met it; both tell a person to look at the disk.
        ("posix/io/rw/pread,probability=0.2,failinfo=5", ["io", "corrupt"]),
    ],
)
def test_f16_an_error_of_the_disk_is_an_error_of_storage(
    growing: Place, require_services: Callable[[str], None], failure: str, reasons: list[str]
) -> None:
    outcome = growing.sync(campuses=CAMPUSES, under=failing(failure, require_services))
    told(outcome, *reasons)
    assert whole_or_not_at_all(growing) < len(CAMPUSES)
    heals(growing)


@pytest.mark.slow
def test_f16_a_flush_that_fails_loses_nothing_that_the_ledger_promised(
    growing: Place, require_services: Callable[[str], None]
) -> None:
    failure = "posix/io/sync/fdatasync,probability=1,failinfo=5"
    outcome = growing.sync(campuses=CAMPUSES, under=failing(failure, require_services))
    # What is in the log is not yet in the file, and stays in the log until a flush succeeds.
    if outcome.code:
        told(outcome, "io")
    assert whole_or_not_at_all(growing) == sum(state == "done" for state, _ in outcome.states().values())
    heals(growing)


def failing(failure: str, require_services: Callable[[str], None]) -> list[str]:
    try:
        return with_failing_calls(failure)
    except Unavailable as error:
        require_services(str(error))
        raise


def an_engine_that_leads(command: list[str], house: House, log: Path) -> subprocess.Popen[bytes]:
    """Start it as a service manager does: a start that met an error of the disk ends with a reason, and is repeated."""

    def started() -> subprocess.Popen[bytes] | None:
        with log.open("w") as file:
            engine = subprocess.Popen(
                command, cwd=ROOT, env=house.environ, stdout=file, stderr=file, start_new_session=True
            )
        until(
            lambda: "this engine leads" in log.read_text() or engine.poll() is not None,
            "an engine that leads or ends",
        )
        return engine if engine.poll() is None else None

    for _ in range(20):
        if engine := started():
            return engine
        assert "Traceback" not in log.read_text(), log.read_text()
    raise AssertionError(f"no start of twenty led: {log.read_text()}")


@pytest.mark.slow
def test_f16_an_engine_whose_disk_errs_now_and_then_lives_and_ends_every_run(
    build_house: Callable[..., House], require_services: Callable[[str], None]
) -> None:
    """Both databases err on one write in fifty, for the engine and its children alike."""
    house = build_house("--size", "tiny")
    assert house.cli("migrate").returncode == 0
    log = house.instance.parent / "engine.log"
    engine = an_engine_that_leads(
        [*failing("posix/io/rw/pwrite,probability=0.02,failinfo=5", require_services), *house.command("engine")],
        house, log,
    )  # fmt: skip
    try:
        for key in ("faculty", "students"):
            code, run = house.sync(key)
            assert (code, run["status"]) in ((0, "success"), (1, "failed")), run
            assert run["error_code"] in (None, "E_STORAGE", "E_LOST"), run
        assert engine.poll() is None
    finally:
        engine.terminate()
        engine.wait(60)
    assert len(log.read_text().splitlines()) < 400, "it is told, not shouted"
    for key, table in (("faculty", "faculty"), ("students", "student_terms")):
        assert house.sync(key)[0] == 0
        assert len(house.data.table(table)) == len(truth(house.gateway, table))
    statuses = {status for (status,) in house.rows("panel.db", "SELECT status FROM sync_runs")}
    assert statuses <= {"success", "failed"}
