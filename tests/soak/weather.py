"""What the gateway does in a soak: every trouble that we know, one after the other, with usual days between them.

The rows change too, but nobody appears or leaves: so whoever is missing from a table was lost by us.
"""

import os
import signal
import urllib.request
from collections.abc import Callable
from typing import Any

from fetchers.students import Students
from tests.acceptance.house import ask, truth
from tests.acceptance.store import KEYS
from tests.conftest import Gateway
from tests.soak.actors import Actor

Rows = dict[tuple[Any, ...], dict[str, Any]]
Versions = dict[tuple[Any, ...], list[dict[str, Any]]]
TABLES = {**{table: KEYS[table] for table in ("faculty", "student_terms")}, "staff": ("id",)} | {
    "archive": ("pardis", "nimsal", "studentnum")
}
ROUGH = {
    "throttled": 0.05,
    "server_error": 0.08,
    "slow": 0.03,
    "broken": 0.05,
    "html": 0.02,
    "error_body": 0.03,
    "empty": 0.02,
    "charset": 0.02,
    "paging": 0.05,
    "outage": 2,
    "unauthorized": 0.02,
}
DATA = ("students", "faculty")


class World:
    """Every row that the gateway ever had, by table and key: nothing else may be in a database."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.versions: dict[str, Versions] = {table: {} for table in TABLES}
        self.look()

    def look(self) -> None:
        """Note what there is now."""
        for table, rows in self.now().items():
            for key, row in rows.items():
                known = self.versions[table].setdefault(key, [])
                if row not in known:
                    known.append(row)

    def now(self) -> dict[str, Rows]:
        """What a perfect reader would store now."""
        faculty, students = truth(self._gateway, "faculty"), truth(self._gateway, "student_terms")
        fields = set(Students.student_terms.stream.fields) - {"term"}  # type: ignore[attr-defined]
        archive = [
            {"pardis": row["codePardis"], "nimsal": row["term"], **{name: row[name] for name in fields}}
            for row in students
        ]
        found = {"faculty": faculty, "staff": faculty, "student_terms": students, "archive": archive}
        return {
            table: {tuple(row[column] for column in TABLES[table]): row for row in rows}
            for table, rows in found.items()
        }


class Weather(Actor):
    """The moods of the gateway. length: of one, about, in seconds."""

    def __init__(self, seed: int, gateway: Gateway, world: World, length: float) -> None:
        super().__init__(seed)
        self.gateway, self.world, self.length = gateway, world, length
        self.told: list[str] = []  # the moods so far
        self._bad: list[Callable[[], None]] = []
        self._usual = False
        self._asleep = False

    def act(self) -> float:
        self._clear_up()
        self._change()
        self._usual = not self._usual
        if self._usual:
            self._options(self.chance.choice(("realistic", "calm")))
        else:
            mood = self._next()
            self.told.append(mood.__name__)
            mood()
        return self.length * self.chance.uniform(0.5, 1.5)

    def stop(self) -> None:
        """A calm gateway, whatever it was."""
        super().stop()
        self._clear_up()

    def stats(self) -> dict[str, Any]:
        """What it has been asked, and what it did about it."""
        return dict(ask(f"{self.gateway.url}/__sim__/stats"))

    # -- moods, each with a name -------------------------------------------------------------------------

    def rough(self) -> None:
        self._options("realistic", faults=ROUGH, retry_after=3, hang=4)

    def hostile(self) -> None:
        self._options("hostile", retry_after=3, hang=4)

    def down(self) -> None:
        self._script("status", status=503, body="", times=None)

    def failing(self) -> None:
        self._script("status", status=500, body="<html>Server Error</html>", times=None)

    def tired(self) -> None:
        """503, and when to come back."""
        seconds = self.chance.randint(2, 10)
        self._script("status", status=503, headers={"Retry-After": str(seconds)}, times=8)

    def throttling(self) -> None:
        seconds = self.chance.randint(2, 10)
        self._script("status", status=429, headers={"Retry-After": str(seconds)}, times=8)

    def halved(self) -> None:
        for endpoint in DATA:
            self._script("half", endpoint=endpoint, times=None)

    def emptied(self) -> None:
        for endpoint in DATA:
            self._script("empty", endpoint=endpoint, times=None)

    def cutting(self) -> None:
        for kind in ("cut", "short", "reset", "bad_gzip"):
            for endpoint in DATA:
                self._script(kind, endpoint=endpoint, times=4)

    def talking(self) -> None:
        """A page for people, or an error in words, and status 200."""
        for kind in ("html", "error_body", "null_data"):
            self._script(kind, endpoint=self.chance.choice(DATA), times=8)

    def slow(self) -> None:
        self._options("realistic", latency=700, faults={"slow": 0.3}, hang=4)

    def silent(self) -> None:
        """It accepts and never answers."""
        self._asleep = True
        os.kill(self.gateway.process.pid, signal.SIGSTOP)

    def refusing(self) -> None:
        """Every token ends, and for a while new ones are refused too."""
        ask(f"{self.gateway.url}/__sim__/revoke", {})
        self._script("unauthorized", endpoint=self.chance.choice(DATA), times=self.chance.choice((1, 3, 30)))

    def renaming(self) -> None:
        self._script("rename", endpoint="students", times=None)

    # --------------------------------------------------------------------------------------------------------

    def _next(self) -> Callable[[], None]:
        if not self._bad:
            self._bad = [
                *(
                    self.rough,
                    self.hostile,
                    self.down,
                    self.failing,
                    self.tired,
                    self.throttling,
                    self.halved,
                ),
                *(
                    self.emptied,
                    self.cutting,
                    self.talking,
                    self.slow,
                    self.silent,
                    self.refusing,
                    self.renaming,
                ),
            ]
            self.chance.shuffle(self._bad)
        return self._bad.pop()

    def _clear_up(self) -> None:
        if self._asleep:
            os.kill(self.gateway.process.pid, signal.SIGCONT)
            self._asleep = False
        request = urllib.request.Request(f"{self.gateway.url}/__sim__/fault", method="DELETE")
        urllib.request.urlopen(request, timeout=60).close()
        self._options("calm")

    def _change(self) -> None:
        """A few people move, or get another telephone."""
        for stream, rows in (("students", self.chance.randint(0, 6)), ("faculty", self.chance.randint(0, 2))):
            ask(f"{self.gateway.url}/__sim__/delta", {"stream": stream, "changed": rows})
        self.world.look()

    def _options(self, profile: str, **options: Any) -> None:
        usual = {"faults": {}, "latency": 0, "hang": 2, "retry_after": 1}
        ask(f"{self.gateway.url}/__sim__/options", {**usual, "profile": profile, **options})

    def _script(self, kind: str, **what: Any) -> None:
        ask(f"{self.gateway.url}/__sim__/fault", {"kind": kind, **what})
