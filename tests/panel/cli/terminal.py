"""A terminal of one's own: commands as people type them, in an instance of the test."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import warm

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Terminal:
    """`terminal("sync", "faculty", "--json")` runs `python -m panel sync faculty --json`, to its end and warm."""

    instance: Path
    environ: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PANEL_INSTANCE": str(self.instance), **self.environ}

    def __call__(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return warm.run("panel", *arguments, env=self.environment(), input=typed)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """A process that goes on beside the test, started as people start it."""
        return subprocess.Popen(
            [sys.executable, "-m", "panel", *arguments],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def last_json(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The last line of stdout, which --json promises to be the answer."""
    return dict(json.loads(ended.stdout.strip().splitlines()[-1]))


def wait_for(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)
