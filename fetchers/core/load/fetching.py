"""Fetching the parts of a job in threads, so that the gateway is never waited for by whoever compares and writes."""

import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fetchers.core.errors import FetchError, OutOfMemory, is_out_of_memory
from fetchers.core.fetcher import Fetcher, Partition, Stream
from fetchers.core.records import Known, Whole
from fetchers.core.wire.http import Stopped

WAITING_BODIES = 4


class FetcherBroken(FetchError):
    """The fetcher's file cannot be imported, is not there, or makes a mistake of its own."""

    code = "E_FETCHER"


@dataclass(frozen=True)
class Part:
    """One planned part of one stream."""

    stream: Stream
    partition: Partition
    label: str


@dataclass(frozen=True)
class Fetched:
    """What a thread brought back: the records of a whole part, or why not."""

    part: Part
    records: Whole
    error: FetchError | None
    seconds: float


class Threads:
    """The threads of one job: as many as the source's settings allow connections."""

    def __init__(self, fetcher: Fetcher, source: str, before: Callable[[Part], Sequence[Known]]) -> None:
        """before: a part's pages as they were the last time; asked in any thread."""
        self._fetcher = fetcher
        self._before = before
        self._source = source
        self._stop = fetcher.session.stop
        self._todo: queue.SimpleQueue[Part | None] = queue.SimpleQueue()
        # At most four parts wait here, so that memory stays flat.
        self._brought: queue.Queue[Fetched] = queue.Queue(maxsize=WAITING_BODIES)

    def fetch(
        self, parts: list[Part], meanwhile: Callable[[], None], idle: Callable[[], None]
    ) -> Iterator[Fetched]:
        """The parts as they come, in any order.

        meanwhile: called about twice a second while nothing comes. idle: called before nothing is done but wait.
        """
        for part in parts:
            self._todo.put(part)
        for _ in range(min(self._fetcher.settings.connections, len(parts))):
            self._todo.put(None)
            threading.Thread(target=self._fetch_until_none, daemon=True).start()
        for _ in parts:
            if self._brought.empty():
                idle()
            while True:
                try:
                    fetched = self._brought.get(timeout=0.5)
                    break
                except queue.Empty:
                    meanwhile()
            yield fetched

    def _fetch_until_none(self) -> None:
        while (part := self._todo.get()) is not None and not self._stop.is_set():
            started = time.monotonic()
            try:
                self._fetcher.session.wait_for_room()
                records, failure = self._records(part), None
            except FetchError as error:
                records, failure = Whole(), alone(error)
            except Stopped:
                return
            # A thread that ends without a word would be waited for until the run's deadline: sys.exit() counts too.
            except BaseException as error:  # noqa: BLE001
                memory = is_out_of_memory(error)
                records, failure = Whole(), OutOfMemory() if memory else broken(error, self._source)
            self._bring(Fetched(part, records, failure, time.monotonic() - started))

    def _bring(self, fetched: Fetched) -> None:
        while not self._stop.is_set():
            try:
                self._brought.put(fetched, timeout=0.5)
                return
            except queue.Full:
                continue

    def _records(self, part: Part) -> Whole:
        pages = []
        session = self._fetcher.session
        with session.remembering(self._before(part)):
            for page in getattr(self._fetcher, part.stream.method)(**part.partition):
                pages.append(page.records)
                session.yielded(len(page.records))
        return Whole(pages)


def alone(error: FetchError) -> FetchError:
    """The error without its frames: a job remembers it to its end, and with them the body that was refused."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def broken(error: BaseException, source: str) -> FetcherBroken:
    """A mistake in a fetcher's file. Where it happened goes to stderr; what it was about may be a person's data."""
    show_place(error)
    kind = type(error).__name__
    return FetcherBroken(f"The fetcher failed with {kind}.", source=source, detail=kind)


def show_place(error: BaseException) -> None:
    """Write the traceback to stderr without the error's own words, which may hold somebody's data."""
    print(
        "".join(traceback.format_tb(error.__traceback__)), type(error).__name__, file=sys.stderr, flush=True
    )
