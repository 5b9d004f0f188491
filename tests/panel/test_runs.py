"""The truth about runs: one active run per sync, changes by compare-and-set, ends that stay."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from panel import runs
from panel.db import writing
from panel.models import DataSync, EngineLease, RunAttempt, RunPartition, SyncRun

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
Factory = sessionmaker[Session]
AddSync = Callable[..., DataSync]


@pytest.fixture
def lead(factory: Factory) -> Callable[[int], None]:
    """Let an engine lead with this epoch."""

    def lead_(epoch: int) -> None:
        with writing(factory) as session:
            session.merge(EngineLease(id=1, owner="test", epoch=epoch))

    return lead_


def ask(factory: Factory, sync: DataSync, **options: object) -> runs.Requested:
    with writing(factory) as session:
        return runs.request(session, sync, **{"triggered_by": "panel", "now": NOW, **options})  # type: ignore[arg-type]


def start(factory: Factory, sync: DataSync, epoch: int = 1) -> SyncRun:
    run = ask(factory, sync, user="Reza").run
    with writing(factory) as session:
        claimed = runs.claim(session, run.id, epoch=epoch, now=NOW)
    assert claimed is not None
    return claimed


def end(
    factory: Factory, run: SyncRun, outcome: runs.Outcome, epoch: int = 1, **options: object
) -> SyncRun | None:
    with writing(factory) as session:
        return runs.finish(session, run.id, outcome, epoch=epoch, now=NOW + timedelta(seconds=90), **options)  # type: ignore[arg-type]


def the_sync(factory: Factory) -> DataSync:
    with factory() as session:
        return session.scalars(select(DataSync)).one()


def test_a_request_makes_a_pending_run_and_shows_it_in_the_status_row(
    factory: Factory, add_sync: AddSync
) -> None:
    sync = add_sync()
    answer = ask(factory, sync, user="Reza", mode="full", partitions=[{"campus": "1110"}])
    assert not answer.joined
    assert answer.run.status == "pending"
    assert answer.run.partitions_wanted == [{"campus": "1110"}]
    assert answer.run.requested_by == "Reza"
    row = the_sync(factory)
    assert (row.status, row.last_run_id) == ("pending", answer.run.id)


def test_a_second_click_while_running_starts_nothing(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    sync = add_sync()
    run = start(factory, sync)
    again = ask(factory, sync)
    assert again.joined
    assert again.run.id == run.id


def test_two_syncs_run_beside_each_other(factory: Factory, add_sync: AddSync) -> None:
    first = ask(factory, add_sync("faculty"))
    second = ask(factory, add_sync("students"))
    assert not first.joined
    assert not second.joined


def test_fifty_triggers_at_once_make_one_run(factory: Factory, add_sync: AddSync) -> None:
    sync = add_sync()
    gate = threading.Barrier(50)
    answers: list[runs.Requested] = []

    def press() -> None:
        gate.wait(30)
        answers.append(ask(factory, sync))

    people = [threading.Thread(target=press) for _ in range(50)]
    for person in people:
        person.start()
    for person in people:
        person.join(60)
    assert len(answers) == 50
    assert sum(not answer.joined for answer in answers) == 1
    assert len({answer.run.id for answer in answers}) == 1


def test_a_due_time_starts_one_run_even_after_that_run_has_ended(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    sync = add_sync()
    run = ask(factory, sync, scheduled_for=NOW).run
    with writing(factory) as session:
        runs.claim(session, run.id, epoch=1, now=NOW)
    end(factory, run, runs.Outcome("success"))
    again = ask(factory, sync, scheduled_for=NOW)
    assert again.joined
    assert again.run.id == run.id


def test_only_one_of_two_claims_gets_the_run(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    run = start(factory, add_sync())
    with writing(factory) as session:
        assert runs.claim(session, run.id, epoch=1, now=NOW) is None
    with factory() as session:
        attempt = session.scalars(select(RunAttempt)).one()
    assert (attempt.number, attempt.epoch, attempt.ended_at) == (1, 1, None)


def test_a_former_leader_claims_nothing(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(2)
    run = ask(factory, add_sync()).run
    with writing(factory) as session:
        assert runs.claim(session, run.id, epoch=1, now=NOW) is None


def test_a_run_whose_time_has_not_come_is_not_claimed(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    run = ask(factory, add_sync()).run
    with writing(factory) as session:
        assert runs.claim(session, run.id, epoch=1, now=NOW - timedelta(seconds=1)) is None


def test_a_former_leader_cannot_end_a_run_that_was_taken_over(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    run = start(factory, add_sync())
    with writing(factory) as session:
        assert runs.adopt(session, run.id, left_by=1, epoch=2)
    assert end(factory, run, runs.Outcome("failed", "E_LOST"), epoch=1) is None
    ended = end(factory, run, runs.Outcome("success"), epoch=2)
    assert ended is not None
    assert ended.status == "success"


@pytest.mark.parametrize("status", ["success", "failed", "cancelled", "held"])
def test_a_run_that_has_ended_keeps_its_status(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None], status: str
) -> None:
    lead(1)
    run = start(factory, add_sync())
    assert end(factory, run, runs.Outcome(status)) is not None
    assert end(factory, run, runs.Outcome("failed", "E_LOST")) is None
    with writing(factory) as session:
        assert not runs.cancel(session, run, now=NOW, user="Reza")
        assert not runs.retry(
            session, run.id, epoch=1, now=NOW, not_before=NOW, error_code="E_LOST", error_params={}
        )
    with pytest.raises(DBAPIError, match="keeps its status"), writing(factory) as session:
        session.execute(text("UPDATE sync_runs SET status = 'running'"))
    assert the_sync(factory).status == status


def test_a_success_counts_its_rows_and_the_difference_to_the_success_before(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    sync = add_sync(consecutive_failures=3)
    counts = {
        "read": 10,
        "added": 10,
        "changed": 0,
        "unchanged": 0,
        "gone": 0,
        "rejected": 0,
        "duplicates": 0,
    }
    first = end(
        factory, start(factory, sync), runs.Outcome("success", counts=counts, records=10, seconds=2.5)
    )
    assert first is not None
    assert (first.read, first.records, first.duration_seconds) == (10, 10, 2.5)
    row = the_sync(factory)
    assert (row.records, row.records_delta, row.consecutive_failures) == (10, None, 0)
    end(factory, start(factory, sync), runs.Outcome("failed", "E_AUTH"))
    row = the_sync(factory)
    assert (row.status, row.error_code, row.consecutive_failures) == ("failed", "E_AUTH", 1)
    end(factory, start(factory, sync), runs.Outcome("success", records=7))
    row = the_sync(factory)
    assert (row.records, row.records_delta, row.error_code) == (7, -3, None)
    assert row.last_success_at == NOW + timedelta(seconds=90)


def test_a_dry_run_changes_neither_the_rows_nor_the_last_success(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    run = ask(factory, add_sync(records=5), dry_run=True).run
    with writing(factory) as session:
        runs.claim(session, run.id, epoch=1, now=NOW)
    assert the_sync(factory).status == "running"
    end(factory, run, runs.Outcome("success", records=99))
    row = the_sync(factory)
    assert (row.status, row.records, row.last_success_at, row.last_run_id) == (None, 5, None, None)


@pytest.mark.parametrize("status", ["success", "failed", "cancelled"])
def test_after_a_rehearsal_the_status_row_shows_the_real_run_before_it(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None], status: str
) -> None:
    lead(1)
    sync = add_sync()
    real = start(factory, sync)
    end(factory, real, runs.Outcome("failed", "E_AUTH"))
    rehearsal = ask(factory, sync, dry_run=True).run
    if status == "cancelled":
        with writing(factory) as session:
            runs.cancel(session, runs.get(session, rehearsal.id), now=NOW, user="maryam")
    else:
        with writing(factory) as session:
            runs.claim(session, rehearsal.id, epoch=1, now=NOW)
        end(factory, rehearsal, runs.Outcome(status, None if status == "success" else "E_SERVER"))
    row = the_sync(factory)
    assert (row.status, row.error_code, row.last_run_id) == ("failed", "E_AUTH", real.id)
    assert row.consecutive_failures == 1


def test_a_run_of_some_parts_does_not_pass_for_a_sync_of_the_whole_source(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    run = ask(factory, add_sync(records=5), partitions=[{"campus": "1110"}]).run
    with writing(factory) as session:
        runs.claim(session, run.id, epoch=1, now=NOW)
    end(factory, run, runs.Outcome("success", records=99))
    row = the_sync(factory)
    assert (row.status, row.records, row.last_success_at) == ("success", 5, None)


def test_a_failure_is_told_in_words(factory: Factory, add_sync: AddSync, lead: Callable[[int], None]) -> None:
    lead(1)
    run = end(factory, start(factory, add_sync()), runs.Outcome("failed", "E_AUTH", {"host": "gateway"}))
    assert run is not None
    assert run.error_message
    assert len(run.error_message) <= 500
    with factory() as session:
        attempt = session.scalars(select(RunAttempt)).one()
    assert (attempt.error_code, attempt.error_message) == ("E_AUTH", run.error_message)


def test_a_success_leaves_no_part_planned(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    run = start(factory, add_sync())
    with writing(factory) as session:
        session.add(RunPartition(run_id=run.id, part="a", position=0, state="planned"))
        session.add(RunPartition(run_id=run.id, part="b", position=1, state="resumed"))
    end(factory, run, runs.Outcome("success"))
    with factory() as session:
        states = session.scalars(select(RunPartition.state).order_by(RunPartition.part)).all()
    assert states == ["done", "resumed"]


def test_cancelling_a_pending_run_ends_it_at_once(factory: Factory, add_sync: AddSync) -> None:
    run = ask(factory, add_sync()).run
    with writing(factory) as session:
        assert runs.cancel(session, run, now=NOW, user="Reza")
    with factory() as session:
        run = runs.get(session, run.id)
    assert (run.status, run.error_code, run.stop_requested_by) == ("cancelled", "E_CANCELLED", "Reza")
    assert run.finished_at == NOW
    assert the_sync(factory).status == "cancelled"
    assert not ask(factory, the_sync(factory)).joined


def test_cancelling_a_running_run_waits_for_its_child(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    run = start(factory, add_sync())
    with writing(factory) as session:
        assert runs.cancel(session, run, now=NOW, user="Reza")
        assert not runs.cancel(session, run, now=NOW, user="Maryam")
    with factory() as session:
        run = runs.get(session, run.id)
    assert (run.status, run.stop_reason, run.stop_requested_by) == ("running", "cancel", "Reza")


def test_a_cancel_outranks_a_deadline_and_forbids_the_retry(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    run = start(factory, add_sync())
    with writing(factory) as session:
        assert runs.request_stop(session, run.id, epoch=1, reason="E_STALLED", now=NOW)
        assert runs.cancel(session, run, now=NOW, user="Reza")
        assert not runs.request_stop(session, run.id, epoch=1, reason="E_TIMEOUT", now=NOW)
        assert not runs.retry(
            session, run.id, epoch=1, now=NOW, not_before=NOW, error_code="E_STALLED", error_params={}
        )


def test_a_retry_is_the_same_run_and_its_attempts_stay_visible(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    run = start(factory, add_sync())
    later = NOW + timedelta(minutes=1)
    with writing(factory) as session:
        assert runs.retry(
            session, run.id, epoch=1, now=NOW, not_before=later, error_code="E_SERVER", error_params={}
        )
    with writing(factory) as session:
        assert runs.claim(session, run.id, epoch=1, now=NOW) is None
    with writing(factory) as session:
        again = runs.claim(session, run.id, epoch=1, now=later)
    assert again is not None
    assert (again.attempt, again.started_at, again.waiting) == (2, NOW, None)
    with factory() as session:
        attempts = session.scalars(select(RunAttempt).order_by(RunAttempt.number)).all()
        assert [(a.number, a.error_code) for a in attempts] == [(1, "E_SERVER"), (2, None)]
        assert runs.tries(session, again) == runs.Tries(in_row=2, all=2)


def test_an_interrupted_attempt_does_not_count(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    run = start(factory, add_sync())
    with writing(factory) as session:
        runs.retry(
            session, run.id, epoch=1, now=NOW, not_before=NOW, error_code="E_INTERRUPTED", error_params={}
        )
        assert runs.tries(session, run) == runs.Tries(in_row=1, all=1)


@pytest.mark.parametrize(
    ("finished", "in_row"),
    [([0], 1), ([0, 0, 0], 3), ([3], 1), ([3, 0], 2), ([0, 0, 1], 1), ([0, 2, 0, 0], 3), ([1, 1, 1, 1], 1)],
)
def test_an_attempt_that_got_further_begins_the_count_anew(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None], finished: list[int], in_row: int
) -> None:
    """Parts that earlier attempts finished are not this one's, also where its child died before it planned."""
    lead(1)
    run = start(factory, add_sync())
    for number, parts in enumerate(finished):
        with writing(factory) as session:
            if number:
                claimed = runs.claim(session, run.id, epoch=1, now=NOW)
                assert claimed is not None
            for part in range(parts):
                session.add(RunPartition(run_id=run.id, part=f"{number}.{part}", position=part, state="done"))
            session.flush()
            run = runs.get(session, run.id)
            if number == len(finished) - 1:
                assert runs.tries(session, run) == runs.Tries(in_row=in_row, all=len(finished))
            runs.retry(
                session, run.id, epoch=1, now=NOW, not_before=NOW, error_code="E_LOST", error_params={}
            )
    with factory() as session:
        attempts = session.scalars(select(RunAttempt).order_by(RunAttempt.number)).all()
        assert [one.parts_done for one in attempts] == finished


