"""F17: only the disk of the logs is full. (That of the backups: see the other tests of F17.)

What cannot be logged is lost; everything else goes on: a sync succeeds, and what dies is started again.
"""

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from tests.acceptance.house import House, truth, until
from tests.conftest import ROOT
from tests.faults.injectors import Disk

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("how", ["as a service", "on a terminal"])
def test_f17_a_sync_succeeds_though_nothing_can_be_logged(
    build_house: Callable[..., House], disk: Callable[..., Disk], how: str
) -> None:
    """As a service, `up` and its programs write to one file; on a terminal, each program to its own."""
    house = build_house("--size", "tiny")
    on_terminal = how == "on a terminal"
    logs = disk("house0/instance/logs" if on_terminal else "log", "1m")
    logs.fill()
    if on_terminal:
        screen, ours = pty.openpty()
        threading.Thread(target=_look, args=(screen,), daemon=True).start()
    else:
        ours = os.open(logs.path / "hamgam.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    house.up_process = subprocess.Popen(
        [sys.executable, "-m", "panel", "up"],
        cwd=ROOT,
        env={**house.environ, "PANEL_LOG_LEVEL": "debug"},
        stdin=subprocess.DEVNULL,
        stdout=ours,
        stderr=ours,
        text=True,
        start_new_session=True,
    )
    os.close(ours)
    until(house.healthy, "a panel that answers and an engine that leads", 120)
    token = house.token()
    run = house.api(token, "syncs/faculty/runs", {})["run"]["id"]
    until(lambda: house.run_status(run) == "success", "the run", 120)
    assert len(house.data.table("faculty")) == len(truth(house.gateway, "faculty"))
    # Somebody kills the engine, which `up` would say.
    first = house.engine()
    first.send_signal(signal.SIGKILL)
    until(lambda: (found := house.processes("panel", "engine")) and found[0].pid != first.pid, "another", 120)
    assert house.up_process.poll() is None
    assert logs.free == 0, "something could be logged; the test proves nothing"
    logs.make_room()
    house.down()


def _look(screen: int) -> None:
    """Somebody who looks at the terminal, so that it never blocks."""
    try:
        while os.read(screen, 4096):
            continue
    except OSError:  # the other end is closed
        os.close(screen)
