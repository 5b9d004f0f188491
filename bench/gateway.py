"""The one gateway that all contestants ask: the simulator, as a process of its own, steered from here."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parent.parent
TODAY = "2026-11-22"  # the simulator's date and Hamgam's: it fixes which terms there are
USERNAME, PASSWORD = "hamgam", "simulator"


class Gateway:
    """Use it as a context; `url` is where it listens. Its world is made by `world`."""

    def __init__(self) -> None:
        self.url = ""

    def __enter__(self) -> "Gateway":
        options = ["--port", "0", "--rows", "200", "--parts", "2", "--today", TODAY, "--lifeline"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fetchers.golestan.simulator", *options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        first = self._process.stdout.readline().strip()
        if not first.startswith("listening on "):
            raise RuntimeError(f"the gateway did not start: {first!r}")
        self.url = first.removeprefix("listening on ")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()  # its lifeline
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def world(self, rows: int, parts: int, *, whole: bool = False) -> int:
        """A new world of so many student rows, rendered whole; the bytes of its largest part.

        whole: a part comes in one answer, whatever page size is asked for.
        """
        self._ask("options", {"rows": rows, "parts": parts, "latency": 0, "whole": whole})
        return int(self._ask("warm", {})["largest"])

    def latency(self, milliseconds: int) -> None:
        """Wait so long before each answer."""
        self._ask("options", {"latency": milliseconds})

    def change(self, rows: int) -> list[dict[str, Any]]:
        """Change a field of so many rows, all over the parts; what was changed."""
        report = self._ask("delta", {"changed": rows})
        self._ask("warm", {})
        return list(report["changes"])

    def campuses(self) -> list[str]:
        """The codes of all campuses."""
        return [campus["pardis_code"] for campus in self._ask("campuses")]

    def terms(self) -> list[str]:
        """The codes of all terms, oldest first."""
        return list(self._ask("terms"))

    def counts(self) -> dict[str, Any]:
        """How many rows each table shall have, and how many on the wire are doubled or have no key."""
        return dict(self._ask("counts", at="truth/counts"))

    def save_truth(self, table: str, path: Path) -> None:
        """The table as a perfect reader would store it, JSON lines, streamed into a file."""
        with urlopen(f"{self.url}/__sim__/truth/{table}", timeout=600) as answer, path.open("wb") as file:
            while piece := answer.read(1 << 20):
                file.write(piece)

    def _ask(self, name: str, body: object = None, at: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.url}/__sim__/{at or name}", data=data), timeout=600) as answer:
            return json.load(answer)
