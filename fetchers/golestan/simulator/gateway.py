"""The gateway's three addresses: login, faculty, students; as strict as the real one is thought to be."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from . import answers
from .faults import Asked, Faults, Reading
from .options import Options
from .pages import Pages, join
from .tokens import Tokens
from .truth import FACULTY, Unit, Wanted, World
from .wire import Request, Response

_TERM = re.compile(r"[0-9]{3}[123]")
_ENDPOINTS = {"/login": "login", "/api/golestan/faculty": "faculty", "/api/golestan/students_2": "students"}
_EMPTY = join(())


class Refused(Exception):
    """A request that is answered with something else than data."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


@dataclass
class Note:
    """A line of the request log; no password and no token is ever in it."""

    n: int
    time: str
    endpoint: str
    campus: str | None = None
    term: str | None = None
    page: int | None = None
    size: int | None = None
    status: int = 0
    fault: str | None = None
    rows: int | None = None


class Gateway:
    def __init__(self, options: Options) -> None:
        self.lock = threading.RLock()
        self.in_flight = 0
        self.rebuild(options)

    def rebuild(self, options: Options, variant: str | None = None) -> None:
        """Begin again: the world as at the start, nothing remembered."""
        with self.lock:
            self.options = options
            self.world = World(
                options.plan(),
                options.seed,
                options.clock(),
                dirt=options.dirt,
                two_campus=options.two_campus,
            )
            self.pages = Pages(self.world, variant=variant, budget=options.cache_mb << 20)
            self.faults = Faults(options)
            self.tokens = Tokens(options)
            self.log: deque[Note] = deque(maxlen=200_000)
            self.counters: Counter[str] = Counter()
            self.in_flight_peak = self.in_flight
            self._serial = 0
            self._problems = 0
            self._allowance = math.inf
            self._allowance_at = time.monotonic()

    def adjust(self, options: Options) -> None:
        """Other options over the same world; the attempts of requests begin anew."""
        with self.lock:
            scripts = self.faults.scripts
            self.options = options
            self.faults = Faults(options)
            self.faults.scripts = scripts
            self.tokens.options = options

    def change(self, wanted: Wanted) -> list[dict[str, Any]]:
        """Change exactly so many rows of the truth; returns what was done."""
        with self.lock:
            done, units = self.world.apply(wanted)
            self.pages.forget(units)
        return [{k: v for k, v in one.items() if k != "unit"} for one in done]

    def dress(self, variant: str | None) -> None:
        """Serve the same rows in another dress."""
        with self.lock:
            self.pages = Pages(self.world, variant=variant, budget=self.options.cache_mb << 20)

    # -- one request --------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        endpoint = _ENDPOINTS.get(request.path.rstrip("/").lower(), "unknown")
        with self.lock:
            self._serial += 1
            note = Note(self._serial, datetime.now(UTC).isoformat(timespec="milliseconds"), endpoint)
            self.log.append(note)
            self.in_flight += 1
            self.in_flight_peak = max(self.in_flight_peak, self.in_flight)
        try:
            response = self._answer(request, endpoint, note)
        except Refused as refusal:
            response = refusal.response
        finally:
            with self.lock:
                self.in_flight -= 1
        note.status = response.status
        with self.lock:
            self.counters[f"requests.{endpoint}"] += 1
            self.counters[f"status.{response.status}"] += 1
            if note.fault:
                self.counters[f"fault.{note.fault}"] += 1
            if note.rows:
                self.counters[f"rows.{endpoint}"] += note.rows
        return response

    def _answer(self, request: Request, endpoint: str, note: Note) -> Response:
        """1. Wait as the network would. 2. Outages and scripts. 3. Strictness. 4. Faults. 5. The page."""
        if self.options.latency:
            time.sleep(self.options.latency / 1000)
        if endpoint == "unknown":
            raise Refused(self._problem(404, "Not Found", "path", "No such address."))
        if request.method != "POST":
            raise Refused(Response(405, b"", {"Allow": "POST"}))
        self._limit_rate()
        if self.faults.in_outage():
            note.fault = "outage"
            return answers.html_error(503, note.n)
        body = self._body(request)
        if endpoint == "login":
            return self._login(body, note)
        if not self.tokens.accepts(request.headers.get("authorization")):
            raise Refused(answers.unauthorized("authorization" in request.headers))
        unit, page, size = self._checked(endpoint, body, note)
        return self._data(Asked(endpoint, *unit, page), size, note)

    def _limit_rate(self) -> None:
        rate = self.options.rate_limit
        if not rate:
            return
        with self.lock:
            now = time.monotonic()
            burst = max(1.0, 2 * rate)
            self._allowance = min(burst, self._allowance + (now - self._allowance_at) * rate)
            self._allowance_at = now
            if self._allowance < 1:
                raise Refused(Response(429, b"", {"Retry-After": str(math.ceil(1 / rate))}))
            self._allowance -= 1

    def _body(self, request: Request) -> dict[str, Any]:
        if "json" not in request.headers.get("content-type", ""):
            raise Refused(self._problem(415, "Unsupported Media Type", "content-type", "Send JSON."))
        try:
            body = json.loads(request.body)
        except ValueError:
            raise Refused(self._problem(400, _INVALID, "$", "The body is not JSON.")) from None
        if not isinstance(body, dict):
            raise Refused(self._problem(400, _INVALID, "$", "The JSON value could not be converted."))
        return {str(key).lower(): value for key, value in body.items()}

    def _login(self, body: dict[str, Any], note: Note) -> Response:
        if (fault := self.faults.at_login()) is not None:
            note.fault = fault.kind
            return fault.respond(None)
        for key in ("userName", "password"):
            if not isinstance(body.get(key.lower()), str):
                raise Refused(self._problem(400, _INVALID, key, f"The {key} field is required."))
        if self.tokens.is_throttled():
            raise Refused(Response(429, b"", {"Retry-After": str(self.options.retry_after)}))
        token = self.tokens.issue(body["username"], body["password"])
        if token is None:
            refusal = {"data": None, "isSuccess": False, "message": "نام کاربری یا گذرواژه نادرست است"}
            return answers.of_json(refusal, 401)
        data = {"token": token, "expiresIn": int(self.options.token_life)}
        return answers.of_json({"data": data, "isSuccess": True, "message": None})

    def _checked(self, endpoint: str, body: dict[str, Any], note: Note) -> tuple[Unit, int, int]:
        """What is asked for, or a 400 with the name of what is wrong."""
        paging: Any = body
        unit = FACULTY
        if endpoint == "students":
            for name in ("codePardis", "term"):
                if not isinstance(body.get(name.lower()), str):
                    raise self._invalid(name)
            if not isinstance(body.get("filter"), dict):
                raise self._invalid("Filter")
            if not isinstance(body.get("paging"), dict):
                raise self._invalid("paging")
            paging = {str(key).lower(): value for key, value in body["paging"].items()}
            unit = (body["codepardis"], body["term"])
            note.campus, note.term = unit
            if not _TERM.fullmatch(unit[1]):
                raise self._invalid("term")
        for name in ("pageNumber", "pageSize"):
            value = paging.get(name.lower())
            if type(value) is not int or value < 1:
                raise self._invalid(name)
        note.page, note.size = paging["pagenumber"], paging["pagesize"]
        if endpoint == "students" and unit[0] not in self.world.by_code and self.options.unknown != 200:
            raise Refused(self._problem(self.options.unknown, _INVALID, "codePardis", "Unknown codePardis."))
        return unit, paging["pagenumber"], paging["pagesize"]

    def _invalid(self, name: str) -> Refused:
        return Refused(
            self._problem(400, _INVALID, name, f"The {name} field is required or has a wrong type.")
        )

    def _problem(self, status: int, title: str, name: str, text: str) -> Response:
        with self.lock:
            self._problems += 1
            return answers.problem(
                status, title, answers.error_shape(name, text, self._problems - 1), self._problems
            )

    # -- pages --------------------------------------------------------------------------------------------

    def _data(self, asked: Asked, size: int, note: Note) -> Response:
        fault, reading = self.faults.decide(asked)
        note.fault = fault.kind if fault else None
        if fault and not fault.needs_page:
            return fault.respond(None)
        response = self._page(asked, size, reading, note)
        return fault.respond(response) if fault else response

    def _page(self, asked: Asked, size: int, reading: Reading, note: Note) -> Response:
        unit: Unit = (asked.campus, asked.term)
        rows = self.pages.unit(unit, reading.change) if self.world.serves(unit) else _EMPTY
        cap = self.options.cap
        size = min(size, cap) if cap else size
        if reading.paging == "cap":
            size = max(1, size // 2)
        if self.options.whole:
            size = max(1, len(rows))
        total = len(rows) // 2 if reading.half else len(rows)
        if reading.empty:
            total = 0
        page = 1 if reading.paging == "repeat" else asked.page
        first, last = (page - 1) * size, min(page * size, total)
        if reading.paging == "drift" and page > 1:
            # A row slipped in at the front: the page begins with the last row of the one before,
            # and the last row of all is never seen.
            first, last = first - 1, last - 1
        data = rows.slice(max(0, first), max(0, last))
        note.rows = max(0, last - first)
        if note.rows and reading.paging and note.fault is None:
            note.fault = f"paging.{reading.paging}"
        tail = self._totals(unit, total, size, reading.totals)
        return Response(200, b'{"data":[' + data + b"]" + tail + b"}", {"Content-Type": answers.JSON})

    def _totals(self, unit: Unit, total: int, size: int, manner: str) -> bytes:
        pages = -(-total // size)
        if manner == "absent":
            return b""
        if manner == "wrong":
            roll = blake2b(f"{self.options.seed}|lie|{unit}".encode(), digest_size=1).digest()[0]
            less = total - 1 if (total - 1) % size else total + 7  # never a total at which a page ends
            lies: tuple[tuple[Any, Any], ...] = (
                (pages, total + 7),
                (999, total),
                (0, total),
                ("3", total),
                (-1, total),
                (pages, 0),
                (pages, less),
            )
            pages, total = lies[roll % len(lies)]
        return f',"totalPages":{json.dumps(pages)},"totalCount":{total}'.encode()


_INVALID = "One or more validation errors occurred."
