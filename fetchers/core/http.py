"""All HTTP of the data plane: one session per job, polite, bounded, and unable to lie about an answer.

Five deadlines bound a request (DESIGN.md 4.2): connecting, silence while reading and the whole request here; stall
and the whole run by the parent's clock. `timeout=` alone would not do: it starts anew with every byte that drips in,
so the body is read in small pieces against a deadline. Redirects are not followed (the token would travel along),
the environment's proxies and ~/.netrc are not read, and what a body may unpack to is capped.

The wire is urllib3 itself: measured on 1.2 MB answers it costs a quarter of httpx's time (docs/decisions.md).
"""

import random
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import orjson
import urllib3
from urllib3 import exceptions as wire

from fetchers.core import errors
from fetchers.core.events import Events
from fetchers.core.fetcher import HttpSettings
from fetchers.core.paging import Ask, read_whole

MAX_BODY = 512 * 1024 * 1024  # decoded bytes
MAX_RETRY_AFTER = 15 * 60.0
CHUNK = 256 * 1024

T = TypeVar("T")


class Stopped(Exception):
    """The job was told to stop while it waited."""


@dataclass(frozen=True)
class Answer:
    """A complete answer: status, headers (lower-case names), decoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Limiter:
    """Spaces requests evenly over all threads; a gateway that asks for a pause pauses all of them."""

    def __init__(self, per_second: float, stop: threading.Event) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._stop = stop
        self._lock = threading.Lock()
        self._next = 0.0

    def pause(self, seconds: float) -> None:
        """No request for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def wait(self) -> None:
        """Wait for this request's turn. Raises Stopped."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._gap
        delay = turn - time.monotonic()
        if delay > 0 and self._stop.wait(delay):
            raise Stopped


class Session:
    """What a job's fetcher reaches the gateway with; shared by all its threads.

    settings: connections, requests per second and deadlines. now: the job's idea of the present (UTC).
    """

    def __init__(self, settings: HttpSettings, events: Events, now: datetime) -> None:
        self.settings = settings
        self.now = now
        self.stop = threading.Event()
        self.limiter = Limiter(settings.requests_per_second, self.stop)
        self.largest_page = 0  # rows; what this gateway has been seen to give at once (paging)
        self._events = events
        self._waiting: dict[int, tuple[str, datetime]] = {}
        self.last_success = time.monotonic()
        self._pool = urllib3.PoolManager(
            num_pools=2,
            maxsize=settings.connections,
            block=True,
            retries=False,
            # The system's trust store, where an office can put an authority of its own.
            ssl_context=ssl.create_default_context(),
            timeout=urllib3.Timeout(connect=settings.connect_timeout, read=settings.silence_timeout),
        )

    def log(self, message: str, level: str = "info") -> None:
        """A line for the run's log."""
        self._events.log(message, level)

    @property
    def waiting(self) -> dict[str, str] | None:
        """Why and until when the job waits, if every thread that talks to the gateway does."""
        waits = list(self._waiting.values())
        if len(waits) < min(self.settings.connections, max(1, self.busy)):
            return None
        reason, until = min(waits, key=lambda wait: wait[1])
        return {"reason": reason, "until": until.isoformat(timespec="seconds")}

    busy = 1  # threads that fetch now; the job keeps it current

    def post_json(self, url: str, body: Any, headers: Mapping[str, str]) -> Answer:
        """One POST, sent once. Raises Transient for what may heal, FetchError for what will not.

        Answers of 401 and 400–499 are returned: what they mean is the fetcher's to say.
        """
        self.limiter.wait()
        deadline = time.monotonic() + self.settings.request_timeout
        host = urlsplit(url).netloc
        try:
            response = self._pool.request(
                "POST",
                url,
                body=orjson.dumps(body),
                headers={
                    "Content-Type": "application/json",
                    "Accept": "application/json",
                    "Accept-Encoding": "gzip, deflate",
                    "User-Agent": "hamgam",
                    **headers,
                },
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                answer = Answer(
                    response.status,
                    {key.lower(): value for key, value in response.headers.items()},
                    _read(response, deadline, self.settings.request_timeout),
                )
            except BaseException:
                response.close()
                raise
            response.release_conn()
        except wire.HTTPError as error:
            raise _mapped(error, host, self.settings) from error
        except (OSError, ValueError) as error:  # ValueError: header lines that http.client cannot parse
            raise errors.ConnectError(
                f"The connection to {host} broke.", host=host, reason="broken"
            ) from error
        _refuse_failures(answer, host)
        return answer

    def patiently(self, call: Callable[[], T], what: str) -> T:
        """Repeat a call while what fails may heal, within the part's budget: full jitter from 1 to 60 s.

        A gateway that names a time (Retry-After) is believed, up to 15 minutes. Raises the last error.
        """
        started = time.monotonic()
        tries = 0
        while True:
            try:
                result = call()
            except errors.Transient as error:
                tries += 1
                elapsed = time.monotonic() - started
                if elapsed >= self.settings.retry_budget:
                    raise
                ceiling = min(60.0, 2.0 ** min(tries - 1, 6))
                seconds = random.uniform(0, ceiling)
                if error.retry_after is not None:
                    seconds = min(error.retry_after, MAX_RETRY_AFTER)
                    self.limiter.pause(seconds)
                else:
                    seconds = min(seconds, self.settings.retry_budget - elapsed)
                self.log(f"{what}: {error} Trying again in {seconds:.1f} s.", "warning")
                self._sleep(seconds, "rate_limited" if isinstance(error, errors.RateLimited) else "retry")
            else:
                self.last_success = time.monotonic()
                return result

    def read_whole(self, ask: Ask, page_size: int) -> list[msgspec.Raw]:
        """Every record of a part, page by page. Raises PagingError where no whole can be made of what comes."""
        return read_whole(ask, page_size, self._saw_page)

    def _saw_page(self, rows: int) -> int:
        self.largest_page = max(self.largest_page, rows)
        return self.largest_page

    def _sleep(self, seconds: float, reason: str) -> None:
        me = threading.get_ident()
        self._waiting[me] = (reason, datetime.now(UTC) + timedelta(seconds=seconds))
        try:
            if self.stop.wait(seconds):
                raise Stopped
        finally:
            self._waiting.pop(me, None)


def _read(response: urllib3.BaseHTTPResponse, deadline: float, allowed: float) -> bytes:
    """The decoded body, or an error: at the deadline, over the cap, or shorter than announced."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("gzip", "x-gzip", "deflate"):
        unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    elif encoding in ("identity", ""):
        unpack = None
    else:
        raise errors.NotJson(
            f"The gateway packs its answers in an unknown way ({encoding[:20]}).", reason="encoding"
        )
    pieces: list[bytes] = []
    size = 0
    while True:
        # read1: at most one read of the socket, so that a drip of single bytes cannot outrun the deadline.
        piece = response.read1(CHUNK)
        if time.monotonic() > deadline:
            raise errors.TimedOut(
                f"The answer was not complete within {allowed:.0f} s.", deadline="request", seconds=allowed
            )
        if not piece:
            break
        if unpack is not None:
            try:
                piece = unpack.decompress(piece, MAX_BODY - size + 1)
            except zlib.error as error:
                raise errors.Truncated("The compressed answer is damaged.", reason="gzip") from error
        size += len(piece)
        if size > MAX_BODY:
            raise errors.TooLarge(f"The answer is larger than {MAX_BODY >> 20} MB.", megabytes=MAX_BODY >> 20)
        pieces.append(piece)
    if unpack is not None and not unpack.eof and size:
        raise errors.Truncated("The compressed answer ends too early.", reason="gzip")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _mapped(error: wire.HTTPError, host: str, settings: HttpSettings) -> errors.FetchError:
    """The wire's errors in our words."""
    if isinstance(error, wire.MaxRetryError) and isinstance(error.reason, wire.HTTPError):
        error = error.reason
    # First the two that urllib3 counts among the time-outs.
    if isinstance(error, wire.NameResolutionError):
        return errors.ConnectError(f"The name {host} cannot be resolved.", host=host, reason="dns")
    if isinstance(error, wire.NewConnectionError):
        return errors.ConnectError(f"{host} does not accept connections.", host=host, reason="refused")
    if isinstance(error, wire.ConnectTimeoutError):
        seconds = settings.connect_timeout
        return errors.TimedOut(
            f"No connection to {host} within {seconds:.0f} s.", deadline="connect", seconds=seconds, host=host
        )
    if isinstance(error, wire.ReadTimeoutError):
        seconds = settings.silence_timeout
        return errors.TimedOut(
            f"{host} was silent for {seconds:.0f} s.", deadline="silence", seconds=seconds, host=host
        )
    if isinstance(error, wire.SSLError):
        return errors.ConnectError(f"The certificate of {host} cannot be trusted.", host=host, reason="tls")
    if isinstance(error, wire.IncompleteRead | wire.InvalidChunkLength):
        return errors.Truncated(f"The answer of {host} ended too early.", host=host, reason="short")
    if isinstance(error, wire.LocationValueError):
        return errors.ConfigError("The gateway's address is not a web address.", setting="base_url")
    if isinstance(error, wire.ProtocolError) and "ncomplete" in str(error):
        return errors.Truncated(f"The answer of {host} ended too early.", host=host, reason="short")
    return errors.ConnectError(f"The connection to {host} broke.", host=host, reason="broken")


def _refuse_failures(answer: Answer, host: str) -> None:
    """Raise for a status that says nothing about the request itself. The body is never read as data."""
    status = answer.status
    if 300 <= status < 400:
        raise errors.Redirected(
            f"{host} redirects ({status}); redirects are not followed.", host=host, status=status
        )
    if status == 429:
        wait = retry_after(answer.headers.get("retry-after"), datetime.now(UTC))
        raise errors.RateLimited(f"{host} asks for a pause (429).", retry_after=wait, host=host)
    if status in (408, 425) or status >= 500:
        wait = retry_after(answer.headers.get("retry-after"), datetime.now(UTC))
        raise errors.ServerError(
            f"{host} has trouble ({status}).", retry_after=wait, host=host, status=status
        )


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait, from a Retry-After header: a count or an HTTP date (RFC 9110, 10.2.3).

    None where there is none, or one that makes no sense (negative, garbage).
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
