"""DOMAIN.md part 3, rows 1 to 13: what a gateway does to the login, the wire and the bytes of an answer.

Each case is a real child before a real socket, over a destination that holds old rows. docs/nasty-inputs.md lists them.
"""

import gzip
import json
import re
import signal
import socket
import struct
import time
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from panel import explain
from tests.fetchers.raw_server import (
    Line,
    RawListener,
    RawServer,
    Request,
    answer,
    chunked,
    drip,
    silence,
    stranger,
)
from tests.nasty.gateway import PASSWORD, TOKEN, ScriptedGateway, data
from tests.nasty.place import CAMPUSES, OLD_ROWS, Place, old_rows

HTML = "<!DOCTYPE html><html><body>در دست تعمیر canary-page</body></html>"
WEB_PAGE = "Content-Type: text/html; charset=utf-8"
DONE = ("done", None)


def failed(code: str) -> tuple[str, str]:
    return "failed", code


# -- the login ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 400])
def test_01_a_refused_login_stops_at_once(place: Place, gateway: ScriptedGateway, status: int) -> None:
    gateway.login = [answer({"title": f"wrong: {PASSWORD}", "status": status}, status)]
    before = place.picture()
    outcome = place.sync(campuses=CAMPUSES, settings={"retry_budget": 600})
    assert (outcome.code, outcome.last["event"], outcome.error["code"]) == (1, "error", "E_AUTH")
    assert not outcome.error["retryable"]
    assert (gateway.logins, gateway.asked) == (1, []), "one login, and never a second"
    assert place.picture() == before
    assert "user name or password" in explain.english("E_AUTH", outcome.error["params"]).what


TOKENLESS: dict[str, Any] = {
    "missing": {"data": {}},
    "null": {"data": {"token": None}},
    "empty": {"data": {"token": ""}},
    "object": {"data": {"token": {"value": "x"}}},
}


@pytest.mark.parametrize("shape", TOKENLESS)
def test_02_a_login_without_a_token_sends_no_question(
    place: Place, gateway: ScriptedGateway, shape: str
) -> None:
    gateway.login = [answer(TOKENLESS[shape])]
    before = place.picture()
    outcome = place.sync(campuses=CAMPUSES[:3], settings={"retry_budget": 600})
    assert (outcome.code, outcome.error["code"], gateway.logins) == (1, "E_AUTH", 1)
    assert gateway.asked == [], "no question with `Bearer None`"
    assert place.picture() == before


def test_02_a_web_page_as_login_sends_no_question(place: Place, gateway: ScriptedGateway) -> None:
    gateway.login = [answer(HTML, 200, WEB_PAGE)]
    before = place.picture()
    outcome = place.sync(campuses=CAMPUSES[:1])
    assert (outcome.code, outcome.error["code"]) == (1, "E_NOT_JSON")
    assert gateway.asked == []
    assert place.picture() == before


def test_03_a_token_that_expires_is_renewed_once_for_all(place: Place, gateway: ScriptedGateway) -> None:
    def expire(server: RawServer, request: Request, line: Line) -> bytes:
        gateway.expired.add(f"{TOKEN}-1")
        return answer(b"", 401, 'WWW-Authenticate: Bearer error="invalid_token"')

    before = place.picture()
    tried = place.try_each({f"part {n}": [expire if n == 9 else None, None] for n in range(20)})
    assert tried.outcome.code == 0
    assert set(tried.states().values()) == {DONE}
    assert gateway.logins == 2, "one new login, shared"
    mine = [one for one in gateway.asked if one.part == tried.campuses["part 9"]]
    assert [(one.page, one.size) for one in mine[:2]] == [(1, 1000)] * 2, "the same request once more"
    assert [one.token for one in mine[:2]] == [f"{TOKEN}-1", f"{TOKEN}-2"]
    assert place.picture() == before


def test_03_a_gateway_that_goes_on_refusing_its_tokens_fails(place: Place, gateway: ScriptedGateway) -> None:
    before = place.picture()
    tried = place.try_each(
        {f"part {n}": [answer(b"", 401)] for n in range(12)}, settings={"retry_budget": 600}
    )
    assert tried.outcome.code == 1
    assert tried.outcome.error["code"] == "E_AUTH"
    assert gateway.logins == 2, "one new login, and no more: the account is not locked"
    assert place.picture() == before


