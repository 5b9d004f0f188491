"""What all tests share: nothing but loopback may be asked; an instance, a database, a simulator, a port."""

import fcntl
import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg import sql
from sqlalchemy.orm import Session, sessionmaker

from panel import migrations
from panel.config import Config, load
from panel.db import open_engine
from panel.seed import prepare
from tests.warm import Warm
from tests.web import built_panel, people_database

__all__ = ["built_panel", "people_database"]  # made once for all folders: see tests/web.py

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
ROOT = Path(__file__).resolve().parent.parent

# A developer's own .env and environment say nothing to tests, nor to the processes that they start.
os.environ["PANEL_ENV_FILE"] = os.devnull
for _name in [name for name in os.environ if name.startswith(("PANEL_", "GOLESTAN_", "DATA_DATABASE"))]:
    if _name != "PANEL_ENV_FILE":
        del os.environ[_name]

# Nor whether Python may keep what it has compiled: each process of a test would compile all that it imports anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No test may depend on speed, nor one of Hypothesis's on how long its examples took to make.
hypothesis.settings.register_profile(
    "any speed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any speed")

# A shell that runs us in the background ignores SIGINT, and so would every process that a test wants to interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

_strangers: list[str] = []


def _is_loopback(host: str) -> bool:
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


def _only_loopback(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook sees every connection of this process, whatever library makes it."""
    if event not in ("socket.connect", "socket.sendto"):
        return
    address = arguments[1]
    if isinstance(address, tuple) and not _is_loopback(str(address[0])):
        _strangers.append(f"{os.environ.get('PYTEST_CURRENT_TEST', 'outside a test')}: {address}")
        raise PermissionError(f"tests may connect to loopback only, not to {address}")


sys.addaudithook(_only_loopback)


def pytest_sessionfinish(session: pytest.Session) -> None:
    # The error inside may have been caught (a retry): the session fails all the same.
    if _strangers:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in (*terminalreporter.stats.get("passed", ()), *terminalreporter.stats.get("failed", ())):
        for name, words in getattr(report, "user_properties", ()):
            if name == "summary":  # what a sweep says of itself: its seed, its figures
                terminalreporter.write_line(words)
    _tell_faults(terminalreporter)
    for line in _strangers:
        terminalreporter.write_line(f"CONNECTION BEYOND LOOPBACK: {line}", red=True)


FAULT = re.compile(r"::test_f(\d\d)_")


def _tell_faults(terminalreporter: pytest.TerminalReporter) -> None:
    """The faults by number, and how many of their tests ended how."""
    ended: dict[str, Counter[str]] = {}
    for word in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(word, ()):
            if found := FAULT.search(getattr(report, "nodeid", "")):
                ended.setdefault(f"F{found[1]}", Counter())[word] += 1
    if ended:
        told = (
            f"{number} {' '.join(f'{n} {word}' for word, n in words.items())}"
            for number, words in sorted(ended.items())
        )
        terminalreporter.write_line(f"faults: {', '.join(told)}")


@pytest.fixture(scope="session")
def require_services() -> Callable[[str], None]:
    """`require_services("no Chromium here")`: skip with the reason, or fail where CI promises the service."""

    def missing(reason: str) -> None:
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"{reason} (and REQUIRE_SERVICES=1)")
        pytest.skip(reason)

    return missing


@pytest.fixture(autouse=True)
def memory_of_the_machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A test that lets the kernel run out of memory runs alone among the faults.

    The kernel has one count of the processes that it killed for memory: a kill of another test in the same moment
    would rightly look like one of them. Two locks, since one could be passed from reader to reader for ever.
    """
    if not any(request.node.get_closest_marker(name) for name in ("slow", "fault")):
        yield
        return
    alone = "memory_group" in request.fixturenames
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if os.environ.get("PYTEST_XDIST_WORKER") else shared
    with (shared / "memory.lock").open("a") as room:
        with (shared / "memory.door").open("a") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def instance(tmp_path: Path) -> Config:
    """The configuration of an instance of its own, as `load` makes it from a bare environment."""
    return load({"PANEL_INSTANCE": str(tmp_path / "instance")})


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A control database of the newest schema without a row, made once: copied for each test that wants one."""
    config = load({"PANEL_INSTANCE": str(tmp_path_factory.mktemp("migrated"))})
    migrations.upgrade(config)
    return config.instance / "panel.db"


@pytest.fixture(scope="session")
def seeded_database(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Path:
    """The same with the rows of a first start in a bare environment."""
    config = load({"PANEL_INSTANCE": str(tmp_path_factory.mktemp("seeded"))})
    shutil.copy(migrated_database, config.instance / "panel.db")
    prepare(config)
    return config.instance / "panel.db"


@pytest.fixture
def control_db(instance: Config, seeded_database: Path) -> Iterator[sessionmaker[Session]]:
    """Sessions on the migrated and seeded control database of `instance`."""
    shutil.copy(seeded_database, instance.instance / "panel.db")
    engine = open_engine(instance.panel_database_url)
    yield sessionmaker(engine, expire_on_commit=False)
    engine.dispose()


@dataclass(frozen=True)
class Gateway:
    """A running simulator."""

    url: str
    process: Warm
    username: str = "hamgam"
    password: str = "simulator"


@pytest.fixture
def simulator() -> Iterator[Callable[..., Gateway]]:
    """Start simulators: `simulator("--size", "tiny", "--seed", "3")`. They end with the test."""
    started: list[Warm] = []

    def start(*options: str) -> Gateway:
        process = Warm("fetchers.golestan.simulator", "--port", "0", *options, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        first = process.stdout.readline().decode().strip()
        assert first.startswith("listening on http://"), f"the simulator said: {first!r}"
        return Gateway(first.removeprefix("listening on "), process)

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        process.close()


@pytest.fixture(scope="session")
def postgres_server(require_services: Callable[[str], None]) -> str:
    """The address of a PostgreSQL server; without one the test is skipped, or fails where it must not be."""
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        require_services(f"no PostgreSQL server: {error}".strip())
    return POSTGRES


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[str]:
    """A scratch database of this test session, dropped at its end."""
    name = f"hamgam_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    info = psycopg.conninfo.conninfo_to_dict(postgres_server)
    password = f":{info['password']}" if info.get("password") else ""
    yield f"postgresql+psycopg://{info['user']}{password}@{info['host']}:{info.get('port', 5432)}/{name}"
    with psycopg.connect(postgres_server, autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def postgres_destination(postgres_database: str) -> Iterator[str]:
    """An empty destination on PostgreSQL: the scratch database, swept after the test."""
    yield postgres_database
    with psycopg.connect(postgres_database.replace("+psycopg", ""), autocommit=True) as server:
        server.execute("DROP SCHEMA public CASCADE")
        server.execute("CREATE SCHEMA public")
