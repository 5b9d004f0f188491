"""Whose fault it is: each verdict against real sockets, asked by a real child."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from panel import explain, probe, whose_fault
from panel.config import Config, load
from tests.conftest import ROOT
from tests.faults.injectors import DeafPort, Unavailable, server_context, silent_name_service
from tests.fetchers.raw_server import RawListener, RawServer, Turn, answer, silence
from tests.panel import gateway_states

TOKEN = answer({"data": {"token": "token-1"}, "isSuccess": True})
PASSWORD = "canary-Xy7"
# Long enough for a machine under load; none of them passes where it is not the one that is tested.
LIMITS = {"connect_timeout": 30.0, "silence_timeout": 30.0, "request_timeout": 60.0}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load({"PANEL_INSTANCE": str(tmp_path)})


@pytest.fixture
def server() -> Iterator[RawServer]:
    made = RawServer()
    made.will(TOKEN)
    yield made
    made.close()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this server knows."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return made


def find(config: Config, url: str, *, network: bool | None = True, **settings: float) -> whose_fault.Finding:
    login = {"base_url": url, "username": "maryam", "password": PASSWORD, **LIMITS, **settings}
    told = probe.check("faculty", login, config, limit=120.0)
    assert PASSWORD not in repr(told)
    return whose_fault.find(told, url, network=network)


def marks(found: whose_fault.Finding) -> str:
    """The steps as a line: + well, - broken, . not reached."""
    signs = {whose_fault.WELL: "+", whose_fault.BROKEN: "-", whose_fault.NOT_REACHED: "."}
    return "".join(signs[state] for _, state in found.steps)


def why(found: whose_fault.Finding) -> str:
    return explain.english(found.code, found.params).what


# -- it is well ---------------------------------------------------------------------------------------------


def test_a_login_that_is_accepted_has_come_all_the_way(config: Config, server: RawServer) -> None:
    found = find(config, server.url)
    assert (found.ok, marks(found), found.whose) == (True, "+++++", None)
    assert [step for step, _ in found.steps] == ["network", "name", "connection", "answer", "login"]
    assert [request.path for request in server.requests] == ["/Login"], "one question, and nothing else"


def test_over_a_safe_line_the_certificate_is_a_step_of_its_own(config: Config, authority: trustme.CA) -> None:
    with closing(RawServer(server_context(authority.issue_cert("127.0.0.1")))) as server:
        server.will(TOKEN)
        found = find(config, server.url)
    assert (found.ok, marks(found)) == (True, "++++++")


# -- the network, the name, the connection --------------------------------------------------------------------


def test_where_nobody_listens_the_computer_is_there_and_the_gateway_is_not(
    config: Config, free_port: int
) -> None:
    found = find(config, f"http://127.0.0.1:{free_port}")
    assert (marks(found), found.broken, found.whose) == ("++-..", "connection", whose_fault.GATEWAY)
    assert "nothing on it accepts connections" in why(found)


def test_where_nothing_comes_back_the_way_between_is_to_blame(config: Config) -> None:
    with closing(DeafPort()) as port:
        found = find(config, f"http://127.0.0.1:{port.port}", connect_timeout=0.5)
    assert (marks(found), found.broken, found.whose) == ("++-..", "connection", whose_fault.BETWEEN)
    assert (found.code, found.params and found.params["deadline"]) == ("E_TIMEOUT", "connect")


@pytest.mark.parametrize(
    ("denies", "code", "face"), [(True, "E_CONNECT", "dns"), (False, "E_TIMEOUT", "name")]
)
def test_a_name_that_does_not_resolve_is_a_matter_of_our_network(
    config: Config,
    tmp_path: Path,
    require_services: Callable[[str], None],
    denies: bool,
    code: str,
    face: str,
) -> None:
    try:
        with silent_name_service(tmp_path, denies=denies):
            limits = {} if denies else {"connect_timeout": 0.5}
            found = find(config, "http://gateway.example.ac.ir", **limits)
    except Unavailable as error:
        require_services(str(error))
    assert (marks(found), found.broken, found.whose) == ("+-...", "name", whose_fault.OURS)
    assert found.code == code and face in (found.params or {}).values()
    assert "gateway.example.ac.ir" in why(found)


ALONE = """
import json, sys
from panel import explain, probe, whose_fault
from panel.config import load
config = load({"PANEL_INSTANCE": sys.argv[1]})
login = {"base_url": sys.argv[2], "username": "maryam", "password": "x"}
found = whose_fault.find(
    probe.check("faculty", login, config, limit=120.0), sys.argv[2], network=whose_fault.has_network()
)
print(json.dumps([whose_fault.has_network(), found.steps, found.code, found.params["reason"], found.whose]))
"""


@pytest.mark.parametrize("url", ["http://192.0.2.7", "https://gateway.example.ac.ir"])
def test_a_server_without_a_network_blames_nobody_else(
    tmp_path: Path, require_services: Callable[[str], None], url: str
) -> None:
    """In a network namespace of its own there is no way out, as on a server whose cable is pulled."""
    command = ["unshare", "--net", sys.executable, "-c", ALONE, str(tmp_path / "instance"), url]
    answered = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    if "unshare" in answered.stderr:
        require_services(f"no network of our own: {answered.stderr.strip()}")
    assert answered.returncode == 0, answered.stderr
    has_network, steps, code, reason, whose = json.loads(answered.stdout)
    assert has_network is False
    assert (steps[0], code, reason, whose) == (
        ["network", "broken"],
        "E_CONNECT",
        "network",
        whose_fault.OURS,
    )
    assert {state for _, state in steps[1:]} == {"not_reached"}


def test_a_network_is_a_way_that_leads_out_of_the_machine(tmp_path: Path) -> None:
    head = "Iface\tDestination\tGateway\n"
    six = "{} 40 {} 00 0 00000100 00000001 00000000 00000001 {:>8}\n"
    nowhere = "0" * 32

    def look(four: str, ipv6: str | None) -> bool | None:
        (tmp_path / "route").write_text(head + four)
        if ipv6 is not None:
            (tmp_path / "ipv6_route").write_text(ipv6)
        return whose_fault.has_network(tmp_path)

    assert whose_fault.has_network(tmp_path) is None  # another system than Linux
    assert look("", None) is False
    assert look("eth0\t00000000\t010200C0\n", None) is True
    assert (
        look("", six.format("fe80" + "0" * 28, nowhere, "eth0") + six.format(nowhere, nowhere, "lo")) is False
    )
    assert look("", six.format(nowhere, nowhere, "eth0")) is True


# -- the certificate ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "whose"),
    [
        ("tls_expired", whose_fault.GATEWAY),
        ("tls_name", whose_fault.SETTINGS),
        ("tls_authority", whose_fault.SERVER),
    ],
)
def test_a_certificate_that_cannot_be_trusted_gets_no_login(
    config: Config, authority: trustme.CA, kind: str, whose: str
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    certificate = {
        "tls_expired": lambda: authority.issue_cert(
            "127.0.0.1", not_before=yesterday - timedelta(9), not_after=yesterday
        ),
        "tls_name": lambda: authority.issue_cert("another.example.ac.ir"),
        "tls_authority": lambda: trustme.CA().issue_cert("127.0.0.1"),
    }[kind]()
    with closing(RawServer(server_context(certificate))) as server:
        found = find(config, server.url)
        assert server.requests == []
    assert (marks(found), found.broken, found.whose) == ("+++-..", "tls", whose)
    assert found.params and found.params["reason"] == kind


def test_a_safe_line_to_a_port_that_speaks_plainly_is_a_wrong_address(config: Config) -> None:
    with closing(RawListener(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as plain:
        found = find(config, f"https://127.0.0.1:{plain.port}")
    assert (marks(found), found.broken, found.whose) == ("+++-..", "tls", whose_fault.SETTINGS)


def test_a_line_that_never_becomes_safe_broke_before_the_certificate(
    config: Config, server: RawServer
) -> None:
    """It waits for the end of a question in plain words, and says nothing."""
    found = find(config, server.url.replace("http:", "https:"), connect_timeout=0.5)
    assert (marks(found), found.broken, found.whose) == ("+++-..", "tls", whose_fault.GATEWAY)


def test_a_gateway_that_proves_who_it_is_and_then_says_nothing_owes_the_answer(
    config: Config, authority: trustme.CA
) -> None:
    with closing(RawServer(server_context(authority.issue_cert("127.0.0.1")))) as server:
        server.will(silence())
        found = find(config, server.url, silence_timeout=1.0)
    assert (marks(found), found.broken, found.whose) == ("++++-.", "answer", whose_fault.GATEWAY)


# -- the answer and the login -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turn", "code", "step", "whose"),
    [
        (answer("<html><title>سامانه در دست تعمیر است</title></html>"), "E_NOT_JSON", "answer", "gateway"),
        (answer("<html>no</html>", 503), "E_SERVER", "answer", "gateway"),
        (answer("", 302, "Location: https://portal.example.ac.ir/login"), "E_REDIRECT", "answer", "settings"),
        (answer("", 404), "E_CONFIG", "answer", "settings"),
        (answer("", 429, "Retry-After: 5"), "E_RATE", "answer", "gateway"),
        (silence(), "E_TIMEOUT", "answer", "gateway"),
        (silence(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), "E_TIMEOUT", "answer", "gateway"),
        (b"", "E_CONNECT", "answer", "gateway"),
        (answer("", 401), "E_AUTH", "login", "settings"),
        (answer("", 403), "E_AUTH", "login", "gateway"),
        (answer({"data": {"token": None}}), "E_AUTH", "login", "gateway"),
        (answer({"title": "No."}, 418), "E_GATEWAY", "login", "gateway"),
    ],
)  # fmt: skip
def test_a_gateway_that_is_reached_is_told_by_what_it_answers(
    config: Config, server: RawServer, turn: Turn, code: str, step: str, whose: str
) -> None:
    server.will(turn)
    found = find(config, server.url, silence_timeout=1.0) if code == "E_TIMEOUT" else find(config, server.url)
    assert (found.code, found.broken, found.whose) == (code, step, whose)
    assert marks(found) == {"answer": "+++-.", "login": "++++-"}[step]
    assert len(server.requests) == 1


def test_a_gateway_that_has_asked_for_a_pause_is_not_asked_and_nothing_is_told_of_it(
    config: Config, server: RawServer
) -> None:
    gateway_states.put(config, address=server.url, paused_until=240.0, failures=1)
    found = find(config, server.url)
    assert (marks(found), found.broken, found.whose) == (".....", None, None)
    assert "has asked for a pause" in why(found) and server.requests == []


def test_settings_that_cannot_be_used_ask_nobody(config: Config) -> None:
    found = find(config, "http://[::1")
    assert (marks(found), found.broken) == (".....", None)


# -- the words ----------------------------------------------------------------------------------------------


def test_every_step_and_every_verdict_has_its_words() -> None:
    assert set(whose_fault.TITLES) == set(whose_fault.SENTENCES) == set(whose_fault.STEPS)
    whose: set[Any] = {*whose_fault._BY_STEP.values(), *whose_fault._BY_ERROR.values(), None}
    assert whose == set(whose_fault.VERDICTS)
