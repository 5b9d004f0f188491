"""F27: one byte a second; accepted and never answered; dropped; a name service that says nothing.

Each ends by its own deadline and no other, and the error names which. Nothing of the data is touched, and a person
reads what happened and what to do.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from fetchers.core import errors
from fetchers.core.wire import names
from fetchers.core.wire.http import Session
from panel import explain
from tests.faults.injectors import DeafPort
from tests.fetchers.raw_server import RawServer, answer, drip, silence
from tests.nasty.place import CAMPUSES, Place

FAR = 120.0  # a deadline that does not come
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
BY_DEADLINE = {
    "name": {"connect_timeout": 0.5, "silence_timeout": FAR, "request_timeout": FAR},
    "connect": {"connect_timeout": 0.5, "silence_timeout": FAR, "request_timeout": FAR},
    "silence": {"connect_timeout": FAR, "silence_timeout": 0.5, "request_timeout": FAR},
    "request": {"connect_timeout": FAR, "silence_timeout": FAR, "request_timeout": 0.5},
}


@pytest.fixture
def address(request: pytest.FixtureRequest, server: RawServer) -> Any:
    """A gateway at which one deadline passes."""
    kind = request.param
    if kind == "name":
        request.getfixturevalue("no_names")
        yield "http://gateway.example.ac.ir"
    elif kind == "connect":
        port = DeafPort()
        yield f"http://127.0.0.1:{port.port}"
        port.close()
    else:
        server.will(silence() if kind == "silence" else drip(HEAD, b" "))
        yield server.url


# In the normal run the two that tests/nasty (09) does not show.
EACH = [
    pytest.param(deadline, deadline, marks=[] if deadline in ("name", "connect") else [pytest.mark.slow])
    for deadline in BY_DEADLINE
]


@pytest.mark.parametrize(("address", "deadline"), EACH, indirect=["address"])
def test_f27_each_kind_of_slowness_ends_a_run_by_its_own_deadline_and_is_told_by_name(
    place: Place, address: str, deadline: str
) -> None:
    before = place.picture()
    began = time.monotonic()
    outcome = place.sync(
        campuses=CAMPUSES[:2],
        settings={**BY_DEADLINE[deadline], "base_url": address, "retry_budget": 0},
    )
    assert 0.5 <= time.monotonic() - began < FAR / 2
    error = outcome.error
    assert (outcome.code, error["code"], error["params"]["deadline"]) == (1, "E_TIMEOUT", deadline)
    assert (error["params"]["seconds"], error["retryable"]) == (0.5, True)
    assert place.picture() == before
    told = explain.message(error["code"], error["params"])
    assert "0.5 seconds" in told and len(told) <= 500
    assert told != explain.message("E_TIMEOUT", {**error["params"], "deadline": "any other"})


def test_f27_a_name_that_nobody_answers_about_costs_one_thread_however_often_it_is_asked(
    no_names: None, session: Callable[..., Session]
) -> None:
    one = session(connect_timeout=0.1)
    for _ in range(5):
        with pytest.raises(errors.TimedOut):
            one.post_json("http://gateway.example.ac.ir/x", {}, {})
    assert len([thread for thread in threading.enumerate() if thread.name == "names"]) == 1


def test_f27_a_lookup_of_an_address_or_a_known_name_asks_no_name_service(no_names: None) -> None:
    assert names.addresses("127.0.0.1", 80, 5) == ["127.0.0.1"]
    assert names.addresses("[::1]", 80, 5) == ["::1"]
    assert "127.0.0.1" in names.addresses("localhost", 80, 5)


def test_f27_an_address_that_swallows_everything_leaves_the_others_their_turn(
    server: RawServer, session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken IPv6 before a good IPv4. The system's resolver stands in for a name with two addresses."""
    port = int(server.url.rpartition(":")[2])
    deaf = DeafPort(port, "127.0.0.2")
    monkeypatch.setattr(names, "_ask", lambda host, _port: _answered(["127.0.0.2", "127.0.0.1"]))
    server.will(answer({"data": []}))
    try:
        one = session(connect_timeout=1)
        assert one.post_json(f"http://gateway.example:{port}/x", {}, {}).status == 200
        alone = session(connect_timeout=0.3)
        monkeypatch.setattr(names, "_ask", lambda host, _port: _answered(["127.0.0.2"] * 3))
        with pytest.raises(errors.TimedOut) as caught:
            alone.post_json(f"http://gateway.example:{port}/x", {}, {})
        assert caught.value.params["deadline"] == "connect"
    finally:
        deaf.close()


def _answered(addresses: list[str]) -> names._Question:
    question = names._Question()
    question.addresses = addresses
    question.answered.set()
    return question


@pytest.mark.slow
def test_f27_each_deadline_is_kept_to_a_fifth(
    no_names: None, server: RawServer, session: Callable[..., Session]
) -> None:
    """All of them at once, five seconds each."""
    seconds = 5.0
    deaf = DeafPort()
    quiet, slow = RawServer(), RawServer()
    quiet.will(silence())
    slow.will(drip(HEAD, b" ", every=1.0))
    urls = {
        "name": "http://gateway.example.ac.ir",
        "connect": f"http://127.0.0.1:{deaf.port}",
        "silence": quiet.url,
        "request": slow.url,
    }
    took: dict[str, float] = {}

    def ask(deadline: str) -> None:
        limits = {name: value if value == FAR else seconds for name, value in BY_DEADLINE[deadline].items()}
        began = time.monotonic()
        with pytest.raises(errors.TimedOut) as caught:
            session(**limits).post_json(f"{urls[deadline]}/x", {}, {})
        took[f"{deadline} {caught.value.params['deadline']}"] = time.monotonic() - began

    threads = [threading.Thread(target=ask, args=(deadline,)) for deadline in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(FAR)
    for one in (quiet, slow, deaf):
        one.close()
    assert set(took) == {f"{deadline} {deadline}" for deadline in urls}
    assert all(seconds * 0.8 <= each <= seconds * 1.2 for each in took.values()), took
