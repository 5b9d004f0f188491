"""Turns at one gateway, shared by sessions and processes through a folder; nothing is left of one that was killed."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fetchers.core import errors
from fetchers.core.wire import courtesy, gateway, lamps
from fetchers.core.wire.courtesy import FAILURES_TO_OPEN, Budget
from fetchers.core.wire.gateway import Courtesy, Shared, Stopped, Turn, key_of
from tests.conftest import ROOT

URL = "http://127.0.0.1:9/x"
KEY = key_of(URL)
DOWN = errors.ConnectError("refused", host="127.0.0.1:9", reason="refused")


class Waiting:
    """A thread of some run: what it was told, and how it is stopped."""

    def __init__(self, patient: float = 0.0) -> None:
        self.stop = threading.Event()
        self.patient_until = time.monotonic() + patient
        self.told: list[str] = []
        self.seen: list[tuple[str, float]] = []

    def patience(self) -> float:
        return self.patient_until

    def waits(self, reason: str, seconds: float) -> None:
        self.seen.append((reason, seconds))

    def goes_on(self) -> None:
        return

    def log(self, message: str, level: str = "info") -> None:
        self.told.append(message)


def one(folder: Path | None, me: str = "one", budget: Budget = Budget(4, 0.0), **how: Any) -> Courtesy:
    return Courtesy(me, budget, folder=folder, **how)


def ask(some: Courtesy, waiter: Waiting | None = None, body: bytes = b"{}") -> Turn:
    return some.turn(URL, body, waiter or Waiting())


def fail(some: Courtesy, error: Exception = DOWN, waiter: Waiting | None = None) -> None:
    with pytest.raises(type(error)), ask(some, waiter):
        raise error


def take_down(some: Courtesy) -> None:
    for _ in range(FAILURES_TO_OPEN):
        fail(some)


# -- which gateway ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://API.cfu.example/x?y", "https://api.cfu.example"),
        ("https://api.cfu.example:443", "https://api.cfu.example"),
        ("https://maryam:secret@api.cfu.example./", "https://api.cfu.example"),
        ("http://api.cfu.example:443/", "http://api.cfu.example:443"),
        ("http://[::1]:8000/a", "http://[::1]:8000"),
    ],
)
def test_one_gateway_has_one_name_however_it_is_spelled(url: str, key: str) -> None:
    assert key_of(url) == key == key_of(key)


@pytest.mark.parametrize("url", ["", "x", "ftp://a/", "http://", "http://a:99999/", "http://[::1/"])
def test_what_is_no_web_address_is_no_gateway(url: str) -> None:
    with pytest.raises(ValueError):
        key_of(url)


def test_folders_of_two_gateways_never_meet() -> None:
    keys = ["http://a_b", "http://a/b", "http://A-b", "https://a-b", "http://a-b:81", "http://" + "a" * 300]
    names = {gateway.file_name(key) for key in keys}
    assert len(names) == len(keys)
    assert all(len(name) < 140 and "/" not in name for name in names)


# -- shared -------------------------------------------------------------------------------------------------


def test_two_sessions_space_their_requests_together(tmp_path: Path) -> None:
    started: list[float] = []

    def work(me: str) -> None:
        some = one(tmp_path, me, Budget(4, 20.0))
        for _ in range(5):
            with ask(some):
                started.append(time.monotonic())

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    started.sort()
    assert len(started) == 10
    assert started[-1] - started[0] >= 9 / 20 - 0.01


@pytest.mark.parametrize("shared", [True, False])
def test_no_more_requests_at_once_than_the_gentlest_allows(tmp_path: Path, shared: bool) -> None:
    folder = tmp_path if shared else None
    some = one(folder, "one", Budget(8, 0.0))
    others = one(folder, "two", Budget(2, 0.0)) if shared else some
    if not shared:
        some = others = one(None, "one", Budget(2, 0.0))
    with ask(others):
        pass
    lock, at_once, most = threading.Lock(), 0, 0

    def work(whose: Courtesy) -> None:
        nonlocal at_once, most
        with ask(whose):
            with lock:
                at_once += 1
                most = max(most, at_once)
            threading.Event().wait(0.02)
            with lock:
                at_once -= 1

    threads = [threading.Thread(target=work, args=((some, others)[n % 2],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == 2


def test_the_gentlest_of_all_sources_counts_also_while_they_rest(tmp_path: Path) -> None:
    some = one(tmp_path, budget=Budget(4, 4.0), others={KEY: Budget(1, 8.0)})
    with ask(some):
        assert Shared(tmp_path, KEY).take("slot-00") is None
        with Shared(tmp_path, KEY).opened() as state:
            assert state.budget == Budget(1, 4.0)


def test_what_one_session_learns_the_other_knows(tmp_path: Path) -> None:
    take_down(one(tmp_path, "one"))
    waiter = Waiting(patient=0.2)
    with pytest.raises(errors.Unavailable) as caught:
        ask(one(tmp_path, "two"), waiter)
    assert caught.value.retryable and caught.value.params["host"] == "127.0.0.1:9"
    assert waiter.seen[0][0] == "gateway"


def test_a_person_who_waits_asks_the_small_question_at_once_if_nobody_does(tmp_path: Path) -> None:
    take_down(one(tmp_path))
    with ask(one(tmp_path, hurried=True)) as turn:
        assert turn.probe
        with pytest.raises(errors.Unavailable):
            ask(one(tmp_path, "another", hurried=True))


def test_a_session_without_a_folder_keeps_the_same_rules_for_itself() -> None:
    some = one(None)
    take_down(some)
    with pytest.raises(errors.Unavailable):
        ask(some)
    with ask(one(None)):
        pass


def test_a_small_question_is_asked_by_one_alone_and_its_answer_lets_everybody_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courtesy, "FIRST_PAUSE", 0.05)
    take_down(one(tmp_path, "one"))
    turn = ask(one(tmp_path, "two"), Waiting(patient=20))
    assert turn.probe
    with turn, pytest.raises(errors.Unavailable):
        ask(one(tmp_path, "three"), Waiting(patient=0.1))
    with ask(one(tmp_path, "three")) as after:
        assert not after.probe


def test_a_person_is_told_of_a_pause_at_once_and_a_run_sits_it_out(tmp_path: Path) -> None:
    fail(one(tmp_path), errors.RateLimited("slow down", retry_after=0.4, host="a"))
    with pytest.raises(errors.Unavailable) as caught:
        ask(one(tmp_path, hurried=True))
    assert caught.value.params["reason"] == "pause"
    began = time.monotonic()
    waiter = Waiting()
    with ask(one(tmp_path), waiter):
        assert time.monotonic() - began > 0.2
    assert {reason for reason, _ in waiter.seen} == {"rate_limited"}


def test_who_is_stopped_while_he_waits_stops(tmp_path: Path) -> None:
    fail(one(tmp_path), errors.RateLimited("slow down", retry_after=600.0, host="a"))
    waiter = Waiting()
    threading.Timer(0.1, waiter.stop.set).start()
    with pytest.raises(Stopped):
        ask(one(tmp_path), waiter)


def test_a_web_page_in_place_of_data_is_no_answer(tmp_path: Path) -> None:
    some = one(tmp_path)
    for number in range(FAILURES_TO_OPEN):
        with ask(some, body=b"%d" % number) as turn:
            turn.spoil(errors.NotJson("a page", reason="html"))
    assert lamps.read(tmp_path, KEY).kind == "down"


def test_nothing_is_learnt_from_a_mistake_of_ours(tmp_path: Path) -> None:
    some = one(tmp_path, budget=Budget(1, 0.0))
    for _ in range(FAILURES_TO_OPEN):
        fail(some, ZeroDivisionError())
        fail(some, errors.ConfigError("no address"))
    assert lamps.read(tmp_path, KEY).kind == "unknown"
    with ask(some):
        pass


# -- trouble with the folder ----------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [b"", b"{", b"\0" * 4096, b'{"runs": 3}', b"[]", b'{"next":"soon"}'])
def test_books_that_cannot_be_read_begin_anew(tmp_path: Path, written: bytes) -> None:
    take_down(one(tmp_path))
    [path] = tmp_path.glob("*/state.json")
    path.write_bytes(written)
    with ask(one(tmp_path)):
        pass
    assert lamps.read(tmp_path, KEY).kind == "well"


def test_a_shorter_state_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    for number in range(50):
        with ask(one(tmp_path, "r" * number)):
            pass
    books = Shared(tmp_path, KEY)
    with books.opened() as state:
        state.runs = {}
    with books.opened() as state:
        assert state.runs == {} and state.good == 50


def test_a_folder_that_cannot_be_used_is_told_once_and_the_budget_is_ones_own(tmp_path: Path) -> None:
    (tmp_path / "gateways").write_text("a file")
    some, waiter = one(tmp_path / "gateways", budget=Budget(4, 20.0)), Waiting()
    began = time.monotonic()
    for _ in range(4):
        with ask(some, waiter):
            pass
    assert time.monotonic() - began >= 3 / 20 - 0.01
    assert len(waiter.told) == 1


def test_one_who_was_stopped_while_he_held_the_lock_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "PATIENCE", 0.1)
    with ask(one(tmp_path)):
        pass
    [path] = tmp_path.glob("*/state.json")
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiter = Waiting()
        with ask(one(tmp_path, "two"), waiter):
            pass
        assert len(waiter.told) == 1


# -- processes ------------------------------------------------------------------------------------------------

SCRIPT = """
import sys, threading, time
from pathlib import Path
from fetchers.core.wire.gateway import Budget, Courtesy

