"""`python -m panel up`: starts everything, watches over it, ends all of it; a demonstration where nothing is set up."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from queue import Empty, Queue
from typing import IO

import psutil
import pytest
from sqlalchemy import select

from panel.config import Config, load
from panel.db import open_engine, sessionmaker, writing
from panel.models import User
from panel.seed import Seeded, prepare
from panel.service import demo, supervisor
from panel.service.welcome import welcome
from panel.settings import save
from tests.panel.cli.terminal import Terminal, last_json, wait_for


class Up:
    """A running `up`, what it says, and its processes."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.process = terminal.start("up")
        self.said: list[str] = []
        self.errors: list[str] = []
        self._lines: Queue[str] = Queue()
        self._readers: list[threading.Thread] = []
        for pipe, into in ((self.process.stdout, self.said), (self.process.stderr, self.errors)):
            self._readers.append(threading.Thread(target=self._read, args=(pipe, into), daemon=True))
            self._readers[-1].start()

    def _read(self, pipe: IO[str], into: list[str]) -> None:
        with pipe:
            for line in pipe:
                into.append(line)
                self._lines.put(line)

    def says(self, words: str) -> str:
        """Wait until it says something with these words."""

        def said() -> str | None:
            try:
                self._lines.get(timeout=0.2)
            except Empty:
                assert self.process.poll() is None, "".join(self.said + self.errors)
            return next((line for line in self.said + self.errors if words in line), None)

        return str(wait_for(said, 120))

    def programs(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def program(self, words: str) -> psutil.Process | None:
        """The direct child whose command line holds these words."""
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # or a zombie
                if words in " ".join(child.cmdline()):
                    return child
        return None

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(60)
        for reader in self._readers:
            reader.join(30)


@pytest.fixture
def terminal(tmp_path: Path, free_port: int) -> Terminal:
    return Terminal(tmp_path / "instance", {"PANEL_PORT": str(free_port)})


@pytest.fixture
def start() -> Iterator[type[Up]]:
    started: list[Up] = []

    def start(terminal: Terminal) -> Up:
        started.append(Up(terminal))
        return started[-1]

    yield start  # type: ignore[misc]
    for one in started:
        one.close()


def gone(processes: list[psutil.Process]) -> bool:
    return not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_a_bare_start_is_a_demonstration_that_syncs_and_leaves_nothing_behind(
    terminal: Terminal, start: type[Up], tmp_path: Path
) -> None:
    up = start(terminal)
    assert f":{terminal.environ['PANEL_PORT']}" in up.says("Hamgam is ready")
    up.says("This is the demonstration")
    assert re.search(r"Password +[a-z0-9]{5}(-[a-z0-9]{5}){3}", "".join(up.said))
    assert not (tmp_path / "instance" / "panel.db").exists(), "the real house is not touched"

    synced = terminal("--demo", "sync", "faculty", "--json")
    assert synced.returncode == 0, synced.stderr
    assert last_json(synced)["counts"]["added"] > 100

    second = terminal("up", "--demo")
    assert second.returncode == 2
    assert f"runs here already (process {up.process.pid}" in second.stderr

    # What dies is started again: the engine, and with the same address the simulator.
    for words in ("panel engine", "fetchers.golestan.simulator"):
        former = up.program(words)
        assert former is not None
        former.kill()
        wait_for(lambda words=words, former=former: (found := up.program(words)) and found.pid != former.pid)
    up.says("engine ended (killed by signal 9)")
    again = terminal("--demo", "sync", "faculty", "--json")
    assert again.returncode == 0, again.stderr
    assert last_json(again)["counts"]["added"] == 0

    processes = up.programs()
    assert len(processes) >= 5, "simulator, engine, gunicorn with two workers"
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 0
    assert gone(processes)


def test_a_demonstration_that_nobody_asked_for_is_left_for_the_real_house(
    terminal: Terminal, start: type[Up], tmp_path: Path
) -> None:
    up = start(terminal)
    up.says("Hamgam is ready")
    former = up.programs()
    web = up.program("gunicorn")
    assert web is not None
    door = Path(web.environ()[demo.DOOR])
    engine = open_engine(f"sqlite:///{tmp_path / 'instance' / 'demo' / 'panel.db'}")
    with sessionmaker(engine)() as session:
        guest = session.scalars(select(User)).one()
    engine.dispose()
    demo.leave(door, load({"PANEL_INSTANCE": str(tmp_path / "instance")}), guest)
    up.says("Your own house starts")
    wait_for(lambda: "".join(up.said).count("Hamgam is ready") == 2, 120)
    assert gone(former) and not door.exists()
    assert "".join(up.said).count("Password") == 1, "who comes along keeps theirs"
    status = terminal("status", "--json")
    assert status.returncode == 0, status.stderr
    real = up.program("gunicorn")
    assert real is not None and demo.DOOR not in real.environ()
    processes = up.programs()
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(60) == 0
    assert gone(processes)
    again = start(terminal)
    again.says("Hamgam is ready")
    assert "demonstration" not in "".join(again.said), "from now on it is the real house"


def test_a_demonstration_that_was_asked_for_has_no_way_out(terminal: Terminal, start: type[Up]) -> None:
    terminal.environ["PANEL_DEMO"] = "1"
    up = start(terminal)
    up.says("Hamgam is ready")
    web = up.program("gunicorn")
    assert web is not None and demo.DOOR not in web.environ()


def test_kill_9_of_up_ends_its_programs(terminal: Terminal, start: type[Up]) -> None:
    up = start(terminal)
    up.says("Hamgam is ready")
    processes = up.programs()
    up.process.kill()
    up.process.wait(10)
    wait_for(lambda: gone(processes), 60)
    again = start(terminal)
    again.says("Hamgam is ready")
    assert "Password" not in "".join(again.said).replace("Forgotten the password", "")


def test_a_port_in_use_is_told_before_anything_starts(terminal: Terminal, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(terminal.environ["PANEL_PORT"])))
        other.listen()
        refused = terminal("up")
    assert refused.returncode == 2
    assert "choose another port with PANEL_PORT" in refused.stderr
    assert not (tmp_path / "instance" / "demo" / "panel.db").exists()


