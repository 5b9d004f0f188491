"""One run from claim to verdict, with children that behave and children that do not."""

import json
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from panel import runs
from panel.clock import utcnow
from panel.db import writing
from panel.engine import process
from panel.engine.child import environment
from panel.engine.supervise import supervise
from panel.models import DataSync, RunLog, RunPartition, SyncRun
from tests.panel.engine.workshop import STUB, Workshop, until

AddSync = Callable[..., DataSync]


def play(name: str, **settings: object) -> dict[str, object]:
    return {"settings": {"play": name, **settings}}


def in_the_background(workshop: Workshop, sync: DataSync) -> tuple[SyncRun, threading.Thread]:
    """Supervise a run in a thread, as the engine does; returns once its child has spoken."""
    run = workshop.claim(workshop.ask(sync))
    thread = threading.Thread(target=supervise, args=(workshop.house, run.id, workshop.epoch))
    thread.start()

    def has_spoken() -> bool:
        with workshop.factory() as session:
            parts = session.scalar(select(func.count()).select_from(RunPartition))
            return bool(parts or session.scalar(select(func.count()).select_from(RunLog)))

    until(has_spoken, "the child's first event")
    until(lambda: workshop.look(run).child_pid, "the child's number")
    return run, thread


def cancel(workshop: Workshop, run: SyncRun) -> bool:
    with writing(workshop.factory) as session:
        return runs.cancel(session, run, now=utcnow(), user="Reza")


def end_of(workshop: Workshop, run: SyncRun, thread: threading.Thread) -> SyncRun:
    thread.join(60)
    assert not thread.is_alive()
    assert process.of_run(run.uuid) == []
    return workshop.look(run)


def test_a_success_shows_its_counts_parts_and_log(workshop: Workshop, add_sync: AddSync) -> None:
    run = workshop.execute(add_sync(**play("success")))
    assert (run.status, run.error_code, run.added, run.records) == ("success", None, 3, 3)
    assert (run.partitions_planned, run.partitions_done, run.waiting) == (2, 2, None)
    assert run.sync.status == "success"
    assert run.sync.schema_news["run"] == run.id
    assert run.sync.schema_news["news"] == [
        {"kind": "added", "fields": ["mobile"]},
        {"kind": "ignored", "fields": ["ستون"]},
    ]
    with workshop.factory() as session:
        parts = session.scalars(select(RunPartition).order_by(RunPartition.position)).all()
        lines = session.scalars(select(RunLog.message)).all()
    assert [(part.part, part.state) for part in parts] == [
        ("campus=1", "done"),
        ("campus=2", "resumed"),
        ("campus=3", "not_due"),
    ]
    assert parts[0].counts["added"] == 3
    assert lines == ["hello"]


