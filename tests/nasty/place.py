"""A destination with old rows, real children that sync into it, and what became of it."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fetchers.core.store import sql
from tests.conftest import ROOT
from tests.nasty.gateway import PASSWORD, PERSON, TOKEN, USERNAME, Script, ScriptedGateway, student
from tests.warm import Warm

Child = Warm | subprocess.Popen[bytes]
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)  # in term 4051, and the next one is far
TERM = "4051"
# Old rows that every test begins with: campuses by the number of the case, 30 students each.
CAMPUSES = [f"c{number:02d}" for number in range(20)]
OLD_ROWS = 30
SECRETS = (PASSWORD, PASSWORD.encode("unicode_escape").decode(), TOKEN, PERSON)

PICTURED = ("faculty", "student_terms", "Students", "_hamgam_partitions", "_hamgam_changes", "_hamgam_search")


def old_rows(campus: str) -> list[Any]:
    first = CAMPUSES.index(campus) * 100
    return [student(first + n, campus) for n in range(OLD_ROWS)]


@dataclass
class Outcome:
    """What a child did: its exit code, its events, its stderr."""

    code: int
    events: list[dict[str, Any]]
    stderr: str

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def error(self) -> dict[str, Any]:
        """The error that the last event tells."""
        found: dict[str, Any] = self.last["error"]
        return found

    @property
    def log(self) -> str:
        return "\n".join(event["message"] for event in self.events if event["event"] == "log")

    def part(self, name: str) -> dict[str, Any]:
        """The last word about a campus."""
        told = [one for one in self.events if one["event"] == "partition" and _campus(one["part"]) == name]
        assert told, f"nothing was told about {name!r}"
        return told[-1]

    def states(self) -> dict[str, tuple[str, str | None]]:
        """State and error code of each campus."""
        names = {_campus(one["part"]) for one in self.events if one["event"] == "partition"}
        found = {name: self.part(name) for name in names}
        return {name: (one["state"], one["error"] and one["error"]["code"]) for name, one in found.items()}

    def count(self, name: str, word: str) -> int:
        counts: dict[str, int] = self.part(name)["counts"]
        return counts[word]


def _campus(part: str) -> str:
    return part.partition(",")[0].removeprefix("campus=")


@dataclass
class Tried:
    """One child over several campuses, each of which answered as one case says."""

    place: "Place"
    outcome: Outcome
    campuses: dict[str, str]  # by case
    before: dict[str, Any]

    def states(self) -> dict[str, tuple[str, str | None]]:
        """State and error code of each case."""
        found = self.outcome.states()
        return {case: found[campus] for case, campus in self.campuses.items()}

    def error(self, case: str) -> dict[str, Any]:
        """What was told about a case that failed: the message, the params."""
        found: dict[str, Any] = self.outcome.part(self.campuses[case])["error"]
        return found

    def asked(self, case: str) -> int:
        return self.place.gateway.times_asked(self.campuses[case])

    def touched(self) -> set[str]:
        """The cases whose data, diary or notes are not byte for byte what they were."""
        return {
            case for case, campus in self.campuses.items() if self.place.picture(campus) != self.before[case]
        }


class Place:
    """One destination, and the gateway in front of its children."""

    def __init__(self, folder: Path, gateway: ScriptedGateway, url: str) -> None:
        self.folder, self.gateway, self.url = folder, gateway, url
        self._children: list[Child] = []

    # -- children -----------------------------------------------------------------------------------------

    def order(self, source: str = "students", campuses: Any = (), **changes: Any) -> dict[str, Any]:
        settings = {
            "base_url": self.gateway.url,
            "username": USERNAME,
            "password": PASSWORD,
            "requests_per_second": 0,
            "connections": 8,
            "retry_budget": 0,
        }
        if source == "students":
            settings |= {"campuses": list(campuses), "first_term": changes.pop("first_term", TERM)}
        settings |= changes.pop("settings", {})
        return {
            "run": str(uuid.uuid4()),
            "epoch": 1,
            "source": source,
            "settings": settings,
            "database": self.url,
            "staging": str(self.folder / "staging"),
            "now": NOW.isoformat(),
            **changes,
        }

    def start(self, order: dict[str, Any], before: str = "", under: Sequence[str] = ()) -> Child:
        """A child with its order; its stdin stays open.

        before: Python that it runs first, to shorten a limit. under: a command that runs it.
        """
        options: dict[str, Any] = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "start_new_session": True,
            "env": {**os.environ, "NO_PROXY": "*"},
        }
        child: Child
        with (self.folder / "stderr").open("wb") as stderr:
            if before or under:
                what = ("-c", _WITH % before) if before else ("-m", "fetchers")
                child = subprocess.Popen([*under, sys.executable, *what], cwd=ROOT, stderr=stderr, **options)
            else:
                child = Warm("fetchers", stderr=stderr, **options)
        self._children.append(child)
        assert child.stdin is not None
        child.stdin.write(json.dumps(order).encode() + b"\n")
        child.stdin.flush()
        return child

    def finish(self, child: Child) -> Outcome:
        """Wait for its end. No secret and no person may be in anything that it said."""
        assert child.stdout is not None
        lines = child.stdout.readlines()
        code = child.wait(60)
        stderr = (self.folder / "stderr").read_text(encoding="utf-8")
        said = b"".join(lines).decode() + stderr
        for secret in SECRETS:
            assert secret not in said, f"{secret!r} was told"
        assert "Traceback" not in stderr and 'File "' not in stderr, stderr
        return Outcome(code, [json.loads(line) for line in lines], stderr)

    def sync(
        self,
        source: str = "students",
        campuses: Any = (),
        *,
        before: str = "",
        under: Sequence[str] = (),
        **changes: Any,
    ) -> Outcome:
        """One child from order to end."""
        self.gateway.forget()
        return self.finish(self.start(self.order(source, campuses, **changes), before, under))

    def try_each(self, scripts: Mapping[str, Script], *, before: str = "", **changes: Any) -> Tried:
        """One child, in which each case is a campus with old rows that answers by this script."""
        campuses = dict(zip(scripts, CAMPUSES, strict=False))
        assert len(campuses) == len(scripts), "more cases than campuses"
        self.gateway.scripts = {campuses[case]: script for case, script in scripts.items()}
        there = {case: self.picture(campus) for case, campus in campuses.items()}
        outcome = self.sync("students", campuses.values(), before=before, **changes)
        return Tried(self, outcome, campuses, there)

    def close(self) -> None:
        for child in self._children:
            child.kill()
            child.wait(10)
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()

    # -- what is there ------------------------------------------------------------------------------------

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        db = sql.connect(self.url)
        try:
            return [tuple(row) for row in db.execute(statement, values)]
        finally:
            db.close()

    def value(self, statement: str, *values: Any) -> Any:
        [(found,)] = self.rows(statement, *values)
        return found

    def picture(self, campus: str | None = None) -> dict[str, list[Any]]:
        """Every byte of the data and what stands beside them; the ledger, which tells each run, aside."""
        found = {}
        for table in PICTURED:
            rows = self.rows(f'SELECT * FROM "{table}"')
            if campus is not None:
                mine = (campus, f"campus={campus},term={TERM}")
                rows = [row for row in rows if any(one in row for one in mine)]
            found[table] = sorted(rows, key=repr)
        return found

    def students(self, campus: str) -> dict[str, dict[str, Any]]:
        """The stored rows of a campus, by student number."""
        return {row["studentnum"]: row for row in self.table("student_terms") if row["codePardis"] == campus}

    def table(self, table: str) -> list[dict[str, Any]]:
        names = sql_columns(self.url, table)
        return [
            dict(zip(names, row, strict=True))
            for row in self.rows(f"SELECT {sql.names(names)} FROM {sql.name(table)}")
        ]

    def notes(self, campus: str | None = None, term: str = TERM) -> set[tuple[str, str | None, str, int]]:
        """(key, field, reason, kept) of what was odd, of one campus or of the faculty."""
        part = "" if campus is None else f"campus={campus},term={term}"
        return {
            (json.loads(key) if key and key.startswith('"') else key, field, reason, kept)
            for key, field, reason, kept in self.rows(
                "SELECT key, field, reason, kept FROM _hamgam_rejected WHERE part = ?", part
            )
        }


def sql_columns(url: str, table: str) -> list[str]:
    db = sql.connect(url)
    try:
        return sorted(sql.columns_of(db, table))
    finally:
        db.close()


_WITH = """
%s
import os, sys
from fetchers.__main__ import main
code = main([])
sys.stdout.flush(); sys.stderr.flush()
os._exit(code)
"""