class Waiter:
    stop = threading.Event()
    def patience(self): return time.monotonic() + 60
    def waits(self, reason, seconds): pass
    def goes_on(self): pass
    def log(self, message, level="info"): print(message, file=sys.stderr)

some = Courtesy("other process", Budget(4, 0.0), folder=Path(sys.argv[1]))
ask = lambda: some.turn(sys.argv[2], b"{}", Waiter())
"""
HOLD = "turns = [ask() for _ in range(int(sys.argv[3]))]; print('has them', flush=True); sys.stdin.read()"
WRITE = "print('has them', flush=True)\nwhile True:\n    with ask(): pass"


@contextmanager
def another(folder: Path, does: str, turns: int = 0) -> Iterator[subprocess.Popen[str]]:
    """Another process, which has begun to do so; killed at the end, if not before."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT + does, str(folder), URL, str(turns)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("has them")
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        threading.Event().wait(0.01)


def test_kill_9_of_one_who_has_every_connection_leaks_none(tmp_path: Path) -> None:
    some, waiter = one(tmp_path, "one"), Waiting()
    with another(tmp_path, HOLD, 4) as process:
        had: list[Turn] = []
        thread = threading.Thread(target=lambda: had.append(ask(some, waiter)))
        thread.start()
        thread.join(0.3)
        assert had == [], "all four are in use"
        process.kill()
        thread.join(20)
        assert len(had) == 1
    with had[0], ask(some), ask(some), ask(some):
        pass