def test_the_child_is_told_everything_it_needs_and_no_secret_is_in_its_environment(
    workshop: Workshop, add_sync: AddSync, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLESTAN_PASSWORD", "canary")
    monkeypatch.setenv("PANEL_SECRET_KEY", "canary")
    sync = add_sync(**play("success", marks=str(tmp_path)), guard_part_rows=7)
    run = workshop.execute(sync, mode="full")
    order = json.loads((tmp_path / f"{run.uuid}.1").read_text())
    assert order["run"] == run.uuid
    assert order["epoch"] == workshop.epoch
    assert (order["source"], order["mode"], order["dry_run"]) == ("faculty", "full", False)
    assert (order["partitions"], order["resume"], order["attempt"]) == (None, [], 1)
    assert order["guard"]["part_rows"] == 7
    assert order["database"] == workshop.config.data_database_url
    assert order["now"].endswith("Z")
    inherited = environment(
        "id", {"GOLESTAN_PASSWORD": "x", "PANEL_SECRET_KEY": "x", "PATH": "/bin", "MY_TOKEN": "x"}
    )
    assert inherited == {"PATH": "/bin", "MALLOC_ARENA_MAX": "1", process.RUN_VARIABLE: "id"}


def test_a_dry_run_needs_no_ledger(workshop: Workshop, add_sync: AddSync) -> None:
    assert workshop.execute(add_sync(**play("dry")), dry_run=True).status == "success"


@pytest.mark.parametrize("name", ["no_result", "result_without_ledger", "silent_death", "noise"])
def test_a_child_that_ends_without_a_result_and_its_books_is_no_success(
    workshop: Workshop, add_sync: AddSync, name: str
) -> None:
    run = workshop.execute(add_sync(**play(name), retries=0))
    assert (run.status, run.error_code) == ("failed", "E_LOST")
    assert run.sync.consecutive_failures == 1


def test_a_child_that_the_kernel_killed_for_memory_is_no_riddle_and_has_its_attempts(
    workshop: Workshop, add_sync: AddSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter(range(100))
    monkeypatch.setattr(process, "killed_for_memory", lambda: next(counts))
    run = workshop.execute(add_sync(**play("silent_death"), retries=1, retry_wait_seconds=0))
    assert (run.status, run.attempts[0].error_code) == ("pending", "E_OOM")
    supervise(workshop.house, workshop.claim(run).id, workshop.epoch)
    assert (workshop.look(run).status, workshop.look(run).error_code) == ("failed", "E_OOM")


def test_a_child_that_dies_after_it_closed_its_books_was_a_success(
    workshop: Workshop, add_sync: AddSync
) -> None:
    run = workshop.execute(add_sync(**play("closes_then_dies")))
    assert (run.status, run.added) == ("success", 3)


def test_what_may_heal_is_tried_again_and_a_wrong_password_is_not(
    workshop: Workshop, add_sync: AddSync
) -> None:
    run = workshop.execute(add_sync("faculty", **play("may_heal"), retries=1, retry_wait_seconds=60))
    assert (run.status, run.attempt, run.attempts[0].error_code) == ("pending", 2, "E_SERVER")
    assert run.waiting is not None
    assert run.not_before > utcnow() + timedelta(seconds=30)
    run = workshop.execute(add_sync("students", **play("wrong_password"), retries=5))
    assert (run.status, run.error_code, run.attempt) == ("failed", "E_AUTH", 1)


def test_attempts_are_used_up(workshop: Workshop, add_sync: AddSync) -> None:
    sync = add_sync(**play("", attempts=["may_heal", "may_heal", "success"]), retries=1, retry_wait_seconds=0)
    run = workshop.execute(sync)
    assert run.status == "pending"
    supervise(workshop.house, workshop.claim(run).id, workshop.epoch)
    assert workshop.look(run).status == "failed"


def test_a_second_attempt_may_succeed(workshop: Workshop, add_sync: AddSync) -> None:
    run = workshop.execute(
        add_sync(**play("", attempts=["may_heal", "success"]), retries=1, retry_wait_seconds=0)
    )
    supervise(workshop.house, workshop.claim(run).id, workshop.epoch)
    run = workshop.look(run)
    assert (run.status, run.attempt, [a.error_code for a in run.attempts]) == (
        "success",
        2,
        ["E_SERVER", None],
    )


def test_a_hold_ends_the_run_and_frees_the_sync(workshop: Workshop, add_sync: AddSync) -> None:
    sync = add_sync(**play("held"))
    run = workshop.execute(sync)
    assert (run.status, run.error_code, run.error_params) == ("held", "E_SHRUNK", {"gone": 9, "before": 10})
    assert workshop.ask(sync).id != run.id


def test_no_secret_gets_into_the_database(workshop: Workshop, add_sync: AddSync) -> None:
    run = workshop.execute(add_sync(**play("secret", password='ca"nary%1')))
    with workshop.factory() as session:
        lines = session.scalars(select(RunLog.message)).all()
        part = session.scalars(select(RunPartition)).one()
    told = json.dumps([*lines, run.error_message, run.error_params, part.error_message, part.error_params])
    assert lines == ["logging in with --------", "Traceback: the password is --------"]
    assert "nary" not in told


def test_cancel_stops_the_child_and_then_ends_the_run(workshop: Workshop, add_sync: AddSync) -> None:
    run, thread = in_the_background(workshop, add_sync(**play("hang")))
    assert cancel(workshop, run)
    run = end_of(workshop, run, thread)
    assert (run.status, run.error_code, run.error_params) == ("cancelled", "E_CANCELLED", {"by": "Reza"})


def test_a_child_that_ignores_term_is_killed_after_the_grace(
    workshop: Workshop, add_sync: AddSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter(range(100))
    monkeypatch.setattr(process, "killed_for_memory", lambda: next(counts))  # not this one: we did it
    run, thread = in_the_background(workshop, add_sync(**play("ignores_term")))
    cancel(workshop, run)
    assert end_of(workshop, run, thread).status == "cancelled"


def test_a_stopped_process_is_killed_too(workshop: Workshop, add_sync: AddSync) -> None:
    import os

    run, thread = in_the_background(workshop, add_sync(**play("hang")))
    pid = workshop.look(run).child_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    cancel(workshop, run)
    assert end_of(workshop, run, thread).status == "cancelled"


def test_nothing_that_the_child_has_started_survives_a_cancel(workshop: Workshop, add_sync: AddSync) -> None:
    run, thread = in_the_background(workshop, add_sync(**play("helper")))
    until(lambda: len(process.of_run(run.uuid)) == 3, "the child's helpers")
    cancel(workshop, run)
    assert end_of(workshop, run, thread).status == "cancelled"


def test_success_wins_over_a_cancel_that_came_inside_publish(workshop: Workshop, add_sync: AddSync) -> None:
    run, thread = in_the_background(workshop, add_sync(**play("closes_then_hangs")))
    assert cancel(workshop, run)
    run = end_of(workshop, run, thread)
    assert (run.status, run.error_code, run.added) == ("success", None, 3)


def test_a_child_that_stages_nothing_new_is_stopped_and_tried_again(
    workshop: Workshop, add_sync: AddSync
) -> None:
    run = workshop.execute(add_sync(**play("hang"), stall_seconds=1, retries=1))
    assert (run.status, run.attempts[0].error_code, run.stop_reason) == ("pending", "E_STALLED", None)


def test_waiting_for_the_gateway_is_no_stall_but_the_whole_run_has_its_deadline(
    workshop: Workshop, add_sync: AddSync
) -> None:
    run = workshop.execute(add_sync(**play("waits"), stall_seconds=1, timeout_seconds=3, retries=3))
    assert (run.status, run.error_code) == ("failed", "E_TIMEOUT")
    assert run.error_params == {"deadline": "run", "seconds": 3}


def test_the_end_of_the_engine_is_not_held_against_the_run(workshop: Workshop, add_sync: AddSync) -> None:
    run, thread = in_the_background(workshop, add_sync(**play("hang"), retries=0))
    workshop.stopping = True
    run = end_of(workshop, run, thread)
    assert (run.status, run.attempt, run.attempts[0].error_code) == ("pending", 2, "E_INTERRUPTED")
    assert run.sync.consecutive_failures == 0


def test_an_engine_that_may_no_longer_lead_kills_its_child_and_judges_nothing(
    workshop: Workshop, add_sync: AddSync
) -> None:
    run, thread = in_the_background(workshop, add_sync(**play("ignores_term")))
    workshop.lease.forget()
    assert end_of(workshop, run, thread).status == "running"


def test_a_flood_of_log_lines_is_capped_and_says_so(workshop: Workshop, add_sync: AddSync) -> None:
    run = workshop.execute(add_sync(**play("flood")), dry_run=True)
    assert run.status == "success"
    with workshop.factory() as session:
        lines = session.scalars(select(RunLog.message).order_by(RunLog.id)).all()
    assert len(lines) == 2000
    assert lines[0] == "line 0"
    assert "full" in lines[-1]


def test_the_lifeline_ends_a_child_whose_engine_is_gone(workshop: Workshop, add_sync: AddSync) -> None:
    from panel.engine.child import Child

    child = Child(
        STUB,
        {"run": "x", "attempt": 1, "settings": {"play": "hang"}},
        uuid="lifeline",
        cwd=workshop.house.cwd,
    )
    until(lambda: child.read(0.1), "the child's first event")
    assert not child.gone()
    child._process.stdin.close()  # what the kernel does when the engine dies
    until(child.gone, "the child's end")
    child.close()
    assert child.exit_code == 70


def test_a_child_that_cannot_be_started_is_told_in_words(workshop: Workshop, add_sync: AddSync) -> None:
    house = replace(workshop.house, child=("/nowhere/python",))
    run = workshop.claim(workshop.ask(add_sync(**play("success"), retries=0)))
    supervise(house, run.id, workshop.epoch)
    assert (workshop.look(run).status, workshop.look(run).error_code) == ("failed", "E_INTERNAL")


def test_finished_parts_of_an_unfinished_run_are_offered_to_the_next(
    workshop: Workshop, add_sync: AddSync, tmp_path: Path
) -> None:
    sync = add_sync(**play("wrong_password", marks=str(tmp_path)))
    workshop.execute(sync, mode="full")  # another mode
    first = workshop.execute(sync)
    workshop.execute(sync, partitions=[{"campus": "1"}])  # not the whole source
    workshop.execute(sync, dry_run=True)
    second = workshop.execute(sync)
    assert json.loads((tmp_path / f"{second.uuid}.1").read_text())["resume"] == [first.uuid]
    with writing(workshop.factory) as session:
        session.get(DataSync, sync.id).settings = {"play": "success", "marks": str(tmp_path)}
    # Some parts that somebody wished for in between complete nothing of the whole.
    assert workshop.execute(sync, partitions=[{"campus": "1"}]).status == "success"
    with writing(workshop.factory) as session:
        session.get(DataSync, sync.id).settings = {"play": "wrong_password", "marks": str(tmp_path)}
    third = workshop.execute(sync)
    assert json.loads((tmp_path / f"{third.uuid}.1").read_text())["resume"] == [second.uuid, first.uuid]
    with writing(workshop.factory) as session:
        session.get(DataSync, sync.id).settings = {"play": "success", "marks": str(tmp_path)}
    workshop.execute(sync)
    last = workshop.execute(sync)
    assert json.loads((tmp_path / f"{last.uuid}.1").read_text())["resume"] == []