def test_a_panel_that_cannot_start_ends_up_with_1(tmp_path: Path, free_port: int) -> None:
    config = load({"PANEL_INSTANCE": str(tmp_path), "PANEL_PORT": str(free_port), "PANEL_ENGINE": "inline"})
    prepare(config)
    environ = {**os.environ, "PANEL_INSTANCE": str(tmp_path), "PANEL_PORT": str(free_port)}
    program = (
        "import sys; from panel.service import supervisor; supervisor.web_command = lambda: "
        "[sys.executable, '-m', 'no_such_module']; sys.exit(supervisor.up(False))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**environ, "PANEL_ENGINE": "inline"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "The panel did not start" in ended.stderr


def with_environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **environ: str) -> Config:
    for name, value in {"PANEL_INSTANCE": str(tmp_path), **environ}.items():
        monkeypatch.setenv(name, value)
    return load(demo=False)


def test_a_gateway_in_the_environment_makes_a_real_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_environ(monkeypatch, tmp_path)
    assert demo.is_due()
    monkeypatch.setenv("GOLESTAN_BASE_URL", "http://gateway.example")
    assert not demo.is_due()


def test_a_gateway_saved_in_the_panel_makes_a_real_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = with_environ(monkeypatch, tmp_path)
    prepare(config)
    assert demo.is_due(), "an empty house is not set up"
    engine = open_engine(config.panel_database_url)
    with writing(sessionmaker(engine)) as session:
        from panel.cli.house import sync_of

        saved = save(
            sync_of(session, "faculty"), {"base_url": "http://gateway.example"}, session, config, "maryam"
        )
        assert saved.problems == []
    engine.dispose()
    assert not demo.is_due()


def test_a_person_in_the_real_house_makes_a_real_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = with_environ(monkeypatch, tmp_path)
    prepare(config, administrator=True)
    assert not demo.is_due()


@pytest.mark.parametrize(("value", "due"), [("1", True), ("0", False)])
def test_the_environment_may_decide_about_the_demonstration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, due: bool
) -> None:
    with_environ(monkeypatch, tmp_path)
    monkeypatch.setenv("PANEL_DEMO", value)
    assert demo.is_due() is due


def test_a_simulators_address_never_enters_a_real_house(instance: Config) -> None:
    with pytest.raises(AssertionError):
        demo.furnish(instance, "http://127.0.0.1:1", lambda: True)


def test_the_greeting_warns_of_plain_http_beyond_this_machine(instance: Config) -> None:
    assert "without encryption" not in welcome(instance, Seeded())
    everywhere = welcome(replace(instance, host="0.0.0.0"), Seeded())
    assert "listens on 0.0.0.0 without encryption" in everywhere
    assert "http://127.0.0.1:8000" in everywhere


def test_a_program_that_keeps_dying_is_started_ever_more_slowly(instance: Config) -> None:
    prepare(instance)
    with supervisor.Household(instance) as household:
        program = supervisor.Program("engine", [sys.executable, "-m", "no_such_module"])
        household._start(program)
        pauses = []
        for _ in range(4):
            assert program.process is not None
            program.process.wait(60)
            household._look_after()
            pauses.append(program.pause)
            program.not_before = 0.0
            household._look_after()
        assert pauses == [1.0, 2.0, 4.0, 8.0]


def test_a_log_that_has_grown_large_becomes_the_older_one_under_its_program(
    instance: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervisor, "LARGEST_LOG", 100)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    instance.logs.mkdir()
    log, older = instance.logs / "engine.log", instance.logs / "engine.log.1"
    with supervisor.Household(instance) as household, log.open("ab", buffering=0) as programs_own:
        programs_own.write(b"x" * 101)
        household.shorten_logs()
        programs_own.write(b"y")
        assert (older.read_bytes(), log.read_bytes()) == (b"x" * 101, b"y")
        household.shorten_logs()  # it is short now
        assert log.read_bytes() == b"y"
        older.unlink()
        older.mkdir()  # what cannot be written: a full disk must not end `up`
        programs_own.write(b"z" * 101)
        household.shorten_logs()
        assert log.read_bytes() == b""
    assert "engine.log was emptied" in capsys.readouterr().err
