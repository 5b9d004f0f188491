"""`python -m fetchers SOURCE` in a terminal, and a wrong password, with no panel anywhere."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.acceptance.children import CANARY, KEYS, wanted
from tests.acceptance.house import ask


def by_hand(*arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.run("fetchers", *arguments, env={**os.environ, "COLUMNS": "200"})


@pytest.fixture
def hand(plane, simulator):
    """A simulator, a destination, and the arguments of a command for them."""

    def make(source: str, *options: str, **settings: Any):
        gateway = simulator("--size", "tiny", "--seed", "3", *options)
        house = plane()
        path = house.folder / "settings.json"
        path.write_text(json.dumps(house.settings(gateway, source, **settings)), encoding="utf-8")
        return house, gateway, (source, "--settings", str(path), "--database", f"sqlite:///{house.path}")

    return make


def test_a_source_syncs_by_hand_with_its_progress_on_stderr(hand):
    house, gateway, command = hand("students")
    done = by_hand(*command)
    assert (done.returncode, done.stdout) == (0, "")
    assert "added" in done.stderr
    for table in ("student_terms", "Students"):
        assert house.table(table) == wanted(gateway, table)
    again = by_hand(*command, "--full")
    assert again.returncode == 0
    assert "added 0, changed 0" in again.stderr


def test_json_prints_the_events_and_nothing_else(hand):
    house, gateway, command = hand("faculty")
    done = by_hand(*command, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, events[-1]["event"], done.stderr) == (0, "result", "")
    assert house.table("faculty") == wanted(gateway, "faculty")


def test_a_dry_run_by_hand_makes_no_file_but_its_own_and_what_it_learnt_of_the_gateway(hand):
    house, _, command = hand("faculty")
    done = by_hand(*command, "--dry-run", "--json")
    assert json.loads(done.stdout.splitlines()[-1])["counts"]["added"] > 0
    assert not house.path.exists()
    assert sorted(path.name for path in house.folder.iterdir()) == ["gateways", "rehearsals", "settings.json"]


def test_a_part_that_comes_to_nothing_is_held_with_code_3(hand):
    house, gateway, command = hand("faculty")
    assert by_hand(*command).returncode == 0
    before = house.table("faculty")
    ask(f"{gateway.url}/__sim__/fault", {"kind": "empty", "endpoint": "faculty", "times": None})
    done = by_hand(*command)
    assert done.returncode == 3
    assert "E_SHRUNK" in done.stderr
    assert house.table("faculty") == before


@pytest.fixture
def alone(plane):
    """A destination and the arguments of a command, before a gateway that is not there."""
    house = plane()
    path = house.folder / "settings.json"
    path.write_text(json.dumps({"base_url": "http://127.0.0.1:9", "username": "a", "password": "canary"}))
    return house, ("faculty", "--settings", str(path), "--database", f"sqlite:///{house.path}")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--settings", "/nowhere/settings.json"], "No such file"),
        (["--database", "mysql://u:canary@h/d"], "is not a destination"),
        (["--database", ""], "is not a destination"),
        (["--stranger"], "unrecognized arguments"),
    ],
)
def test_wrong_use_is_code_2_and_a_sentence(alone, change, words):
    _, command = alone
    done = by_hand(*command, *change)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr


@pytest.mark.parametrize("text", ["", "[]", '["canary"]', "{", '"canary"'])
def test_settings_that_are_no_object_are_wrong_use(alone, text):
    house, command = alone
    (house.folder / "settings.json").write_text(text)
    done = by_hand(*command)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr


def test_a_source_that_is_not_there_fails_with_its_name(alone):
    house, command = alone
    done = by_hand("../secrets", *command[1:])
    assert done.returncode == 1
    assert "E_FETCHER" in done.stderr
    assert not house.path.exists()


def everything_written(folder: Path) -> bytes:
    return b"".join(
        path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".json"
    )


@pytest.mark.parametrize("source", ["faculty", "students"])
def test_a_wrong_password_is_tried_exactly_once_and_stands_nowhere(hand, source):
    house, gateway, command = hand(source)
    assert by_hand(*command).returncode == 0
    before = {table: house.table(table) for table in KEYS if house.rows(f"PRAGMA table_info({table})")}
    since = max(one["n"] for one in ask(f"{gateway.url}/__sim__/requests"))
    settings = json.loads(Path(command[2]).read_text())
    Path(command[2]).write_text(json.dumps({**settings, "password": CANARY}))
    done = by_hand(*command, "--json")
    requests = ask(f"{gateway.url}/__sim__/requests?since={since}")
    assert [(one["endpoint"], one["status"]) for one in requests] == [("login", 401)]
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, last["event"], last["error"]["code"]) == (1, "error", "E_AUTH")
    assert last["error"]["retryable"] is False
    assert {table: house.table(table) for table in before} == before
    written = everything_written(house.folder) + done.stdout.encode() + done.stderr.encode()
    for form in (CANARY, json.dumps(CANARY)[1:-1]):
        assert form.encode() not in written
    assert b"canary" not in written


def test_the_right_password_stands_nowhere_either(hand):
    house, gateway, command = hand("students", "--password", CANARY, password=CANARY)
    done = by_hand(*command, "--json")
    assert done.returncode == 0
    written = everything_written(house.folder) + done.stdout.encode() + done.stderr.encode()
    assert b"canary" not in written
