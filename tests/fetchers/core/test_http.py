"""What the wire can do to us: each kind of trouble ends in its own error, by its own deadline, and frees its line."""

import errno
import os
import random
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from urllib3 import exceptions as wire

from fetchers.core import errors
from fetchers.core.fetcher import HttpSettings
from fetchers.core.wire import body as bodies
from fetchers.core.wire import courtesy, deadline, http
from fetchers.core.wire.deadline import NameTimedOut
from fetchers.core.wire.http import Session, Stopped, retry_after
from tests.fetchers.raw_server import (
    RawListener,
    RawServer,
    Request,
    answer,
    chunked,
    drip,
    silence,
    stranger,
)

ROWS = {"data": [{"id": 1, "name": "مریم"}]}
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)

Make = Callable[..., Session]


def packed(body: bytes, form: int = 31) -> bytes:
    packer = zlib.compressobj(wbits=form)
    return packer.compress(body) + packer.flush()


def ask(session: Session, server: RawServer, **headers: str) -> http.Answer:
    return session.post_json(f"{server.url}/x", {"a": 1}, headers)


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for a condition; fail where it does not come."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come"
        threading.Event().wait(0.01)
    return found


# -- whole answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        answer(b'{"data":[]}'),
        chunked(b'{"da', b'ta":', b"[]}"),
        answer(packed(b'{"data":[]}'), 200, "Content-Encoding: gzip"),
        answer(packed(b'{"data":[]}'), 200, "Content-Encoding: X-GZIP"),
        answer(packed(b'{"da') + packed(b'ta":[]}'), 200, "Content-Encoding: gzip"),
        answer(packed(b'{"data":[]}', 15), 200, "Content-Encoding: deflate"),
        b'HTTP/1.0 200 OK\r\n\r\n{"data":[]}',
        b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"data":[]}',
    ],
    ids=[
        "length",
        "chunks",
        "gzip",
        "x-gzip",
        "gzip in two members",
        "deflate",
        "until hang-up",
        "100 first",
    ],
)
def test_a_whole_answer_comes_whole(server: RawServer, session: Make, sent: bytes) -> None:
    server.will(sent)
    found = ask(session(), server)
    assert (found.status, found.body) == (200, b'{"data":[]}')


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_packed_body_comes_whole_whatever_its_size(server: RawServer, session: Make, size: int) -> None:
    body = random.Random(size).randbytes(size // 8) * 8 + b"x" * (size % 8)
    server.will(answer(packed(body), 200, "Content-Encoding: gzip"))
    assert ask(session(), server).body == body


def test_a_request_says_what_it_is_and_follows_no_surroundings(
    server: RawServer, session: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login maryam password canary\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    ask(session(), server, Authorization="Bearer abc")
    [request] = server.requests
    assert request.line == "POST /x HTTP/1.1"
    assert request.json == {"a": 1}
    assert request.headers["authorization"] == "Bearer abc"
    assert request.headers["content-type"] == "application/json"


# -- broken answers -----------------------------------------------------------------------------------------

BROKEN = {
    "short": (answer(b'{"data":[]}', length=500), errors.Truncated),
    "nothing of it": (answer(b"", length=500), errors.Truncated),
    "chunks cut": (chunked(b'{"data":', end=False), errors.Truncated),
    "cut in a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{", errors.Truncated),
    "nonsense chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        errors.Truncated,
    ),
    "gzip cut": (answer(packed(b"x" * 5000)[:-12], 200, "Content-Encoding: gzip"), errors.Truncated),
    "gzip cut at its head": (answer(packed(b"x")[:8], 200, "Content-Encoding: gzip"), errors.Truncated),
    "no gzip at all": (answer(b'{"data":[]}', 200, "Content-Encoding: gzip"), errors.Truncated),
    "unknown packing": (answer(b"abc", 200, "Content-Encoding: br"), errors.NotJson),
    "twice packed": (
        answer(packed(packed(b"x")), 200, "Content-Encoding: gzip, gzip"),
        errors.NotJson,
    ),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        errors.ConnectError,
    ),
    "hung up": (lambda *_: None, errors.ConnectError),
    "no HTTP": (b"220 smtp.example.invalid ESMTP\r\n", errors.ConnectError),
    "no status": (b"HTTP/1.1 abc OK\r\n\r\n", errors.ConnectError),
    "long status": (b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n", errors.ConnectError),
    "long header": (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", errors.ConnectError),
    "many headers": (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10_000 + b"\r\n", errors.ConnectError),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_answer_is_its_own_error_and_frees_its_line(
    server: RawServer, session: Make, kind: str
) -> None:
    sent, error = BROKEN[kind]
    one = session(connections=1)
    server.will(sent, sent, answer(ROWS))
    for _ in range(2):
        with pytest.raises(error) as caught:
            ask(one, server)
        assert type(caught.value) is error
        assert caught.value.retryable
    # The one connection that this session may have is free again: else this would wait for ever.
    assert ask(one, server).status == 200


def test_header_garbage_is_no_trouble_where_the_body_is_whole(server: RawServer, session: Make) -> None:
    server.will(answer(ROWS, 200, "Garbage without a colon", "X-Odd: \xff\xfe", "Set-Cookie: a=b"))
    assert ask(session(), server).status == 200


def test_a_connection_that_nobody_accepts_is_no_timeout(free_port: int, session: Make) -> None:
    with pytest.raises(errors.ConnectError) as caught:
        session().post_json(f"http://127.0.0.1:{free_port}/x", {}, {})
    assert caught.value.params["reason"] == "refused"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENETUNREACH, "network"),
        (errno.ENETDOWN, "network"),
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.EADDRNOTAVAIL, "refused"),
    ],
)
def test_where_no_way_leads_to_the_gateway_the_system_says_whose_network_it_is(
    session: Make, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    def no_way(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(deadline, "create_connection", no_way)
    with pytest.raises(errors.ConnectError) as caught:
        session().post_json("http://127.0.0.1:9/x", {}, {})
    assert caught.value.params["reason"] == reason


@pytest.mark.parametrize(
    ("number", "reason"),
    [(socket.EAI_NONAME, "dns"), (socket.EAI_FAIL, "dns"), (socket.EAI_AGAIN, "dns_down")],
)
def test_a_name_service_that_is_away_is_not_a_name_that_nobody_knows(
    session: Make, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    def look_up(*_: Any, **__: Any) -> None:
        raise socket.gaierror(number, "whatever it says")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(errors.ConnectError) as caught:
        session().post_json("http://gateway.invalid/x", {}, {})
    assert caught.value.params["reason"] == reason


@pytest.mark.parametrize(
    "address", ["http://[::1/x", "http://127.0.0.1:99999/x", "ftp://127.0.0.1/x", "http://a..b/x"]
)
def test_an_address_that_is_none_is_a_setting_to_mend(session: Make, address: str) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        session().post_json(address, {}, {})
    assert caught.value.params["setting"] == "base_url"


def test_what_cannot_be_sent_is_a_setting_to_mend(server: RawServer, session: Make) -> None:
    with pytest.raises(errors.ConfigError):
        session().post_json(server.url, {"password": "\ud83d"}, {})


# -- too large ----------------------------------------------------------------------------------------------


def test_a_bomb_is_refused_long_before_it_is_unpacked(server: RawServer, session: Make) -> None:
    bomb = packed(b"\0" * (64 << 20))
    assert len(bomb) < 100_000
    server.will(answer(bomb, 200, "Content-Encoding: gzip"))
    with pytest.raises(errors.TooLarge):
        ask(session(connections=1), server)


def test_a_body_over_the_cap_is_cut_off_while_it_comes(
    server: RawServer, session: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def pour(_: RawServer, __: Request, line: Any) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.closing.is_set():
            line.sendall(b"x" * 65_536)
            sent.append(65_536)

    monkeypatch.setattr(bodies, "MAX_BODY", 1 << 20)
    one = session(connections=1)
    server.will(pour, answer(ROWS))
    with pytest.raises(errors.TooLarge):
        ask(one, server)
    assert sum(sent) < 50 << 20
    assert ask(one, server).status == 200


def test_what_follows_a_packed_body_is_not_kept_in_memory(
    server: RawServer, session: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY", 1 << 20)
    tail = answer(packed(b"{}") + b"\0" * (2 << 20), 200, "Content-Encoding: gzip")
    server.will(tail)
    with pytest.raises(errors.FetchError):
        ask(session(), server)


# -- deadlines ----------------------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
SLOW = {
    "body": drip(HEAD, b" "),
    "body until hang-up": drip(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "status line": drip(b"HTTP/1.1 ", b"2"),
    "header lines": drip(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    "one header": drip(b"HTTP/1.1 200 OK\r\nA: ", b"b"),
    "100 for ever": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every=0.002),
    "chunk size": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "chunk extension": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", b"a"),
    "trailers": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n"),
}


@pytest.mark.parametrize("where", SLOW)
def test_a_drip_anywhere_ends_at_the_requests_own_deadline(
    server: RawServer, session: Make, where: str
) -> None:
    one = session(request_timeout=0.4, silence_timeout=30, connections=1)
    server.will(SLOW[where], answer(ROWS))
    with pytest.raises(errors.TimedOut) as caught:
        ask(one, server)
    assert caught.value.params["deadline"] == "request"
    assert ask(one, server).status == 200


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200", HEAD, HEAD + b"{"])
def test_silence_ends_at_its_own_deadline(server: RawServer, session: Make, start: bytes) -> None:
    one = session(silence_timeout=0.2, connections=1)
    server.will(silence(start), answer(ROWS))
    with pytest.raises(errors.TimedOut) as caught:
        ask(one, server)
    assert caught.value.params["deadline"] == "silence"
    assert ask(one, server).status == 200


def test_a_handshake_that_drips_ends_too(server: RawServer, session: Make) -> None:
    one = session(request_timeout=0.4, connect_timeout=30, silence_timeout=30)
    listener = RawListener(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
    try:
        with pytest.raises(errors.TimedOut) as caught:
            one.post_json(f"https://127.0.0.1:{listener.port}/x", {}, {})
        assert caught.value.params["deadline"] == "request"
    finally:
        listener.close()


def test_a_certificate_that_nobody_vouches_for_is_not_tried_twice(session: Make, tmp_path: Path) -> None:
    listener = RawListener(answer(ROWS), stranger(tmp_path))
    one = session(retry_budget=600)
    try:
        with pytest.raises(errors.FetchError) as caught:
            one.patiently(lambda: one.post_json(f"https://127.0.0.1:{listener.port}/x", {}, {}), "x")
        assert (caught.value.code, caught.value.params["reason"]) == ("E_CONNECT", "tls_authority")
        assert not caught.value.retryable
    finally:
        listener.close()


def test_https_to_a_plain_server_is_no_certificate_trouble(server: RawServer, session: Make) -> None:
    listener = RawListener(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    try:
        with pytest.raises(errors.ConnectError) as caught:
            session().post_json(f"https://127.0.0.1:{listener.port}/x", {}, {})
        assert not caught.value.params["reason"].startswith(
            "tls"
        )  # which people are told is a bad certificate
    finally:
        listener.close()


# -- statuses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_token_stays_home(
    server: RawServer, session: Make, status: int
) -> None:
    elsewhere = RawServer()
    try:
        server.will(answer(b"", status, f"Location: {elsewhere.url}/steal"))
        with pytest.raises(errors.Redirected) as caught:
            ask(session(), server, Authorization="Bearer abc")
        assert not caught.value.retryable
        assert (len(server.requests), elsewhere.requests) == (1, [])
    finally:
        elsewhere.close()


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504, 599])
def test_a_server_in_trouble_may_heal_and_its_page_is_never_read(
    server: RawServer, session: Make, status: int
) -> None:
    server.will(answer("<html>password=canary</html>", status, "Content-Type: text/html"))
    with pytest.raises(errors.ServerError) as caught:
        ask(session(), server)
    assert caught.value.params["status"] == status
    assert "canary" not in str(caught.value.to_dict())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
def test_a_refusal_is_the_fetchers_to_understand(server: RawServer, session: Make, status: int) -> None:
    server.will(answer({"title": "no"}, status))
    assert ask(session(), server).status == status


# -- Retry-After --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3),
        (" 3 ", 3),
        ("86400", 86400),
        ("9" * 400, float("inf")),
        (format_datetime(NOW + timedelta(seconds=7), usegmt=True), 7),
        (format_datetime(NOW - timedelta(days=7), usegmt=True), None),
        ("0", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("²", None),
        ("Mon, 99 Foo 2026 00:00:00 GMT", None),
        ("Sun, 22 Nov 2026 09:00:09 +9999999999999999", None),
        ("Sun, 22 Nov 99999 09:00:09 GMT", None),
        (None, None),
    ],
)
def test_retry_after_in_each_of_its_forms(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


def test_a_gateway_that_names_a_time_is_believed_by_all_threads_and_seen_on_the_screen(
    server: RawServer, session: Make, events: list[dict[str, Any]]
) -> None:
    one = session(retry_budget=5)
    server.will(answer(b"", 429, "Retry-After: 600"))
    outcomes: list[type] = []

    def patient() -> None:
        try:
            one.patiently(lambda: ask(one, server), "part")
        except Stopped:
            outcomes.append(Stopped)

    first = threading.Thread(target=patient)
    first.start()
    until(lambda: one.waiting)
    others = [threading.Thread(target=patient) for _ in range(3)]
    for thread in others:
        thread.start()
    # All the others wait for the same pause without asking, and the screen goes on saying so.
    waiting = until(lambda: len(one._waiting) == 4 and one.waiting)
    assert waiting["reason"] == "rate_limited"
    left = datetime.fromisoformat(waiting["until"]) - datetime.now(UTC)
    assert timedelta(seconds=300) < left <= timedelta(seconds=601)
    assert len(server.requests) == 1
    one.stop.set()
    for thread in (first, *others):
        thread.join(20)
    assert outcomes == [Stopped] * 4
    assert one.waiting is None


def test_ten_days_of_retry_after_are_cut_to_a_quarter_of_an_hour(server: RawServer, session: Make) -> None:
    one = session(retry_budget=5)
    server.will(answer(b"", 429, "Retry-After: 864000"))
    threading.Thread(target=lambda: stopped(one, server), daemon=True).start()
    waiting = until(lambda: one.waiting)
    left = datetime.fromisoformat(waiting["until"]) - datetime.now(UTC)
    assert timedelta(seconds=600) < left <= timedelta(seconds=901)


def stopped(one: Session, server: RawServer) -> None:
    try:
        one.patiently(lambda: ask(one, server), "part")
    except Stopped:
        return


# -- patience -----------------------------------------------------------------------------------------------


def test_what_heals_is_repeated_and_the_log_says_so(
    server: RawServer, session: Make, events: list[dict[str, Any]]
) -> None:
    server.will(answer(b"", 503), answer(b"", 503, "Retry-After: 0"), answer(ROWS))
    one = session(retry_budget=60)
    assert one.patiently(lambda: ask(one, server), "campus 1110").status == 200
    assert [event["level"] for event in events] == ["warning", "warning"]
    assert events[0]["message"].startswith("campus 1110: ")


def test_patience_ends_with_the_budget_and_the_last_error_stands(server: RawServer, session: Make) -> None:
    server.will(answer(b"", 503))
    one = session(retry_budget=0)
    with pytest.raises(errors.ServerError):
        one.patiently(lambda: ask(one, server), "x")
    assert len(server.requests) == 1


def test_what_will_not_heal_is_never_repeated(server: RawServer, session: Make) -> None:
    one = session(retry_budget=600)
    calls = []

    def call() -> None:
        calls.append(1)
        raise errors.GatewayError("no", status=400)

    with pytest.raises(errors.GatewayError):
        one.patiently(call, "x")
    assert calls == [1]


def test_a_request_under_way_is_no_waiting(server: RawServer, session: Make) -> None:
    one = session(retry_budget=600)
    release = threading.Event()

    def slowly(_: RawServer, __: Request, ___: Any) -> bytes:
        release.wait(20)
        return answer(ROWS)

    server.will(slowly, answer(b"", 429, "Retry-After: 600"))
    asking = threading.Thread(target=lambda: ask(one, server), daemon=True)
    asking.start()
    until(lambda: server.requests)
    threading.Thread(target=lambda: stopped(one, server), daemon=True).start()
    until(lambda: one._waiting)
    assert one.waiting is None
    release.set()
    asking.join(20)
    assert until(lambda: one.waiting)["reason"] == "rate_limited"


def test_the_requests_of_all_threads_are_spaced(server: RawServer, session: Make) -> None:
    one = session(requests_per_second=20)
    began = time.monotonic()
    threads = [threading.Thread(target=lambda: ask(one, server)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert time.monotonic() - began >= 4 / 20 - 0.01
    assert len(server.requests) == 5


def test_a_body_in_a_file_is_never_read_whole_to_see_what_it_is(
    server: RawServer, session: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PART_IN_MEMORY", 1000)
    monkeypatch.setattr(bodies, "WHOLE_IN_MEMORY", 1000)
    server.will(answer({"data": ["x" * 5000]}), answer("<!DOCTYPE html>" + "x" * 5000))
    one = session()
    for beginning in (b'{"data":', b"<!DOCTYPE"):
        found = ask(one, server)
        assert found.spooled is not None
        assert found.beginning.startswith(beginning) and len(found.beginning) == 64
        with pytest.raises(errors.TooLarge):
            _ = found.body


# -- a gateway that is down ---------------------------------------------------------------------------------


def test_a_gateway_that_is_down_is_asked_seldom_by_one_and_the_screen_says_so(
    server: RawServer, session: Make, events: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four threads ask; ten failures later nobody does, but for one small question; it is back, and they go on."""
    monkeypatch.setattr(courtesy, "FIRST_PAUSE", 0.3)
    monkeypatch.setattr(http.random, "uniform", lambda low, high: 0.01)
    server.will(answer(b"", 503))
    one = session(retry_budget=60)
    found: list[int] = []

    def patient(number: int) -> None:
        small = {"number": number, "pageSize": 1}
        full = {"number": number, "pageSize": 1000}
        answered = one.patiently(lambda: one.post_json(f"{server.url}/x", full, {}, small=small), "part")
        found.append(answered.status)

    threads = [threading.Thread(target=patient, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    waiting = until(lambda: one.waiting and one.waiting["reason"] == "gateway" and one.waiting)
    assert datetime.fromisoformat(waiting["until"])
    asked = len(server.requests)
    assert courtesy.FAILURES_TO_OPEN <= asked <= courtesy.FAILURES_TO_OPEN + 3, "those that were under way"
    until(lambda: len(server.requests) > asked)
    server.will(answer(ROWS))
    for thread in threads:
        thread.join(30)
    assert found == [200] * 4
    sizes = [request.json["pageSize"] for request in server.requests[asked:]]
    assert sizes.count(1) == len(sizes) - 4 and sizes[0] == 1
    log = [event["message"] for event in events]
    assert sum("is taken to be down" in line for line in log) == 1
    assert sum("answers again" in line for line in log) == 1


def test_patience_ends_while_a_gateway_is_down_and_what_it_said_stands(
    server: RawServer, session: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courtesy, "FAILURES_TO_OPEN", 1)
    monkeypatch.setattr(http.random, "uniform", lambda low, high: 0.01)
    server.will(answer(b"", 429))
    one = session(retry_budget=0.3)
    with pytest.raises(errors.RateLimited):
        one.patiently(lambda: ask(one, server), "x")
    assert len(server.requests) == 1
    with pytest.raises(errors.Unavailable):  # a part that never asked
        one.patiently(lambda: ask(one, server), "y")
    assert len(server.requests) == 1


def test_a_date_to_wait_for_is_read_by_the_gateways_own_clock(server: RawServer, session: Make) -> None:
    theirs = datetime.now(UTC) - timedelta(days=3)
    server.will(
        answer(
            b"",
            503,
            f"Date: {format_datetime(theirs, usegmt=True)}",
            f"Retry-After: {format_datetime(theirs + timedelta(seconds=40), usegmt=True)}",
        )
    )
    with pytest.raises(errors.ServerError) as caught:
        ask(session(), server)
    assert caught.value.retry_after == 40


# -- every error of the wire has a word of ours --------------------------------------------------------------


def family(kind: type) -> Iterator[type]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


EXPECTED = {
    wire.ConnectTimeoutError: errors.TimedOut,
    NameTimedOut: errors.TimedOut,
    wire.ReadTimeoutError: errors.TimedOut,
    wire.NewConnectionError: errors.ConnectError,
    wire.NameResolutionError: errors.ConnectError,
    wire.IncompleteRead: errors.Truncated,
    wire.InvalidChunkLength: errors.Truncated,
    wire.DecodeError: errors.Truncated,
    wire.LocationValueError: errors.ConfigError,
    wire.LocationParseError: errors.ConfigError,
    wire.URLSchemeUnknown: errors.ConfigError,
    wire.ProxySchemeUnknown: errors.ConfigError,
}


@pytest.mark.parametrize("kind", sorted(set(family(wire.HTTPError)), key=lambda kind: kind.__name__))
def test_no_error_of_the_wire_is_unmapped(kind: type[wire.HTTPError]) -> None:
    error = kind.__new__(kind)
    Exception.__init__(error, "some words")
    found = http._mapped(error, "gateway", HttpSettings())
    assert type(found) is EXPECTED.get(kind, errors.ConnectError)
    assert "gateway" in str(found) or isinstance(found, errors.ConfigError)
