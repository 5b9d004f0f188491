"""What processes log: one JSON object a line, no secret, no forged line."""

import json
import subprocess
import sys

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
