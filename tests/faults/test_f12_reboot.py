"""F12. The machine starts anew with a running row, and the child's number belongs to somebody else."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from panel.db import writing
from panel.engine import process
from panel.models import EngineLease, SyncRun
from tests.acceptance.house import until
from tests.faults import oracle

LAST_PID = Path("/proc/sys/kernel/ns_last_pid")
SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")


@pytest.fixture
def with_number(require_services):
    """`with_number(4711)`: a stranger that has this process number. It ends with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(number: int) -> subprocess.Popen[bytes]:
        def got_it() -> bool:
            try:
                LAST_PID.write_text(str(number - 1))
            except OSError as error:
                require_services(f"a process number cannot be chosen here: {error}")
            stranger = subprocess.Popen(SLEEPER, start_new_session=True)
            started.append(stranger)
            if stranger.pid == number:
                return True
            stranger.kill()  # somebody else was quicker
            stranger.wait()
            return False

        until(got_it, f"a process with the number {number}")
        return started[-1]

    yield start
    for stranger in started:
        stranger.kill()
        stranger.wait()


@pytest.mark.slow
@pytest.mark.parametrize("another_boot", [True, False], ids=["another boot", "the same boot"])
def test_f12_a_run_that_a_reboot_left_is_found_at_once_and_the_stranger_lives(
    build_office, with_number: Callable[[int], subprocess.Popen[bytes]], another_boot
):
    """The orphan is found at the start, without waiting for the lease; the stranger is not killed."""
    office = build_office()
    office.change("students", retries=1)
    engine = office.engine(lease=600, fail_at="fetch:4:stop")
    run = office.ask()
    office.reached()
    child = office.child(run)
    until(lambda: office.published(run), "some parts")
    office.kill(engine)
    os.killpg(child, signal.SIGKILL)
    until(lambda: process.started(child) is None, "the child's end")
    done, asked = office.published(run), len(office.asked())
    if another_boot:
        with writing(office.factory) as session:
            session.execute(update(SyncRun).values(child_boot_id="an earlier boot"))
            session.execute(update(EngineLease).values(boot_id="an earlier boot"))
    stranger = with_number(child)
    office.engine(lease=600)
    assert office.ended(run, "success").attempt == 2
    # What the machine did is not the run's fault.
    assert office.codes(run) == ["E_INTERRUPTED" if another_boot else "E_LOST", None]
    assert stranger.poll() is None
    assert not done & set(office.asked(asked)), "a published part was asked for again"
    assert oracle.state(office.house.data) == oracle.wanted(office.house)
    assert office.wrong({}) == []
