"""The house of the soak: a copy of the product with two more sources, before a simulated gateway, all on loopback."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from panel.clock import utcnow
from panel.engine.process import RUN_VARIABLE
from tests.acceptance.house import GATEWAY_PASSWORD, House
from tests.conftest import ROOT, Gateway
from tests.soak.accounts import MINUTE, Beat, utc

PRODUCT = ("fetchers", "panel", "static", "templates")
SOURCES = Path(__file__).parent / "sources"
RESTART = 5.0  # seconds, as in deploy/hamgam.service
PATIENCE = 600.0  # a machine under load may be slow
REST = 25.0  # seconds before each part of the archive: with four at once and twelve parts, more than a minute

# Every loss is held, so that no bad answer ever changes who is there; what fails is tried again soon.
LIMITS = ("guard_part_rows=0", "guard_part_percent=0", "guard_total_rows=0", "guard_total_percent=0")
MANNERS = (
    *("retries=3", "retry_wait_seconds=5", "retry_budget=30", "stall_seconds=240", "requests_per_second=20"),
    *("silence_timeout=10", "request_timeout=30"),
)
SETTINGS = {
    "archive": (*LIMITS, *MANNERS, "new_fields=ignore", f"rest={REST:g}"),
    "faculty": (*LIMITS, *MANNERS),
    "staff": (*LIMITS, *MANNERS, "new_fields=ignore"),
    "students": (*LIMITS, *MANNERS),
}
ROLES = ("up", "engine", "web", "worker", "child")
CRON = "staff"  # each minute by the clock; the others each minute from when it was entered


class SoakHouse(House):
    """Four sources: one by cron, one whose run takes longer than its interval."""

    def __init__(self, folder: Path, gateway: Gateway, port: int) -> None:
        super().__init__(folder, gateway, port)
        self.root = folder / "product"
        for name in PRODUCT:
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "wsgi.py", self.root)
        for source in SOURCES.glob("*.py"):
            shutil.copy(source, self.root / "fetchers")
        self.log = folder / "up.log"
        self.failed_starts = 0  # it was too early: those before had not gone yet

    def cli(self, *words: str, seconds: float = PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run a command of the copy: it knows the two sources."""
        return subprocess.run(
            self.command(*words),
            cwd=self.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def told(self, *words: str) -> str:
        """What a command that must succeed says."""
        done = self.cli(*words)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[-500:]}"
        return done.stdout

    def furnish(self) -> None:
        """Settings of all sources, and everything in step for the first time."""
        for source, settings in SETTINGS.items():
            self.told("set", source, *settings)
        self.told("set", "archive", "rest=0")
        for source in SETTINGS:
            code, run = self.sync(source)
            assert code == 0, f"the first sync of {source}: {run['status']} {run['error_message']}"
        self.told("set", "archive", f"rest={REST:g}")

    def enter_schedules(self) -> list[Beat]:
        """Let every source be due each minute from now on; what was entered. No engine may be about yet."""
        beats = []
        for source in SETTINGS:
            before = utcnow()
            self.told("schedule", source, *(("--cron", "* * * * *") if source == CRON else ("--every", "1")))
            [(text,)] = self.rows("panel.db", f"SELECT next_run_at FROM data_syncs WHERE key = '{source}'")
            beat = Beat(source, utc(text))
            whole = (beat.first.second, beat.first.microsecond) == (0, 0)
            assert beat.first <= utcnow() + MINUTE, f"{source} is due too late: {beat.first}"
            assert whole if source == CRON else beat.first > before + MINUTE, f"{source}: {beat.first}"
            beats.append(beat)
        return beats

    def quiet_down(self) -> None:
        """No more due times; the archive rests no longer."""
        self.told("set", "archive", "rest=0")
        for source in SETTINGS:
            self.told("schedule", source, "--off")

    def up(self) -> "SoakHouse":
        """Start everything as a service manager does: once more when it ended, until all are there."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.start()
            assert self.up_process is not None
            while self.up_process.poll() is None:
                if self._is_the_new_web() and self.healthy():
                    return self
                assert time.monotonic() < deadline, "the house does not come up"
                time.sleep(0.2)
            self.failed_starts += 1
            assert time.monotonic() < deadline, "the house does not come up"
            time.sleep(RESTART)

    def web_pid(self) -> int:
        """The process that is asked to HUP. Raises OSError, ValueError where there is none."""
        return int((self.instance / "web.pid").read_text())

    def _is_the_new_web(self) -> bool:
        try:
            web = psutil.Process(self.web_pid())
            return self.up_process is not None and web.ppid() == self.up_process.pid
        except (OSError, ValueError, psutil.NoSuchProcess):
            return False

    def cast(self) -> dict[str, list[psutil.Process]]:
        """Its living processes by what they are: up, engine, web (the one that is asked to HUP), worker, child."""
        found: dict[str, list[psutil.Process]] = {role: [] for role in ROLES}
        for process in self.processes():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if (role := self._role(process)) is not None:
                    found[role].append(process)
        return found

    def _role(self, process: psutil.Process) -> str | None:
        words = process.cmdline()
        if RUN_VARIABLE in process.environ():
            return "child"
        if words[-2:] in (["panel", "up"], ["panel", "engine"]):
            return words[-1]
        if words[-1:] != ["wsgi:app"]:
            return None  # a command of ours
        return "worker" if "wsgi:app" in (process.parent() or process).cmdline() else "web"

    def end(self) -> None:
        """Whatever has happened: nobody is left."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)


@contextmanager
def gateway(seed: int) -> Iterator[Gateway]:
    """The simulator, calm, as a process of its own that ends with ours."""
    options = ("--size", "tiny", "--seed", str(seed), "--password", GATEWAY_PASSWORD, "--lifeline")
    process = subprocess.Popen(
        [sys.executable, "-m", "fetchers.golestan.simulator", "--port", "0", *options],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdin is not None and process.stdout is not None
        first = process.stdout.readline().strip()
        assert first.startswith("listening on http://"), f"the gateway said: {first!r}"
        yield Gateway(first.removeprefix("listening on "), process, password=GATEWAY_PASSWORD)  # type: ignore[arg-type]
    finally:
        process.kill()
        process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
