"""The control address /__sim__/: truth, changes, scripted faults, counters and the request log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from datetime import date
from typing import Any
from urllib.parse import parse_qs

from . import answers, campuses
from .dirt import VARIANTS
from .gateway import Gateway
from .options import FAULTS, Options, checked
from .truth import Wanted
from .wire import Request, Response, Server

PREFIX = "/__sim__/"
_LINES = "application/x-ndjson; charset=utf-8"


class Control:
    def __init__(self, gateway: Gateway, options: Options) -> None:
        self.gateway = gateway
        self._start = options
        self.server: Server | None = None
        self._doors: dict[tuple[str, str], Callable[..., Response]] = {
            ("GET", "profile"): self._options,
            ("POST", "profile"): self._set_options,
            ("GET", "options"): self._options,
            ("POST", "options"): self._set_options,
            ("GET", "seed"): self._options,
            ("POST", "seed"): self._rebuild,
            ("GET", "stats"): self._stats,
            ("GET", "requests"): self._requests,
            ("DELETE", "requests"): self._forget_requests,
            ("GET", "truth/faculty"): self._faculty,
            ("GET", "truth/student_terms"): self._student_terms,
            ("GET", "truth/students"): self._students,
            ("GET", "truth/counts"): self._counts,
            ("GET", "campuses"): self._campuses,
            ("GET", "terms"): self._terms,
            ("POST", "delta"): self._delta,
            ("GET", "fault"): self._scripts,
            ("POST", "fault"): self._script,
            ("DELETE", "fault"): self._unscript,
            ("POST", "reset"): self._reset,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._set_clock,
            ("POST", "revoke"): self._revoke,
            ("POST", "warm"): self._warm,
        }

    def answer(self, request: Request) -> Response:
        name = request.path[len(PREFIX) :].strip("/")
        door = self._doors.get((request.method, name))
        if door is None:
            known = sorted({path for _, path in self._doors})
            return answers.of_json(
                {"error": f"no such control: {request.method} {name}", "known": known}, 404
            )
        try:
            body = json.loads(request.body) if request.body else {}
            query = {key: values[-1] for key, values in parse_qs(request.query).items()}
            return door(body, query)
        except (ValueError, TypeError, KeyError) as error:
            return answers.of_json({"error": str(error)}, 400)

    # -- options ------------------------------------------------------------------------------------------

    def _options(self, body: Any, query: Any) -> Response:
        options = self.gateway.options
        shown = {k: v for k, v in asdict(options).items() if k != "password"}
        shown["today"] = options.clock().isoformat()
        shown["rates"] = {name: options.rate(name) for name in FAULTS}
        shown["variant"] = self.gateway.pages.variant
        return answers.of_json(shown)

    def _set_options(self, body: dict[str, Any], query: Any) -> Response:
        """Change options; the world is made anew only where it depends on them."""
        changes: dict[str, Any] = checked(_dated(body))
        options = replace(self.gateway.options, **changes)
        if set(changes) & {"seed", "size", "rows", "parts", "today", "dirt", "two_campus", "cache_mb"}:
            self.gateway.rebuild(options)
        else:
            self.gateway.adjust(options)
        return self._options(body, query)

    def _rebuild(self, body: dict[str, Any], query: Any) -> Response:
        self.gateway.rebuild(replace(self.gateway.options, seed=int(body["seed"])))
        return self._options(body, query)

    def _reset(self, body: Any, query: Any) -> Response:
        """As at the start: no deltas, no scripts, no counters, the options of the command line."""
        self.gateway.rebuild(self._start)
        return self._options(body, query)

    def _clock(self, body: Any, query: Any) -> Response:
        world = self.gateway.world
        return answers.of_json({"today": world.today.isoformat(), "term": world.newest_term})

    def _set_clock(self, body: dict[str, Any], query: Any) -> Response:
        """Move the clock; a new term begins by itself, the first term stays."""
        self.gateway.world.today = date.fromisoformat(body["today"])
        return self._clock(body, query)

    def _revoke(self, body: Any, query: Any) -> Response:
        return answers.of_json({"revoked": self.gateway.tokens.revoke_all()})

    def _warm(self, body: Any, query: Any) -> Response:
        pages = self.gateway.pages
        return answers.of_json({"rows": pages.warm(), "largest": pages.largest()})

    # -- what happened ------------------------------------------------------------------------------------

    def _stats(self, body: Any, query: Any) -> Response:
        gateway = self.gateway
        groups: dict[str, dict[str, int]] = {"requests": {}, "status": {}, "fault": {}, "rows": {}}
        with gateway.lock:
            for name, count in gateway.counters.items():
                group, _, key = name.partition(".")
                groups[group][key] = count
        return answers.of_json(
            {
                **groups,
                "in_flight_peak": gateway.in_flight_peak,
                "logins": {"good": gateway.tokens.issued, "bad": gateway.tokens.refused},
                "connections": self.server.connections if self.server else 0,
                "connections_peak": self.server.open_peak if self.server else 0,
            }
        )

    def _requests(self, body: Any, query: dict[str, str]) -> Response:
        since = int(query.get("since", 0))
        with self.gateway.lock:
            notes = [asdict(note) for note in self.gateway.log if note.n > since]
        return answers.of_json(notes)

    def _forget_requests(self, body: Any, query: Any) -> Response:
        with self.gateway.lock:
            self.gateway.log.clear()
            self.gateway.counters.clear()
            self.gateway.in_flight_peak = self.gateway.in_flight
        return answers.of_json({"cleared": True})

    # -- truth --------------------------------------------------------------------------------------------

    def _faculty(self, body: Any, query: Any) -> Response:
        return _lines(self.gateway.world.faculty_rows())

    def _student_terms(self, body: Any, query: dict[str, str]) -> Response:
        return _lines(self.gateway.world.student_terms(query.get("campus"), query.get("term")))

    def _students(self, body: Any, query: Any) -> Response:
        return _lines(self.gateway.world.latest())

    def _counts(self, body: Any, query: Any) -> Response:
        return answers.of_json(self.gateway.world.counts())

    def _campuses(self, body: Any, query: Any) -> Response:
        return answers.of_json(campuses.listing(self.gateway.world.plan))

    def _terms(self, body: Any, query: Any) -> Response:
        return answers.of_json(self.gateway.world.terms())

    # -- changes and faults -------------------------------------------------------------------------------

    def _delta(self, body: dict[str, Any], query: Any) -> Response:
        """Change so many rows, or ({"variant": …}) serve the same rows in another dress."""
        if "variant" in body:
            if body["variant"] not in (None, *VARIANTS):
                raise ValueError(f"variant is one of {', '.join(VARIANTS)}, or null")
            self.gateway.dress(body["variant"])
            return answers.of_json({"variant": body["variant"]})
        stream = body.get("stream", "students")
        if stream not in ("students", "faculty"):
            raise ValueError("stream is students or faculty")
        counts = {name: int(body.get(name, 0)) for name in ("added", "changed", "gone")}
        if min(counts.values()) < 0:
            raise ValueError("added, changed and gone are numbers from 0 on")
        wanted = Wanted(stream, **counts, campus=body.get("campus"), term=body.get("term"))
        return answers.of_json({**counts, "stream": stream, "changes": self.gateway.change(wanted)})

    def _scripts(self, body: Any, query: Any) -> Response:
        return answers.of_json(self.gateway.faults.scripts)

    def _script(self, body: dict[str, Any] | list[dict[str, Any]], query: Any) -> Response:
        wanted = body if isinstance(body, list) else [body]
        return answers.of_json([self.gateway.faults.script(one) for one in wanted])

    def _unscript(self, body: Any, query: Any) -> Response:
        self.gateway.faults.clear_scripts()
        return self._scripts(body, query)


def _dated(body: dict[str, Any]) -> dict[str, Any]:
    if isinstance(body.get("today"), str):
        return {**body, "today": date.fromisoformat(body["today"])}
    return body


def _lines(rows: Iterable[dict[str, Any]]) -> Response:
    """Rows as JSON lines, sent while they are made."""

    def pieces() -> Iterator[bytes]:
        batch: list[str] = []
        for row in rows:
            batch.append(json.dumps(row, ensure_ascii=False))
            if len(batch) == 500:
                yield ("\n".join(batch) + "\n").encode()
                batch.clear()
        if batch:
            yield ("\n".join(batch) + "\n").encode()

    return Response(200, pieces(), {"Content-Type": _LINES})
