"""All HTTP of the data plane: one session per job, polite, bounded, and unable to lie about an answer.

Five deadlines bound a request (DESIGN.md 4.2): connecting (the name's lookup included), silence while reading and the
whole request here; stall and the whole run by the parent's clock. `timeout=` alone would not do: it starts anew with
every byte that drips in, so a watch cuts the connection when the request's time is up (core/wire/deadline.py).
Redirects are not followed (the token would travel along), the environment's proxies and ~/.netrc are not read, and
what a body may unpack to is capped.

The wire is urllib3 itself: measured on 1.2 MB answers it costs a quarter of httpx's time (docs/decisions.md).
"""

import errno
import http.client
import random
import re
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
from fetchers.core.records import Known, Whole
from fetchers.core.spool import Spools
from fetchers.core.wire import courtesy as rules
from fetchers.core.wire.body import Room, Spooled
from fetchers.core.wire.deadline import ANSWER, Deadlines, NameTimedOut, note, watched
from fetchers.core.wire.envelope import Page
from fetchers.core.wire.gateway import Courtesy, Stopped
from fetchers.core.wire.paging import Ask, read_whole

WAITING_IN_FILES = 512 * 1024 * 1024  # bytes of parts that wait, beyond which no further part is begun
# What is wrong with a certificate, by OpenSSL's X509_V_ERR_… (openssl/x509_vfy.h).
CERTIFICATE = {
    9: "tls_expired",  # or not valid yet: a clock is wrong
    10: "tls_expired",
    18: "tls_authority",
    19: "tls_authority",
    20: "tls_authority",
    21: "tls_authority",
    62: "tls_name",
    64: "tls_name",
}
# Why no connection came about where nobody refused it, by the system's errno.
NO_WAY: Mapping[int | None, str] = {
    errno.ENETUNREACH: "network",
    errno.ENETDOWN: "network",
    errno.EHOSTUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
}
TRACE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:|-]{3,99}")
TRACE_HEADERS = ("x-request-id", "x-correlation-id", "request-id", "traceparent")
LARGEST_REFUSAL = 1 << 16  # bytes in which a trace is looked for

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """A complete answer: status, headers (lower-case names), decoded body, in memory or in a file."""

    status: int
    headers: Mapping[str, str]
    content: bytes | Spooled

    @property
    def spooled(self) -> Spooled | None:
        """The body, if it is in a file."""
        return None if isinstance(self.content, bytes) else self.content

    @property
    def body(self) -> bytes:
        """The body, in memory. Raises TooLarge for one that must not be there whole."""
        return self.content if isinstance(self.content, bytes) else self.content.whole()

    @property
    def beginning(self) -> bytes:
        """The first bytes of the body, wherever it is."""
        return self.content[:64] if isinstance(self.content, bytes) else self.content.read(0, 64)


