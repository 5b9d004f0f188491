"""A request's turn at its gateway, shared by every process of the installation.

What is known of a gateway (core/wire/courtesy.py) is in `<folder>/<gateway>/state.json`; whoever looks or learns locks
that file for some microseconds. A connection that is in use is a lock on one of the files `slot-00`, `slot-01` …, and
the one small question to a gateway that is down a lock on `probe`. The system lets go of all of them when a process
ends, however it ends: there is no permit to leak and none to take back.

Without a folder, or where it cannot be used, a session keeps the same rules for itself alone.
"""

import fcntl
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from fetchers.core import errors
from fetchers.core.wire import courtesy
from fetchers.core.wire.courtesy import GATEWAY, RATE_LIMITED, TURN, Budget, Cause, Go, State, Wait

LOOK_EVERY = 0.5  # seconds: others may learn that the gateway is back
POLL = 0.02  # seconds: for a turn or a connection that may be free any moment
PATIENCE = 2.0  # seconds for the lock: a process that was stopped while it held it must not stop the others
SHOWN_FROM = 2.0  # seconds of waiting for one's turn that people are told about
LARGEST = 1 << 15  # bytes of a state; it has some thousand

_PORTS = {"http": 80, "https": 443}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(State).decode


def key_of(url: str) -> str:
    """The gateway behind an address: scheme, host and port, in one spelling. Raises ValueError where there is none."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in _PORTS or not host:
        raise ValueError("this is not a web address")
    port = parts.port or _PORTS[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port == _PORTS[parts.scheme] else f":{port}")


def boottime() -> float:
    """Seconds since this machine started, suspend included; the same for all processes, and never set by anybody."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Which start of the machine this is."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


class Books(Protocol):
    """Where the state of one gateway is kept, and its locks."""

    @contextmanager
    def opened(self) -> Iterator[State]: ...

    def take(self, name: str) -> Callable[[], None] | None: ...


