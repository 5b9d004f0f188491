"""Is the gateway there, does it accept the login, and what does it send first?

Asked in a process of its own, with a short limit; nothing is written.
"""

import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fetchers.core import registry
from panel import explain, gateways
from panel.clock import utcnow
from panel.config import ROOT, Config
from panel.engine.child import Child

LIMIT_SECONDS = 30.0


@dataclass(frozen=True)
class ProbeResult:
    """The answer. `code` and `params` explain a no (panel/explain.py); `message` is one English sentence.

    clock_off: seconds by which the gateway's clock is ahead of ours, if it told its time; also with a no.
    reached: how far the question came on its way (fetchers/core/wire/deadline.py); "" if nothing of it is known.
    took: seconds from the question to the beginning of the answer, if one came.
    """

    ok: bool
    code: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    seen: Mapping[str, Any] = field(default_factory=dict)
    clock_off: float | None = None
    reached: str = ""
    took: float | None = None


def check(
    source: str, values: Mapping[str, Any], config: Config, *, limit: float = LIMIT_SECONDS
) -> ProbeResult:
    """Log in once with these settings, saved or not; never writes anything."""
    return _ask("check", source, values, config, limit)


def preview(
    source: str, values: Mapping[str, Any], config: Config, *, limit: float = LIMIT_SECONDS
) -> ProbeResult:
    """Ask for the first page with these settings; `seen` is what it holds (fetchers/core/load/preview.py)."""
    return _ask("preview", source, values, config, limit)


def _ask(what: str, source: str, values: Mapping[str, Any], config: Config, limit: float) -> ProbeResult:
    """One question to a child.

    1. Start it with an order that says `check` or `preview`. It repeats nothing and sits out no pause: a person is
       waiting. It shares the gateway's budget with the runs.
    2. Read its events until it has ended, or the limit has passed.
    3. Its last event is the answer.
    """
    fetcher = registry.load(source).fetcher
    declared = fetcher.Settings.model_fields if fetcher else {}
    told = dict(values)
    for name, most in (("retry_budget", 0), ("connect_timeout", limit / 3), ("request_timeout", limit * 0.8)):
        if name in declared:
            told[name] = min(float(told.get(name, declared[name].default)), most)
    mark = f"{what}-{uuid.uuid4()}"
    order = {
        "run": mark,
        "source": source,
        "settings": told,
        what: True,
        "gateways": {"folder": str(gateways.folder(config))},
        "now": utcnow().isoformat(timespec="seconds"),
    }
    child = Child([sys.executable, "-m", "fetchers"], order, uuid=mark, cwd=ROOT)
    deadline = time.monotonic() + limit
    events: list[dict[str, Any]] = []
    try:
        while not child.gone() and time.monotonic() < deadline:
            events += child.read(min(0.2, limit))
        late = not child.gone()
    finally:
        events += child.close()
    if late:
        return _no("E_TIMEOUT", {"deadline": "check", "seconds": round(limit)})
    ending = next((event for event in reversed(events) if event.get("event") in ("result", "error")), None)
    if ending is None:
        return _no("E_LOST", {})
    if ending["event"] == "result" and child.exit_code == 0:
        return ProbeResult(
            True,
            message=str(ending.get("message", "")),
            params=ending.get("message_params") or {},
            seen=ending.get("preview") or {},
            clock_off=ending.get("clock_off"),
            reached=str(ending.get("reached") or ""),
            took=ending.get("took"),
        )
    error = ending.get("error") or {}
    no = _no(str(error.get("code", "E_INTERNAL")), error.get("params") or {})
    return replace(
        no,
        clock_off=ending.get("clock_off"),
        reached=str(ending.get("reached") or ""),
        took=ending.get("took"),
    )


def _no(code: str, params: Mapping[str, Any]) -> ProbeResult:
    return ProbeResult(False, code, params, explain.english(code, params).what)
