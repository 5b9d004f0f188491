"""The child process of a run: started, listened to, stopped with its whole group.

It gets its order as one line on stdin, which then stays open as a lifeline: whatever ends this process closes
it, and the child exits. Its process group is never signalled after the child was reaped: until then the number
cannot belong to anybody else.
"""

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from panel.engine import process

LONGEST_LINE = 8 * 1024 * 1024  # a plan of many thousand parts is one line
STDERR_KEPT = 4096
CHUNK = 64 * 1024
READS_AT_ONCE = 8  # a child that floods must not keep us from looking at the clock

_PRIVATE = re.compile(r"^(PANEL_|GOLESTAN_)|SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|API_?KEY|DATABASE_URL")


def environment(uuid: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What a child inherits: no secret, no setting of ours, and the run's id, by which its kin are found."""
    kept = {name: value for name, value in environ.items() if not _PRIVATE.search(name.upper())}
    # One heap for all its threads: the C library would keep one for each, and a seventh more memory.
    return {**kept, "MALLOC_ARENA_MAX": "1", process.RUN_VARIABLE: uuid}


class Child:
    """One child and its pipes. Used by one thread; `close` ends whatever is left of it."""

    def __init__(self, argv: Iterable[str], order: Mapping[str, Any], *, uuid: str, cwd: Path) -> None:
        """Start it and hand it its order."""
        self._killed_for_memory = process.killed_for_memory()
        self._we_killed = False
        self._process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment(uuid, os.environ),
            start_new_session=True,
            bufsize=0,
        )
        self.pid = self._process.pid
        self.started = process.started(self.pid)
        self.exit_code: int | None = None
        self.unreadable = 0  # lines on stdout that are no events
        self._to_write = json.dumps(order).encode() + b"\n"
        self._line = bytearray()
        self._skipping = False
        self._stderr = bytearray()
        self._selector = selectors.DefaultSelector()
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin and stdout and stderr
        self._in, self._out, self._err = stdin.fileno(), stdout.fileno(), stderr.fileno()
        for pipe in (self._in, self._out, self._err):
            os.set_blocking(pipe, False)
        self._selector.register(self._in, selectors.EVENT_WRITE)
        self._selector.register(self._out, selectors.EVENT_READ)
        self._selector.register(self._err, selectors.EVENT_READ)
        # Wakes us the moment it ends, also when it closed its pipes long before.
        self._pidfd = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else None
        if self._pidfd is not None:
            self._selector.register(self._pidfd, selectors.EVENT_READ)

    @property
    def stderr_tail(self) -> str:
        """The end of what it wrote to stderr: a crash, usually."""
        return self._stderr.decode("utf-8", "replace").strip()

    def read(self, timeout: float) -> list[dict[str, Any]]:
        """Wait for events at most so long; whatever came."""
        events: list[dict[str, Any]] = []
        for key, _ in self._selector.select(timeout):
            if key.fd == self._in:
                self._write()
            elif key.fd == self._out:
                events += self._read_out()
            elif key.fd == self._err:
                self._read_err()
        if self._pidfd is None and not self._selector.get_map():
            time.sleep(min(timeout, 0.1))
        return events

    def gone(self) -> bool:
        """Whether it has ended. It is not reaped yet, so its number is still its own."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def terminate(self) -> None:
        """Ask its group to end."""
        self._signal(signal.SIGTERM)

    @property
    def out_of_memory(self) -> bool:
        """Whether the kernel killed it for memory, it seems: by KILL, not ours, and the count of these has grown."""
        if self.exit_code != -signal.SIGKILL or self._we_killed or self._killed_for_memory is None:
            return False
        return (process.killed_for_memory() or 0) > self._killed_for_memory

    def kill(self) -> None:
        """End its group."""
        self._we_killed = self._we_killed or not self.gone()
        self._signal(signal.SIGKILL)

    def close(self, patience: float = 1.0) -> list[dict[str, Any]]:
        """End the whole group, reap the child, read what is left in the pipes.

        A helper that left the group may hold a pipe open for ever, hence the limit.
        """
        events: list[dict[str, Any]] = []
        if self.exit_code is None:
            self.kill()
            while not self.gone():
                events += self.read(0.1)
            if self._pidfd is not None:
                self._selector.unregister(self._pidfd)
                os.close(self._pidfd)
                self._pidfd = None
            deadline = time.monotonic() + patience
            while self._reading() and time.monotonic() < deadline:
                events += self.read(0.05)
            self.exit_code = self._process.wait()
            self._selector.close()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
        return events

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _reading(self) -> bool:
        return any(fd in (self._out, self._err) for fd in self._selector.get_map())

    def _write(self) -> None:
        try:
            written = os.write(self._in, self._to_write[:CHUNK])
            self._to_write = self._to_write[written:]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._to_write = b""
        if not self._to_write:
            self._selector.unregister(self._in)  # but not closed: it is the lifeline

    def _read_out(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        for _ in range(READS_AT_ONCE):
            chunk = self._chunk(self._out)
            if not chunk:
                break
            *lines, rest = chunk.split(b"\n")
            for line in lines:
                self._line += line
                if not self._skipping:
                    events += self._event(bytes(self._line))
                self._line.clear()
                self._skipping = False
            self._line += rest
            if len(self._line) > LONGEST_LINE:
                self._line.clear()
                self._skipping = True
                self.unreadable += 1
        return events

    def _event(self, line: bytes) -> list[dict[str, Any]]:
        if not line.strip():
            return []
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            return [event]
        self.unreadable += 1
        return []

    def _read_err(self) -> None:
        for _ in range(READS_AT_ONCE):
            chunk = self._chunk(self._err)
            if not chunk:
                break
            self._stderr += chunk
            del self._stderr[:-STDERR_KEPT]

    def _chunk(self, pipe: int) -> bytes:
        try:
            chunk = os.read(pipe, CHUNK)
        except BlockingIOError:
            return b""
        if not chunk:
            self._selector.unregister(pipe)
        return chunk
