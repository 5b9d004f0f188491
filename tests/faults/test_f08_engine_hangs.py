"""F08. The engine stands still for three leases, and comes back: it is fenced here and in the destination.

Its child stands still in the middle of its work, and the next leader cannot find it, as if it were on another machine:
it carries no run's id, and the row names another process. So the fence alone keeps it from publishing.
"""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import update

from panel.clock import boottime
from panel.db import writing
from panel.engine import process
from panel.models import SyncRun
from tests.acceptance.house import until
from tests.acceptance.store import ON_BOTH
from tests.faults import oracle
from tests.faults.office import Office

LEASE = 4.0
FAILING = (sys.executable, "-m", "tests.faults.failpoints")


@dataclass
class Scene:
    """A leader that stands still, its child that can go on, and the next leader, whose child waits for `go`."""

    run: int
    first: subprocess.Popen[bytes]
    second: subprocess.Popen[bytes]
    epoch: int  # of the first
    child: int
    go: Path

    def childs_end(self) -> None:
        until(lambda: process.started(self.child) is None, "the end of the former child")


def a_leader_hangs(office: Office) -> Scene:
    hidden = ("env", "-u", process.RUN_VARIABLE, *FAILING, "fetch:4:stop", str(office.folder))
    first = office.engine(lease=LEASE, child=hidden)
    epoch = office.led_by(first).epoch
    run = office.ask()
    office.reached()
    child = office.child(run)
    # Everything else is published, and it waits for the thread that stands still: it holds no lock.
    until(lambda: len(office.published(run)) + 1 == office.run(run).partitions_planned, "all parts but one")
    office.stop(first)
    stopped = boottime()
    with writing(office.factory) as session:
        session.execute(update(SyncRun).values(child_pid=1, child_started=1))
    folder = office.folder / "second"
    folder.mkdir()
    second = office.engine(lease=LEASE, child=(*FAILING, "start:1:stop", str(folder)))
    assert office.led_by(second, 10 * LEASE).epoch == epoch + 1
    until((folder / "reached").exists, "the second attempt")
    until(lambda: boottime() - stopped > 3 * LEASE, "three leases", 10 * LEASE)
    return Scene(run, first, second, epoch, child, folder / "go")


@pytest.mark.slow
@ON_BOTH
def test_f08_a_leader_that_hangs_for_three_leases_starts_nothing_and_its_child_publishes_nothing(
    build_office, database
):
    office = build_office(database=database)
    scene = a_leader_hangs(office)
    run, done = scene.run, office.published(scene.run)
    office.go()
    scene.childs_end()
    assert office.published(run) == done, "a fenced child has published"

    os.kill(scene.first.pid, signal.SIGCONT)
    until(lambda: "leadership lost" in office.log(), "the former leader's word about it", 30)
    scene.go.touch()
    assert office.ended(run, "success").epoch == scene.epoch + 1
    attempts = [(attempt.number, attempt.epoch) for attempt in office.run(run).attempts]
    assert attempts == [(1, scene.epoch), (2, scene.epoch + 1)]
    assert office.ended(office.ask("faculty"), "success").epoch == scene.epoch + 1
    scene.first.terminate()
    assert scene.first.wait(30) == 0
    assert office.led_by(scene.second).epoch == scene.epoch + 1
    assert oracle.state(office.house.data) == oracle.wanted(office.house)
    assert office.wrong({}) == []


@pytest.mark.slow
def test_f08_without_the_fence_the_former_child_would_publish(build_office):
    """The negative control: the same scene, and the fence is taken down."""
    office = build_office()
    scene = a_leader_hangs(office)
    done = office.published(scene.run)
    assert office.house.data.write("UPDATE _hamgam_fence SET epoch = ?", scene.epoch) == 1
    office.go()
    scene.childs_end()
    assert office.published(scene.run) > done