class Shared:
    """The books of one gateway that all processes share. Raises OSError where they cannot be used."""

    def __init__(self, folder: Path, key: str) -> None:
        self._key = key
        self._home = folder / file_name(key)
        self._file = str(self._home / "state.json")

    @contextmanager
    def opened(self) -> Iterator[State]:
        """What is known, locked; what is changed inside the block is known to all afterwards."""
        line = self._open(self._file)
        try:
            _lock(line)
            written = os.pread(line, LARGEST, 0)
            state = read_state(written, self._key)
            yield state
            # One write that is never shorter than what stood there: a process killed here leaves the old or the new.
            os.pwrite(line, _encode(state).ljust(len(written.rstrip())), 0)
        finally:
            os.close(line)

    def take(self, name: str) -> Callable[[], None] | None:
        """A lock of this name, and how to let go of it; None if somebody has it."""
        line = self._open(str(self._home / name))
        try:
            fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(line)
            if isinstance(error, BlockingIOError):
                return None
            raise
        return lambda: os.close(line)

    def _open(self, path: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
            return os.open(path, flags, 0o600)


class Alone:
    """The same for one session."""

    def __init__(self, key: str) -> None:
        self._state = State(gateway=key)
        self._lock = threading.Lock()
        self._taken: set[str] = set()

    @contextmanager
    def opened(self) -> Iterator[State]:
        """What is known, for one thread at a time."""
        with self._lock:
            yield self._state

    def take(self, name: str) -> Callable[[], None] | None:
        """As of `Shared`; called while the books are open, or to let go."""
        if name in self._taken:
            return None
        self._taken.add(name)
        return lambda: self._taken.discard(name)


def file_name(key: str) -> str:
    """The name of a gateway's folder: readable, safe, and never that of another gateway."""
    plain = re.sub(r"[^a-z0-9.-]+", "_", key.lower())[:120]
    return f"{plain}-{sha256(key.encode()).hexdigest()[:8]}"


def read_state(written: bytes, key: str) -> State:
    """A state as it stands in its file; a new one where nothing, or nothing readable, stands there."""
    try:
        return _decode(written)
    except msgspec.MsgspecError:  # empty, or torn by a machine that lost its power
        return State(gateway=key)


def _lock(line: int) -> None:
    """Wait for the lock of an open file, but not for ever. Raises OSError."""
    deadline = 0.0
    while True:
        try:
            return fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            deadline = deadline or now + PATIENCE
            if now > deadline:
                raise
            time.sleep(0.0002)


class Waiter(Protocol):
    """Who waits for a turn (core/wire/http.py): can be stopped, is patient until some moment, and tells people."""

    stop: threading.Event

    def patience(self) -> float: ...

    def waits(self, reason: str, seconds: float) -> None: ...

    def goes_on(self) -> None: ...

    def log(self, message: str, level: str = "info") -> None: ...


class Stopped(Exception):
    """The job was told to stop while it waited."""


class Courtesy:
    """One session's way to its gateways.

    me: a name that nobody else has. budget: of the source itself. folder: where the installation keeps what is known;
    None: alone. others: the gentlest budget of all sources of a gateway, by its key. hurried: a person waits for one
    answer: no pause is sat out, and a gateway that is down is asked at once, if that was not done just now.
    """

    def __init__(
        self,
        me: str,
        budget: Budget,
        *,
        folder: Path | None = None,
        others: Mapping[str, Budget] | None = None,
        hurried: bool = False,
    ) -> None:
        self.hurried = hurried
        self._me = me
        self._budget = budget
        self._folder = folder
        self._others = others or {}
        self._lock = threading.Lock()
        self._places: dict[str, _Place] = {}

    def turn(self, url: str, body: bytes, waiter: Waiter) -> "Turn":
        """Wait until this request may go; `with` the turn, make it.

        Raises Stopped, ValueError (no web address), and Unavailable where patience ends while the gateway is down.
        """
        key = key_of(url)
        with self._lock:
            place = self._places.get(key)
            if place is None:
                own = self._budget.gentler(self._others.get(key, self._budget))
                place = self._places[key] = _Place(key, self._me, own, self._folder)
        path = urlsplit(url).path
        return place.wait(path, courtesy.question(path, body), waiter, hurried=self.hurried)


class _Place:
    """One gateway, as one session stands before it."""

    def __init__(self, key: str, me: str, budget: Budget, folder: Path | None) -> None:
        self.key, self._me, self._budget = key, me, budget
        self._alone: Books = Alone(key)
        self._shared: Books | None = None if folder is None else Shared(folder, key)
        self._told = False  # that the shared books cannot be used
        self._waiting = 0  # threads
        self._lock = threading.Lock()

    def wait(self, path: str, question: int, waiter: Waiter, *, hurried: bool) -> "Turn":
        began, patient_until = time.monotonic(), waiter.patience()
        self._count(1)
        try:
            while True:
                found = self._look(path, question, waiter, hurried)
                if isinstance(found, Turn):
                    return found
                waited = time.monotonic() - began
                if found.reason != TURN:
                    self._lose_patience(found, hurried, patient_until)
                if found.reason != TURN or waited > SHOWN_FROM:
                    waiter.waits(found.reason, found.seconds)
                if waiter.stop.wait(min(max(found.seconds, POLL), LOOK_EVERY)):
                    raise Stopped
        finally:
            self._count(-1)
            waiter.goes_on()

    def _look(self, path: str, question: int, waiter: Waiter, hurried: bool) -> "Turn | Wait":
        for books in self._all_books():
            found: Turn | Wait | None = None
            try:
                with books.opened() as state:
                    found = self._ask(books, state, path, question, waiter, hurried)
            except OSError as error:
                self._tell(error, waiter)
                if isinstance(found, Turn):  # it could not be written down
                    found.let_go()
            else:
                return found
        raise AssertionError("one's own books can always be opened")

    def _ask(
        self, books: Books, state: State, path: str, question: int, waiter: Waiter, hurried: bool
    ) -> "Turn | Wait":
        now = boottime()
        state.wake(boot_id(), now)
        state.come(self._me, self._budget, now)
        found = state.look(self._me, now, eager=hurried)
        if isinstance(found, Wait):
            return found
        held: list[Callable[[], None]] = []
        if found.probe:
            probe = books.take("probe")
            if probe is None:
                return Wait(LOOK_EVERY, GATEWAY)
            held.append(probe)
        for number in range(state.connections):
            slot = books.take(f"slot-{number:02}")
            if slot is not None:
                held.append(slot)
                state.go(self._me, now, probe=found.probe, others_wait=self._waiting > 1)
                return Turn(self, books, held, found, path, question, waiter)
        for let_go in held:
            let_go()
        return Wait(POLL, TURN)

    def _all_books(self) -> list[Books]:
        return [self._alone] if self._shared is None else [self._shared, self._alone]

    def _tell(self, error: OSError, waiter: Waiter) -> None:
        if not self._told:
            self._told = True
            waiter.log(
                f"What is known of {self.key} together cannot be used now ({error.strerror}); "
                "this run keeps its budget by itself.",
                "warning",
            )

    def _lose_patience(self, found: Wait, hurried: bool, patient_until: float) -> None:
        """Raise Unavailable where this wait is longer than its time: a pause is sat out, but not by a person."""
        if hurried or (found.reason == GATEWAY and time.monotonic() >= patient_until):
            raise unavailable(self.key, found)

    def _count(self, more: int) -> None:
        with self._lock:
            self._waiting += more


def unavailable(key: str, found: Wait) -> errors.Unavailable:
    """Why nothing was asked, and when somebody asks again."""
    host, seconds = urlsplit(key).netloc, max(1, round(found.seconds))
    if found.reason == RATE_LIMITED:
        return errors.Unavailable(
            f"{host} has asked for a pause; it is asked again in {seconds} s.",
            host=host,
            seconds=seconds,
            reason="pause",
        )
    return errors.Unavailable(
        f"{host} is down: its last requests all failed. It is asked again in {seconds} s.",
        host=host,
        seconds=seconds,
    )


class Turn:
    """One request under way: a connection, and what is learnt from it. Leaving the block lets go of both."""

    def __init__(
        self,
        place: _Place,
        books: Books,
        held: list[Callable[[], None]],
        found: Go,
        path: str,
        question: int,
        waiter: Waiter,
    ) -> None:
        self.probe = found.probe
        self._place, self._books, self._held = place, books, held
        self._path, self._question, self._waiter = path, question, waiter
        self._began = time.monotonic()
        self._trouble: Cause | None = None

    def spoil(self, error: errors.FetchError) -> None:
        """The answer is none, though the wire did its part: a web page in the place of data."""
        self._trouble = courtesy.cause_of(error.code, error.params)

    def __enter__(self) -> "Turn":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._books.opened() as state:
                self._learn(state, error)
        except OSError as trouble:
            self._place._tell(trouble, self._waiter)
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Give the connection back."""
        for let_go in self._held:
            let_go()
        self._held = []

    def _learn(self, state: State, error: BaseException | None) -> None:
        now, wall = boottime(), time.time()
        state.wake(boot_id(), now)
        pause = None
        if isinstance(error, errors.Transient | errors.Untrusted):
            self._trouble = courtesy.cause_of(error.code, error.params)
            pause = error.retry_after if isinstance(error, errors.Transient) else None
        elif isinstance(error, errors.ConfigError) or not isinstance(error, errors.FetchError | None):
            return  # nothing was asked, or a mistake of ours: nothing was learnt
        if self._trouble is None:
            seconds = time.monotonic() - self._began
            if state.answered(self._path, seconds, now, wall, probe=self.probe):
                self._waiter.log(f"{self._place.key} answers again.")
        elif state.failed(self._trouble, self._question, now, wall, probe=self.probe, retry_after=pause):
            self._waiter.log(
                f"{self._place.key} is taken to be down after {state.failures} failures in a row: "
                "from now on one small question at a time.",
                "warning",
            )
