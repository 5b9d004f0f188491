"""An installation as it runs in an office: its engine and its panel, real processes, and what they cost and answer."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from bench.gateway import ROOT
from panel import db
from panel.auth import tokens
from panel.clock import utcnow
from panel.config import Config, load
from panel.engine.lease import holder
from panel.models import User

USERNAME, PASSWORD = "maryam", "a long enough secret"
PATIENCE = 120.0  # seconds: only reached when something is wrong
FIRST_EVENT = "the child speaks"  # as panel/engine/supervise.py logs it
_TICK = os.sysconf("SC_CLK_TCK")


class House:
    """One installation in a folder of its own. Use it as a context: it ends what it started."""

    def __init__(self, folder: Path, databases: dict[str, str]) -> None:
        """databases: PANEL_DATABASE_URL and DATA_DATABASE_URL, or nothing for files in the folder."""
        folder.mkdir()
        self.folder = folder
        self.environ = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("PANEL_", "GOLESTAN_", "DATA_DATABASE"))
            },
            **databases,
            "PANEL_ENV_FILE": os.devnull,
            "PANEL_INSTANCE": str(folder / "instance"),
            "PANEL_PORT": str(_free_port()),
            "PANEL_ADMIN_USERNAME": USERNAME,
            "PANEL_ADMIN_PASSWORD": PASSWORD,
            "PANEL_LOG_LEVEL": "debug",  # tells when a child speaks for the first time
        }
        self.config: Config = load(self.environ)
        self._engine_of_rows = db.open_engine(self.config.panel_database_url)
        self.rows: sessionmaker[Session] = db.sessionmaker(self._engine_of_rows, expire_on_commit=False)
        self.engine: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "House":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self._started:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._engine_of_rows.dispose()

    # -- processes ----------------------------------------------------------------------------------------

    def start_engine(self) -> None:
        """Start the engine, and wait until it leads."""
        self.engine = self._start("engine")
        until(self._is_led, "an engine that leads")

    def start_web(self) -> None:
        """Start gunicorn with the panel, and wait until it answers."""
        self._start("web")
        until(self._answers, "a panel that answers")

    def cpu(self) -> float:
        """Seconds of processor time that the engine has used itself, without its children."""
        assert self.engine is not None
        stat = Path(f"/proc/{self.engine.pid}/stat").read_text()
        fields = stat[stat.rfind(")") + 1 :].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def first_events(self) -> dict[int, datetime]:
        """When the engine first heard of each run's child."""
        heard: dict[int, datetime] = {}
        for line in (self.folder / "engine.log").read_text(encoding="utf-8").splitlines():
            if FIRST_EVENT in line:
                told = json.loads(line)
                heard.setdefault(int(told["run"]), datetime.fromisoformat(told["timestamp"]))
        return heard

    def _start(self, command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{command}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "panel", command],
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def _is_led(self) -> bool:
        with self.rows() as session:
            return holder(session) is not None

    def _answers(self) -> bool:
        try:
            return Caller(self.config.port).get("/healthz").status == 200
        except OSError:
            return False

    # -- doors --------------------------------------------------------------------------------------------

    def person(self) -> "Caller":
        """A browser that is signed in."""
        caller = Caller(self.config.port)
        page = caller.get("/login").body.decode()
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found, "no form to sign in"
        answer = caller.post(
            "/login",
            urlencode({"username": USERNAME, "password": PASSWORD, "csrf_token": found[1]}).encode(),
            "application/x-www-form-urlencoded",
        )
        assert answer.status == 302, answer.status
        return caller

    def program(self) -> "Caller":
        """A program with a token that may write."""
        with db.writing(self.rows) as session:
            user = session.scalars(select(User).where(User.username == USERNAME)).one()
            _, secret = tokens.create(session, user, "bench", "write", utcnow(), None)
        return Caller(self.config.port, {"Authorization": f"Bearer {secret}"})


class Answer:
    """Status, body, and the seconds from the request's first byte to the answer's last."""

    def __init__(self, status: int, body: bytes, seconds: float) -> None:
        self.status = status
        self.body = body
        self.seconds = seconds


class Caller:
    """One connection to the panel, kept open, with its cookies."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._headers = headers or {}
        self._cookies = SimpleCookie[str]()

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None, {})

    def post(self, path: str, body: bytes, kind: str) -> Answer:
        return self._ask("POST", path, body, {"Content-Type": kind})

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in self._cookies.items())
        origin = f"http://127.0.0.1:{self._connection.port}"
        sent = {**self._headers, **headers, "Cookie": cookie, "Origin": origin}
        began = time.perf_counter()
        self._connection.request(method, path, body, sent)
        answer = self._connection.getresponse()
        text = answer.read()
        seconds = time.perf_counter() - began
        for line in answer.headers.get_all("Set-Cookie") or ():
            self._cookies.load(line)
        return Answer(answer.status, text, seconds)


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    """Wait for a condition. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
