"""F40: a certificate that has expired, is of another name, or of an unknown authority; a proxy that is down; ~/.netrc.

Only the right one connects. Where it is wrong, nothing is sent, the error says what is wrong with it and needs a
person; where it is right, our own Authorization arrives unchanged, whatever the environment says.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from fetchers.core import errors
from fetchers.core.wire.http import Session
from panel import explain
from tests.faults.injectors import server_context
from tests.fetchers.raw_server import RawServer, answer
from tests.nasty.gateway import PASSWORD, TOKEN, USERNAME, ScriptedGateway
from tests.nasty.place import CAMPUSES, Place, old_rows

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A university's own authority, which this server knows."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return made


def certificate(kind: str, authority: trustme.CA) -> trustme.LeafCert:
    if kind == "tls_expired":
        return authority.issue_cert(
            "127.0.0.1", not_before=YESTERDAY - timedelta(days=90), not_after=YESTERDAY
        )
    if kind == "tls_name":
        return authority.issue_cert("another.example.ac.ir")
    return trustme.CA().issue_cert("127.0.0.1")


@pytest.mark.parametrize("kind", ["tls_expired", "tls_name", "tls_authority"])
def test_f40_a_wrong_certificate_gets_nothing_and_says_what_is_wrong(
    session: Callable[..., Session], authority: trustme.CA, kind: str
) -> None:
    server = RawServer(server_context(certificate(kind, authority)))
    one = session(retry_budget=600)
    try:
        with pytest.raises(errors.Untrusted) as caught:
            one.patiently(lambda: one.post_json(f"{server.url}/Login", {"password": PASSWORD}, {}), "x")
    finally:
        server.close()
    error = caught.value.to_dict()
    assert (error["code"], error["params"]["reason"], error["retryable"]) == ("E_CONNECT", kind, False)
    assert server.requests == []
    told = explain.message(error["code"], error["params"])
    assert server.host in told and "login is safe" in told and len(told) <= 500


def test_f40_the_words_differ_by_what_is_wrong() -> None:
    kinds = ("tls", "tls_expired", "tls_name", "tls_authority", "handshake")
    assert len({explain.message("E_CONNECT", {"reason": kind}) for kind in kinds}) == len(kinds)


def test_f40_a_run_whose_gateway_shows_a_wrong_certificate_tries_once(
    place: Place, authority: trustme.CA
) -> None:
    """A thousand parts make one handshake, not a thousand."""
    server = RawServer(server_context(certificate("tls_expired", authority)))
    before, shaken = place.picture(), threading.Semaphore(0)
    accept = server._converse
    server._converse = lambda line: (shaken.release(), accept(line))  # type: ignore[method-assign, assignment]
    outcome = place.sync(campuses=CAMPUSES, settings={"base_url": server.url, "retry_budget": 600})
    server.close()
    assert (outcome.code, outcome.error["params"]["reason"]) == (1, "tls_expired")
    assert shaken.acquire(blocking=False) and not shaken.acquire(blocking=False)
    assert server.requests == [] and place.picture() == before


def test_f40_with_the_right_authority_a_run_succeeds_whatever_the_environment_says_of_proxies_and_logins(
    place: Place, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login sara password canary-netrc\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port}")  # nobody is there
    gateway = ScriptedGateway(server_context(authority.issue_cert("127.0.0.1")))
    gateway.rows |= {campus: list(old_rows(campus)) for campus in CAMPUSES[:2]}
    place.gateway = gateway
    try:
        outcome = place.sync(campuses=CAMPUSES[:2], before="import os; del os.environ['NO_PROXY']")
    finally:
        gateway.close()
    assert outcome.code == 0, outcome.last
    login, *pages = gateway.server.requests
    assert login.json == {"userName": USERNAME, "password": PASSWORD}
    assert "authorization" not in login.headers
    assert {page.headers["authorization"] for page in pages} == {f"Bearer {TOKEN}-1"}


def test_f40_an_http_proxy_of_the_environment_is_not_asked_either(
    server: RawServer, session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = RawServer()
    monkeypatch.setenv("http_proxy", proxy.url)
    server.will(answer({"data": []}))
    try:
        assert session().post_json(f"{server.url}/x", {}, {}).status == 200
        assert proxy.requests == []
    finally:
        proxy.close()
