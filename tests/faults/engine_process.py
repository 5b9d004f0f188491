"""An engine as a process of its own, with quick times. The house is in the environment.

    python -m tests.faults.engine_process LEASE [--settle FOLDER] [--clock FILE] [CHILD …]

LEASE: its seconds. --settle: before the end of a run is written, mark FOLDER/reached and stand still until FOLDER/go
is there. --clock: by how many seconds its wall clock is ahead is in FILE, which may change. CHILD: the command of its
children, if not the usual one.
"""

import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import time_machine

from panel import logs
from panel.config import load
from panel.engine import supervise
from panel.engine.worker import Engine, Pace


def stand_still(folder: Path) -> None:
    """Between the child's end and the engine's word about it."""
    real = supervise.conclude

    def conclude(*what: Any, **more: Any) -> None:
        if not (folder / "reached").exists():
            (folder / "reached").touch()
            while not (folder / "go").exists():
                time.sleep(0.02)
        real(*what, **more)

    supervise.conclude = conclude


def set_the_clock(file: Path) -> None:
    """Wall clocks of this process go by the file; what counts since boot does not.

    The program faketime cannot do that: with the monotonic clock left alone, its sleep fails under Python.
    """
    clock = time_machine.travel(datetime.now(UTC), tick=True).start()
    ahead = 0.0

    def follow() -> None:
        nonlocal ahead
        while True:
            wanted = float(file.read_text() or ahead)
            if wanted != ahead:
                clock.shift(timedelta(seconds=wanted - ahead))
                ahead = wanted
            time.sleep(0.02)

    threading.Thread(target=follow, daemon=True).start()


def main(lease: str, *words: str) -> None:
    child = list(words)
    if child[:1] == ["--settle"]:
        stand_still(Path(child[1]))
        child = child[2:]
    if child[:1] == ["--clock"]:
        set_the_clock(Path(child[1]))
        child = child[2:]
    config = load()
    logs.configure(config.log_level)
    seconds = float(lease)
    pace = Pace(lease=seconds, renew=min(seconds / 10, 1.0), tick=0.2, sweep=0.5, standby=0.1)
    options: dict[str, Any] = {"child": tuple(child)} if child else {}
    Engine(config, pace=pace, grace=2.0, **options).run_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