def test_kill_9_of_one_who_asks_the_small_question_leaves_it_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_down(one(tmp_path, "one"))
    with Shared(tmp_path, KEY).opened() as state:
        state.open_until = 0.0
    with another(tmp_path, HOLD, 1) as process:
        with pytest.raises(errors.Unavailable):
            ask(one(tmp_path, "two"))
        process.kill()
        process.wait(20)
        with ask(one(tmp_path, "two"), Waiting(patient=20)) as turn:
            assert turn.probe


def test_kill_9_in_the_midst_of_writing_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    with another(tmp_path, WRITE) as process:
        until(lambda: list(tmp_path.glob("*/slot-00")))
        process.kill()
        process.wait(20)
    [path] = tmp_path.glob("*/state.json")
    assert gateway._decode(path.read_bytes()).gateway == KEY
    with ask(one(tmp_path, "two", Budget(1, 0.0))):
        pass


def test_files_are_for_this_account_alone(tmp_path: Path) -> None:
    with ask(one(tmp_path / "gateways")):
        pass
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "gateways").rglob("*")} == {0}
    assert os.listdir(tmp_path) == ["gateways"]


# -- lamps ----------------------------------------------------------------------------------------------------


def test_a_gateway_that_nobody_asked_is_unknown(tmp_path: Path) -> None:
    assert lamps.read(tmp_path / "nowhere", KEY) == lamps.Lamp()


def test_a_lamp_says_since_when_why_and_when_it_is_asked_again(tmp_path: Path) -> None:
    some = one(tmp_path)
    with ask(some):
        pass
    well = lamps.read(tmp_path, KEY)
    assert (well.kind, well.cause, well.until, well.awaited) == ("well", None, None, False)
    take_down(some)
    down = lamps.read(tmp_path, KEY)
    assert (down.kind, down.failures) == ("down", FAILURES_TO_OPEN)
    assert down.cause is not None and down.cause.params == DOWN.params
    assert down.since and well.since and down.since >= well.since
    assert down.until and 3 < (down.until - down.since).total_seconds() < 6
    with pytest.raises(errors.Unavailable):
        ask(one(tmp_path, "two"))
    assert lamps.read(tmp_path, KEY).awaited


def test_a_pause_that_has_passed_is_no_pause(tmp_path: Path) -> None:
    fail(one(tmp_path), errors.RateLimited("slow down", retry_after=0.2, host="a"))
    paused = lamps.read(tmp_path, KEY)
    assert (paused.kind, paused.until is not None) == ("paused", True)
    until(lambda: lamps.read(tmp_path, KEY).kind != "paused")