# -- statuses -----------------------------------------------------------------------------------------------


def pause(header: str | None) -> bytes:
    return answer("slow down", 429, *([f"Retry-After: {header}"] if header is not None else []))


def waits(log: str, campus: str) -> list[float]:
    """How long the log says that the client waits before it asks for this campus again."""
    lines = [line for line in log.splitlines() if f"campus {campus}," in line]
    return [float(found[1]) for line in lines if (found := re.search(r"again in ([0-9.]+) s", line))]


def test_04_retry_after_is_believed_where_it_helps(place: Place) -> None:
    def until_a_date(server: RawServer, request: Request, line: Line) -> bytes:
        return pause(format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True))

    cases = {
        "3": pause("3"),
        "date": until_a_date,
        "none": pause(None),
        "-1": pause("-1"),
        "soon": pause("soon"),
    }
    tried = place.try_each(
        {case: [turn, None] for case, turn in cases.items()}, settings={"retry_budget": 30}
    )
    assert tried.outcome.code == 0
    assert tried.states() == dict.fromkeys(cases, DONE)
    assert tried.touched() == set()
    waited = {case: waits(tried.outcome.log, campus) for case, campus in tried.campuses.items()}
    assert waited["3"] == [3.0]
    [until_date] = waited["date"]
    assert 2 <= until_date <= 5
    for case in ("none", "-1", "soon"):
        assert len(waited[case]) == 1
        assert waited[case][0] <= 1, "the first back-off"
    times = [one.at for one in place.gateway.asked if one.part == tried.campuses["3"]]
    assert times[1] - times[0] >= 2.9


def test_04_a_day_of_retry_after_is_cut_to_a_quarter_of_an_hour(place: Place) -> None:
    place.gateway.scripts = {CAMPUSES[0]: [pause("86400")]}
    child = place.start(place.order(campuses=CAMPUSES[:1], settings={"retry_budget": 600}))
    assert child.stdout is not None
    for line in child.stdout:
        event = json.loads(line)
        if event["event"] == "progress" and event["waiting"]:
            break
    assert event["waiting"]["reason"] == "rate_limited"
    left = datetime.fromisoformat(event["waiting"]["until"]) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)


def test_04_and_then_the_part_fails(place: Place) -> None:
    tried = place.try_each(
        {"86400": [pause("86400")]},
        before="import fetchers.core.wire.courtesy as rules; rules.MAX_RETRY_AFTER = 0.3",
        settings={"retry_budget": 0.2},
    )
    assert tried.outcome.code == 1
    assert tried.states() == {"86400": failed("E_RATE")}
    assert tried.error("86400")["retryable"]
    assert tried.asked("86400") == 2
    assert tried.touched() == set()


def test_05_a_server_in_trouble_is_asked_again_and_its_page_is_never_read_as_data(place: Place) -> None:
    row = data([{"studentnum": "40311299999", "firstname": "canary-page"}])
    cases = {str(status): [answer(HTML, status, WEB_PAGE)] for status in (500, 502, 503, 504)}
    tried = place.try_each({**cases, "rows with 500": [answer(row, 500)]}, settings={"retry_budget": 0.5})
    assert tried.outcome.code == 1
    assert all(waits(tried.outcome.log, campus) for campus in tried.campuses.values()), "asked again"
    assert set(tried.states().values()) == {failed("E_SERVER")}
    assert tried.touched() == set()
    assert "canary-page" not in json.dumps(tried.outcome.events, ensure_ascii=False) + tried.outcome.stderr
    for case in cases:
        params = tried.error(case)["params"]
        assert set(params) == {"host", "path", "status"} and params["status"] in (500, 502, 503, 504)


def test_06_a_web_page_with_status_200_is_never_no_records(place: Place) -> None:
    pages = {
        "maintenance": answer(HTML, 200, WEB_PAGE),
        "login page": answer("<html><form action=/login><input name=user></form>", 200, WEB_PAGE),
        "called JSON": answer(HTML),
    }
    tried = place.try_each({case: [page] for case, page in pages.items()}, settings={"retry_budget": 0.5})
    assert tried.outcome.code == 1
    assert tried.states() == dict.fromkeys(pages, failed("E_NOT_JSON"))
    assert all(waits(tried.outcome.log, campus) for campus in tried.campuses.values()), "asked again"
    assert tried.touched() == set()
    assert tried.outcome.last["records"]["student_terms"] == OLD_ROWS * len(CAMPUSES)


