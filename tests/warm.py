"""Processes that need not load the product first: each is forked from one that has.

`python -m panel status` works for a tenth of a second and loads for six of them; `python -m fetchers` and a simulator
load for two. A worker of the tests starts hundreds of them. Here one process per worker loads everything, does nothing,
and forks itself for each: a process with an environment, a folder, a terminal, signals and an exit code of its own, in
which the module runs as `python -m` runs it. Only the loading is not tried; that is done by the tests that start
`python -m …` itself (of `up` and its programs, of the tutorial, of children by hand, and by the engine for every run).
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import reduction
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.loaded"])

MOUNTS = "/proc/self/ns/mnt"
_mounts = os.readlink(MOUNTS)  # what the process that has loaded it sees; a test may get mounts of its own


class _Cold(subprocess.Popen[bytes]):
    """A process that loads the product itself, where the one that has loaded it would not see what it shall see."""

    @property
    def exitcode(self) -> int | None:
        return self.poll()

    def join(self, timeout: float | None) -> None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(timeout)


class Warm:
    """`Popen([sys.executable, "-m", module, *arguments], …)` in a process that has loaded the product already.

    stdin, stdout, stderr: PIPE, or a file; none given is /dev/null.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        start_new_session: bool = False,
    ) -> None:
        read, self.stdin = _input(stdin)
        written, self.stdout = _output(stdout)
        errors, self.stderr = _output(stderr)
        self._process: Any
        if os.readlink(MOUNTS) != _mounts:
            command = [sys.executable, "-m", module, *arguments]
            own = {"env": env, "cwd": cwd, "start_new_session": start_new_session}
            self._process = _Cold(command, stdin=read, stdout=written, stderr=errors, **own)
            self.pid = self._process.pid
            for one in (read, written, errors):
                os.close(one)
            return
        began, begins = os.pipe()
        self._process = _forks.Process(
            target=_become,
            args=(
                module,
                arguments,
                dict(os.environ if env is None else env),
                str(cwd),
                start_new_session,
                [_Given(one) for one in (read, written, errors, begins)],
            ),
            daemon=True,
        )
        self._process.start()
        for one in (read, written, errors, begins):
            os.close(one)
        os.read(began, 1)  # from here on it is in its own session, if it is to have one
        os.close(began)
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Close our ends of its pipes."""
        for pipe in (self.stdin, self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _input(place: Any) -> tuple[int, IO[bytes] | None]:
    """What the process reads from, and our end of it if it is a pipe."""
    if place != subprocess.PIPE:
        return _opened(place), None
    theirs, ours = os.pipe()
    return theirs, os.fdopen(ours, "wb", buffering=0)


def _output(place: Any) -> tuple[int, IO[bytes] | None]:
    """What the process writes to, and our end of it if it is a pipe."""
    if place != subprocess.PIPE:
        return _opened(place), None
    ours, theirs = os.pipe()
    return theirs, os.fdopen(ours, "rb")


def _opened(place: Any) -> int:
    return os.open(os.devnull, os.O_RDWR) if place is None else os.dup(place.fileno())


class _Given:
    """An open file that the new process gets: there it arrives as its number."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _number, (reduction.DupFd(self._number),)


def _number(given: Any) -> int:
    return int(given.detach())


def run(
    module: str, *arguments: str, input: str = "", timeout: float = 120, **options: Any
) -> subprocess.CompletedProcess[str]:
    """One from beginning to end: its exit code, and what it wrote."""
    with tempfile.TemporaryFile() as typed, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        typed.write(input.encode())
        typed.seek(0)
        process = Warm(module, *arguments, stdin=typed, stdout=out, stderr=err, **options)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode())
        return subprocess.CompletedProcess([module, *arguments], code, *said)


def _become(
    module: str,
    arguments: tuple[str, ...],
    environ: dict[str, str],
    cwd: str,
    own_session: bool,
    files: list[int],
) -> None:
    """In the new process: take over what it was given, and run."""
    if own_session:
        os.setsid()
    *theirs, begins = files
    for number, one in enumerate(theirs):
        os.dup2(one, number)
        os.close(one)
    sys.stdin = os.fdopen(0, encoding="utf-8")
    sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = [module, *arguments]
    os.close(begins)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
