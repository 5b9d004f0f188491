"""F05. The run's process runs out of memory: killed by the kernel, or refused by it."""

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import oracle

HIGHEST = 400 << 20  # bytes; a run needs about 100
GROUPS = Path("/sys/fs/cgroup")
JOIN = 'echo $$ > "$0"/cgroup.procs && exec "$@"'
FAILING = (sys.executable, "-m", "tests.faults.failpoints")


@pytest.fixture
def memory_group(require_services: Callable[[str], None]) -> Iterator[Path]:
    """A control group with a limit of memory (version 1 or 2)."""
    first = GROUPS / "memory"
    group = (first if first.is_dir() else GROUPS) / f"hamgam_test_{uuid.uuid4().hex[:12]}"
    limit = group / ("memory.limit_in_bytes" if first.is_dir() else "memory.max")
    try:
        group.mkdir()
        limit.write_text(str(HIGHEST))
    except OSError as error:
        require_services(f"no control group for memory can be made here: {error}")
    yield group
    group.rmdir()


@pytest.mark.slow
@pytest.mark.timeout(1200)  # it waits until the test beside it has ended
def test_f05_a_child_that_the_kernel_kills_for_memory_is_tried_again_and_given_up(
    build_office, memory_group
) -> None:
    """Code `E_OOM`; at most so many attempts as are set: no poison loop."""
    office = build_office()
    before = office.loaded()
    office.change("students", retries=1)
    joining = ("sh", "-c", JOIN, str(memory_group), *FAILING, "publish:3:eat")  # in the first part
    engine = office.engine(child=joining)
    run = office.ask()
    ended = office.ended(run, "failed")
    assert (ended.error_code, ended.attempt, office.codes(run)) == ("E_OOM", 2, ["E_OOM", "E_OOM"])
    assert office.wrong(before, since=1) == []
    office.kill(engine)
    office.engine()
    assert oracle.heals(office.house, office.sync) == []


@pytest.mark.slow
@pytest.mark.parametrize("place", ["fetch:3", "publish:9", "closing:1"])
def test_f05_a_child_that_gets_no_more_memory_says_so_and_the_next_attempt_goes_on(
    build_office, place
) -> None:
    """Code `E_OOM`, of one attempt; what was published before stays, the next attempt brings the rest."""
    office = build_office()
    limited = ("prlimit", f"--as={HIGHEST * 2}", *FAILING, f"{place}:eat", str(office.folder))
    office.engine(child=limited)
    run = office.ask()
    assert office.ended(run, "success").attempt == 2
    assert office.codes(run) == ["E_OOM", None]
    assert oracle.state(office.house.data) == oracle.wanted(office.house)
    assert office.wrong({}) == []
