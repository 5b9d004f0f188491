"""Who takes part: each one a command, its order, and how closely its result is checked."""

import importlib.util
import json
import os
import sys
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.databases import POSTGRESQL, SQLITE, Database
from bench.gateway import PASSWORD, TODAY, USERNAME
from bench.measure import Cost

SCRIPTS = Path(__file__).resolve().parent / "scripts"
PAGE_SIZE = 1000
CONNECTIONS = 8


@dataclass(frozen=True)
class Setting:
    """Where a contestant works: the gateway, the parts, its own folder and database (`sqlite:///…`, `postgresql://…`)."""

    url: str
    campuses: list[str]
    terms: list[str]
    database: str
    home: Path
    first: bool

    @property
    def parts(self) -> list[list[str]]:
        """Every campus in every term, newest term first."""
        return [[campus, term] for term in reversed(self.terms) for campus in self.campuses]


@dataclass(frozen=True)
class Contestant:
    """A script below bench/scripts, and where it writes.

    later: what it is called where the rows are there already.
    """

    name: str
    label: str
    script: Path
    database: Database = SQLITE
    needs: tuple[str, ...] = ()
    later: str | None = None
    every_field: bool = False  # its result must equal the truth in every field, not in its keys alone
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What tells it from every other one."""
        return f"{self.name}-{self.database.name}"

    def missing(self) -> str | None:
        """Why it cannot take part: a library is not installed, or there is no such database. None: it can."""
        for name in self.needs:
            if importlib.util.find_spec(name) is None:
                return f"{name} is not installed"
        return self.database.missing()

    def called(self, first: bool) -> str:
        """Its name in a scenario."""
        return self.label if first or self.later is None else self.later

    def command(self) -> list[str]:
        """What to execute."""
        return [sys.executable, str(self.script)]

    def order(self, setting: Setting) -> str:
        """What to write into its stdin."""
        return json.dumps(
            {
                "url": setting.url,
                "username": USERNAME,
                "password": PASSWORD,
                "parts": setting.parts,
                "page_size": PAGE_SIZE,
                "connections": CONNECTIONS,
                "database": setting.database.removeprefix("sqlite:///"),
                "first": setting.first,
            }
        )

    def surroundings(self, home: Path) -> dict[str, str]:
        """Its environment: nothing of ours but the search path, and a home of its own."""
        return {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "HOME": str(home), **self.environment}

    def trouble(self, cost: Cost, output: Path) -> str:
        """What it says of its own failure."""
        return cost.said.splitlines()[-1] if cost.said else "without a word"


class Hamgam(Contestant):
    """The real child, with everything that it does in real life."""

    def command(self) -> list[str]:
        """As the engine starts it."""
        return [sys.executable, "-m", "fetchers"]

    def order(self, setting: Setting) -> str:
        """The spec that the engine would write, with eight connections and no limit on requests."""
        return json.dumps(
            {
                "run": str(uuid.uuid4()),
                "source": "students",
                "settings": {
                    "base_url": setting.url,
                    "username": USERNAME,
                    "password": PASSWORD,
                    "campuses": setting.campuses,
                    "first_term": setting.terms[0],
                    "closed_every_days": 0,  # everybody is asked for the same
                    "page_size": PAGE_SIZE,
                    "connections": CONNECTIONS,
                    "requests_per_second": 0,
                },
                "database": setting.database,
                "staging": str(setting.home / "staging"),
                "now": f"{TODAY}T09:00:00Z",
            }
        )

    def trouble(self, cost: Cost, output: Path) -> str:
        """The error of its last event, as people would see it."""
        lines = output.read_bytes().splitlines()
        error = json.loads(lines[-1]).get("error") if lines else None
        return f"{error['code']}: {error['message']}" if error else super().trouble(cost, output)


HAMGAM = Hamgam(
    "hamgam",
    "**Hamgam**",
    SCRIPTS,
    every_field=True,
    environment={"MALLOC_ARENA_MAX": "1"},  # as the engine starts it (panel/engine/child.py)
)
HAMGAM_POSTGRESQL = replace(HAMGAM, database=POSTGRESQL)
LIMIT = Contestant(
    "limit",
    "the limit (pycurl, orjson, apsw; nothing cleaned)",
    SCRIPTS / "limit.py",
    needs=("pycurl", "orjson", "apsw"),
    later="blind upsert (the limit, overwriting all)",
)
LIMIT_POSTGRESQL = replace(
    LIMIT,
    label="the limit (pycurl, orjson, COPY; nothing cleaned)",
    script=SCRIPTS / "limit_postgresql.py",
    database=POSTGRESQL,
    needs=("pycurl", "orjson", "psycopg"),
)
PLAIN = Contestant(
    "plain", "plain script (requests, INSERT OR REPLACE)", SCRIPTS / "plain.py", needs=("requests",)
)
SQLITE_UTILS = Contestant(
    "sqlite-utils",
    "sqlite-utils (requests, upsert_all)",
    SCRIPTS / "with_sqlite_utils.py",
    needs=("requests", "sqlite_utils"),
)
DLT = Contestant(
    "dlt",
    "dlt (requests, SQLAlchemy destination)",
    SCRIPTS / "with_dlt.py",
    needs=("requests", "dlt", "sqlalchemy"),
    environment={
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DLT_TELEMETRY": "false",
        "DO_NOT_TRACK": "1",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "SCHEMA__NAMING": "direct",
    },
)
ALL = (HAMGAM, LIMIT, HAMGAM_POSTGRESQL, LIMIT_POSTGRESQL, PLAIN, SQLITE_UTILS, DLT)
THE_TWO = (HAMGAM.name, LIMIT.name)  # who is measured where the others would take too long
