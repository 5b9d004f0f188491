"""What happens to the processes of the house in a soak: they are killed, stopped, and asked to start anew."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.soak.actors import Actor, Away
from tests.soak.house import PATIENCE, RESTART, SoakHouse

LONG_STOP = 70.0  # seconds: longer than the engine's lease


class Mischief(Actor):
    """pause: seconds between two acts, about. gentle: from now on nobody but children is ended."""

    def __init__(self, seed: int, house: SoakHouse, away: Away, pause: float, *, long_stops: bool) -> None:
        super().__init__(seed)
        self.house, self.away, self.pause = house, away, pause
        self.gentle = False
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._long_stops = long_stops

    def act(self) -> float:
        self._see_that_it_is_up()
        what = self.chance.choices(*zip(*(GENTLE if self.gentle else ROUGH), strict=True))[0]
        with suppress(psutil.NoSuchProcess, ProcessLookupError):  # it has just ended by itself
            if what(self):
                self.done[what.__name__] += 1
        return self.pause * self.chance.uniform(0.5, 1.5)

    def child_killed(self) -> bool:
        children = self.house.cast()["child"]
        if children:
            self.chance.choice(children).kill()
        return bool(children)

    def child_stopped(self) -> bool:
        children = self.house.cast()["child"]
        return bool(children) and self._stopped(self.chance.choice(children), self.chance.uniform(1, 15))

    def engine_killed(self) -> bool:
        engines = self.house.cast()["engine"]
        for engine in engines:
            engine.kill()
        return bool(engines)

    def engine_stopped(self) -> bool:
        """Now and then for longer than its lease."""
        engines = self.house.cast()["engine"]
        long = self._long_stops and self.chance.random() < 0.2
        seconds = LONG_STOP if long else self.chance.uniform(1, 20)
        return bool(engines) and self._stopped(engines[0], seconds)

    def web_renewed(self) -> bool:
        """Its workers start anew; nobody may notice."""
        masters = self.house.cast()["web"]
        for master in masters:
            master.send_signal(signal.SIGHUP)
        return bool(masters)

    def worker_killed(self) -> bool:
        """Who was just being served by it sees a broken connection; the others see nothing."""
        cast = self.house.cast()
        if not cast["worker"]:
            return False
        with self.away.away():
            victim = self.chance.choice(cast["worker"])
            victim.kill()
            self._until(lambda: len(self._workers_but(victim)) >= len(cast["worker"]), "another web worker")
        return True

    def up_killed(self) -> bool:
        """The others notice that it is gone, and end by themselves."""
        with self.away.away():
            self._kill_up()
            time.sleep(RESTART)
            self.house.up()
        return True

    def all_killed(self) -> bool:
        """As when the machine loses its power, but for what the disk had in memory."""
        with self.away.away():
            self._kill_up()
            while everybody := self.house.processes():
                for one in everybody:
                    with suppress(psutil.NoSuchProcess):
                        one.kill()
            time.sleep(RESTART)
            self.house.up()
        return True

    def _kill_up(self) -> None:
        assert self.house.up_process is not None
        self.house.up_process.kill()
        self.house.up_process.wait()

    def _stopped(self, process: psutil.Process, seconds: float) -> bool:
        process.suspend()
        self.over.wait(seconds)
        process.resume()
        return True

    def _workers_but(self, victim: psutil.Process) -> list[psutil.Process]:
        return [worker for worker in self.house.cast()["worker"] if worker != victim]

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                self.wrong.append(f"waited {PATIENCE:.0f} s for {what}")
                return
            time.sleep(0.1)

    def _see_that_it_is_up(self) -> None:
        assert self.house.up_process is not None
        code = self.house.up_process.poll()
        if code is not None:
            self.wrong.append(f"`up` ended by itself ({code})")
            with self.away.away():
                self.house.up()


GENTLE = [(Mischief.child_killed, 4), (Mischief.child_stopped, 1)]
ROUGH = [
    *[(Mischief.child_killed, 12), (Mischief.child_stopped, 3)],
    *[(Mischief.engine_killed, 7), (Mischief.engine_stopped, 4)],
    *[(Mischief.web_renewed, 3), (Mischief.worker_killed, 2)],
    *[(Mischief.up_killed, 2), (Mischief.all_killed, 2)],
]
