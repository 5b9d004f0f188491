"""F39: the gateway redirects to another host, to http, inward, in a circle.

Nothing is followed, whatever the status: no credential of any kind arrives anywhere else, the run fails with
`E_REDIRECT` and says where it should have gone, and the data stay. (Also tests/nasty, number 13.)
"""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from fetchers.core import errors
from fetchers.core.wire.http import Session
from panel import explain
from tests.faults.injectors import server_context
from tests.fetchers.raw_server import RawListener, RawServer, answer
from tests.nasty.gateway import TOKEN
from tests.nasty.place import CAMPUSES, Place


@pytest.fixture
def other() -> Iterator[RawServer]:
    """Somebody else, who writes down whatever arrives."""
    made = RawServer()
    yield made
    made.close()


def leading(to: str, status: int = 302) -> bytes:
    return answer(b"", status, f"Location: {to}")


def test_f39_no_redirect_of_a_page_is_followed_wherever_it_leads(place: Place, other: RawServer) -> None:
    port = other.url.rpartition(":")[2]
    leads = {
        "another host": f"http://localhost:{port}/API/Golestan/Students_2",
        "inward": f"http://127.0.0.1:{port}/admin",
        "the cloud's own service": "http://169.254.169.254/latest/meta-data/",
        "the same host": f"{place.gateway.url}/API/Golestan/Students_2",
        "with a login": f"http://maryam:canary@localhost:{port}/",
        "no web address": "file:///etc/passwd",
    }
    cases: dict[str, Any] = {
        f"{status} {kind}": [leading(to, status)]
        for status, (kind, to) in zip((301, 302, 303, 307, 308, 302), leads.items(), strict=True)
    }
    tried = place.try_each(cases, settings={"retry_budget": 600})
    assert tried.states() == dict.fromkeys(cases, ("failed", "E_REDIRECT"))
    assert {case: tried.asked(case) for case in cases} == dict.fromkeys(cases, 1)
    assert tried.touched() == set()
    assert other.requests == []
    params = {case: tried.error(case)["params"] for case in cases}
    assert params["301 another host"]["location"] == f"http://localhost:{port}"
    assert params["308 with a login"]["location"] == f"http://localhost:{port}"
    assert params["302 no web address"]["location"] == ""
    told = explain.message("E_REDIRECT", params["301 another host"])
    assert f"http://localhost:{port}" in told and len(told) <= 500


def test_f39_nor_of_the_login_which_holds_the_password(place: Place, other: RawServer) -> None:
    before = place.picture()
    place.gateway.login = [leading(f"{other.url}/Login", 307)]
    outcome = place.sync(campuses=CAMPUSES[:2], settings={"retry_budget": 600})
    assert (outcome.code, outcome.error["code"], outcome.error["retryable"]) == (1, "E_REDIRECT", False)
    # Once, and not once for each of a thousand parts.
    assert (place.gateway.logins, place.gateway.asked, other.requests) == (1, [], [])
    assert place.picture() == before


def test_f39_a_circle_of_thirty_ends_after_the_first(place: Place) -> None:
    place.gateway.scripts = {
        CAMPUSES[0]: [leading(f"{place.gateway.url}/API/Golestan/Students_2?hop={hop}") for hop in range(30)]
    }
    outcome = place.sync(campuses=CAMPUSES[:1], settings={"retry_budget": 600})
    assert outcome.error["code"] == "E_REDIRECT"
    assert place.gateway.times_asked(CAMPUSES[0]) == 1


def test_f39_from_https_to_http_the_token_stays_home(
    session: Callable[..., Session], other: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted(authority, tmp_path)))
    gateway = RawListener(leading(other.url), server_context(authority.issue_cert("127.0.0.1")))
    try:
        with pytest.raises(errors.Redirected):
            session().post_json(
                f"https://127.0.0.1:{gateway.port}/x", {}, {"Authorization": f"Bearer {TOKEN}"}
            )
        assert TOKEN.encode() in gateway.heard[0]
        assert other.requests == []
    finally:
        gateway.close()


def trusted(authority: trustme.CA, folder: Path) -> Path:
    """The authority's certificate in a file, as an office would give it to OpenSSL."""
    path = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    assert ssl.create_default_context(cafile=str(path)).cert_store_stats()["x509_ca"]
    return path
