"""How an attempt ended: everything that is known goes in, one judgement comes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from panel import runs
from panel.engine.retry import Fault

DEADLINES = ("E_TIMEOUT", "E_STALLED")
LOST = "E_LOST"
HELD_EXIT = 3
LAST_EVENTS = ("result", "held", "error")


class Closing(Protocol):
    """The ledger's closing entry of a run (fetchers.core.store.ledger)."""

    @property
    def counts(self) -> Mapping[str, int]: ...

    @property
    def partitions(self) -> Mapping[str, int]: ...

    @property
    def records(self) -> Mapping[str, int]: ...


@dataclass(frozen=True)
class Judgement:
    """How it ended. A failure whose fault is retryable may become another attempt."""

    status: str  # success, failed, cancelled, held
    fault: Fault | None = None
    counts: Mapping[str, int] | None = None
    partitions: Mapping[str, int] | None = None
    records: int | None = None


def judge(
    *,
    closing: Closing | None,
    exit_code: int | None,
    last: Mapping[str, Any] | None,
    stop: str | None,
    dry_run: bool,
    stopped_by: str | None = None,
    limits: Mapping[str, Any] | None = None,
    lost: str = LOST,
) -> Judgement:
    """Judge an attempt whose child is gone.

    1. The ledger's closing entry: a success, whatever happened to the child since, a cancel included.
    2. What the child finished saying before it was stopped: a dry run's result, a hold.
    3. Why it was stopped: a person, a deadline, the end of the engine.
    4. The error that it reported.
    5. Anything else is a child that ended without a word, also with exit 0: `lost`.

    exit_code: None if nobody saw the end. last: the child's last event. stop: why it was asked to stop.
    limits: {"seconds", "minutes"} for the words of a deadline.
    """
    if closing is not None:
        return Judgement("success", None, closing.counts, closing.partitions, first_table(closing.records))
    last = last or {}
    said = last.get("event")
    known: dict[str, Any] = {
        "counts": _numbers(last.get("counts")),
        "partitions": _numbers(last.get("partitions")),
        "records": first_table(_numbers(last.get("records"))),
    }
    if said == "result" and exit_code in (0, HELD_EXIT) and dry_run:  # 3: it foretells a hold
        return Judgement("success", None, **known)
    if said == "held" and exit_code == HELD_EXIT:
        return Judgement("held", reported(last.get("error"), default="E_SHRUNK"), **known)
    if stop == runs.CANCEL:
        params = {"by": stopped_by} if stopped_by else {}
        return Judgement("cancelled", Fault("E_CANCELLED", params), **known)
    if stop in DEADLINES:
        return Judgement("failed", _deadline(stop, limits or {}), **known)
    if stop is not None:
        return Judgement("failed", Fault(runs.INTERRUPTED, retryable=True), **known)
    if said == "error" and exit_code != 0:
        return Judgement("failed", reported(last.get("error"), default="E_INTERNAL"), **known)
    return Judgement("failed", Fault(lost, _death(exit_code), retryable=True), **known)


def reported(error: Any, *, default: str) -> Fault:
    """The error of an event."""
    if not isinstance(error, Mapping):
        return Fault(default)
    params = error.get("params")
    return Fault(
        str(error.get("code") or default)[:32],
        dict(params) if isinstance(params, Mapping) else {},
        error.get("retryable") is True,
    )


def first_table(records: Mapping[str, int] | None) -> int | None:
    """The rows of the source's first table: the one that is counted."""
    return next(iter(records.values()), None) if records else None


def _deadline(stop: str, limits: Mapping[str, Any]) -> Fault:
    if stop == "E_STALLED":
        minutes = limits.get("minutes")
        return Fault(stop, {"minutes": minutes} if minutes is not None else {}, retryable=True)
    seconds = limits.get("seconds")
    return Fault(stop, {"deadline": "run", **({"seconds": seconds} if seconds is not None else {})})


def _death(exit_code: int | None) -> dict[str, Any]:
    if exit_code is None:
        return {}
    return {"signal": -exit_code} if exit_code < 0 else {"exit": exit_code}


def _numbers(values: Any) -> dict[str, int] | None:
    if not isinstance(values, Mapping):
        return None
    return {str(name): value for name, value in values.items() if isinstance(value, int)}
