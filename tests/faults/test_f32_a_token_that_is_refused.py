"""F32: 401 in mid-sync. What one new login can heal is healed by one; what it cannot ends at once, without a storm."""

from collections import Counter

import pytest

from tests.faults.one_gateway import PARTS, Office, Watched, office, watched
from tests.fetchers.raw_server import Line, RawServer, Request, answer
from tests.nasty.gateway import TOKEN

__all__ = ["office"]
pytestmark = pytest.mark.slow

REFUSED = answer(b"", 401, 'WWW-Authenticate: Bearer error="invalid_token"')


def expire_at(gateway: Watched, requests: int) -> None:
    """After so many questions the first token is refused to everybody."""

    def turn(server: RawServer, request: Request, line: Line) -> bytes | None:
        if len(gateway.gateway.asked) >= requests:
            gateway.gateway.expired.add(f"{TOKEN}-1")
        return gateway.gateway._turn(server, request, line)

    gateway.mood = turn


def test_f32_ten_workers_whose_token_expires_log_in_once_more_and_each_replays_once(office: Office) -> None:
    with watched() as gateway:
        expire_at(gateway, 5)
        outcome = office.start(gateway, connections=10, requests_per_second=0).ends()
        assert outcome.code == 0
        assert gateway.gateway.logins == 2
        refused = Counter(one.part for one in gateway.gateway.asked if one.token == f"{TOKEN}-1")
        assert max(refused.values()) <= 4, "three pages of nothing belong to the longest part"
        assert all(one.token in (f"{TOKEN}-1", f"{TOKEN}-2") for one in gateway.gateway.asked)
        assert len(outcome.states()) == len(PARTS)


def test_f32_a_login_that_fails_in_mid_sync_is_tried_once_and_nothing_more_is_asked(office: Office) -> None:
    with watched() as gateway:
        expire_at(gateway, 5)
        gateway.gateway.login = [None, answer({"title": "locked"}, 401)]
        outcome = office.start(gateway, connections=10, requests_per_second=0).ends()
        assert (outcome.code, outcome.error["code"], outcome.error["retryable"]) == (1, "E_AUTH", False)
        assert gateway.gateway.logins == 2
        assert len(gateway.gateway.asked) <= 5 + 10, "each of ten threads met the end once"


def test_f32_a_fresh_token_that_is_refused_too_ends_the_run_after_one_replay(office: Office) -> None:
    with watched() as gateway:
        gateway.gateway.scripts = {part: [REFUSED] for part in PARTS}
        outcome = office.start(gateway, connections=10, requests_per_second=0).ends()
        assert (outcome.code, outcome.error["code"]) == (1, "E_AUTH")
        assert outcome.error["params"]["reason"] == "token"
        assert gateway.gateway.logins == 2, "the account is not locked"
        tokens = Counter(one.token for one in gateway.gateway.asked)
        assert tokens[f"{TOKEN}-2"] == 1, "one replay in all"
        assert tokens[f"{TOKEN}-1"] <= 10