class Session:
    """What a job's fetcher reaches the gateway with; shared by all its threads.

    settings: connections, requests per second and deadlines. now: the job's idea of the present (UTC). spools: where
    bodies go that are too large for memory. courtesy: the way to the gateway that all share; without one, the session's
    limits hold for itself alone.
    """

    def __init__(
        self,
        settings: HttpSettings,
        events: Events,
        now: datetime,
        spools: Spools | None = None,
        courtesy: Courtesy | None = None,
    ) -> None:
        self.settings = settings
        self.spools = spools or Spools()
        self.now = now
        self.stop = threading.Event()
        self._courtesy = courtesy or Courtesy(
            uuid.uuid4().hex, rules.Budget(settings.connections, settings.requests_per_second)
        )
        self.largest_page = 0  # rows; what this gateway has been seen to give at once (paging)
        self.only_first_page = False  # of each part: somebody wants to look, not to have the whole
        self.announced: int | None = (
            None  # rows of the part, as its first page said when only that was asked for
        )
        self.received = 0  # rows that came in pages so far; a sign of life while a part of many pages is read
        self.last_success = time.monotonic()
        self.clock_off: float | None = None  # seconds by which the gateway's clock is ahead of ours
        self.reached = ""  # how far the newest request has come (core/wire/deadline.py)
        self.took: float | None = None  # seconds from the newest request to the beginning of its answer
        self._events = events
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[str, datetime]] = {}
        self._yielded = 0
        self._asking = 0  # requests under way
        self._part = _Part(self.spools)
        self._deadlines = Deadlines()
        self._pool = watched(
            urllib3.PoolManager(
                maxsize=settings.connections,
                block=True,
                retries=False,
                # The system's trust store, where an office can put an authority of its own.
                ssl_context=ssl.create_default_context(),
                timeout=urllib3.Timeout(connect=settings.connect_timeout, read=settings.silence_timeout),
            )
        )

    def log(self, message: str, level: str = "info") -> None:
        """A line for the run's log."""
        self._events.log(message, level)

    def yielded(self, rows: int) -> None:
        """The fetcher has handed on so many rows of a part that it is still reading."""
        with self._lock:
            self._yielded += rows
            self.received = max(self.received, self._yielded)

    @property
    def waiting(self) -> dict[str, str] | None:
        """Why and until when the job waits, if some thread does and none is asking."""
        with self._lock:
            waits = list(self._waiting.values())
            if not waits or self._asking:
                return None
        reason, until = min(waits, key=lambda wait: wait[1])
        return {"reason": reason, "until": until.isoformat(timespec="seconds")}

    def post_json(self, url: str, body: Any, headers: Mapping[str, str], small: Any = None) -> Answer:
        """One POST, sent once, when it is its turn. Raises Transient for what may heal, FetchError for what will not.

        Answers of 401 and 400–499 are returned: what they mean is the fetcher's to say.
        small: the body of the same question at its smallest, by which a gateway that was down shows that it is back.
        """
        try:
            data = orjson.dumps(body)
            smallest = None if small is None else orjson.dumps(small)
        except TypeError:  # without the value itself: it may be a secret
            raise errors.ConfigError("A value of the settings cannot be sent.", setting="base_url") from None
        while True:
            try:
                turn = self._courtesy.turn(url, data, self)
            except ValueError:
                raise errors.ConfigError(
                    "The gateway's address cannot be sent.", setting="base_url"
                ) from None
            with turn:
                asked = smallest if turn.probe and smallest is not None else data
                answer = self._post_once(url, asked, headers)
                if _is_web_page(answer.beginning):
                    turn.spoil(errors.NotJson("The gateway sent a web page instead of data.", reason="html"))
            if asked is data:
                return answer

    def _post_once(self, url: str, data: bytes, headers: Mapping[str, str]) -> Answer:
        host = urlsplit(url).netloc
        allowed = self.settings.request_timeout
        with self._under_way(), self._deadlines.over(time.monotonic() + allowed) as watch:
            try:
                answer = self._exchange(url, data, headers)
            except (wire.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
                if not watch.passed:
                    raise _mapped(error, host, self.settings) from error
            finally:
                self.reached = watch.reached
            if watch.passed:  # also where a connection that was cut looks like a body that ended
                raise _late(f"The answer of {host} was not complete", "request", allowed, host)
        _refuse_failures(answer, host)
        return answer

    def _exchange(self, url: str, data: bytes, headers: Mapping[str, str]) -> Answer:
        asked = time.monotonic()
        response = self._pool.request(
            "POST",
            url,
            body=data,
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": "hamgam",
                **headers,
            },
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        note(ANSWER)
        self.took = time.monotonic() - asked
        try:
            found = {key.lower(): value for key, value in response.headers.items()}
            self.clock_off = clock_off(found.get("date"), datetime.now(UTC))
            return Answer(response.status, found, self._part.room.receive(response))
        except BaseException:
            response.close()
            raise
        finally:
            # Also a connection that is closed now: the pool waits for as many to come back as it gave.
            response.release_conn()

    def patiently(self, call: Callable[[], T], what: str) -> T:
        """Repeat a call while what fails may heal, within the part's budget: full jitter from 1 to 60 s.

        A gateway that names a time (Retry-After) is believed, up to 15 minutes. Raises the last error.
        """
        started = time.monotonic()
        self._part.patient_until = started + self.settings.retry_budget
        try:
            result = self._repeat(call, what, started)
        finally:
            self._part.patient_until = None
        self.last_success = time.monotonic()
        return result

    def _repeat(self, call: Callable[[], T], what: str, started: float) -> T:
        tries = 0
        last: errors.Transient | None = None
        while True:
            try:
                return call()
            except errors.Unavailable as error:
                raise (
                    last or error
                ) from None  # what the gateway said tells more than that it was not asked again
            except errors.Transient as error:
                last = error
                tries += 1
                elapsed = time.monotonic() - started
                if elapsed >= self.settings.retry_budget:
                    raise
                ceiling = min(60.0, 2.0 ** min(tries - 1, 6))
                seconds = random.uniform(0, ceiling)
                if error.retry_after:
                    seconds = min(error.retry_after, rules.MAX_RETRY_AFTER)
                else:
                    seconds = min(seconds, self.settings.retry_budget - elapsed)
                self.log(f"{what}: {error} Trying again in {seconds:.1f} s.", "warning")
                self._sleep(seconds, "rate_limited" if isinstance(error, errors.RateLimited) else "retry")

    def read_whole(self, ask: Ask, page_size: int) -> Whole:
        """Every record of a part, page by page; of its first page alone while `only_first_page`.

        Raises PagingError where no whole can be made of what comes.
        """
        if self.only_first_page:
            first = ask(1, page_size)
            self.announced = first.total
            return Whole([first.records])
        part = self._part
        before = part.before[part.read :]

        def ask_knowingly(number: int, size: int) -> Page:
            if number == 1:
                part.room.renew()
            part.expected = before[number - 1] if number <= len(before) else None
            try:
                return ask(number, size)
            finally:
                part.expected = None

        whole = read_whole(ask_knowingly, page_size, self._saw_page, before)
        part.read += len(whole.pages or ())
        return whole

    @contextmanager
    def remembering(self, before: Sequence[Known]) -> Iterator[None]:
        """Inside the block, this thread reads a part whose pages were these the last time."""
        self._part.before, self._part.read = before, 0
        self._part.room.renew()
        try:
            yield
        finally:
            self._part.before = ()
            self._part.room.renew()

    def wait_for_room(self) -> None:
        """Before a part is begun: not while larger parts wait in files than these may hold. Raises Stopped."""
        while self.spools.size > WAITING_IN_FILES:
            if self.stop.wait(0.2):
                raise Stopped

    @property
    def expected(self) -> Known | None:
        """The page that this thread asks for now, as it was the last time; None where that is not known."""
        return self._part.expected

    def _saw_page(self, rows: int) -> int:
        with self._lock:
            self.received += rows
            self.largest_page = max(self.largest_page, rows)
            return self.largest_page

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        with self._lock:
            self._asking += 1
        try:
            yield
        finally:
            with self._lock:
                self._asking -= 1

    def _sleep(self, seconds: float, reason: str) -> None:
        self.waits(reason, seconds)
        try:
            if self.stop.wait(seconds):
                raise Stopped
        finally:
            self.goes_on()

    def patience(self) -> float:
        """Until when this thread waits for a gateway that is down, by the monotonic clock."""
        until = self._part.patient_until
        return time.monotonic() + self.settings.retry_budget if until is None else until

    def waits(self, reason: str, seconds: float) -> None:
        """This thread waits for so long, and people may know why."""
        with self._lock:
            self._waiting[threading.get_ident()] = (reason, datetime.now(UTC) + timedelta(seconds=seconds))

    def goes_on(self) -> None:
        """This thread does not wait any more."""
        with self._lock:
            self._waiting.pop(threading.get_ident(), None)


class _Part(threading.local):
    """What a thread knows of the part that it reads, and how long it is patient."""

    def __init__(self, spools: Spools) -> None:
        self.before: Sequence[Known] = ()
        self.read = 0  # pages of it so far
        self.expected: Known | None = None
        self.room = Room(spools)
        self.patient_until: float | None = None


def _is_web_page(beginning: bytes) -> bool:
    """Whether a body that begins so is what a gateway shows to browsers: a notice of maintenance, a login page."""
    return beginning.lstrip().lower().startswith((b"<!doctype", b"<html"))


def _mapped(error: Exception, host: str, settings: HttpSettings) -> errors.FetchError:
    """The wire's errors in our words."""
    # These two are timeouts in the wire's own tree.
    if isinstance(error, wire.NameResolutionError):
        number = getattr(error.__cause__, "errno", None)
        return errors.ConnectError(
            f"The name {host} cannot be resolved.",
            host=host,
            reason="dns_down" if number == socket.EAI_AGAIN else "dns",
        )
    if isinstance(error, wire.NewConnectionError):
        return errors.ConnectError(
            f"{host} does not accept connections.",
            host=host,
            reason=NO_WAY.get(getattr(error.__cause__, "errno", None), "refused"),
        )
    if isinstance(error, NameTimedOut):
        return _late(f"The name service said nothing about {host}", "name", settings.connect_timeout, host)
    if isinstance(error, wire.ConnectTimeoutError):
        return _late(f"No connection to {host} came about", "connect", settings.connect_timeout, host)
    if isinstance(error, wire.ReadTimeoutError):
        return _late(f"{host} sent nothing", "silence", settings.silence_timeout, host)
    if isinstance(error, wire.SSLError):
        for reason in (*error.args, error.__cause__):
            if isinstance(reason, ssl.SSLCertVerificationError):
                why = CERTIFICATE.get(reason.verify_code, "tls")
                return errors.Untrusted(
                    f"The certificate of {host} cannot be trusted.", host=host, reason=why
                )
        return errors.ConnectError(f"No safe connection to {host} came about.", host=host, reason="handshake")
    if isinstance(error, wire.LocationValueError):
        return errors.ConfigError("The gateway's address is not a web address.", setting="base_url")
    # InvalidChunkLength is an IncompleteRead of http.client, which the wire wraps into a ProtocolError.
    if isinstance(error, wire.DecodeError | http.client.IncompleteRead) or (
        isinstance(error, wire.ProtocolError)
        and any(isinstance(reason, http.client.IncompleteRead) for reason in error.args)
    ):
        return errors.Truncated(f"The answer of {host} ended too early.", host=host, reason="short")
    return errors.ConnectError(f"The connection to {host} broke.", host=host, reason="broken")


def _late(what: str, deadline: str, seconds: float, host: str) -> errors.TimedOut:
    return errors.TimedOut(f"{what} within {seconds:g} s.", deadline=deadline, seconds=seconds, host=host)


def _refuse_failures(answer: Answer, host: str) -> None:
    """Raise for a status that says nothing about the request itself. The body is never read as data."""
    status, headers = answer.status, answer.headers
    if 300 <= status < 400:
        raise errors.Redirected(
            f"{host} redirects ({status}); redirects are not followed.",
            host=host,
            status=status,
            location=_site(answer.headers.get("location", "")),
            **traced(answer),
        )
    if status == 429:
        wait = retry_after(headers.get("retry-after"), _moment(headers.get("date")) or datetime.now(UTC))
        raise errors.RateLimited(
            f"{host} asks for a pause (429).", retry_after=wait, host=host, status=status, **traced(answer)
        )
    if status in (408, 425) or status >= 500:
        wait = retry_after(headers.get("retry-after"), _moment(headers.get("date")) or datetime.now(UTC))
        raise errors.ServerError(
            f"{host} has trouble ({status}).", retry_after=wait, host=host, status=status, **traced(answer)
        )


class _Traced(msgspec.Struct, rename={"trace": "traceId"}):
    trace: str = ""


def traced(answer: Answer) -> dict[str, str]:
    """The id under which the gateway has noted a request that it refused, as the param `trace`; empty if it told none.

    Its keeper finds the request by it (ASP.NET's `traceId`, DOMAIN.md G8). Nothing else of such a body is read.
    """
    told = [answer.headers.get(name, "") for name in TRACE_HEADERS]
    if answer.spooled is None and len(answer.body) < LARGEST_REFUSAL:
        with suppress(
            msgspec.MsgspecError, ValueError, RecursionError
        ):  # a page, or something else that has none
            told.append(msgspec.json.decode(answer.body, type=_Traced).trace)
    return next(({"trace": one} for one in told if TRACE.fullmatch(one)), {})


def _site(location: str) -> str:
    """Where a redirect leads: scheme, host and port alone, since the rest may hold a login; "" if it cannot be told."""
    try:
        parts = urlsplit(location)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}"[:100] if parts.scheme and parts.hostname else ""
    except ValueError:
        return ""


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait, from a Retry-After header: a count or an HTTP date (RFC 9110, 10.2.3).

    now: by the gateway's own clock where it tells it, so that a clock that is wrong, ours or theirs, does no harm.
    None where there is none, or one that helps nobody (zero, past, negative, garbage): then we back off by ourselves.
    """
    value = (value or "").strip()
    if value.isascii() and value.isdigit():
        return float(value) or None
    moment = _moment(value)
    seconds = 0.0 if moment is None else (moment - now).total_seconds()
    return seconds if seconds > 0 else None


def _moment(value: str | None) -> datetime | None:
    """An HTTP date; None where it is none."""
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def clock_off(date: str | None, now: datetime) -> float | None:
    """Seconds by which a gateway's clock is ahead of ours, by its Date header; None where it tells none."""
    moment = _moment(date)
    return None if moment is None else (moment - now).total_seconds()
