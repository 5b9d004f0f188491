"""Whether a failed attempt is tried again, as a table."""

from datetime import UTC, datetime, timedelta

import pytest

from panel.engine.retry import Fault, GiveUp, Retry, decide

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MAY_HEAL = Fault("E_SERVER", retryable=True)
NEEDS_A_PERSON = Fault("E_AUTH")


@pytest.mark.parametrize(
    ("fault", "attempt", "retries", "wait", "expected"),
    [
        (MAY_HEAL, 1, 2, 60, 60),
        (MAY_HEAL, 2, 2, 60, 120),
        (MAY_HEAL, 3, 2, 60, "attempts_used_up"),
        (MAY_HEAL, 1, 0, 60, "attempts_used_up"),
        (MAY_HEAL, 5, 9, 60, 960),
        (MAY_HEAL, 9, 20, 60, 3600),
        (MAY_HEAL, 4000, 9999, 86400, 3600),
        (MAY_HEAL, 1, 1, 0, 0),
        (NEEDS_A_PERSON, 1, 5, 60, "needs_a_person"),
    ],
)
def test_the_decision(fault: Fault, attempt: int, retries: int, wait: float, expected: int | str) -> None:
    decision = decide(fault, attempt=attempt, retries=retries, wait=wait, now=NOW)
    if isinstance(expected, str):
        assert decision == GiveUp(expected)
    else:
        assert decision == Retry(NOW + timedelta(seconds=expected))
