"""A small threaded HTTP/1.1 server that can also break off, fall silent and drip, as real peers do."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.client import responses as _reasons

_MAX_HEAD, _MAX_BODY = 65_536, 8 << 20


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # without the query
    query: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass
class Response:
    status: int
    body: bytes | Iterable[bytes] = b""  # pieces are sent chunked
    headers: dict[str, str] = field(default_factory=dict)
    # How it leaves: "whole", "silence" (nothing, then closed), "drip", "reset", "short" (closed in the middle).
    manner: str = "whole"
    seconds: float = 0.0  # of silence or dripping


class Server:
    """Accepts on a loopback port and answers each connection on a thread of its own."""

    def __init__(self, port: int, answer: Callable[[Request], Response], host: str = "127.0.0.1") -> None:
        self._answer = answer
        self._listener = socket.create_server((host, port), backlog=256)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._counting = threading.Lock()
        self.connections = 0
        self.open = 0
        self.open_peak = 0

    def serve(self) -> None:
        """Accept until the listener is closed."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def close(self) -> None:
        # shutdown() wakes the thread that waits in accept(); close() alone would not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _converse(self, connection: socket.socket) -> None:
        with self._counting:
            self.connections += 1
            self.open += 1
            self.open_peak = max(self.open_peak, self.open)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for request, keep in _requests(connection):
                response = self._answer(request)
                if not _send(connection, response, keep) or not keep:
                    return
        except (ConnectionError, TimeoutError):
            return  # the client went away; that is its right
        finally:
            connection.close()
            with self._counting:
                self.open -= 1


def _requests(connection: socket.socket) -> Iterator[tuple[Request, bool]]:
    """The requests of a connection, and whether it is kept afterwards."""
    buffer = b""
    while True:
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            piece = connection.recv(65_536)
            if not piece or len(buffer) > _MAX_HEAD:
                return
            buffer += piece
        head, buffer = buffer[:end], buffer[end + 4 :]
        first, *lines = head.decode("latin-1").split("\r\n")
        parts = first.split(" ")
        if len(parts) != 3:
            _send(connection, Response(400), False)
            return
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (li.partition(":") for li in lines)
        }
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal() or int(length) > _MAX_BODY:
            _send(connection, Response(413 if length.isdecimal() and int(length) else 411), False)
            return
        if headers.get("expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(buffer) < int(length):
            piece = connection.recv(65_536)
            if not piece:
                return
            buffer += piece
        body, buffer = buffer[: int(length)], buffer[int(length) :]
        path, _, query = parts[1].partition("?")
        wish = headers.get("connection", "").lower()
        keep = wish != "close" and (parts[2] == "HTTP/1.1" or wish == "keep-alive")
        yield Request(parts[0], path, query, headers, body), keep


def _send(connection: socket.socket, response: Response, keep: bool) -> bool:
    """Send an answer in its manner; False when the connection is of no more use."""
    if response.manner == "reset":
        # Linger of zero seconds: the kernel answers with RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    if response.manner == "silence":
        _wait(connection, response.seconds)
        return False
    head = f"HTTP/1.1 {response.status} {_reasons.get(response.status, 'Unknown')}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    if not keep:
        head += "Connection: close\r\n"
    if not isinstance(response.body, bytes):
        connection.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode("latin-1"))
        for piece in response.body:
            if piece:
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        return True
    body = response.body
    start = (head + f"Content-Length: {len(body)}\r\n\r\n").encode("latin-1")
    if response.manner == "short":
        connection.sendall(start + body[: len(body) // 2])
        return False
    if response.manner == "drip":
        connection.sendall(start)
        sent, until = 0, time.monotonic() + response.seconds
        while sent < len(body) - 1 and time.monotonic() < until:
            connection.sendall(body[sent : sent + 1])
            sent += 1
            if not _wait(connection, 0.05):
                return False
        connection.sendall(memoryview(body)[sent:])
        return True
    connection.sendall(start + body)
    return True


def _wait(connection: socket.socket, seconds: float) -> bool:
    """Wait; False as soon as the client has closed its end."""
    readable, _, _ = select.select([connection], [], [], seconds)
    return not (readable and connection.recv(1, socket.MSG_PEEK) == b"")
