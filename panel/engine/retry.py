"""Whether a failed attempt is tried again: a value in, a value out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True)
class Fault:
    """What went wrong in an attempt. `retryable`: a later attempt may succeed without a person."""

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)
    retryable: bool = False


@dataclass(frozen=True)
class Retry:
    """Try again, not before this moment."""

    not_before: datetime


@dataclass(frozen=True)
class GiveUp:
    """Do not try again; `reason`: needs_a_person, or attempts_used_up."""

    reason: str


def decide(fault: Fault, *, attempt: int, retries: int, wait: float, now: datetime) -> Retry | GiveUp:
    """Decide about an attempt that ended with this fault.

    attempt: which one it is since an attempt last got further; 1: the first. The wait doubles with each, up to an
    hour; what needs a person is never tried again.
    """
    if not fault.retryable:
        return GiveUp("needs_a_person")
    if attempt > retries:
        return GiveUp("attempts_used_up")
    doubled = wait * 2 ** min(attempt - 1, 30)
    return Retry(now + min(timedelta(seconds=min(doubled, 86_400.0)), LONGEST_WAIT))
