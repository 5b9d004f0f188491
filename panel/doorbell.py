"""The doorbell: a datagram that wakes the engine at once after a trigger was committed.

It carries nothing and may be lost: the run row is the truth, and the engine looks for due runs each second
anyway.
"""

import os
import select
import socket
import stat
from collections.abc import Callable
from pathlib import Path

MAX_PATH = 100  # a Unix socket's path may have about 107 bytes
RING = b"!"


def ring(instance: Path) -> bool:
    """Wake the engine, if one listens; False when nobody does. Never raises, never waits."""
    address = _address(instance)
    if address is None:
        return False
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        try:
            bell.sendto(RING, address)
        except OSError:  # nobody there, or a full queue: then it is awake already
            return False
    return True


class Doorbell:
    """The engine's side: waits for a ring. Made by the leader alone; a stale socket file is replaced."""

    def __init__(self, instance: Path) -> None:
        """Listen in the instance folder, or on a loopback port where the path is too long for a socket."""
        instance.mkdir(parents=True, exist_ok=True)
        self._path = _socket_path(instance)
        self._port_file = _port_path(instance)
        if len(os.fsencode(self._path)) <= MAX_PATH:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._path.unlink(missing_ok=True)
            self._socket.bind(str(self._path))
            self._path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        else:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.bind(("127.0.0.1", 0))
            self._port_file.write_text(str(self._socket.getsockname()[1]))
        self._mark = self._found()
        self._socket.setblocking(False)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def wait(self, timeout: float) -> bool:
        """Wait for a ring; True if it rang (however often)."""
        listening = [self._socket.fileno(), self._wake_read]
        ready, _, _ = select.select(listening, [], [], timeout)
        if listening[0] in ready:
            _drain(lambda: self._socket.recv(16))
        if self._wake_read in ready:
            _drain(lambda: os.read(self._wake_read, 1024))
        return bool(ready)

    def wake(self) -> None:
        """Ring from inside this process; safe in a signal handler."""
        try:
            os.write(self._wake_write, RING)
        except BlockingIOError:
            return  # the pipe is full of rings

    def close(self) -> None:
        """Stop listening; a successor's socket of the same name is left alone."""
        if self._found() == self._mark:  # before closing: the inode is ours while the socket is open
            (self._path if self._socket.family == socket.AF_UNIX else self._port_file).unlink(missing_ok=True)
        self._socket.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _found(self) -> int | str | None:
        """What tells our address from a successor's: the socket's inode, or the port."""
        try:
            if self._socket.family == socket.AF_UNIX:
                return self._path.stat().st_ino
            return self._port_file.read_text()
        except FileNotFoundError:
            return None


def _drain(receive: Callable[[], bytes]) -> None:
    try:
        while receive():
            continue
    except BlockingIOError:
        return


def _socket_path(instance: Path) -> Path:
    return instance.absolute() / "engine.sock"


def _port_path(instance: Path) -> Path:
    return instance.absolute() / "engine.port"


def _address(instance: Path) -> str | tuple[str, int] | None:
    path = _socket_path(instance)
    if len(os.fsencode(path)) <= MAX_PATH:
        return str(path)
    try:
        return ("127.0.0.1", int(_port_path(instance).read_text()))
    except (OSError, ValueError):
        return None
