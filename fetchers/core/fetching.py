"""Fetching the parts of a job in threads, so that the gateway is never waited for by whoever compares and writes."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from fetchers.core.errors import FetchError
from fetchers.core.fetcher import Fetcher, Partition, Stream
from fetchers.core.http import Stopped

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
    records: list[msgspec.Raw]
    error: FetchError | None
    seconds: float


class Threads:
    """The threads of one job: as many as the source's settings allow connections."""

    def __init__(self, fetcher: Fetcher, source: str) -> None:
        self._fetcher = fetcher
        self._source = source
        self._todo: queue.SimpleQueue[Part | None] = queue.SimpleQueue()
        # At most four parts wait here, so that memory stays flat.
        self._brought: queue.Queue[Fetched] = queue.Queue(maxsize=WAITING_BODIES)

    def fetch(self, parts: list[Part], meanwhile: Callable[[], None]) -> Iterator[Fetched]:
        """The parts as they come, in any order. meanwhile: called about twice a second while nothing comes."""
        for part in parts:
            self._todo.put(part)
        for _ in range(min(self._fetcher.settings.connections, len(parts))):
            self._todo.put(None)
            threading.Thread(target=self._fetch_until_none, daemon=True).start()
        for _ in parts:
            while True:
                try:
                    fetched = self._brought.get(timeout=0.5)
                    break
                except queue.Empty:
                    meanwhile()
            yield fetched

    def _fetch_until_none(self) -> None:
        while (part := self._todo.get()) is not None:
            started = time.monotonic()
            try:
                records, failure = self._records(part), None
            except FetchError as error:
                records, failure = [], error
            except Stopped:
                return
            except Exception as error:  # noqa: BLE001 - a fetcher's own mistake: its part fails, with a name
                name = type(error).__name__
                self._fetcher.log(f"{part.label}: {name} in the fetcher", "error")
                records, failure = [], FetcherBroken(f"The fetcher failed with {name}.", source=self._source)
            self._brought.put(Fetched(part, records, failure, time.monotonic() - started))

    def _records(self, part: Part) -> list[msgspec.Raw]:
        pages = getattr(self._fetcher, part.stream.method)(**part.partition)
        return [record for page in pages for record in page.records]
