"""A server that sends exactly the bytes that a test wrote down: HTTP libraries repair what we want broken."""

import itertools
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson


@dataclass(frozen=True)
class Request:
    """What came: the first line, the header lines (names in lower case), the body."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


Line = socket.socket
Turn = bytes | Callable[["RawServer", Request, Line], bytes | None]


def answer(
    body: bytes | str | Any = b"", status: int = 200, *headers: str, length: int | None = None
) -> bytes:
    """A whole answer; anything but bytes and text goes as JSON. `length`: what Content-Length claims."""
    if not isinstance(body, bytes | str):
        body = orjson.dumps(body)
    data = body.encode() if isinstance(body, str) else body
    lines = [
        f"HTTP/1.1 {status} Word",
        f"Content-Length: {len(data) if length is None else length}",
        "Connection: close",
    ]
    if not any(header.lower().startswith("content-type") for header in headers):
        lines.append("Content-Type: application/json; charset=utf-8")
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + data


def chunked(*pieces: bytes, end: bool = True) -> bytes:
    """An answer in chunks; without its last one if it is to look cut."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return head + body + (b"0\r\n\r\n" if end else b"")


def drip(start: bytes, forever: bytes, every: float = 0.02) -> Turn:
    """Send `start`, then the bytes of `forever` one at a time, until the client or the test has had enough."""

    def turn(server: "RawServer", request: Request, line: Line) -> None:
        line.sendall(start)
        for byte in itertools.cycle(forever):
            if server.closing.wait(every):
                return
            line.sendall(bytes([byte]))

    return turn


def silence(start: bytes = b"") -> Turn:
    """Send `start`, then nothing, with the line open."""

    def turn(server: "RawServer", request: Request, line: Line) -> None:
        line.sendall(start)
        server.closing.wait()

    return turn


class RawServer:
    """Answers each request with the next of its turns, the last one for ever, and hangs up. Remembers what came."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        """context: speak TLS."""
        self._context = context
        self.closing = threading.Event()
        self.requests: list[Request] = []
        self._turns: deque[Turn] = deque([answer({"data": []})])
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"{'https' if context else 'http'}://{self.host}"
        threading.Thread(target=self._accept, daemon=True).start()

    def will(self, *turns: Turn) -> None:
        with self._lock:
            self._turns = deque(turns)

    def close(self) -> None:
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(line,), daemon=True).start()

    def _converse(self, line: Line) -> None:
        try:
            if self._context is not None:
                line = self._context.wrap_socket(line, server_side=True)
            request = _read(line)
            if request is None:
                return
            with self._lock:
                self.requests.append(request)
                turn = self._turns.popleft() if len(self._turns) > 1 else self._turns[0]
            data = turn if isinstance(turn, bytes) else turn(self, request, line)
            if data:
                line.sendall(data)
        except OSError:
            return  # the client hung up: that is what some tests are about
        finally:
            line.close()


def _read(line: Line) -> Request | None:
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        piece = line.recv(65_536)
        if not piece:
            return None
        buffer += piece
    head, _, body = buffer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in _split(rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += line.recv(65_536)
    return Request(first, headers, body)


def _split(lines: Iterable[str]) -> Iterable[tuple[str, str, str]]:
    return (line.partition(":") for line in lines)


class RawListener:
    """Sends some bytes at once and a byte now and then from there on, whatever it is told."""

    def __init__(self, start: bytes, context: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._start, self._context = start, context
        self.heard: list[bytes] = []  # what came over a safe line
        self._closing = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            while True:
                line, _ = self._listener.accept()
                with line:
                    self._talk(line)
        except OSError:
            return  # closed by the test

    def _talk(self, line: Any) -> None:
        try:
            if self._context is not None:
                with self._context.wrap_socket(line, server_side=True) as safe:
                    self.heard.append(heard := safe.recv(65_536))
                    while heard and not self.heard[-1].endswith(b"}"):  # what is not heard resets the line
                        self.heard[-1] += (heard := safe.recv(65_536))
                    safe.sendall(self._start)
                return
            line.sendall(self._start)
            while not self._closing.wait(0.02):
                line.sendall(b"\0")
        except OSError:
            return  # the client hung up

    def close(self) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def stranger(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate that it signed itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "stranger.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
