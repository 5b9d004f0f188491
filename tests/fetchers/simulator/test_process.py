"""The simulator as others meet it: a process behind a loopback socket."""

import http.client
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[3]
DAY = ("--today", "2026-11-22")


class Client:
    """One kept connection to a simulator."""

    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self.token = ""

    def __enter__(self):
        self.token = json.loads(self.post("/Login", {"userName": "hamgam", "password": "simulator"}))["data"][
            "token"
        ]
        return self

    def __exit__(self, *error):
        self.connection.close()

    def post(self, path, body):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        self.connection.request("POST", path, json.dumps(body), headers)
        return self.connection.getresponse().read()

    def get(self, path):
        self.connection.request("GET", path)
        return self.connection.getresponse().read()

    def students(self, campus, term, page=1, size=1000):
        paging = {"pageNumber": page, "pageSize": size}
        return self.post(
            "/API/Golestan/Students_2", {"codePardis": campus, "term": term, "paging": paging, "Filter": {}}
        )


def _everything(url):
    with Client(url) as client:
        terms = json.loads(client.get("/__sim__/terms"))
        codes = [c["pardis_code"] for c in json.loads(client.get("/__sim__/campuses"))]
        return [client.students(code, term) for code in codes for term in terms]


def test_two_processes_of_one_seed_say_the_same_bytes(simulator):
    one, two, other = (simulator("--seed", seed, *DAY) for seed in ("7", "7", "8"))
    first = _everything(one.url)
    assert first == _everything(two.url)
    assert first != _everything(other.url)


def test_many_clients_at_once_are_served_alike(simulator):
    url = simulator("--size", "small", *DAY).url
    expected = _everything(url)
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(_everything(url))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == [expected] * 6


def test_connections_break_in_every_way(simulator):
    url = simulator("--hang", "0.1", *DAY).url
    expected = {
        "reset": ConnectionResetError,
        "hang": http.client.RemoteDisconnected,
        "short": http.client.IncompleteRead,
    }
    for kind, error in expected.items():
        with Client(url) as client:
            client.post("/__sim__/fault", {"kind": kind, "campus": "1110"})
            with pytest.raises(error):
                client.students("1110", "4051")
    with Client(url) as client:
        client.post("/__sim__/fault", {"kind": "drip", "campus": "1110"})
        assert json.loads(client.students("1110", "4051")) == json.loads(client.students("1110", "4051"))


def test_get_is_not_allowed_where_post_is(simulator):
    with Client(simulator(*DAY).url) as client:
        client.connection.request("GET", "/API/Golestan/Faculty")
        response = client.connection.getresponse()
        assert (response.status, response.read()) == (405, b"")


def test_truth_streams_as_lines(simulator):
    with Client(simulator("--size", "small", *DAY).url) as client:
        lines = client.get("/__sim__/truth/student_terms").splitlines()
        assert len(lines) == json.loads(client.get("/__sim__/truth/counts"))["student_terms"]


def test_it_ends_when_told_and_when_its_lifeline_is_cut(simulator):
    gateway = simulator(*DAY)
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(10) == 0
    command = [sys.executable, "-m", "fetchers.golestan.simulator", "--lifeline"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline().startswith(b"listening on http://127.0.0.1:")
        child.stdin.close()
        assert child.wait(10) == 0


def test_nonsense_options_are_refused_by_name():
    command = [sys.executable, "-m", "fetchers.golestan.simulator", "--fault", "earthquake=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert "earthquake" in done.stderr


def test_it_imports_nothing_of_the_product_but_its_own_package():
    sources = list((ROOT / "fetchers/golestan/simulator").glob("*.py"))
    assert len(sources) > 10
    for source in sources:
        text = source.read_text()
        assert "fetchers.core" not in text and "import panel" not in text and "from panel" not in text, source
        assert "from fetchers" not in text and "from .." not in text, source
