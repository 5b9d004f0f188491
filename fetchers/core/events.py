"""How a child tells its parent what happens: JSON lines on stdout (DESIGN.md 4.2).

plan       {"parts": [...], "resumed": [...]}
progress   {"counts", "partitions", "staged", "waiting"}, at most two a second
partition  {"part", "state": done | staged | failed | held, "counts", "error", "seconds"}
drift      {"stream", "change", "fields"}: what became known of the schema, once (core/store/discovered.py)
log        {"level", "message"}
and one last: result | held | error, with "counts", "partitions", "records", and "error" unless it is a result
(a dry run's result has one where the real run would be held)
"""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

PROGRESS_SECONDS = 0.5

Sink = Callable[[dict[str, Any]], None]


def json_lines(stream: TextIO) -> Sink:
    """A sink that writes each event as one line, from any thread."""
    lock = threading.Lock()

    def write(event: dict[str, Any]) -> None:
        try:
            line = orjson.dumps(event)
        except TypeError:  # half a letter, or a value that is no JSON, in what a fetcher says
            line = json.dumps(event, ensure_ascii=False, default=str).encode("utf-8", "replace")
        with lock:
            stream.buffer.write(line + b"\n")
            stream.buffer.flush()

    return write


class Events:
    """The child's voice."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._last_progress = 0.0

    def send(self, kind: str, **fields: Any) -> None:
        """Send one event now."""
        self._sink({"event": kind, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields})

    def log(self, message: str, level: str = "info") -> None:
        """A line for the run's log; never a secret, never a person's data."""
        self.send("log", level=level, message=message[:1000])

    def progress(self, *, force: bool = False, **fields: Any) -> None:
        """Send progress, unless the last one was less than half a second ago."""
        now = time.monotonic()
        if force or now - self._last_progress >= PROGRESS_SECONDS:
            self._last_progress = now
            self.send("progress", **fields)
