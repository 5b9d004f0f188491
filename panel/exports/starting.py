"""Starting the process that makes a file, from a web worker: it lives on when that worker is replaced."""

import json
import logging
import subprocess
import sys
import threading
from pathlib import Path

from panel.clock import utcnow
from panel.config import ROOT, Config
from panel.exports import orders
from panel.exports.orders import FAILED, MAKING, State

log = logging.getLogger(__name__)


def start(config: Config, place: Path) -> None:
    """Start it. Raises OSError."""
    process = subprocess.Popen(
        [sys.executable, "-m", "panel.exports"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    said = {
        "folder": str(place),
        "data_url": config.data_database_url,
        "panel_url": config.panel_database_url,
    }
    threading.Thread(target=_wait, args=(process, json.dumps(said), place), daemon=True).start()


def _wait(process: "subprocess.Popen[bytes]", said: str, place: Path) -> None:
    """Until it has ended; one that died without a word of its own has failed."""
    _, errors = process.communicate(said.encode() + b"\n")
    if errors:
        log.error("making a file ended with: %s", errors.decode(errors="replace")[-2000:])
    if place.is_dir() and orders.state_of(place, utcnow()).state == MAKING:
        orders.tell(place, State(FAILED, error="lost"))
