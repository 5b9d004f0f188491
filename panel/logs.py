"""Logs of the processes: one JSON object a line on stderr, in which no name can forge a second line."""

import logging
import re
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

_SECRET_NAME = re.compile(r"password|secret|token|authorization|cookie|api_?key", re.IGNORECASE)
_LOGIN_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")
_BEARER = re.compile(r"(?i)\b(bearer\s+|hamgam_)[\w.~+/=-]{8,}")
MASK = "--------"
QUIET = 60.0  # seconds in which a warning that is said again says nothing new
REMEMBERED = 200  # different warnings at once; more are no repetition but a flood of its own


def configure(level: str) -> None:
    """Send our own log lines and those of libraries through the same filter to stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redacted,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # After the library's own message has been put together.
                redacted,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    handler.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The clock would say each second that it ticked.
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


class Repeats(logging.Filter):
    """Lets the same warning through once a minute, with the number of times that it was not.

    An engine that cannot write its database tries again each second: said each second, that would fill the disk that
    is full already. Lines that tell of something that was done are never left out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is written."""
        if record.levelno < logging.WARNING:
            return True
        now, line = self._clock(), _without_moment(record)
        at, repeated = self._said.get(line, (None, 0))
        if at is not None and now - at < QUIET:
            self._said[line] = (at, repeated + 1)
            return False
        if len(self._said) >= REMEMBERED:
            self._said.clear()
        self._said[line] = (now, 0)
        if repeated and isinstance(record.msg, dict):
            record.msg = {**record.msg, "repeated": repeated}
        return True


def _without_moment(record: logging.LogRecord) -> str:
    if not isinstance(record.msg, dict):
        return f"{record.name} {record.levelname} {record.getMessage()}"
    return repr(
        (
            record.name,
            {name: value for name, value in record.msg.items() if name not in ("timestamp", "exc_info")},
        )
    )


def redacted(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take out what looks like a secret: by its name, or as a login within an address or a header."""
    for name, value in line.items():
        if name.startswith("_"):
            continue
        if _SECRET_NAME.search(name):
            line[name] = MASK
        elif isinstance(value, str):
            line[name] = redact(value)
    return line


def redact(text: str) -> str:
    return _BEARER.sub(rf"\1{MASK}", _LOGIN_IN_URL.sub(f"{MASK}@", text))
