"""The demonstration: a simulated gateway, and a house of its own that asks it."""

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from sqlalchemy import inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

from panel import audit, campuses, db, settings, startup
from panel.clock import utcnow
from panel.config import Config, load
from panel.models import DataSync, User
from panel.seed import prepare

# In the environment of a demonstration that nobody asked for: the file whose making tells `up` to go over to the real
# house. Nobody else sets it.
DOOR = "HAMGAM_DEMO_DOOR"
USERNAME, PASSWORD = "hamgam", "simulator"  # the simulator's own; they open nothing else
# Some ten thousand records, slow enough to watch: a sync of the students takes about twenty seconds. Without the
# realistic profile's outage: it is counted in requests, and a small sync that meets it waits for minutes.
WORLD = (
    "--profile",
    "realistic",
    "--size",
    "small",
    "--seed",
    "1",
    "--latency",
    "200",
    "--fault",
    "outage=0",
)
START_PATIENCE = 30.0


class SimulatorError(Exception):
    """The simulator does not answer."""


def is_due() -> bool:
    """Whether a start that was told nothing is a demonstration: nobody has set up the real house yet.

    It was set up when a gateway's address is known (environment, or a saved source), or a person has been added.
    PANEL_DEMO, where it is set, decides.
    """
    config = load()
    return config.demo if is_told(config) else not is_set_up(config)


def is_told(config: Config) -> bool:
    """Whether the environment says which house it is to be."""
    return config.demo or "PANEL_DEMO" in config.environ


def is_set_up(config: Config) -> bool:
    """Whether a gateway is known to this house, or a person. Raises NotWell, HalfRestored."""
    if any(config.variable(name) for name in _gateway_variables()):
        return True
    startup.refuse_what_is_not_well(config, closely=True)
    url = make_url(config.panel_database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        return False
    engine = db.open_engine(config.panel_database_url)
    try:
        if not inspect(engine).has_table("data_syncs"):
            return False
        with sessionmaker(engine)() as session:
            return _is_set_up(session)
    finally:
        engine.dispose()


def _is_set_up(session: Session) -> bool:
    if session.scalar(select(User.id).limit(1)) is not None:
        return True
    return any(
        settings.extra(info).get("env") in _gateway_variables() and sync.settings.get(name)
        for sync in session.scalars(select(DataSync))
        for name, info in settings.declared(sync).items()
    )


def _gateway_variables() -> tuple[str, ...]:
    return ("GOLESTAN_BASE_URL",)


def door() -> Path | None:
    """What to make in order to leave; None where a person has asked for the demonstration, or no `up` watches."""
    path = os.environ.get(DOOR)
    return Path(path) if path else None


def leave(door: Path, config: Config, guest: User) -> None:
    """Prepare the real house for an administrator of the demonstration, and tell `up` to go over to it.

    Into an empty house they come with their name and password; one that has people keeps its own. config: of the real
    house. Raises NotWell, HalfRestored, MigrationError, ConfigError, and then the demonstration goes on.
    """
    empty = not is_set_up(config)
    prepare(config)
    if empty:
        engine = db.open_engine(config.panel_database_url)
        try:
            with db.writing(sessionmaker(engine)) as session:
                _let_in(session, guest)
        finally:
            engine.dispose()
    door.touch()


def _let_in(session: Session, guest: User) -> None:
    if session.scalar(select(User.id).where(User.username == guest.username)) is not None:
        return  # the environment has named them
    kept = ("username", "full_name", "password_hash", "locale", "theme")
    session.add(
        User(**{name: getattr(guest, name) for name in kept}, role="admin", active=True, created_at=utcnow())
    )
    audit.record(session, "demo", "user_added", guest.username, role="admin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def simulator_command(port: int) -> list[str]:
    login = ("--username", USERNAME, "--password", PASSWORD)
    return [sys.executable, "-m", "fetchers.golestan.simulator", "--port", str(port), *login, *WORLD]


def furnish(config: Config, url: str, alive: Callable[[], bool]) -> None:
    """Tell the demonstration's sources where their gateway is today, and fill the list of campuses once.

    1. Wait until the simulator answers. 2. Save its address and login. 3. At the first start, all the rest.
    """
    assert config.demo, "a simulator's address has no place in a real house"
    places = _ask(f"{url}/__sim__/campuses", alive)
    terms = _ask(f"{url}/__sim__/terms", alive)
    prepare(config)
    engine = db.open_engine(config.panel_database_url)
    try:
        with db.writing(sessionmaker(engine, expire_on_commit=False)) as session:
            _furnish(session, config, url, places, terms)
    finally:
        engine.dispose()


def _furnish(
    session: Session, config: Config, url: str, places: list[dict[str, Any]], terms: list[str]
) -> None:
    syncs = session.scalars(select(DataSync)).all()
    # Asked of all before any is saved: the address is shared with the others at once.
    bare = {sync.key for sync in syncs if not sync.settings.get("base_url")}
    for sync in syncs:
        declared = settings.declared(sync)
        changes: dict[str, Any] = {"base_url": url, "username": USERNAME, "password": PASSWORD}
        if sync.key in bare:
            # The simulator is nobody's registration day.
            changes |= {"first_term": terms[0], "requests_per_second": 0}
        known = {name: value for name, value in changes.items() if name in declared}
        problems = settings.save(sync, known, session, config, "demo").problems
        if problems:
            raise SimulatorError(f"the demonstration's settings do not fit {sync.key}: {problems}")
    if not settings.active_campuses(session):
        campuses.write(
            session,
            [
                campuses.Line(place["pardis_code"], place["name"], place["province_code"], place["type"])
                for place in places
            ],
        )


def _ask(url: str, alive: Callable[[], bool]) -> Any:
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + START_PATIENCE
    while True:
        try:
            with opener.open(url, timeout=5) as answer:
                return json.load(answer)
        except (URLError, OSError) as error:
            if not alive() or time.monotonic() > deadline:
                raise SimulatorError(f"the simulator does not answer: {error}") from error
            time.sleep(0.1)
