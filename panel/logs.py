"""Logs of the processes: one JSON object a line on stderr, in which no name can forge a second line."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_NAME = re.compile(r"password|secret|token|authorization|cookie|api_?key", re.IGNORECASE)
_LOGIN_IN_URL = re.compile(r"(?<=://)[^/\s@]+@")
_BEARER = re.compile(r"(?i)\b(bearer\s+|hamgam_)[\w.~+/=-]{8,}")
MASK = "--------"


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
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The clock would say each second that it ticked.
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


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
