"""A whole installation: `python -m panel up` with its gunicorn and engine, in front of a simulated gateway."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import psutil
import pytest

from panel.engine.process import RUN_VARIABLE
from tests import warm
from tests.acceptance.store import Store, plain
from tests.conftest import ROOT, Gateway

USERNAME, PASSWORD = "maryam", "a long enough secret"
GATEWAY_PASSWORD = "canary-7f3b-gateway"


def until(condition: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Wait for a condition to be true, and give its value; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:.0f} s for: {what}")


def ask(url: str, body: Any = None) -> Any:
    """GET, or POST JSON, without credentials: for /healthz and the simulator's control."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def truth(gateway: Gateway, table: str) -> list[dict[str, Any]]:
    """What a perfect reader would have stored."""
    with urllib.request.urlopen(f"{gateway.url}/__sim__/truth/{table}", timeout=60) as answer:
        return [json.loads(line) for line in answer.read().splitlines() if line.strip()]


class House:
    """One installation in a folder of its own."""

    root = ROOT  # where the product is

    def __init__(self, folder: Path, gateway: Gateway, port: int, database: str = "") -> None:
        """database: the destination's address on a server; "": a file of its own."""
        self.instance = folder / "instance"
        self.data = Store(plain(database) or self.instance / "faculty_data.db")
        self.gateway = gateway
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.up_process: subprocess.Popen[str] | None = None
        campuses = folder / "campuses.csv"
        rows = ask(f"{gateway.url}/__sim__/campuses")
        campuses.write_text(
            "pardis_code,name,province_code,type\n"
            + "".join(
                f"{row['pardis_code']},{row['name']},{row['province_code']},{row['type']}\n" for row in rows
            ),
            encoding="utf-8",
        )
        terms = ask(f"{gateway.url}/__sim__/terms")
        self.environ = {
            **{
                key: value for key, value in os.environ.items() if not key.startswith(("PANEL_", "GOLESTAN_"))
            },
            "PANEL_ENV_FILE": os.devnull,
            "PANEL_INSTANCE": str(self.instance),
            "PANEL_PORT": str(port),
            "PANEL_ADMIN_USERNAME": USERNAME,
            "PANEL_ADMIN_PASSWORD": PASSWORD,
            "GOLESTAN_BASE_URL": gateway.url,
            "GOLESTAN_USERNAME": gateway.username,
            "GOLESTAN_PASSWORD": gateway.password,
            "GOLESTAN_CAMPUSES": str(campuses),
            "GOLESTAN_FIRST_TERM": min(
                str(term["term"] if isinstance(term, dict) else term) for term in terms
            ),
        }
        if database:
            self.environ["DATA_DATABASE_URL"] = str(self.data.place)

    # -- processes ----------------------------------------------------------------------------------------

    def up(self) -> "House":
        """Start everything, and wait until the panel answers and the engine leads."""
        self.start()
        until(self.healthy, "a panel that answers and an engine that leads", 90)
        return self

    def start(self) -> None:
        """Start everything, and wait for nothing."""
        log = (self.instance.parent / "up.log").open("a", encoding="utf-8")
        self.up_process = subprocess.Popen(
            [sys.executable, "-m", "panel", "up"],
            cwd=self.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        log.close()

    def healthy(self) -> bool:
        try:
            return bool(ask(f"{self.url}/healthz")["engine"] == "up")
        except (OSError, ValueError):
            return False

    def down(self) -> None:
        """End `up` in order, if it runs; then whatever is left of this installation is an error."""
        if self.up_process is not None and self.up_process.poll() is None:
            self.up_process.terminate()
            self.up_process.wait(60)
        self.up_process = None

    def processes(self, *words: str) -> list[psutil.Process]:
        """The processes of this installation whose command line holds all these words."""
        found = []
        runs = self._runs()
        for process in psutil.process_iter():
            try:
                environ = process.environ()
                command = process.cmdline()
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
            # A run's process inherits no setting of ours; it is known by its run.
            ours = environ.get("PANEL_INSTANCE") == str(self.instance) or environ.get(RUN_VARIABLE) in runs
            if (
                ours
                and process.status() != psutil.STATUS_ZOMBIE
                and all(word in " ".join(command) for word in words)
            ):
                found.append(process)
        return found

    def _runs(self) -> set[str]:
        try:
            return {str(uuid) for (uuid,) in self.rows("panel.db", "SELECT uuid FROM sync_runs")}
        except sqlite3.OperationalError:
            return set()  # there is no database yet

    def child(self) -> psutil.Process | None:
        """The process that fetches now."""
        return next(iter(self.processes("-m fetchers")), None)

    def engine(self) -> psutil.Process:
        [engine] = self.processes("panel", "engine")
        return engine

    # -- doors --------------------------------------------------------------------------------------------

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "panel", *words]

    def cli(self, *words: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return warm.run("panel", *words, env=self.environ, timeout=seconds)

    def sync(self, key: str, *words: str) -> tuple[int, dict[str, Any]]:
        """Sync by command: its exit code, and the run."""
        done = self.cli("sync", key, "--json", *words)
        assert done.stdout.strip(), done.stderr
        return done.returncode, json.loads(done.stdout.splitlines()[-1])

    def token(self) -> str:
        """A bearer token that may write."""
        done = self.cli("token", "create", USERNAME, "test", "--write")
        assert done.returncode == 0, done.stderr
        return re.findall(r"\S{40,}", done.stdout)[-1]

    def api(self, token: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def browser(self) -> "Browser":
        """Somebody signed in, without a screen."""
        return Browser(self)

    def rows(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Ask one of the installation's SQLite files."""
        connection = sqlite3.connect(f"file:{self.instance / database}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def run_status(self, run_id: int) -> str:
        return str(self.rows("panel.db", f"SELECT status FROM sync_runs WHERE id = {int(run_id)}")[0][0])

    def asked_parts(self) -> list[tuple[str, str]]:
        """(campus, term) of each students request in the gateway's log."""
        log = ask(f"{self.gateway.url}/__sim__/requests")
        entries = log["requests"] if isinstance(log, dict) else log
        return [(entry["campus"], entry["term"]) for entry in entries if entry["endpoint"] == "students"]


class Browser:
    """The panel's pages, by hand: cookies, CSRF token, forms."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.post("/login", username=USERNAME, password=PASSWORD)
        assert "/login" not in self.open("/").geturl()

    def open(self, path: str, data: bytes | None = None) -> Any:
        headers = {"Origin": self.house.url, "Accept": "text/html"}
        return self._opener.open(
            urllib.request.Request(self.house.url + path, data=data, headers=headers), timeout=60
        )

    def page(self, path: str) -> str:
        return str(self.open(path).read().decode())

    def post(self, path: str, **fields: str) -> None:
        form = self.page("/login" if path == "/login" else "/")
        token = re.search(
            r'name="csrf_token"[^>]*value="([^"]+)"|name="csrf-token"[^>]*content="([^"]+)"', form
        )
        assert token is not None, "no CSRF token on the page"
        data = urllib.parse.urlencode({"csrf_token": token[1] or token[2], **fields}).encode()
        self.open(path, data)


@pytest.fixture
def build_house(
    tmp_path: Path, simulator: Callable[..., Gateway], migrated_database: Path
) -> Iterator[Callable[..., House]]:
    """Build installations: `build_house("--size", "tiny", …simulator options)`. They end with the test.

    Each finds the schema made; its first command or `up` seeds it. From nothing start tests/panel/cli/test_up.py and
    the tutorial.
    """
    houses: list[House] = []

    def build(*options: str, database: str = "") -> House:
        gateway = simulator(*options, "--password", GATEWAY_PASSWORD)
        gateway = Gateway(gateway.url, gateway.process, password=GATEWAY_PASSWORD)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        folder = tmp_path / f"house{len(houses)}"
        folder.mkdir()
        house = House(folder, gateway, port, database)
        houses.append(house)
        house.instance.mkdir(mode=0o700)
        shutil.copy(migrated_database, house.instance / "panel.db")
        return house

    yield build
    for house in houses:
        house.down()
        for process in house.processes():
            process.send_signal(signal.SIGKILL)
