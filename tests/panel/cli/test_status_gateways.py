"""`status` tells how each gateway does, and when a run that waits for one goes on."""

import json
import re
from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel.cli import main
from panel.cli.status import waiting_words
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.models import DataSync
from tests.panel import gateway_states as states


@pytest.fixture
def house(instance: Config, control_db: sessionmaker[Session]) -> sessionmaker[Session]:
    """Both sources behind one gateway."""
    with writing(control_db) as session:
        for sync in session.scalars(select(DataSync)):
            sync.settings = {**sync.settings, "base_url": states.ADDRESS}
    return control_db


def status(instance: Config, *arguments: str) -> str:
    answer = CliRunner().invoke(main, ["status", *arguments], env={"PANEL_INSTANCE": str(instance.instance)})
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_a_line_for_each_gateway(house: sessionmaker[Session], instance: Config) -> None:
    assert f"{states.ADDRESS} (faculty, students): not asked yet" in status(instance)
    states.down(instance)
    text = status(instance)
    assert re.search(
        r"down since \d{4}-\d\d-\d\d \d\d:\d\d\. The gateway has a fault of its own \(status 503\)\.", text
    )
    assert re.search(r"The next small question: at \d\d:\d\d:\d\d\.", text)


@pytest.mark.parametrize(
    ("leave", "words"),
    [
        (states.well, "answers"),
        (states.slow, "answers slowly since .*; asked at 50 % of the pace"),
        (states.paused, r"asks for a pause since .*; asked again at \d\d:\d\d:\d\d"),
        (states.failing, r"failing since .*\. The gateway did not answer"),
    ],
)
def test_in_words(house, instance: Config, leave, words: str) -> None:  # type: ignore[no-untyped-def]
    leave(instance)
    assert re.search(re.escape(states.ADDRESS) + r" \(faculty, students\): " + words, status(instance))


def test_json_has_the_gateway_of_each_source(house: sessionmaker[Session], instance: Config) -> None:
    states.down(instance)
    found = json.loads(status(instance, "--json"))
    assert {one["key"]: one["gateway"]["light"] for one in found} == {"faculty": "red", "students": "red"}
    assert json.loads(status(instance, "faculty", "--json"))["gateway"]["gateway"] == states.ADDRESS


def test_a_wait_says_when_it_ends_on_tehrans_clock() -> None:
    assert waiting_words({"reason": "gateway", "until": "2026-11-22T10:35:00+00:00"}) == (
        "waiting for the gateway, goes on at 14:05"
    )
    assert waiting_words({"reason": "retry", "until": None}) == "waiting for another try"
    assert waiting_words({}) == "waiting"
    assert waiting_words({"reason": "turn", "until": (utcnow() + timedelta(1)).isoformat()}).startswith(
        "waiting for its turn at the gateway, goes on at "
    )
