"""Who acts in a soak: each a thread with dice of its own, so that the seed settles what it does (the moments vary)."""

import random
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager


class Away:
    """When the panel may be silent: since we have ended its processes, until it answers again."""

    def __init__(self) -> None:
        self._spans: list[list[float]] = []
        self._lock = threading.Lock()

    @contextmanager
    def away(self) -> Iterator[None]:
        span = [time.monotonic(), float("inf")]
        with self._lock:
            self._spans.append(span)
        try:
            yield
        finally:
            span[1] = time.monotonic()

    def covers(self, began: float, ended: float) -> bool:
        """Whether it was away at any moment between the two."""
        with self._lock:
            return any(began <= last and first <= ended for first, last in self._spans)


class Actor(threading.Thread):
    """Acts again and again until it is told to stop. `broken`: how it failed, which is a fault of the soak itself."""

    def __init__(self, seed: int) -> None:
        super().__init__(name=type(self).__name__, daemon=True)
        self.chance = random.Random(f"{seed}-{self.name}")
        self.over = threading.Event()
        self.broken: str | None = None

    def act(self) -> float:
        """Do one thing; how many seconds to wait before the next."""
        raise NotImplementedError

    def run(self) -> None:
        try:
            while not self.over.wait(self.act()):
                continue
        except Exception:  # noqa: BLE001 - whatever it is, the soak fails by it and tells it
            self.broken = traceback.format_exc()

    def stop(self) -> None:
        self.over.set()
        self.join()
