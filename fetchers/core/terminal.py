"""A job's events on a terminal."""

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

COUNTS = ("read", "added", "changed", "unchanged", "gone", "rejected", "duplicates")


class ProgressBar:
    """Shows parts done, records read and the verdict, on stderr."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
        )
        self._task = self._progress.add_task("parts", total=None, note="")

    def __enter__(self) -> "ProgressBar":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, event: dict[str, Any]) -> None:
        """Show one event."""
        kind = event["event"]
        if kind == "plan":
            self._progress.update(self._task, total=len(event["parts"]), completed=len(event["resumed"]))
        elif kind == "progress":
            done = event["partitions"]["done"] + event["partitions"]["failed"] + event["partitions"]["held"]
            waiting = event["waiting"]
            note = f"{event['staged']} records" + (f", waiting ({waiting['reason']})" if waiting else "")
            self._progress.update(self._task, completed=done, note=note)
        elif kind == "partition" and event["state"] in ("failed", "held"):
            self.console.print(f"{event['part']}: {event['error']['message']}", style="red", markup=False)
        elif kind == "log" and event["level"] != "info":
            self.console.print(event["message"], style="yellow", markup=False)
        elif kind in ("result", "error", "held"):
            self._verdict(kind, event)

    def _verdict(self, kind: str, event: dict[str, Any]) -> None:
        parts = event["partitions"]
        self._progress.update(
            self._task,
            completed=parts["done"] + parts["failed"] + parts["held"],
            note="",
            total=parts["planned"],
        )
        self._progress.stop()
        self.console.print(", ".join(f"{word} {event['counts'][word]}" for word in COUNTS), markup=False)
        if event.get("error"):
            if kind == "result":
                self.console.print("A rehearsal: the real run would be held.", markup=False)
            self.console.print(
                f"{event['error']['code']}: {event['error']['message']}", style="red", markup=False
            )
