"""`up`: everything that an instance needs, started in order, watched over, and ended together.

    up ──┬── gunicorn (the panel)
         ├── engine ── one child per run
         └── simulator (in a demonstration)

Each has a lifeline to `up` (panel/service/lifeline.py): if `up` is killed, they end by themselves.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, TextIO

from panel import startup
from panel.config import ROOT, Config, load
from panel.seed import Seeded, prepare
from panel.service import demo as demonstration
from panel.service import lifeline
from panel.service.welcome import wait_until_healthy, welcome

PATIENCE = 25.0  # for an orderly end: the engine stops its children within 20 s
LONGEST_PAUSE = 30.0
LIVED_WELL = 60.0  # who lived this long is restarted at once
FORMER_UP = 10.0  # the processes of a killed `up` may need this long to leave the port
LARGEST_LOG = 10 * 1024 * 1024
LOOK_AT_LOGS = 10.0  # seconds between two looks at their size


class CannotStart(Exception):
    """Something is in the way; the sentence says what."""


@dataclass
class Program:
    """A process that is to be kept running."""

    name: str
    command: list[str]
    environ: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause: float = 0.0
    not_before: float = 0.0

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None


def web_command() -> list[str]:
    return [
        sys.executable,
        "-m",
        "gunicorn",
        "--config",
        str(ROOT / "panel" / "service" / "gunicorn_conf.py"),
        "wsgi:app",
    ]


def up(demo: bool | None, *, make_backup: bool = True) -> int:
    """Start everything and stay until told to stop.

    1. Settle which house this is; make sure that it is well, that nobody else runs it, and that the port is free.
    2. Prepare it: schema, key, rows, first administrator.
    3. Start the programs; print the address once the panel answers.
    4. Start again what dies. On Ctrl-C or TERM end all of them, and wait until they are gone.

    A demonstration that nobody asked for can be left from its pages: then the real house follows, at the same address.

    demo: which house it is to be; None: as it is set up. make_backup: before an existing database is migrated.
    """
    config = load(demo=demo)
    chosen = demo is None and not demonstration.is_told(config)
    if chosen and demonstration.is_due():
        code = _run_house(load(demo=True), make_backup, may_leave=True)
        if code is not None:
            return code
        say("\n  The demonstration is left. Your own house starts …")
        demo = False
    code = _run_house(load(demo=demo), make_backup)
    assert code is not None, "only a demonstration is left"
    return code


def _run_house(config: Config, make_backup: bool, *, may_leave: bool = False) -> int | None:
    """One house from its start to its end: the exit code, or None where it was left for the real one."""
    startup.refuse_what_is_not_well(config, closely=True)
    with alone(config):
        _port_is_free(config)
        seeded = prepare(config, administrator=True, make_backup=make_backup)
        door = config.instance / "leave"
        door.unlink(missing_ok=True)
        with Household(config, door if may_leave else None) as household:
            code = household.keep(seeded)
        door.unlink(missing_ok=True)
        return 0 if code is None and household.stopping else code


@contextmanager
def alone(config: Config) -> Iterator[None]:
    """Hold the instance's lock; the kernel gives it back when we end, however we end. Raises CannotStart."""
    path = config.instance / "up.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 20).decode("ascii", "replace").strip()
            raise CannotStart(
                f"Hamgam runs here already (process {pid or 'unknown'}, {config.instance}). "
                "Stop it first, or name another folder with PANEL_INSTANCE."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _port_is_free(config: Config) -> None:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    deadline = time.monotonic() + FORMER_UP
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((config.host, config.port))
                return
            except OSError as error:
                former = _gunicorn_of_a_killed_up(config)
                if not former or time.monotonic() > deadline:
                    raise CannotStart(
                        f"cannot listen on {config.host} port {config.port}: {error.strerror}. "
                        "Another program may use it; choose another port with PANEL_PORT."
                    ) from error
        time.sleep(0.2)


def _gunicorn_of_a_killed_up(config: Config) -> bool:
    """Whether the panel of this very instance was served a moment ago, by an `up` that was killed."""
    try:
        pid = int((config.instance / "web.pid").read_text())
        return b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False


class Household:
    """The running programs of one `up`."""

    def __init__(self, config: Config, door: Path | None = None) -> None:
        self.config = config
        self.door = door  # when this file is made, the house is left
        self.programs: list[Program] = []
        self.stopping = False
        self._writes_logs = sys.stderr.isatty()
        self._logs_looked_at = 0.0
        self._read_end, self._write_end = os.pipe()
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Household":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        os.close(self._read_end)
        os.close(self._write_end)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def keep(self, seeded: Seeded) -> int | None:
        """Start all, greet, and watch until a signal comes; None where the house was left instead."""
        environ = {"PANEL_DEMO": "1" if self.config.demo else "0"}
        if self.config.demo:
            try:
                self._start_simulator(environ)
            except demonstration.SimulatorError as error:
                if self.stopping:
                    return 0
                raise CannotStart(f"{error}.{self._last_words('simulator')}") from error
        if self.config.engine == "embedded":
            self._start(Program("engine", [sys.executable, "-m", "panel", "engine"], environ))
        way_out = {demonstration.DOOR: str(self.door)} if self.door is not None else {}
        web = Program("web", web_command(), {**environ, **way_out})
        self._start(web)
        healthy = wait_until_healthy(self.config, lambda: web.runs and not self.stopping)
        if self.stopping:
            return 0
        if not healthy:
            say(f"The panel did not start.{self._last_words('web')}", sys.stderr)
            return 1
        logs = self.config.logs if self._writes_logs else None
        say(welcome(self.config, seeded, logs))
        while not self.stopping:
            if self.door is not None and self.door.exists():
                return None
            self._look_after()
            time.sleep(0.2)
        say("\nStopping …")
        return 0

    def _start_simulator(self, environ: dict[str, str]) -> None:
        """Start the gateway of the demonstration. Started again, it keeps its port."""
        port = demonstration.free_port()
        gateway = Program("simulator", demonstration.simulator_command(port), environ)
        self._start(gateway)
        demonstration.furnish(
            self.config, f"http://127.0.0.1:{port}", lambda: gateway.runs and not self.stopping
        )

    def _start(self, program: Program) -> None:
        if program not in self.programs:
            self.programs.append(program)
        module, *arguments = program.command[2:]
        with self._log(program.name) as log:
            program.process = subprocess.Popen(
                [sys.executable, "-m", "panel.service.lifeline", module, *arguments],
                cwd=ROOT,
                env={**os.environ, **program.environ, lifeline.VARIABLE: str(self._read_end)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(self._read_end,),
                # Ctrl-C on the terminal is for `up`, which ends the others in order.
                start_new_session=True,
            )
        program.started_at = time.monotonic()
        if program.name == "web":
            (self.config.instance / "web.pid").write_text(str(program.process.pid))

    def _look_after(self) -> None:
        """Start again what has died, with a pause that doubles while it keeps dying."""
        now = time.monotonic()
        for program in self.programs:
            if program.runs:
                continue
            if program.process is not None:
                code = program.process.returncode
                lived = now - program.started_at
                program.pause = 0.5 if lived > LIVED_WELL else min(max(program.pause * 2, 1.0), LONGEST_PAUSE)
                program.not_before = now + program.pause
                program.process = None
                say(
                    f"{program.name} ended ({_how(code)}); it is started again in {program.pause:.0f} s."
                    f"{self._last_words(program.name)}",
                    sys.stderr,
                )
            if now >= program.not_before:
                self._start(program)
        if now >= self._logs_looked_at + LOOK_AT_LOGS:
            self._logs_looked_at = now
            self.shorten_logs()

    def shorten_logs(self) -> None:
        """A log that has grown too large becomes the older one. Its program goes on writing at the end of the file."""
        for path in self.config.logs.glob("*.log") if self._writes_logs else ():
            if path.stat().st_size <= LARGEST_LOG:
                continue
            try:
                shutil.copyfile(path, path.with_suffix(".log.1"))
            except (
                OSError
            ) as error:  # the disk is full, most likely: then the room is needed more than the lines
                say(f"{path} was emptied; it could not be copied: {error.strerror}.", sys.stderr)
            os.truncate(path, 0)

    def end(self) -> None:
        """Ask every program to end, panel first, and wait; whoever does not is killed, with its group."""
        running = [program.process for program in reversed(self.programs) if program.process is not None]
        for process in running:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + PATIENCE
        for process in running:
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        (self.config.instance / "web.pid").unlink(missing_ok=True)

    @contextmanager
    def _log(self, name: str) -> Iterator[IO[bytes] | int | None]:
        """A terminal stays readable: there, the programs write to files. A service manager gets their stderr."""
        if not self._writes_logs:
            yield None
            return
        path = self.config.logs / f"{name}.log"
        try:
            file = path.open("ab")
        except OSError as error:
            say(f"{path} cannot be written ({error.strerror}); {name} goes unheard.", sys.stderr)
            yield subprocess.DEVNULL
            return
        with file:
            yield file

    def _last_words(self, name: str) -> str:
        path = self.config.logs / f"{name}.log"
        if not self._writes_logs or not path.exists():
            return ""
        lines = path.read_text(errors="replace").splitlines()[-5:]
        return f" Its last words ({path}):\n  " + "\n  ".join(lines)


def say(text: str, where: TextIO | None = None) -> None:
    """Tell whoever looks. A full disk behind a log must not end what works: what cannot be said is lost."""
    with suppress(OSError):
        print(text, file=where or sys.stdout, flush=True)


def _how(code: int | None) -> str:
    return f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
