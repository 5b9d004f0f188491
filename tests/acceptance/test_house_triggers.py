"""Many doors, one run; many clocks, one start; two engines, one leader."""

import json
import subprocess
import sys
import threading
import urllib.error
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.house import ROOT, until

SLOW = ("--size", "tiny", "--latency", "400")


def test_fifty_triggers_at_once_from_panel_api_and_command_start_one_run(build_house):
    house = build_house(*SLOW).up()
    token = house.token()
    browsers = [house.browser() for _ in range(3)]
    gate = threading.Barrier(50)
    answers: list[tuple[int, bool]] = []

    def by_api(_number):
        gate.wait(120)
        answer = house.api(token, "syncs/students/runs", {})
        answers.append((answer["run"]["id"], answer["joined"]))

    def by_panel(number):
        gate.wait(120)
        browsers[number % 3].post("/syncs/students/run")

    def by_command(_number):
        gate.wait(120)
        done = house.cli("sync", "students", "--json")
        run = json.loads(done.stdout.splitlines()[-1])
        answers.append((run["id"], "joined" in done.stderr.lower() or "already" in done.stderr.lower()))

    with ThreadPoolExecutor(50) as pool:
        jobs = [pool.submit(by_command, number) for number in range(6)]
        jobs += [pool.submit(by_panel, number) for number in range(14)]
        jobs += [pool.submit(by_api, number) for number in range(30)]
        for job in jobs:
            job.result(300)
    runs = house.rows("panel.db", "SELECT id, status FROM sync_runs")
    assert runs == [(1, "success")]
    assert {run_id for run_id, _ in answers} == {1}
    # The panel does not say who joined; of the other doors at most one was first.
    assert sum(not joined for _, joined in answers) <= 1
    assert len(answers) == 36


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
        house.up_process.send_signal(19)  # SIGSTOP: `up` must not start an engine of its own meanwhile
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
        house.up_process.send_signal(18)
    finally:
        second.terminate()
        second.wait(30)


def test_a_reader_token_cannot_start_anything(build_house):
    house = build_house("--size", "tiny").up()
    done = house.cli("token", "create", "maryam", "reader")
    token = max(done.stdout.split(), key=len)
    with pytest.raises(urllib.error.HTTPError) as refused:
        house.api(token, "syncs/faculty/runs", {})
    assert refused.value.code == 403
    refused.value.close()
    assert house.rows("panel.db", "SELECT count(*) FROM sync_runs") == [(0,)]
