"""`python -m panel sync`: asks, executes where no engine runs, follows, and ends with a telling exit code."""

import json
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from panel import probe
from panel.config import Config, load
from tests.acceptance.house import ask
from tests.panel.cli.terminal import Terminal, last_json, wait_for


@pytest.fixture
def gateway(simulator: Callable[..., Any]) -> Any:
    return simulator("--size", "tiny", "--profile", "calm")


ENVIRON = {"GOLESTAN_CAMPUSES": "1110,1120", "GOLESTAN_FIRST_TERM": "4043"}


@pytest.fixture(scope="module")
def quick_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance with two campuses and a few terms that spares its gateway nothing; copied for each test."""
    folder = tmp_path_factory.mktemp("quick") / "instance"
    assert Terminal(folder, ENVIRON)("set", "students", "requests_per_second=0").returncode == 0
    return folder


@pytest.fixture
def terminal(tmp_path: Path, gateway: Any, quick_instance: Path) -> Terminal:
    """An instance whose gateway is a simulator."""
    shutil.copytree(quick_instance, tmp_path / "instance")
    login = {
        "GOLESTAN_BASE_URL": gateway.url,
        "GOLESTAN_USERNAME": gateway.username,
        "GOLESTAN_PASSWORD": gateway.password,
    }
    return Terminal(tmp_path / "instance", {**ENVIRON, **login})


def test_a_sync_succeeds_and_a_second_one_finds_nothing_new(terminal: Terminal) -> None:
    first = terminal("sync", "faculty", "--json")
    assert first.returncode == 0, first.stderr
    run = last_json(first)
    assert (run["sync"], run["status"], run["triggered_by"]) == ("faculty", "success", "cli")
    assert run["counts"]["added"] > 0
    again = last_json(terminal("sync", "faculty", "--json"))
    assert (again["counts"]["added"], again["counts"]["changed"], again["counts"]["gone"]) == (0, 0, 0)
    listed = json.loads(terminal("runs", "--json").stdout)
    assert [one["id"] for one in listed] == [again["id"], run["id"]]
    status = json.loads(terminal("status", "faculty", "--json").stdout)
    assert status["last_run"] == again
    assert status["records"] == run["counts"]["added"]


def test_a_rehearsal_tells_what_a_sync_would_do_and_how_it_would_end(
    terminal: Terminal, gateway: Any
) -> None:
    fresh = terminal("sync", "faculty", "--dry-run")
    assert fresh.returncode == 0, fresh.stderr
    assert "rehearsal, success" in fresh.stdout and "Nothing was written." in fresh.stdout
    assert "first load, 1 lines:\n  everything: " in fresh.stdout
    with closing(sqlite3.connect(terminal.instance / "faculty_data.db")) as db:  # the engine's fence is there
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'faculty'").fetchone() == (0,)
    assert terminal("sync", "faculty").returncode == 0
    ask(f"{gateway.url}/__sim__/delta", {"added": 12, "changed": 1, "stream": "faculty"})
    small = terminal("sync", "faculty", "--dry-run").stdout
    assert "added, 12 rows:" in small and "… and 2 more" in small and "changed, 1 rows:" in small
    ask(f"{gateway.url}/__sim__/fault", {"kind": "half", "endpoint": "faculty", "times": None})
    held = terminal("sync", "faculty", "--dry-run", "--json")
    run = last_json(held)
    assert (held.returncode, run["status"], run["error_code"]) == (3, "success", None)
    assert run["partitions"]["held"] == 1
    said = terminal("sync", "faculty", "--dry-run")
    assert said.returncode == 3 and "The real run would be held, 1 of its parts: " in said.stdout
    status = json.loads(terminal("status", "faculty", "--json").stdout)
    assert (status["status"], status["last_run"]["partitions"]["held"]) == ("success", 0)
    assert "(rehearsal)" in terminal("runs").stdout.replace("\n", " ")


def test_a_preview_asks_for_one_page_and_writes_nothing(terminal: Terminal, gateway: Any) -> None:
    seen = terminal("preview", "faculty")
    assert seen.returncode == 0, seen.stderr
    assert "Nothing was written." in seen.stdout and "••••" in seen.stdout
    asked = [one for one in ask(f"{gateway.url}/__sim__/requests") if one["endpoint"] == "faculty"]
    assert len(asked) == 1
    assert not (terminal.instance / "faculty_data.db").exists()
    ask(f"{gateway.url}/__sim__/fault", {"kind": "html", "endpoint": "faculty", "times": None})
    refused = terminal("preview", "faculty")
    assert refused.returncode == 1 and "E_NOT_JSON" in refused.stderr


def test_a_person_reads_sentences_and_progress_goes_to_stderr(terminal: Terminal) -> None:
    ended = terminal("sync", "faculty")
    assert ended.returncode == 0
    assert ended.stdout.startswith("faculty: success in ")
    assert "Traceback" not in ended.stderr


def test_one_part_can_be_chosen(terminal: Terminal, tmp_path: Path) -> None:
    run = last_json(terminal("sync", "students", "--partition", "campus=1110,term=4043", "--json"))
    assert run["status"] == "success"
    assert run["partitions"]["planned"] == 1
    with closing(sqlite3.connect(tmp_path / "instance" / "faculty_data.db")) as connection:
        parts = connection.execute("SELECT DISTINCT codePardis, term FROM student_terms").fetchall()
    assert parts == [("1110", "4043")]


def test_one_person_is_synced_by_the_parts_in_which_they_are(
    terminal: Terminal, gateway: Any, tmp_path: Path
) -> None:
    nobody = terminal("sync", "students", "--person", "40311234501")
    assert nobody.returncode == 2
    assert "Nobody with the number 40311234501 is stored" in nobody.stderr
    assert json.loads(terminal("runs", "--json").stdout) == [], "a number that is nowhere starts nothing"

    assert terminal("sync", "students").returncode == 0
    with closing(sqlite3.connect(tmp_path / "instance" / "faculty_data.db")) as connection:
        number, campus = connection.execute(
            "SELECT studentnum, min(codePardis) FROM student_terms GROUP BY 1 HAVING count(DISTINCT codePardis) = 1"
        ).fetchone()
    asked = terminal("sync", "students", "--person", number, "--json")
    run = last_json(asked)
    assert run["status"] == "success", asked.stderr
    # All terms of this instance are open, so it is their campus, whole.
    assert run["partitions"]["planned"] == asked_terms(tmp_path, run["id"], campus) > 1
    both = terminal("sync", "students", "--person", number, "--partition", "campus=1110")
    assert (both.returncode, "exclude one another" in both.stderr) == (2, True)
    assert "fetched as one whole" in terminal("sync", "faculty", "--person", number).stderr


def asked_terms(tmp_path: Path, run: int, campus: str) -> int:
    with closing(sqlite3.connect(tmp_path / "instance" / "panel.db")) as connection:
        parts = connection.execute("SELECT part FROM run_partitions WHERE run_id = ?", (run,)).fetchall()
    assert all(part.startswith(f"campus={campus},") for (part,) in parts)
    return len(parts)


def test_a_wrong_password_ends_with_1_and_appears_nowhere(terminal: Terminal, tmp_path: Path) -> None:
    terminal.environ["GOLESTAN_PASSWORD"] = "canary-Zx9"
    ended = terminal("sync", "faculty", "--json")
    assert ended.returncode == 1
    run = last_json(ended)
    assert (run["status"], run["error_code"], run["attempt"]) == ("failed", "E_AUTH", 1)
    assert "canary" not in ended.stdout + ended.stderr
    for file in (tmp_path / "instance").rglob("*"):
        assert not file.is_file() or b"canary" not in file.read_bytes(), file


def test_incomplete_settings_end_with_1_and_say_so(tmp_path: Path) -> None:
    run = last_json(Terminal(tmp_path / "instance")("sync", "faculty", "--json"))
    assert (run["status"], run["error_code"]) == ("failed", "E_SETTINGS")


def test_ctrl_c_cancels_a_run_that_the_command_executes_itself(
    tmp_path: Path, simulator: Callable[..., Any]
) -> None:
    slow = simulator("--size", "tiny", "--latency", "1500")
    terminal = Terminal(
        tmp_path / "instance",
        {
            "GOLESTAN_BASE_URL": slow.url,
            "GOLESTAN_USERNAME": slow.username,
            "GOLESTAN_PASSWORD": slow.password,
            "GOLESTAN_CAMPUSES": "1110,1120,1810",
        },
    )
    process = terminal.start("sync", "students", "--json")

    def running() -> bool:
        if not (tmp_path / "instance" / "panel.db").exists():
            return False
        with closing(sqlite3.connect(tmp_path / "instance" / "panel.db", timeout=10)) as connection:
            try:
                found = connection.execute("SELECT status, child_pid FROM sync_runs").fetchone()
            except sqlite3.OperationalError:  # not migrated yet
                return False
        return found is not None and found[0] == "running" and found[1] is not None

    wait_for(running)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    run = json.loads(out.strip().splitlines()[-1])
    assert (run["status"], run["error_code"]) == ("cancelled", "E_CANCELLED")


def test_the_probe_tells_a_good_login_from_a_bad_one_and_from_silence(tmp_path: Path, gateway: Any) -> None:
    config: Config = load({"PANEL_INSTANCE": str(tmp_path)})
    login = {"base_url": gateway.url, "username": gateway.username, "password": gateway.password}
    assert probe.check("faculty", login, config).ok
    refused = probe.check("faculty", {**login, "password": "canary"}, config)
    assert (refused.ok, refused.code) == (False, "E_AUTH")
    assert "canary" not in repr(refused)
    gateway.process.kill()
    gateway.process.wait()
    gone = probe.check("faculty", login, config)
    assert (gone.ok, gone.code) == (False, "E_CONNECT")
    gateway_that_hangs = probe.check("faculty", login, config, limit=0.01)
    assert (gateway_that_hangs.ok, gateway_that_hangs.code) == (False, "E_TIMEOUT")


def test_the_doctor_asks_the_gateway(terminal: Terminal, gateway: Any) -> None:
    assert terminal("doctor").returncode == 0
    gateway.process.kill()
    gateway.process.wait()
    ill = terminal("doctor")
    assert ill.returncode == 1
    assert "bad  faculty: " in ill.stdout
