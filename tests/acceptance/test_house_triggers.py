"""Two engines, one leader; a token that reads. (Fifty triggers at once: tests/faults/test_f46_fifty_triggers.py.)"""

import signal
import subprocess
import sys
import urllib.error

import pytest

from tests.acceptance.house import ROOT, until

SLOW = ("--size", "tiny", "--latency", "400")


@pytest.mark.slow
def test_a_second_engine_waits_and_leads_after_the_first_is_killed(build_house):
    house = build_house(*SLOW).up()
    first = house.engine()
    second = subprocess.Popen(
        [sys.executable, "-m", "panel", "engine"], cwd=ROOT, env=house.environ, stderr=subprocess.DEVNULL
    )
    try:
        token = house.token()
        run = house.api(token, "syncs/students/runs", {})["run"]
        until(house.child, "a child of the first engine")
        epoch = house.rows("panel.db", "SELECT epoch FROM engine_lease")[0][0]
        house.up_process.send_signal(
            signal.SIGSTOP
        )  # SIGSTOP: `up` must not start an engine of its own meanwhile
        first.kill()
        lease = 60
        until(
            lambda: house.rows("panel.db", "SELECT epoch FROM engine_lease")[0][0] > epoch,
            "the second engine to lead",
            lease + 15,
        )
        assert house.rows("panel.db", "SELECT pid FROM engine_lease")[0][0] == second.pid
        until(
            lambda: house.run_status(run["id"]) == "success",
            "the run to be finished by the second engine",
            120,
        )
        house.up_process.send_signal(signal.SIGCONT)
    finally:
        second.terminate()
        second.wait(30)


@pytest.mark.slow
def test_a_reader_token_cannot_start_anything(build_house):
    house = build_house("--size", "tiny").up()
    done = house.cli("token", "create", "maryam", "reader")
    token = max(done.stdout.split(), key=len)
    with pytest.raises(urllib.error.HTTPError) as refused:
        house.api(token, "syncs/faculty/runs", {})
    assert refused.value.code == 403
    refused.value.close()
    assert house.rows("panel.db", "SELECT count(*) FROM sync_runs") == [(0,)]
