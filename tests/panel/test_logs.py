"""What processes log: one JSON object a line, no secret, no forged line."""

import json
import logging
import subprocess
import sys

from panel.logs import Repeats

PROGRAM = """
import logging, structlog
from panel import logs
logs.configure("info")
log = structlog.get_logger("engine")
log.info("run ended", name="reza\\nFORGED {}\\x1b[31m", password="canary-1", url="http://reza:canary-2@gateway/x")
logging.getLogger("library").warning("header was %s", "Authorization: Bearer canary-3canary-3")
try:
    raise ValueError("postgresql://maryam:canary-4@127.0.0.1/panel does not answer")
except ValueError:
    log.exception("it broke")
log.debug("not to be seen")
"""


def test_a_log_line_is_one_line_and_holds_no_secret() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ended.stdout == ""
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "run ended",
        "header was Authorization: Bearer --------",
        "it broke",
    ]
    assert lines[0]["name"] == "reza\nFORGED {}\x1b[31m", "kept, but escaped"
    assert "\x1b" not in ended.stderr
    assert "ValueError" in lines[2]["exception"]
    assert "canary" not in ended.stderr


def said(filter_: Repeats, level: int, **line: object) -> dict[str, object] | None:
    """A line as structlog hands it on; None where it is left out."""
    record = logging.LogRecord("engine", level, "", 0, {"timestamp": object(), **line}, (), None)  # type: ignore[arg-type]
    return record.msg if filter_.filter(record) else None  # type: ignore[return-value]


def test_the_same_warning_again_is_left_out_for_a_minute_and_then_says_how_often() -> None:
    now = [100.0]
    repeats = Repeats(lambda: now[0])
    full = {"event": "the control database does not answer", "job": "_renew"}
    assert said(repeats, logging.WARNING, **full)
    assert [said(repeats, logging.WARNING, **full) for _ in range(50)] == [None] * 50
    assert said(repeats, logging.WARNING, **{**full, "job": "_tick"}), "another one is news"
    now[0] += 61
    again = said(repeats, logging.WARNING, **full)
    assert again is not None and again["repeated"] == 50


def test_what_was_done_is_always_said() -> None:
    repeats = Repeats()
    assert all(said(repeats, logging.INFO, event="run ended", run=1) for _ in range(3))


def test_a_flood_of_different_warnings_takes_no_memory() -> None:
    repeats = Repeats()
    for number in range(10_000):
        assert said(repeats, logging.WARNING, event="odd", number=number)
    assert len(repeats._said) <= 200