def test_06_nor_on_a_first_load(new_place: Place, gateway: ScriptedGateway) -> None:
    gateway.scripts = {CAMPUSES[0]: [answer(HTML, 200, WEB_PAGE)]}
    outcome = new_place.sync(campuses=CAMPUSES[:1])
    assert (outcome.code, outcome.error["code"]) == (1, "E_NOT_JSON")
    assert new_place.rows("SELECT part FROM _hamgam_partitions") == []


def test_07_an_error_with_status_200_is_told_in_the_gateways_words(place: Place) -> None:
    said = "خطا در ارتباط با سامانهٔ گلستان"
    dirty = "خطا در  ارتباط با سامانهٔ گلستان ".replace("ی", "ي")
    tried = place.try_each(
        {
            "isSuccess": [answer({"isSuccess": False, "message": dirty, "data": None})],
            "with an empty list": [answer({"isSuccess": False, "message": dirty, "data": []})],
            "a report's error": [answer(f"<e>{dirty}</e>")],
            "in data": [answer({"data": f"<e>{dirty}</e>"})],
        }
    )
    assert tried.outcome.code == 1
    assert set(tried.states().values()) == {failed("E_ENVELOPE")}
    for case in tried.campuses:
        error = tried.error(case)
        assert said in error["message"], case
        assert said in explain.message(error["code"], error["params"]), case
    assert tried.touched() == set()


PROBLEM = {"title": "Invalid.", "status": 400, "traceId": "00-abcd-00"}


def test_08_a_refused_request_is_final_and_readable_in_every_shape(place: Place) -> None:
    bodies: dict[str, Any] = {
        "dict": {**PROBLEM, "errors": {"Filter": ["The Filter field is required."]}},
        "list": {**PROBLEM, "errors": ["first", "second"]},
        "string": {**PROBLEM, "errors": "a text"},
        "empty": {**PROBLEM, "errors": {}},
        "null": {**PROBLEM, "errors": None},
        "plain text": "Bad Request",
    }
    tried = place.try_each(
        {case: [answer(body, 400)] for case, body in bodies.items()}, settings={"retry_budget": 600}
    )
    assert tried.outcome.code == 1
    assert tried.states() == dict.fromkeys(bodies, failed("E_GATEWAY"))
    assert {case: tried.asked(case) for case in bodies} == dict.fromkeys(bodies, 1), "no retry"
    words = {
        "dict": "The Filter field is required.",
        "list": "first second",
        "string": "a text",
        "empty": "Invalid.",
        "null": "Invalid.",
        "plain text": "(400)",
    }
    for case, word in words.items():
        error = tried.error(case)
        assert word in error["message"], case
        assert not error["retryable"]
        if case != "plain text":
            assert error["params"]["trace"] == "00-abcd-00"
            assert "00-abcd-00" in tried.outcome.log
            assert word in explain.message(error["code"], error["params"])
    assert tried.touched() == set()


# -- the wire -----------------------------------------------------------------------------------------------

QUICKLY = {"connect_timeout": 0.5, "silence_timeout": 0.5, "request_timeout": 1.0}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


def test_09_silence_and_drip_end_at_their_deadlines(place: Place) -> None:
    started = time.monotonic()
    cases = {
        "silence": [silence()],
        "half an answer": [silence(HEAD + b'{"data":[')],
        "drip": [drip(HEAD, b" ")],
    }
    tried = place.try_each(cases, settings=QUICKLY)
    assert time.monotonic() - started < 10
    assert tried.outcome.code == 1
    assert tried.states() == dict.fromkeys(cases, failed("E_TIMEOUT"))
    assert {case: tried.error(case)["params"]["deadline"] for case in cases} == {
        "silence": "silence",
        "half an answer": "silence",
        "drip": "request",
    }
    assert tried.touched() == set()


NO_SUCH_NAME = """
import socket
def nobody(*_, **__): raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
socket.getaddrinfo = nobody
"""


