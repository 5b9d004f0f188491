"""The child as a process: its order, its exit codes, its stdout, its lifeline."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import ROOT

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def child() -> Iterator[Start]:
    """Start children: `child(order)`, with stdin left open."""
    started: list[subprocess.Popen[bytes]] = []

    def start(order: bytes | dict[str, Any] | None = None) -> subprocess.Popen[bytes]:
        one = subprocess.Popen(
            [sys.executable, "-m", "fetchers"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(one)
        assert one.stdin is not None
        if order is not None:
            one.stdin.write(order if isinstance(order, bytes) else json.dumps(order).encode() + b"\n")
            one.stdin.flush()
        return one

    yield start
    for one in started:
        one.kill()
        one.wait(10)
        for pipe in (one.stdin, one.stdout, one.stderr):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue


def ending(one: subprocess.Popen[bytes]) -> tuple[int, list[dict[str, Any]], str]:
    assert one.stdout is not None
    assert one.stderr is not None
    events = [json.loads(line) for line in one.stdout]
    error = one.stderr.read().decode()
    return one.wait(30), events, error


@pytest.mark.parametrize(
    "order",
    [
        {"source": "faculty", "settings": {"password": "canary"}},
        {"source": "faculty", "settings": ["canary"], "now": "2026-11-22T09:00:00Z"},
        {"source": "faculty", "now": "canary"},
        {"source": "faculty", "mode": "canary", "now": "2026-11-22T09:00:00Z"},
        {"source": "faculty", "stranger": "canary", "now": "2026-11-22T09:00:00Z"},
        b"canary\n",
        b"\xff\xfe canary\n",
        b"\n",
        b"[]\n",
    ],
)
def test_an_order_that_cannot_be_read_is_wrong_use_and_repeats_no_value_of_it(
    child: Start, order: Any
) -> None:
    code, events, error = ending(child(order))
    assert code == 2
    assert [event["event"] for event in events] == ["error"]
    assert "The order cannot be executed" in events[0]["error"]["message"]
    assert "Traceback" not in error
    assert "canary" not in error + json.dumps(events)


def test_a_source_that_is_not_there_is_told_as_such(child: Start) -> None:
    code, events, error = ending(child({"source": "../panel/vault", "now": "2026-11-22T09:00:00Z"}))
    assert (code, events[-1]["error"]["code"], error) == (1, "E_FETCHER", "")


def test_a_lifeline_that_is_cut_before_the_order_ends_the_child(child: Start) -> None:
    one = child()
    assert one.stdin is not None
    one.stdin.close()
    assert one.wait(30) == 2


@pytest.mark.parametrize("at", ["order", "login"])
def test_a_lifeline_that_is_cut_ends_the_child_at_once(child: Start, server: Any, at: str) -> None:
    from tests.fetchers.raw_server import silence

    server.will(silence())
    one = child(
        {
            "source": "faculty",
            "check": True,
            "now": "2026-11-22T09:00:00Z",
            "settings": {"base_url": server.url, "username": "a", "password": "b"},
        }
    )
    assert one.stdin is not None
    if at == "login":
        while not server.requests:
            assert one.poll() is None
            server.closing.wait(0.02)
    one.stdin.close()
    assert one.wait(10) == 1


def test_a_wrong_login_is_one_attempt_in_a_test_of_the_connection(child: Start, server: Any) -> None:
    from tests.fetchers.raw_server import answer

    server.will(answer({"isSuccess": False}, 401))
    code, events, error = ending(
        child(
            {
                "source": "students",
                "check": True,
                "now": "2026-11-22T09:00:00Z",
                "settings": {"base_url": server.url, "username": "a", "password": "canary"},
            }
        )
    )
    assert (code, events[-1]["error"]["code"], error) == (1, "E_AUTH", "")
    assert len(server.requests) == 1
    assert "canary" not in json.dumps(events)
