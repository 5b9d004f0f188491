"""What must be so when a soak is over: nothing is missing, nothing is twice, nothing is stuck, nobody is left."""

import re
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from fetchers.golestan import terms
from panel.clock import utcnow
from tests.faults import oracle
from tests.faults.books import disagreements
from tests.soak import flatness
from tests.soak.accounts import utc
from tests.soak.flatness import JUDGED, Life
from tests.soak.house import PATIENCE, SETTINGS, SoakHouse
from tests.soak.weather import TABLES, Rows, Versions, World

# What a program says that met something nobody thought of.
SURPRISES = re.compile(
    r"Traceback \(most recent call last\)|the engine stumbled|a supervisor broke|\[CRITICAL\]"
)


def settled(house: SoakHouse, until: datetime, patience: float = PATIENCE) -> list[str]:
    """Wait until an engine has looked at every due time up to a moment; else, at which not. patience: seconds."""
    deadline = time.monotonic() + patience
    while True:
        planned = house.rows(
            "panel.db", "SELECT key, next_run_at FROM data_syncs WHERE next_run_at IS NOT NULL"
        )
        wrong = [f"{key} is due at {due} and nobody judges it" for key, due in planned if utc(due) <= until]
        if not wrong:
            return []
        if time.monotonic() > deadline:
            return wrong
        time.sleep(0.5)


def at_rest(house: SoakHouse, patience: float = PATIENCE) -> list[str]:
    """Wait until no run is active, now that the schedules are off; else, which are. patience: seconds."""
    deadline = time.monotonic() + patience
    while stuck := house.rows(
        "panel.db", "SELECT id, status, not_before FROM sync_runs WHERE status IN ('pending', 'running')"
    ):
        if time.monotonic() > deadline:
            return [f"run {number} is {status} still, not before {then}" for number, status, then in stuck]
        time.sleep(0.5)
    return []


def data_are_legal(house: SoakHouse, world: World) -> list[str]:
    """Everybody is there, each with a row that the gateway had once; and all that is derived from the rows agrees."""
    wrong = disagreements(house.data, terms.current(utcnow()))
    for table, key in TABLES.items():
        found = strangers(house.data.table(table, key), world.versions[table])
        wrong += [f"{table}: {what}" for what in found]
    return wrong


def strangers(rows: Rows, versions: Versions) -> list[str]:
    """Who is missing in a table, who does not belong there, and whose row never was so."""
    return [
        *(f"{one} is lost" for one in sorted(versions.keys() - rows.keys())),
        *(f"nobody ever was {one}" for one in sorted(rows.keys() - versions.keys())),
        *(
            f"{one} is not what the gateway ever said"
            for one, row in rows.items()
            if one in versions and row not in versions[one]
        ),
    ]


def heals(house: SoakHouse, world: World) -> list[str]:
    """The next run of each source succeeds with no hand work, and everything is there."""
    wrong = []
    for source in SETTINGS:
        code, run = house.sync(source)
        if (code, run["status"]) != (0, "success"):
            wrong.append(
                f"{source}: the next run: {run['status']} {run['error_code']} {run['error_message']}"
            )
    now = world.now()
    return wrong + [
        f"{table} is not what the gateway has"
        for table, key in TABLES.items()
        if house.data.table(table, key) != now[table]
    ]


def surprises(log: str) -> list[str]:
    """What a log tells that nobody thought of, each with the line before and those after it."""
    lines = log.splitlines()
    return [
        "the log: " + " / ".join(lines[max(0, number - 1) : number + 12])[:1500]
        for number, line in enumerate(lines)
        if SURPRISES.search(line)
    ]


def nobody_is_left(house: SoakHouse) -> list[str]:
    """After its orderly end."""
    return [f"process {one.pid} is left: {' '.join(one.cmdline())[:120]}" for one in house.processes()]


def house_is_true(house: SoakHouse) -> list[str]:
    """What the oracle of the faults says of a house at rest."""
    return [
        *oracle.runs_are_true(house),
        *oracle.keys_are_single(house.data),
        *oracle.errors_are_told(house, (house.gateway.password,)),
        *oracle.nothing_is_left(house, patience=60),
        *oracle.files_are_sound(house),
    ]


def nothing_grows(lives: Iterable[Life], *, long: bool) -> list[str]:
    """long: the soak was long enough for each kind of process to have a life that can be judged."""
    wrong = []
    judged: Counter[str] = Counter()
    for life in lives:
        if life.long_enough:
            judged[life.role] += 1
            wrong += flatness.growth(life)
    if long:
        wrong += [f"no {role} lived long enough to be judged" for role in JUDGED if not judged[role]]
    return wrong