@pytest.mark.parametrize("kind", ["refused", "dns"])
def test_09_a_gateway_that_cannot_be_reached_is_asked_again_and_then_given_up(
    place: Place, free_port: int, kind: str
) -> None:
    address = f"http://127.0.0.1:{free_port}" if kind == "refused" else "http://gateway.invalid"
    before = place.picture()
    outcome = place.sync(
        campuses=CAMPUSES[:2],
        before=NO_SUCH_NAME if kind == "dns" else "",
        settings={**QUICKLY, "base_url": address, "retry_budget": 0.5},
    )
    assert (outcome.code, outcome.error["code"]) == (1, "E_CONNECT")
    assert (outcome.error["params"]["reason"], outcome.error["retryable"]) == (kind, True)
    assert "Trying again" in outcome.log
    assert place.picture() == before


def test_09_while_the_gateway_is_silent_the_child_lives_and_stops(place: Place) -> None:
    place.gateway.scripts = {campus: [silence()] for campus in CAMPUSES}
    child = place.start(place.order(campuses=CAMPUSES))
    assert child.stdout is not None
    beats: list[float] = []
    for line in child.stdout:
        if json.loads(line)["event"] == "progress":
            beats.append(time.monotonic())
        if len(beats) == 4:
            break
    assert max(later - earlier for earlier, later in zip(beats, beats[1:], strict=False)) < 2
    asked = time.monotonic()
    child.send_signal(signal.SIGTERM)
    child.wait(10)
    assert time.monotonic() - asked < 2


