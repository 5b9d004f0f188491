"""An engine as a process of its own, with quick times. The house is in the environment.

    python -m tests.faults.engine_process LEASE [--settle FOLDER] [CHILD …]

LEASE: its seconds. --settle: before the end of a run is written, mark FOLDER/reached and stand still until FOLDER/go
is there. CHILD: the command of its children, if not the usual one.
"""

import sys
import time
from pathlib import Path
from typing import Any

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


def main(lease: str, *words: str) -> None:
    child = list(words)
    if child[:1] == ["--settle"]:
        stand_still(Path(child[1]))
        child = child[2:]
    config = load()
    logs.configure(config.log_level)
    seconds = float(lease)
    pace = Pace(lease=seconds, renew=min(seconds / 10, 1.0), tick=0.2, sweep=0.5, standby=0.1)
    options: dict[str, Any] = {"child": tuple(child)} if child else {}
    Engine(config, pace=pace, grace=2.0, **options).run_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
