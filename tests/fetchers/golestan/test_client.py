"""The gateway's login, tokens and error shapes, against a server that says exactly what a test wrote."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from fetchers.core import errors
from fetchers.core.wire.http import Session
from fetchers.golestan.client import GolestanClient
from tests.fetchers.raw_server import Line, RawServer, Request, answer

PATH = "/API/Golestan/Faculty"
PASSWORD = "canary-گذرواژه-7391"

Make = Callable[..., Session]


class Peer:
    """A gateway with a table of tokens."""

    def __init__(self, server: RawServer) -> None:
        self.server = server
        self.lock = threading.Lock()
        self.good: set[str] = set()
        self.logins = 0
        self.login: Callable[[], bytes] = self.issue
        self.data: Callable[[Request], bytes] = lambda request: answer({"data": [{"id": 1}], "totalCount": 1})
        server.will(self.turn)

    def issue(self) -> bytes:
        token = f"token-{self.logins}"
        self.good = {token}
        return answer({"data": {"token": token, "expiresIn": 1200}, "isSuccess": True, "message": None})

    def turn(self, _: RawServer, request: Request, line: Line) -> bytes:
        with self.lock:
            if request.path.lower() == "/login":
                self.logins += 1
                return self.login()
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if token not in self.good:
                return answer(b"", 401, "WWW-Authenticate: Bearer")
            return self.data(request)

    def client(self, session: Session) -> GolestanClient:
        return GolestanClient(session, self.server.url, "maryam", PASSWORD)

    @property
    def asked(self) -> int:
        return len([one for one in self.server.requests if one.path == PATH])


@pytest.fixture
def peer(server: RawServer) -> Peer:
    return Peer(server)


def failure(client: GolestanClient, kind: type[errors.FetchError] = errors.FetchError) -> errors.FetchError:
    with pytest.raises(kind) as caught:
        client.page(PATH, {}, "faculty")
    return caught.value


# -- login --------------------------------------------------------------------------------------------------


def test_one_login_serves_all_pages(peer: Peer, session: Make) -> None:
    client = peer.client(session())
    for _ in range(5):
        page = client.page(PATH, {"pageNumber": 1}, "faculty")
        assert (len(page.records), page.total) == (1, 1)
    assert peer.logins == 1
    assert peer.server.requests[0].json == {"userName": "maryam", "password": PASSWORD}


def test_an_ended_token_is_renewed_once_for_eight_threads(peer: Peer, session: Make) -> None:
    one = session(connections=8)
    client = peer.client(one)
    client.page(PATH, {}, "faculty")
    with peer.lock:
        peer.good.clear()
    start = threading.Barrier(8)
    found: list[int] = []

    def ask() -> None:
        start.wait()
        found.append(len(client.page(PATH, {}, "faculty").records))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [1] * 8
    assert peer.logins == 2


def test_eight_threads_that_begin_at_once_log_in_once(peer: Peer, session: Make) -> None:
    client = peer.client(session(connections=8))
    threads = [threading.Thread(target=client.page, args=(PATH, {}, "x")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (peer.logins, peer.asked) == (1, 8)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_wrong_password_is_tried_exactly_once_by_all_threads_together(
    peer: Peer, session: Make, status: int
) -> None:
    peer.login = lambda: answer({"title": f"no, {PASSWORD} is wrong"}, status)
    client = peer.client(session(connections=8, retry_budget=600))
    seen: list[errors.FetchError] = []

    def ask() -> None:
        try:
            client.page(PATH, {}, "x")
        except errors.FetchError as error:
            seen.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {error.code for error in seen} == {"E_AUTH"}
    assert len(seen) == 8
    assert not seen[0].retryable
    assert (peer.logins, peer.asked) == (1, 0)
    assert "canary" not in json.dumps([error.to_dict() for error in seen])


@pytest.mark.parametrize(
    "body",
    [
        {"isSuccess": False, "message": "نام کاربری یا گذرواژه نادرست است", "data": None},
        {"isSuccess": True, "data": None},
        {"data": {}},
        {"data": {"token": None}},
        {"data": {"token": ""}},
        {"data": {"token": {"a": 1}}},
        {"data": {"token": 12}},
        {"data": {"token": "two words"}},
        {"data": {"token": "line\r\nX-Injected: 1"}},
        {"data": {"token": "nul\x00"}},
        {"data": {"token": "نشان"}},
        {"data": "token"},
        {"data": [{"token": "x"}]},
        {"token": "elsewhere"},
        {},
    ],
)
def test_a_login_without_a_usable_token_is_not_tried_again(peer: Peer, session: Make, body: Any) -> None:
    # The gateway has answered, and whether it counts this as a wrong password is not ours to find out.
    peer.login = lambda: answer(body)
    client = peer.client(session(retry_budget=600))
    assert failure(client).code == "E_AUTH"
    assert failure(client).code == "E_AUTH"
    assert (peer.logins, peer.asked) == (1, 0)


@pytest.mark.parametrize("status", [404, 405, 410])
def test_a_login_that_is_not_there_is_an_address_to_mend(peer: Peer, session: Make, status: int) -> None:
    peer.login = lambda: answer("<html>not here</html>", status)
    error = failure(peer.client(session(retry_budget=600)))
    assert (error.code, error.params["setting"]) == ("E_CONFIG", "base_url")
    assert peer.logins == 1


def test_a_login_page_or_trouble_at_the_login_may_heal(peer: Peer, session: Make) -> None:
    answers = [answer("<html>maintenance</html>"), answer(b"", 503), peer.issue()]
    peer.login = lambda: answers.pop(0)
    peer.good = {"token-0"}
    assert len(peer.client(session(retry_budget=60)).page(PATH, {}, "x").records) == 1


def test_an_address_that_is_none_is_a_setting_to_mend(session: Make) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        GolestanClient(session(), "http://[bad", "maryam", PASSWORD)
    assert caught.value.params["setting"] == "base_url"


# -- tokens that the gateway does not like ------------------------------------------------------------------


def test_a_401_once_is_answered_with_a_new_login_and_the_same_question(peer: Peer, session: Make) -> None:
    client = peer.client(session())
    client.page(PATH, {"pageNumber": 3}, "x")
    peer.good.clear()
    client.page(PATH, {"pageNumber": 4}, "x")
    assert [one.json for one in peer.server.requests if one.path == PATH][-2:] == [{"pageNumber": 4}] * 2
    assert peer.logins == 2


def test_a_fresh_token_that_is_refused_too_ends_everything_after_one_new_login(
    peer: Peer, session: Make
) -> None:
    peer.data = lambda request: answer(b"", 401)
    client = peer.client(session(retry_budget=600))
    error = failure(client, errors.AuthError)
    assert (error.params["reason"], error.retryable) == ("token", False)
    assert (peer.logins, peer.asked) == (2, 2), "one new login, one replay"
    assert {failure(client).code for _ in range(20)} == {"E_AUTH"}
    assert (peer.logins, peer.asked) == (2, 2), "and then not a word more"


def test_ten_threads_whose_fresh_token_is_refused_log_in_once_more_in_all(peer: Peer, session: Make) -> None:
    client = peer.client(session(connections=10, retry_budget=600))
    client.page(PATH, {}, "faculty")
    peer.data = lambda request: answer(b"", 401)
    start = threading.Barrier(10)
    codes: list[str] = []

    def ask() -> None:
        start.wait()
        codes.append(failure(client).code)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert codes == ["E_AUTH"] * 10
    assert peer.logins == 2


def test_tokens_for_one_use_serve_many_threads(peer: Peer, session: Make) -> None:
    def once(request: Request) -> bytes:
        peer.good.clear()
        return answer({"data": [{"id": 1}]})

    peer.data = once
    client = peer.client(session(connections=4))
    found: list[int] = []

    def ask() -> None:
        for _ in range(5):
            found.append(len(client.page(PATH, {}, "x").records))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [1] * 20


# -- answers that say no ------------------------------------------------------------------------------------

PROBLEM = {
    "type": "https://tools.ietf.org/html/rfc9110",
    "title": "Invalid.",
    "status": 400,
    "traceId": "00-ab-00",
}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {**PROBLEM, "errors": {"Filter": ["The Filter field is required."]}},
            "The Filter field is required.",
        ),
        ({**PROBLEM, "errors": ["first", "second"]}, "first second"),
        ({**PROBLEM, "errors": "a text"}, "a text"),
        ({**PROBLEM, "errors": {}}, "Invalid."),
        ({**PROBLEM, "errors": None}, "Invalid."),
        ({"errors": {"a": {"b": [{"c": None}, [1, 2.5, True]]}}}, "1 2.5 True"),
        ({"message": "خطاي ترم"}, "خطای ترم"),
        ({"Message": "upper"}, "upper"),
        ({"title": 12, "errors": 3}, "12 3"),
        ({}, ""),
        ({"message": "x" * 5000}, "x" * 200),
        (b'{"errors": "\\ud83d"}', ""),
        (b'{"errors": "\xff\xfe"}', ""),
        (b'{"errors": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", ""),
        (b'{"title": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}", ""),
        (b'{"title": ' + b"9" * 5000 + b"}", ""),
        (b"[1, 2]", ""),
        (b"plain text", ""),
        (b"<html>web page</html>", ""),
        (b"", ""),
        (b"\x00\x01", ""),
        (b'{"cut": ', ""),
        ("خطا".encode("cp1256"), ""),
    ],
)
def test_a_refusal_is_readable_in_every_shape_and_never_repeated(
    peer: Peer, session: Make, body: Any, said: str
) -> None:
    peer.data = lambda request: answer(body, 400)
    error = failure(peer.client(session(retry_budget=600)), errors.GatewayError)
    assert not error.retryable
    assert said in error.params["said"]
    assert "(400)" in str(error)
    assert len(str(error)) <= 300
    assert peer.asked == 1
    if isinstance(body, dict) and "traceId" in body:
        assert error.params["trace"] == "00-ab-00"


@pytest.mark.parametrize(("levels", "said"), [(30, "deep"), (100, ""), (900, "")])
def test_an_explanation_is_read_as_deep_as_anybody_nests_it(
    peer: Peer, session: Make, levels: int, said: str
) -> None:
    """Not to Python's limit of recursion: at that limit a collector's finalizer fails as well, in whatever it ends."""
    body = b'{"title": ' + b"[" * levels + b'"deep"' + b"]" * levels + b"}"
    peer.data = lambda request: answer(body, 400)
    assert failure(peer.client(session(retry_budget=600)), errors.GatewayError).params["said"] == said


def test_no_secret_and_no_number_of_a_person_is_repeated_from_what_the_gateway_says(
    peer: Peer, session: Make
) -> None:
    echo = f"user maryam password {PASSWORD} token token-1 student 40311234501 code ۹۹۹۱۰۰۰۰۷۰"
    for status in (400, 200):
        peer.data = lambda request, status=status: answer({"message": echo, "data": None}, status)  # type: ignore[misc]
        error = failure(peer.client(session()))
        told = json.dumps(error.to_dict(), ensure_ascii=False)
        for canary in (PASSWORD, "token-1", "40311234501", "۹۹۹۱۰۰۰۰۷۰"):
            assert canary not in told


def test_an_error_names_the_address_that_was_asked_and_the_login_s_own_keeps_its(
    peer: Peer, session: Make
) -> None:
    peer.data = lambda request: answer({"title": "No."}, 400)
    client = GolestanClient(session(), f"{peer.server.url}/gate", "maryam", PASSWORD)
    with pytest.raises(errors.FetchError) as caught, client.about(PATH):
        client.page(PATH, {}, "faculty")
    assert (caught.value.params["path"], caught.value.params["host"]) == ("/gate/Login", peer.server.host)
    client = peer.client(session())
    with pytest.raises(errors.GatewayError) as caught, client.about(PATH):
        client.page(PATH, {}, "faculty")
    assert caught.value.params["path"] == PATH


def test_what_a_web_page_calls_itself_is_told_without_a_secret_in_it(peer: Peer, session: Make) -> None:
    page = f"<html><head><TITLE lang='fa'>\n سامانه در دست تعمير &amp; {PASSWORD}</TITLE></head><p>40311234501</p>"
    peer.data = lambda request: answer(page.encode(), 200, "Content-Type: text/html; charset=utf-8")
    client = peer.client(session())
    with pytest.raises(errors.NotJson) as caught, client.about(PATH):
        client.page(PATH, {}, "faculty")
    assert caught.value.params["said"] == "سامانه در دست تعمیر & --------"
    arabic = GolestanClient(session(), peer.server.url, "maryam", "canary-علي-كليد")
    peer.data = lambda request: answer("<title>canary-علي-كليد</title>".encode())
    with pytest.raises(errors.NotJson) as caught, arabic.about(PATH):
        arabic.page(PATH, {}, "faculty")
    assert caught.value.params["said"] == "--------"
    assert "40311234501" not in json.dumps(caught.value.to_dict())


@pytest.mark.parametrize(
    ("headers", "body", "trace"),
    [
        (["X-Request-ID: 7f3a-99"], b"<html>502</html>", "7f3a-99"),
        (["traceparent: 00-4bf92f35-00f067aa-01"], b"", "00-4bf92f35-00f067aa-01"),
        ([], b'{"status":503,"traceId":"00-ab12-00"}', "00-ab12-00"),
        ([], b'{"traceId":{"a":1}}', None),
        (["X-Request-ID: <script>"], b'{"traceId":"sara hosseini 0012345679"}', None),
        ([], b"x" * 100, None),
    ],
)  # fmt: skip
def test_a_gateway_in_trouble_is_quoted_by_the_id_that_it_gave_its_answer(
    peer: Peer, session: Make, headers: list[str], body: bytes, trace: str | None
) -> None:
    peer.data = lambda request: answer(body, 503, *headers)
    assert failure(peer.client(session()), errors.ServerError).params.get("trace") == trace


@pytest.mark.parametrize(
    "body",
    [
        {"data": None, "isSuccess": False, "message": "خطا در ارتباط با سامانه"},
        {"data": [], "isSuccess": False, "message": "خطا"},
        {"data": [], "errors": {"term": ["bad"]}},
        {"data": [], "error": "timeout in the report"},
        {"data": None, "totalPages": 0, "totalCount": 0},
        {"isSuccess": True, "message": None},
        {"message": "no"},
        {"data": "<e>خطاي شماره 12</e>"},
        {"data": {}},
        {},
        b"[]",
        b"",
        b"<e>12</e>",
    ],
)
def test_an_error_with_status_200_is_an_error_and_may_heal(peer: Peer, session: Make, body: Any) -> None:
    peer.data = lambda request: answer(body)
    error = failure(peer.client(session()), errors.Transient)
    assert error.code in ("E_ENVELOPE", "E_NOT_JSON", "E_TRUNCATED")


@pytest.mark.parametrize(
    "body",
    [
        {"data": [], "isSuccess": True, "message": None, "errors": None},
        {"data": [], "errors": [], "error": ""},
        {"data": [], "errors": {}, "error": False},
        {"data": [], "message": "OK"},
    ],
)
def test_an_empty_list_with_empty_words_beside_it_is_an_empty_list(
    peer: Peer, session: Make, body: Any
) -> None:
    peer.data = lambda request: answer(body)
    assert list(peer.client(session()).page(PATH, {}, "x").records) == []


def test_a_204_is_no_data(peer: Peer, session: Make) -> None:
    peer.data = lambda request: b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    assert failure(peer.client(session())).retryable