def hang_up(_: RawServer, request: Request, line: Line) -> None:
    """Reset the connection in the middle of an answer."""
    line.sendall(HEAD + b'{"data":[')
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_10_an_answer_that_is_cut_is_asked_for_again_and_none_of_it_is_stored(place: Place) -> None:
    # What is cut off are other rows than the old ones, so that storing any of them would show.
    body = data([{**row, "city": "canary-cut"} for row in old_rows(CAMPUSES[0])])
    cuts = {
        "reset": hang_up,
        "short": answer(body[:4000], length=len(body)),
        "chunked cut": chunked(body[:4000], end=False),
        "JSON cut": answer(body[: len(body) // 2]),
        "cut after a record": answer(body[: body.rindex(b"}", 0, 5000) + 1]),
    }
    tried = place.try_each({case: [turn] for case, turn in cuts.items()})
    assert tried.outcome.code == 1
    assert tried.states() == {
        case: failed("E_CONNECT" if case == "reset" else "E_TRUNCATED") for case in cuts
    }
    assert tried.touched() == set()
    healed = place.try_each(
        {case: [turn, None] for case, turn in cuts.items()}, settings={"retry_budget": 30}
    )
    assert (healed.outcome.code, set(healed.states().values())) == (0, {DONE})
    assert healed.touched() == set()


# -- bytes --------------------------------------------------------------------------------------------------

JSON = "application/json; charset=utf-8"
MODERN = "علی یوسفی"  # windows-1256 has no ی: there it is «علي يوسفي»


def encoded(
    campus: str, encoding: str, *, name: str = MODERN, mark: bytes = b"", kind: str = JSON
) -> list[Any]:
    """The campus's old rows with another first name in these bytes, then the empty page behind the last one."""
    rows = [{**row, "firstname": name} for row in old_rows(campus)]
    text = data(rows, totalCount=OLD_ROWS).decode()
    if encoding == "cp1256":
        text = text.replace("ی", "ي")
    return [
        answer(mark + text.encode(encoding), 200, f"Content-Type: {kind}"),
        answer(data([], totalCount=OLD_ROWS)),
    ]


def test_11_letters_are_right_whatever_the_header_says_or_the_part_fails(place: Place) -> None:
    cases = {
        "declared": encoded(CAMPUSES[0], "cp1256", kind="application/json; charset=windows-1256"),
        "mislabelled": encoded(CAMPUSES[1], "cp1256"),
        "text/plain": encoded(CAMPUSES[2], "utf-8", kind="text/plain"),
        "BOM": encoded(CAMPUSES[3], "utf-8", mark=b"\xef\xbb\xbf"),
        "UTF-16": encoded(CAMPUSES[4], "utf-16"),
        "no Persian": [answer('{"data":[{"studentnum":"1","firstname":"Zoé Ñandú"}]}'.encode("latin-1"))],
        "mojibake": [answer(encoded_twice(CAMPUSES[6]))],
        "replaced": encoded(CAMPUSES[7], "utf-8", name="\ufffd\ufffd"),
    }
    tried = place.try_each(cases)
    right = {"declared", "mislabelled", "text/plain", "BOM"}
    assert tried.outcome.code == 1
    assert tried.states() == {case: DONE if case in right else failed("E_NOT_JSON") for case in cases}
    assert tried.touched() == right
    for case in right:
        rows = place.students(tried.campuses[case]).values()
        assert {row["firstname"] for row in rows} == {MODERN}, case
        assert tried.outcome.count(tried.campuses[case], "changed") == OLD_ROWS
        assert {row["course_name"] for row in rows} == {"آموزش ابتدایی"}, case
    everything = repr(place.picture())
    assert not set("\ufffdØÙÛ") & set(everything)


def encoded_twice(campus: str) -> bytes:
    return data(list(old_rows(campus))).decode("latin-1").encode()


MEMORY = """
import atexit, os, sys
leave = os._exit
def told(code):
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            print("peak", line.split()[1], file=sys.stderr, flush=True)
    leave(code)
os._exit = told
"""

# With the real one, of 512 MB, `make faults` tries the same (tests/acceptance/test_large_lists.py).
SMALL_CAP = """
from fetchers.core.wire import body
body.MAX_BODY = 96 << 20
"""


def bomb(_: RawServer, request: Request, line: Line) -> None:
    """A gigabyte and more in one body: a block of zeros over and over."""
    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\nContent-Type: application/json\r\n\r\n")
    block = b'{"data":[' + b" " * (1 << 20)
    for _ in range(2048):
        line.sendall(block)


def test_12_what_cannot_be_unpacked_or_held_is_refused_and_memory_stays_flat(place: Place) -> None:
    packed = "Content-Encoding: gzip"
    whole = gzip.compress(data(list(old_rows(CAMPUSES[0]))))
    pieces = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b"".join(pieces.compress(bytes(1 << 20)) for _ in range(512)) + pieces.flush()
    cases: dict[str, Any] = {
        "bad gzip": [answer(b"\x1f\x8b" + b"not gzip at all", 200, packed)],
        "cut gzip": [answer(whole[: len(whole) // 2], 200, packed)],
        "2 GB": [bomb],
        "gzip bomb": [answer(zeros, 200, packed)],
    }
    tried = place.try_each(cases, before=MEMORY + SMALL_CAP, settings={"connections": 1})
    assert tried.outcome.code == 1
    assert tried.states() == {
        "bad gzip": failed("E_TRUNCATED"),
        "cut gzip": failed("E_TRUNCATED"),
        "2 GB": failed("E_TOO_LARGE"),
        "gzip bomb": failed("E_TOO_LARGE"),
    }
    assert tried.touched() == set()
    found = re.search(r"peak (\d+)", tried.outcome.stderr)
    assert found
    assert int(found[1]) < 120_000, "kilobytes: Python, and no body"


# -- whom the token goes to ---------------------------------------------------------------------------------


def test_13_a_redirect_is_not_followed(place: Place) -> None:
    other = RawServer()
    try:
        locations = {
            "another host": f"Location: {other.url}/API/Golestan/Students_2",
            "http": f"Location: http://localhost:{other.url.rpartition(':')[2]}/",
            "nowhere": "X-Nothing: 1",
        }
        cases: dict[str, Any] = {
            f"{status} {where}": [answer(b"", status, header)]
            for status in (301, 302, 307, 308)
            for where, header in locations.items()
        }
        tried = place.try_each(cases, settings={"retry_budget": 600})
        assert tried.outcome.code == 1
        assert tried.states() == dict.fromkeys(cases, failed("E_REDIRECT"))
        assert {case: tried.asked(case) for case in cases} == dict.fromkeys(cases, 1)
        assert tried.touched() == set()
        assert other.requests == []
    finally:
        other.close()


def test_13_a_certificate_that_nobody_vouches_for_gets_no_password(place: Place, tmp_path: Path) -> None:
    listener = RawListener(b"", stranger(tmp_path))
    before = place.picture()
    address = f"https://127.0.0.1:{listener.port}"
    outcome = place.sync(campuses=CAMPUSES[:2], settings={"base_url": address, "retry_budget": 600})
    listener.close()
    error = outcome.error
    assert (outcome.code, error["code"], error["params"]["reason"]) == (1, "E_CONNECT", "tls_authority")
    assert not outcome.error["retryable"]
    assert listener.heard == []
    assert place.picture() == before
