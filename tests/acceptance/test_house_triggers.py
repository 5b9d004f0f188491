"""Many doors, one run; many clocks, one start; two engines, one leader."""

import json
import signal
import subprocess
import sys
import threading
import urllib.error
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.house import ROOT, until

SLOW = ("--size", "tiny", "--latency", "400")


def test_fifty_triggers_at_once_from_panel_api_and_command_start_one_run(build_house, tmp_path):
    house = build_house("--size", "tiny").up()
    token = house.token()
    browsers = [house.browser() for _ in range(3)]
    # The gateway stands still until every trigger has been answered, so that the run cannot end before.
    house.gateway.process.send_signal(signal.SIGSTOP)
    words = [tmp_path / f"command{number}" for number in range(6)]
    commands = []
    for path in words:
        with path.open("w") as said, path.with_suffix(".json").open("w") as result:
            command = house.command("sync", "students", "--json")
            commands.append(
                subprocess.Popen(command, cwd=ROOT, env=house.environ, stdout=result, stderr=said)
            )
    gate = threading.Barrier(44)

    def by_api(_number):
        gate.wait(120)
        return house.api(token, "syncs/students/runs", {})

    def by_panel(number):
        gate.wait(120)
        browsers[number % 3].post("/syncs/students/run")

    with ThreadPoolExecutor(44) as pool:
        pressed = [pool.submit(by_panel, number) for number in range(14)]
        called = [pool.submit(by_api, number) for number in range(30)]
        answers = [job.result(300) for job in called]
        for job in pressed:
            job.result(300)
    until(lambda: all(path.stat().st_size for path in words), "every command to follow the run", 120)
    house.gateway.process.send_signal(signal.SIGCONT)
    assert [command.wait(120) for command in commands] == [0] * 6
    assert house.rows("panel.db", "SELECT id, status FROM sync_runs") == [(1, "success")]
    assert {answer["run"]["id"] for answer in answers} == {1}
    printed = [json.loads(path.with_suffix(".json").read_text().splitlines()[-1]) for path in words]
    assert {run["id"] for run in printed} == {1}
    # One was first, whichever door it came through: the trail has one request, 49 joined it.
    assert house.rows("panel.db", "SELECT count(*) FROM audit_entries WHERE action = 'run_requested'") == [
        (1,)
    ]


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
