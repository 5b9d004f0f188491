"""What the judges of a soak must see: rows that are stuck or strange, pages that break, words that nobody expected."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from panel import runs
from panel.config import Config
from panel.db import writing
from panel.models import DataSync
from tests.acceptance.store import look
from tests.faults import oracle
from tests.soak import judgement
from tests.soak.actors import Away
from tests.soak.people import Answer, Answers

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def house(control_db: sessionmaker[Session], instance: Config) -> Any:
    """As much of a house as is asked for its rows."""

    def rows(database: str, statement: str) -> list[tuple[Any, ...]]:
        return look(instance.instance / database, statement)[1]

    data = SimpleNamespace(place=instance.instance / "faculty_data.db")
    return SimpleNamespace(rows=rows, data=data, instance=instance.instance)


def test_a_run_that_nobody_ends_and_a_due_time_that_nobody_looks_at_are_named(
    house: Any, control_db: sessionmaker[Session]
) -> None:
    assert judgement.at_rest(house, patience=0) == []
    assert judgement.settled(house, NOW, patience=0) == []
    assert oracle.runs_are_true(house) == []
    with writing(control_db) as session:
        sync = session.get_one(DataSync, 1)
        sync.next_run_at = NOW
        runs.request(session, sync, triggered_by="schedule", now=NOW, scheduled_for=NOW)
    assert ["run 1 is pending" in what for what in judgement.at_rest(house, patience=0)] == [True]
    assert ["nobody judges it" in what for what in judgement.settled(house, NOW, patience=0)] == [True]
    assert oracle.runs_are_true(house) == ["O3: run 1 is pending"]


def test_a_row_that_is_lost_or_strange_or_was_never_so_is_named() -> None:
    versions = {(1,): [{"city": "یزد"}, {"city": "قم"}], (2,): [{"city": "یزد"}]}
    assert judgement.strangers({(1,): {"city": "قم"}, (2,): {"city": "یزد"}}, versions) == []
    assert judgement.strangers({(1,): {"city": "ساری"}, (3,): {"city": "یزد"}}, versions) == [
        "(2,) is lost",
        "nobody ever was (3,)",
        "(1,) is not what the gateway ever said",
    ]


def test_words_that_nobody_expected_are_found_in_the_log() -> None:
    calm = "engine started\nrun ended status=success\nengine ended (killed by signal 9); it is started again in 1 s."
    assert judgement.surprises(calm) == []
    for words in (
        "Traceback (most recent call last):",
        "the engine stumbled job=_tick",
        "a supervisor broke run=3",
    ):
        [found] = judgement.surprises(f"{calm}\n{words}\n  more\n{calm}")
        assert words in found and "more" in found


GOOD = Answer("/healthz", False, 200, 0.02, 0.0)


@pytest.mark.parametrize(
    "answer",
    [
        replace(GOOD, path="/", code=500),
        replace(GOOD, path="/", code=503),
        replace(GOOD, path="/runs/", code=404),
        replace(GOOD, path="/syncs/faculty/run", pressed=True, code=500),
        replace(GOOD, path="/", code=0, words="ConnectionRefusedError"),
        replace(GOOD, path="/", seconds=31.0),
        replace(GOOD, seconds=1.2),
        replace(GOOD, seconds=3.2, waited=2.1),
    ],
)
def test_a_page_that_breaks_or_does_not_come_is_named(answer: Answer) -> None:
    assert Answers([GOOD, answer]).wrong() != []


@pytest.mark.parametrize(
    "answer",
    [
        replace(GOOD, path="/runs/3/cancel", pressed=True, code=409),
        replace(GOOD, path="/syncs/faculty/run", pressed=True, code=503),
        replace(GOOD, path="/", seconds=1.2),
        replace(GOOD, seconds=3.2, waited=2.5),
    ],
)
def test_a_late_button_a_busy_database_and_a_busy_machine_are_nobodys_fault(answer: Answer) -> None:
    assert Answers([GOOD, answer]).wrong() == []


def test_an_answer_counts_unless_the_panel_was_away_at_some_moment_of_it() -> None:
    panel = Away()
    with panel.away():
        assert panel.covers(float("-inf"), float("inf"))
    assert not panel.covers(float("-inf"), 0.0)
    assert not panel.covers(1e12, 2e12)
