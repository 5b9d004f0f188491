"""Who takes part: each one a command, its order, and how closely its result is checked."""

import importlib.util
import json
import os
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from bench.gateway import PASSWORD, TODAY, USERNAME

SCRIPTS = Path(__file__).resolve().parent / "scripts"
PAGE_SIZE = 1000
CONNECTIONS = 8


@dataclass(frozen=True)
class Setting:
    """Where a contestant works: the gateway, the parts, its own database."""

    url: str
    campuses: list[str]
    terms: list[str]
    database: Path
    first: bool

    @property
    def parts(self) -> list[list[str]]:
        """Every campus in every term, newest term first."""
        return [[campus, term] for term in reversed(self.terms) for campus in self.campuses]


@dataclass(frozen=True)
class Contestant:
    """A script below bench/scripts. `later`: what it is called where the rows are there already."""

    name: str
    label: str
    script: Path
    needs: tuple[str, ...] = ()
    later: str | None = None
    every_field: bool = False  # its result must equal the truth in every field, not in its keys alone
    environment: dict[str, str] = field(default_factory=dict)

    def missing(self) -> str | None:
        """The first library that it needs and that is not installed."""
        return next((name for name in self.needs if importlib.util.find_spec(name) is None), None)

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
                "database": str(setting.database),
                "first": setting.first,
            }
        )

    def surroundings(self, home: Path) -> dict[str, str]:
        """Its environment: nothing of ours but the search path, and a home of its own."""
        return {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "HOME": str(home), **self.environment}


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
                "database": f"sqlite:///{setting.database}",
                "staging": str(setting.database.with_suffix(".staging")),
                "now": f"{TODAY}T09:00:00Z",
            }
        )


HAMGAM = Hamgam(
    "hamgam",
    "**Hamgam**",
    SCRIPTS,
    every_field=True,
    environment={"MALLOC_ARENA_MAX": "1"},  # as the engine starts it (panel/engine/child.py)
)
LIMIT = Contestant(
    "limit",
    "the limit (pycurl, orjson, apsw; nothing cleaned)",
    SCRIPTS / "limit.py",
    needs=("pycurl", "orjson", "apsw"),
    later="blind upsert (the limit, overwriting all)",
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
ALL = (HAMGAM, LIMIT, PLAIN, SQLITE_UTILS, DLT)
