"""How an attempt ended, as a table: what is known on the left, the judgement on the right."""

from typing import Any

import pytest

from fetchers.core.store.ledger import Closing
from panel.engine.verdict import judge

CLOSING = Closing({"read": 3}, {"planned": 1}, {"first": 3, "second": 9})
RESULT = {"event": "result", "counts": {"read": 3}}
HELD = {"event": "held", "error": {"code": "E_SHRUNK", "params": {}}}
AUTH = {"event": "error", "error": {"code": "E_AUTH", "params": {"host": "gw"}, "retryable": False}}
SERVER = {"event": "error", "error": {"code": "E_SERVER", "retryable": True}}


@pytest.mark.parametrize(
    ("closing", "exit_code", "last", "stop", "dry", "status", "code", "retryable"),
    [
        (CLOSING, 0, RESULT, None, False, "success", None, None),
        (CLOSING, -9, None, None, False, "success", None, None),
        (CLOSING, -15, None, "cancel", False, "success", None, None),
        (CLOSING, -9, None, "E_TIMEOUT", False, "success", None, None),
        (CLOSING, None, None, None, False, "success", None, None),
        (None, 0, RESULT, None, False, "failed", "E_LOST", True),
        (None, 0, RESULT, None, True, "success", None, None),
        (None, 3, RESULT, None, True, "success", None, None),  # it foretells a hold
        (None, 3, RESULT, None, False, "failed", "E_LOST", True),
        (None, 1, RESULT, None, True, "failed", "E_LOST", True),
        (None, 0, None, None, True, "failed", "E_LOST", True),
        (None, 0, None, None, False, "failed", "E_LOST", True),
        (None, -9, None, None, False, "failed", "E_LOST", True),
        (None, None, None, None, False, "failed", "E_LOST", True),
        (None, 3, HELD, None, False, "held", "E_SHRUNK", False),
        (None, 3, HELD, "cancel", False, "held", "E_SHRUNK", False),
        (None, 0, HELD, None, False, "failed", "E_LOST", True),
        (None, 1, AUTH, None, False, "failed", "E_AUTH", False),
        (None, 1, SERVER, None, False, "failed", "E_SERVER", True),
        (None, 0, AUTH, None, False, "failed", "E_LOST", True),
        (None, 1, {"event": "error"}, None, False, "failed", "E_INTERNAL", False),
        (None, -15, None, "cancel", False, "cancelled", "E_CANCELLED", False),
        (None, 1, AUTH, "cancel", False, "cancelled", "E_CANCELLED", False),
        (None, -15, None, "E_TIMEOUT", False, "failed", "E_TIMEOUT", False),
        (None, -9, None, "E_STALLED", False, "failed", "E_STALLED", True),
        (None, -15, None, "E_INTERRUPTED", False, "failed", "E_INTERRUPTED", True),
    ],
)
def test_the_judgement(
    closing: Closing | None,
    exit_code: int | None,
    last: dict[str, Any] | None,
    stop: str | None,
    dry: bool,
    status: str,
    code: str | None,
    retryable: bool | None,
) -> None:
    judgement = judge(closing=closing, exit_code=exit_code, last=last, stop=stop, dry_run=dry)
    assert judgement.status == status
    assert (judgement.fault.code if judgement.fault else None) == code
    assert (judgement.fault.retryable if judgement.fault else None) == retryable


def test_the_rows_of_the_first_table_are_the_records() -> None:
    assert judge(closing=CLOSING, exit_code=0, last=RESULT, stop=None, dry_run=False).records == 3


def test_a_cancelled_run_keeps_what_was_counted() -> None:
    last = {"event": "result", "counts": {"read": 5}}
    judgement = judge(closing=None, exit_code=-15, last=last, stop="cancel", dry_run=False, stopped_by="Reza")
    assert judgement.counts == {"read": 5}
    assert judgement.fault is not None
    assert judgement.fault.params == {"by": "Reza"}
