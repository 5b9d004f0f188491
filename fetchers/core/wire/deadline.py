"""Cutting a request's connection when its time is up, wherever it stands.

A timeout on the socket starts anew with every byte that drips in, and there is no place between the handshake and
the last trailer where a peer could not drip: so one thread per session looks at the clock and shuts the connection.
Before there is a connection, the connect timeout is the deadline of all of it: looking the name up
(core/wire/names.py) and trying each of the host's addresses.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util.connection import create_connection

from fetchers.core.wire import names

NAME, CONNECTION, TLS, ANSWER = "name", "connection", "tls", "answer"  # stations of a request, in this order

_here = threading.local()  # .watch: over the request that this thread makes now


class Watch:
    """One request under the clock. reached: how far it has come, as one of NAME, CONNECTION, TLS, ANSWER."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.reached = ""
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._over = False

    @property
    def passed(self) -> bool:
        """Whether the deadline is behind us."""
        return time.monotonic() >= self.until

    def hold(self, line: socket.socket) -> None:
        """This is the request's connection. A duplicate of it is kept: TLS wraps the original into another."""
        with self._lock:
            self._drop()
            self._line = socket.socket(fileno=os.dup(line.fileno()))
            if self._over:
                self._shut()

    def cut(self) -> None:
        """Shut the connection, so that whoever reads from it wakes up."""
        with self._lock:
            self._over = True
            self._shut()

    def release(self) -> None:
        """The request is over."""
        with self._lock:
            self._drop()

    def _shut(self) -> None:
        if self._line is not None:
            try:
                self._line.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # the other side has closed it already

    def _drop(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


class Deadlines:
    """Watches the requests of one session, on a thread that starts with the first of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watches: set[Watch] = set()
        self._wakes_at = float("inf")
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, until: float) -> Iterator[Watch]:
        """Watch the request that this thread makes inside the block. `until`: by the monotonic clock."""
        watch = Watch(until)
        with self._changed:
            self._watches.add(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="deadlines", daemon=True)
                self._thread.start()
            elif until < self._wakes_at:
                self._changed.notify()
        _here.watch = watch
        try:
            yield watch
        finally:
            _here.watch = None
            with self._changed:
                self._watches.discard(watch)
            watch.release()

    def _keep(self) -> None:
        with self._changed:
            while True:
                for watch in [one for one in self._watches if one.passed]:
                    self._watches.discard(watch)
                    watch.cut()
                self._wakes_at = min((one.until for one in self._watches), default=float("inf"))
                rest = self._wakes_at - time.monotonic()
                self._changed.wait(None if rest == float("inf") else max(0.0, rest))


def _show(line: socket.socket, reached: str) -> None:
    watch: Watch | None = getattr(_here, "watch", None)
    if watch is not None:
        watch.hold(line)
    note(reached)


def note(reached: str) -> None:
    """The request that this thread makes has come so far."""
    watch: Watch | None = getattr(_here, "watch", None)
    if watch is not None:
        watch.reached = reached


class NameTimedOut(ConnectTimeoutError):
    """The name service did not answer within the connect timeout."""


def _connected(connection: HTTPConnection) -> socket.socket:
    """A line to the first of the host's addresses that answers, within the connect timeout in all.

    urllib3's own way has no deadline while it looks the name up, and gives each address the whole timeout. Here each
    gets its share of the time that is left: an address that swallows everything must not cost the others their turn.
    """
    allowed = connection.timeout
    assert isinstance(allowed, int | float)  # a session always sets one
    until = time.monotonic() + allowed
    try:
        found = names.addresses(connection._dns_host, connection.port, allowed)
    except names.NameTimeout as error:
        raise NameTimedOut(connection, f"no answer about {connection.host} within {allowed} s") from error
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    except UnicodeError as error:
        raise LocationParseError(connection.host) from error
    note(NAME)
    last: OSError = OSError("no address")
    for tried, address in enumerate(found):
        share = max(until - time.monotonic(), 0.01) / (len(found) - tried)
        try:
            line = create_connection(
                (address, connection.port), share, socket_options=connection.socket_options
            )
        except OSError as error:
            last = error
        else:
            line.settimeout(allowed)
            return line
    if isinstance(last, TimeoutError):
        raise ConnectTimeoutError(connection, f"no connection within {allowed} s") from last
    raise NewConnectionError(connection, f"no connection: {last}") from last


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        line = _connected(self)
        _show(line, CONNECTION)
        return line

    def request(self, *arguments: Any, **named: Any) -> None:
        if self.sock is not None:  # kept from an earlier request
            _show(self.sock, CONNECTION)
        super().request(*arguments, **named)


class _Tls(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        line = _connected(self)
        _show(line, CONNECTION)  # before the handshake, which can drip too
        return line

    def request(self, *arguments: Any, **named: Any) -> None:
        if self.sock is not None:  # the pool has shaken hands before it asks
            _show(self.sock, TLS)
        super().request(*arguments, **named)


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Tls


def watched(pool: urllib3.PoolManager) -> urllib3.PoolManager:
    """The same pool; its connections show themselves to the watch of the thread that uses them."""
    pool.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
    return pool