def test_attempts_of_a_rehearsal_begin_anew_each_time(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    sync = add_sync()
    with writing(factory) as session:
        asked = runs.request(session, sync, triggered_by="cli", now=NOW, dry_run=True)
        run = runs.claim(session, asked.run.id, epoch=1, now=NOW)
        assert run is not None
        session.add(RunPartition(run_id=run.id, part="x", position=0, state="done"))
        session.flush()
        for number in (1, 2, 3):
            assert runs.tries(session, run) == runs.Tries(number, number)
            runs.retry(
                session, run.id, epoch=1, now=NOW, not_before=NOW, error_code="E_LOST", error_params={}
            )
            run = runs.claim(session, run.id, epoch=1, now=NOW)
            assert run is not None


def test_an_older_run_does_not_overwrite_the_status_row_of_a_newer(
    factory: Factory, add_sync: AddSync, lead: Callable[[int], None]
) -> None:
    lead(1)
    sync = add_sync()
    run = start(factory, sync)
    with writing(factory) as session:
        session.execute(text("UPDATE data_syncs SET last_run_id = NULL, status = 'held'"))
        newer = SyncRun(
            uuid="newer", sync_id=sync.id, status="held", triggered_by="cli", requested_at=NOW, not_before=NOW
        )
        session.add(newer)
        session.flush()
        session.execute(text("UPDATE data_syncs SET last_run_id = :id"), {"id": newer.id})
    end(factory, run, runs.Outcome("failed", "E_LOST"))
    assert the_sync(factory).status == "held"
