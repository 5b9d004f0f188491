"""What people do in a soak: they look at pages all the time, press buttons and cancel. No page may break."""

import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import psutil

from tests.acceptance.house import Browser
from tests.soak.actors import Actor, Away
from tests.soak.house import SETTINGS, SoakHouse

HEALTH = 1.0  # seconds in which /healthz answers, the waits for a processor apart
PATIENCE = 30.0
PAGES = (
    "/",
    "/",
    "/status/rows",
    "/runs/",
    "/data/faculty",
    "/data/Students",
    "/quality/",
    "/changes/",
    "/audit/",
)


@dataclass(frozen=True)
class Answer:
    """One request. pressed: a button, else a page. code: 0 where no answer came; then `words` says why."""

    path: str
    pressed: bool
    code: int
    seconds: float
    waited: float  # seconds in which the panel was ready and had no processor
    words: str = ""

    @property
    def own(self) -> float:
        """Seconds that it took itself."""
        return max(self.seconds - self.waited, 0.0)


class Processor:
    """How long the panel's processes, and whoever asks them, have waited for a processor, because others had it.

    On a machine that is busy with others, this is what an answer takes too long by.
    """

    def __init__(self, house: SoakHouse) -> None:
        self._house = house

    def waits(self) -> dict[str, float]:
        """Seconds by thread; of those that live now."""
        threads = [Path(f"/proc/self/task/{threading.get_native_id()}")]
        with suppress(OSError, ValueError, psutil.NoSuchProcess):
            master = psutil.Process(self._house.web_pid())
            for process in (master, *master.children()):
                threads += Path(f"/proc/{process.pid}/task").iterdir()
        found = {}
        for thread in threads:
            with suppress(OSError, ValueError, IndexError):
                # Time on the processor, time waiting for it, both in ns (the kernel's sched-stats.rst).
                found[str(thread)] = int((thread / "schedstat").read_text().split()[1]) / 1e9
        return found

    def waited(self, since: Mapping[str, float]) -> float:
        """Seconds since `waits` was asked, of all threads together."""
        return sum(now - since.get(thread, 0.0) for thread, now in self.waits().items())


class Onlooker(Actor):
    """Asks for pages and notes what came. Answers of a panel that we have ended ourselves do not count."""

    def __init__(self, seed: int, house: SoakHouse, away: Away) -> None:
        super().__init__(seed)
        self.house, self.away, self.processor = house, away, Processor(house)
        self.answers: list[Answer] = []
        self.unheard = 0  # while the panel was away
        self.browser = Browser(house)

    def ask(self, path: str, **fields: str) -> str | None:
        """GET, or POST where there are fields; the page, where one came."""
        waits, began = self.processor.waits(), time.monotonic()
        code, words, text = 0, "", None
        try:
            if fields:
                self.browser.post(path, **{name: value for name, value in fields.items() if value})
                code = 200
            else:
                with self.browser.open(path) as answer:
                    text, code = answer.read().decode(), answer.status
        except urllib.error.HTTPError as error:
            with error:
                code, words = error.code, error.read().decode(errors="replace")[:300]
        except (OSError, HTTPException) as error:
            words = f"{type(error).__name__}: {error}"
        except AssertionError as error:  # the form for a POST could not be had
            words = str(error)
        ended = time.monotonic()
        if self.away.covers(began - 1.0, ended):
            self.unheard += 1
        else:
            waited = self.processor.waited(waits)
            self.answers.append(Answer(path, bool(fields), code, ended - began, waited, words))
        return text


class Watchdog(Onlooker):
    """Asks /healthz each second, as a watchdog does."""

    def act(self) -> float:
        self.ask("/healthz")
        return 1.0


class Reader(Onlooker):
    """Opens one page after the other, mostly the status page."""

    def act(self) -> float:
        self.ask(self.chance.choice(PAGES))
        return self.chance.uniform(1.0, 3.0)


class Operator(Onlooker):
    """Presses buttons: sync, rehearse, cancel, keep the old data; and looks at the run. pause: between two, seconds."""

    def __init__(self, seed: int, house: SoakHouse, away: Away, pause: float) -> None:
        super().__init__(seed, house, away)
        self.pause = pause
        self.done: Counter[str] = Counter()

    def act(self) -> float:
        what = self.chance.choices(("sync", "rehearse", "cancel", "look", "reject"), (5, 1, 3, 4, 2))[0]
        source = self.chance.choice(list(SETTINGS))
        self.done[what] += getattr(self, what)(source)
        return self.pause * self.chance.uniform(0.5, 1.5)

    def sync(self, source: str) -> bool:
        return self._pressed(f"/syncs/{source}/run", mode="incremental")

    def rehearse(self, source: str) -> bool:
        return self._pressed(f"/syncs/{source}/run", dry_run="1")

    def cancel(self, source: str) -> bool:
        run = self._newest(source, "r.status IN ('pending', 'running')")
        return run is not None and self._pressed(f"/runs/{run}/cancel", sure="1")

    def reject(self, source: str) -> bool:
        run = self._newest(source, "r.status = 'held' AND r.decision IS NULL")
        return run is not None and self._pressed(f"/runs/{run}/reject", sure="1")

    def look(self, source: str) -> bool:
        run = self._newest(source, "1 = 1")
        return run is not None and self.ask(f"/runs/{run}") is not None

    def _pressed(self, path: str, **fields: str) -> bool:
        before = len(self.answers)
        self.ask(path, **fields)
        return len(self.answers) > before and self.answers[-1].code == 200

    def _newest(self, source: str, which: str) -> int | None:
        rows = self.house.rows(
            "panel.db",
            "SELECT max(r.id) FROM sync_runs r JOIN data_syncs s ON s.id = r.sync_id"
            f" WHERE s.key = '{source}' AND {which}",
        )
        return None if rows[0][0] is None else int(rows[0][0])


@dataclass(frozen=True)
class Answers:
    """All that was answered to all onlookers."""

    answers: list[Answer]

    def wrong(self) -> list[str]:
        """Every page comes, and /healthz in time; a button may come too late (409), or find the database busy (503)."""
        wrong = []
        for one in self.answers:
            took = f"{one.seconds:.2f} s, {one.waited:.2f} s of which it waited for a processor"
            if one.code != 200 and not (one.pressed and one.code in (409, 503)):
                wrong.append(f"{one.path}: {one.code or 'no answer'} after {took} {one.words}")
            elif one.own > (HEALTH if one.path == "/healthz" else PATIENCE):
                wrong.append(f"{one.path} took {took}")
        return wrong

    def told(self) -> str:
        """How many came with which status, and how quick /healthz was."""
        codes = Counter(one.code for one in self.answers)
        by_code = ", ".join(f"{number} × {code or 'silence'}" for code, number in sorted(codes.items()))
        health = sorted((one.seconds, one.own) for one in self.answers if one.path == "/healthz")
        if not health:
            return by_code
        usual, longest = health[len(health) // 2][0] * 1000, health[-1][0] * 1000
        own = max(one for _, one in health) * 1000
        apart = f" ({own:.0f} ms without waits for a processor)"
        return f"{by_code}; /healthz usually {usual:.0f} ms, at most {longest:.0f} ms{apart}"
