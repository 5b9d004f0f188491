"""What goes wrong with a request, decided by (seed, endpoint, campus, term, page, attempt) and by nothing else."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, NamedTuple

from . import answers
from .options import FAULTS, Options
from .wire import Response

_PER_REQUEST = FAULTS[: FAULTS.index("paging")]
_AT_LOGIN = ("throttled", "server_error")
# Never twice in succession, in no profile: an answer that says "nobody" must not look like the truth.
_NEVER_TWICE = frozenset({"empty", "unauthorized"})
_PAGING = ("repeat", "cap", "drift", "totals")
_RENAMED = {"faculty": "id=facultyNumber", "students": "studentnum=studentNumber_2"}
_OF_READING = frozenset({"empty", "half", "repeat", "drift", "cap", "rename"})
_OF_PAGE = _OF_READING | {"drip", "short", "cut", "bad_gzip", *answers.CHARSETS}
KINDS = _OF_PAGE | {
    *("unauthorized", "throttled", "server_error", "hang", "reset", "html", "error_body", "null_data"),
    *("redirect", "status", "body"),
}


class Asked(NamedTuple):
    endpoint: str
    campus: str
    term: str
    page: int


@dataclass
class Reading:
    """How a unit is served from its first page on, until page 1 is asked for again."""

    paging: str | None = None  # repeat, cap, drift
    totals: str = "present"
    change: str | None = None  # key renamed or added
    half: bool = False
    empty: bool = False


@dataclass(frozen=True)
class Fault:
    kind: str
    which: int = 0  # choice among the forms of the kind
    options: Options = field(default_factory=Options)
    script: dict[str, Any] = field(default_factory=dict)

    @property
    def needs_page(self) -> bool:
        return self.kind in _OF_PAGE

    def respond(self, page: Response | None) -> Response:
        """The answer in place of the right one, or made from it."""
        if page is None:
            return self._instead()
        assert isinstance(page.body, bytes)
        if self.kind in answers.CHARSETS:
            return answers.recode(page, self.kind)
        if self.kind == "cut":
            page.body = page.body[: len(page.body) * 2 // 3]
        elif self.kind == "bad_gzip":
            page.headers["Content-Encoding"] = "gzip"
        elif self.kind in ("drip", "short"):
            page.manner, page.seconds = self.kind, self._seconds()
        return page

    def _instead(self) -> Response:
        match self.kind:
            case "unauthorized":
                return answers.unauthorized(True)
            case "throttled":
                return answers.throttled(
                    self.which, self.options.retry_after, self.options.profile == "hostile"
                )
            case "server_error":
                return answers.html_error((500, 502, 503, 504)[self.which % 4], self.which // 4)
            case "hang":
                return Response(0, manner="silence", seconds=self._seconds())
            case "reset":
                return Response(0, manner="reset")
            case "html":
                return answers.html_page()
            case "error_body":
                return answers.error_body(self.which)
            case "null_data":
                return answers.error_body(1)
            case "redirect":
                return Response(
                    302, b"", {"Location": str(self.script.get("location", "http://127.0.0.1:9/"))}
                )
            case "status" | "body":
                body = self.script.get("body", "")
                text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
                headers = {"Content-Type": answers.JSON, **self.script.get("headers", {})}
                return Response(int(self.script.get("status", 200)), text.encode(), headers)
        raise ValueError(f"no such fault: {self.kind}")

    def _seconds(self) -> float:
        return float(self.script.get("seconds", self.options.hang))


class Faults:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.scripts: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._attempts: Counter[Asked] = Counter()
        self._last: dict[Asked, str | None] = {}
        self._readings: dict[tuple[str, ...], Reading] = {}
        self._reading_count: Counter[tuple[str, ...]] = Counter()
        self._broken: set[tuple[str, ...]] = set()
        self._requests = 0
        self._outages: dict[int, float] = {}  # when each began

    # -- decisions ----------------------------------------------------------------------------------------

    def in_outage(self) -> bool:
        """Whether this request falls into an outage.

        One is so many requests long; but whoever asks seldom while it lasts need not use them up: it passes with time.
        """
        windows = round(self.options.rate("outage"))
        if not windows:
            return False
        length, now = self.options.outage_length, time.monotonic()
        with self._lock:
            self._requests += 1
            for window in range(windows):
                start = self._outage_start(window)
                if not 0 <= self._requests - start < length:
                    continue
                if now - self._outages.setdefault(window, now) < self.options.outage_seconds:
                    return True
                self._requests = start + length
        return False

    def _outage_start(self, window: int) -> int:
        return 20 + window * 150 + self._roll("outage", window) % 100

    def at_login(self) -> Fault | None:
        return self._decide(Asked("login", "", "", 0), _AT_LOGIN)

    def decide(self, asked: Asked) -> tuple[Fault | None, Reading]:
        """What happens to this request, and how its unit is served."""
        unit = asked[:3]
        with self._lock:
            if asked.page == 1 or unit not in self._readings:
                self._readings[unit] = self._new_reading(asked)
            reading = self._readings[unit]
        fault = self._decide(asked, _PER_REQUEST)
        if fault is None or fault.kind not in _OF_READING:
            return fault, reading
        if fault.kind in ("empty", "half"):
            return fault, replace(reading, empty=fault.kind == "empty", half=fault.kind == "half")
        if fault.kind == "rename":
            return fault, replace(reading, change=str(fault.script.get("change", _RENAMED[asked.endpoint])))
        return fault, replace(reading, paging=fault.kind)

    def _decide(self, asked: Asked, possible: tuple[str, ...]) -> Fault | None:
        """At most one fault for this attempt; a script first, else by chance."""
        with self._lock:
            attempt = self._attempts[asked]
            self._attempts[asked] += 1
            before = self._last.get(asked)
            if (script := self._scripted(asked)) is not None:
                self._last[asked] = script["kind"]
                return Fault(script["kind"], attempt, self.options, dict(script))
            kind = self._by_chance(asked, attempt, possible)
            if kind is not None and before is not None and (self.options.heals or kind in _NEVER_TWICE):
                kind = None
            self._last[asked] = kind
        if kind is None:
            return None
        which = self._roll("form", *asked, attempt)
        match kind:
            case "slow":
                kind = ("hang", "drip")[which % 2]
            case "broken":
                kind = ("reset", "short", "cut")[which % 3]
            case "charset":
                kind = answers.CHARSETS[which % len(answers.CHARSETS)]
        return Fault(kind, which // 6, self.options)

    def _by_chance(self, asked: Asked, attempt: int, possible: tuple[str, ...]) -> str | None:
        chance = self._roll("fault", *asked, attempt) / 2**32
        for kind in possible:
            chance -= self.options.rate(kind)
            if chance < 0:
                return kind
        return None

    def _roll(self, *parts: object) -> int:
        text = "|".join(map(str, (self.options.seed, *parts)))
        return int.from_bytes(blake2b(text.encode(), digest_size=4).digest())

    def _scripted(self, asked: Asked) -> dict[str, Any] | None:
        for script in self.scripts:
            if any(script.get(k) not in (None, v) for k, v in zip(Asked._fields, asked, strict=True)):
                continue
            if script.get("after", 0) > 0:
                script["after"] -= 1
                continue
            if script["times"] is not None:
                script["times"] -= 1
                if script["times"] == 0:
                    self.scripts.remove(script)
            return script
        return None

    def script(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Add a scripted fault: kind, which requests (endpoint, campus, term, page), how many times (null: always)."""
        if wanted.get("kind") not in KINDS:
            raise ValueError(f"kind is one of {', '.join(sorted(KINDS))}")
        script = {"times": 1, **wanted}
        if script["times"] is not None and (type(script["times"]) is not int or script["times"] < 1):
            raise ValueError("times is a number from 1 on, or null for always")
        with self._lock:
            self.scripts.append(script)
        return script

    def clear_scripts(self) -> None:
        with self._lock:
            self.scripts.clear()

    # -- readings of a unit -------------------------------------------------------------------------------

    def _new_reading(self, asked: Asked) -> Reading:
        unit = asked[:3]
        self._reading_count[unit] += 1
        reading = Reading(totals=self._manner_of_totals(unit), change=self._schema_change(unit))
        # A profile that heals breaks single readings, never two in succession; another breaks units for good.
        turn = self._reading_count[unit] if self.options.heals else 0
        healed = self.options.heals and unit in self._broken
        self._broken.discard(unit)
        if not healed and self._roll("paging", *unit, turn) / 2**32 < self.options.rate("paging"):
            self._broken.add(unit)
            mode = _PAGING[self._roll("mode", *unit, turn) % len(_PAGING)]
            if mode == "drift" and reading.totals != "present":
                mode = "repeat"  # without a true total nobody could tell that a row is missing
            if mode == "totals":
                reading.totals = "wrong"
            else:
                reading.paging = mode
        return reading

    def _manner_of_totals(self, unit: tuple[str, ...]) -> str:
        if self.options.totals is not None:
            return self.options.totals
        if self.options.heals:
            return "present"
        return ("present", "present", "present", "absent", "wrong")[self._roll("totals", *unit) % 5]

    def _schema_change(self, unit: tuple[str, ...]) -> str | None:
        if self._roll("rename", *unit) / 2**32 < self.options.rate("rename"):
            return _RENAMED[unit[0]]
        if self._roll("extra_key", *unit) / 2**32 < self.options.rate("extra_key"):
            return "+lastUpdate"
        return None
