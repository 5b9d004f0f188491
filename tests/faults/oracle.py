"""The oracle: what must hold of an installation, whatever has happened to it. A check says what is wrong; [] is well.

O1 data       each part is as it was before, or as it shall be, as the ledger says; all that is derived agrees
O2 keys       no key twice
O3 truth      every run has ended, a success exactly where the ledger has its closing entry, each attempt told
O4 errors     at most 500 characters, a code that is explained, the part and the attempt; no secret, no traceback
O5 healing    with the fault gone, the next run succeeds with no hand work, and everything is there
O7 leftovers  no process of a run, no staged part that nobody waits for, no lock, no unfinished file
O8 answers    /healthz in a second and a page in two, while it lasts (`Watch`)
O9 integrity  both databases are sound

O6 (one alert for each change) comes with the alerts. `verdict` is all of them but O5 and O8.
"""

import re
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import psycopg

from fetchers.golestan import terms
from panel import causes, explain
from panel.clock import utcnow
from panel.engine.process import RUN_VARIABLE
from tests.acceptance.house import House, truth, until
from tests.acceptance.store import KEYS, Tables, plain
from tests.faults.books import Rows, by_part, illegal

CODE = re.compile(r"E_[A-Z_]{2,30}")
State = dict[str, Rows]  # of student_terms, by part
PATIENCE = 30.0  # a machine under load may be slow for once, but an answer comes


def state(data: Tables) -> State:
    """The rows of student_terms by part: what O1 compares. Empty where nothing was ever stored."""
    return by_part(data.table("student_terms")) if has_tables(data) else {}


def wanted(house: House) -> State:
    """What the gateway has: the state after a whole run."""
    rows = truth(house.gateway, "student_terms")
    return by_part({tuple(row[key] for key in KEYS["student_terms"]): row for row in rows})


def has_tables(data: Tables, table: str = "student_terms") -> bool:
    """Whether anything was ever stored there: of the students, or whatever `table` is about."""
    if isinstance(data.place, Path):
        if not data.place.exists():
            return False
        found = data.rows("SELECT 1 FROM sqlite_master WHERE name = ?", table)
    else:
        found = data.rows("SELECT 1 FROM pg_class WHERE relname = ?", table)
    return bool(found)


def verdict(
    house: House,
    before: State,
    after: State,
    *,
    since: int = 0,
    secrets: Iterable[str] = (),
    ended: bool = True,
    patience: float = 0.0,
) -> list[str]:
    """Everything that is wrong with a house whose trouble is over, O5 and O8 apart.

    before, after: what the fault found, and what there shall be; since: the last run that `before` owes itself to.
    ended: no run may be under way. patience: seconds that an engine has for its next sweep.
    """
    return [
        *data_are_legal(house, before, after, since),
        *keys_are_single(house.data),
        *runs_are_true(house, ended=ended),
        *errors_are_told(house, (house.gateway.password, *secrets)),
        *nothing_is_left(house, patience),
        *files_are_sound(house),
    ]


def data_are_legal(house: House, before: State, after: State, since: int = 0) -> list[str]:
    """O1, over all that runs later than number `since` have published."""
    if not has_tables(house.data):
        return ["O1: there is no table, and there were rows"] if before else []
    runs = {str(uuid): number for number, uuid in house.rows("panel.db", "SELECT id, uuid FROM sync_runs")}
    later = [uuid for uuid, number in runs.items() if number > since]
    wrong = illegal(house.data, later, before, after, terms.current(utcnow()))
    published = {run for (run,) in house.data.rows("SELECT DISTINCT run FROM _hamgam_ledger")}
    if strangers := published - runs.keys():
        wrong.append(f"parts were published by runs that nobody asked for: {sorted(strangers)}")
    return [f"O1: {what}" for what in wrong]


def keys_are_single(data: Tables) -> list[str]:
    """O2, by counting: also where an index is damaged and lets a key in twice."""
    wrong = []
    for table, key in KEYS.items():
        if not has_tables(data, table):
            continue
        columns = ", ".join(f'"{column}"' for column in key)
        [(rows,)] = data.rows(f'SELECT count(*) FROM (SELECT {columns} FROM "{table}") AS t')
        [(keys,)] = data.rows(f'SELECT count(*) FROM (SELECT DISTINCT {columns} FROM "{table}") AS t')
        if rows != keys:
            wrong.append(f"O2: {table} has {rows} rows and {keys} keys")
    return wrong


def runs_are_true(house: House, *, ended: bool = True) -> list[str]:
    """O3. The panel's word against the ledger's."""
    wrong = []
    closed: set[str] = set()
    if has_tables(house.data, "_hamgam_ledger"):
        closed = {run for (run,) in house.data.rows("SELECT run FROM _hamgam_ledger WHERE kind = 'closing'")}
    runs = house.rows(
        "panel.db",
        "SELECT id, uuid, status, dry_run, attempt, finished_at, child_pid, error_code FROM sync_runs ORDER BY id",
    )
    for number, uuid, status, dry_run, attempt, finished, _, code in runs:
        if ended and status in ("pending", "running"):
            wrong.append(f"O3: run {number} is {status}")
            continue
        over = status not in ("pending", "running")
        if over != (finished is not None):
            wrong.append(f"O3: run {number} is {status}, finished at {finished}")
        if over and not dry_run and (status == "success") != (uuid in closed):
            wrong.append(
                f"O3: run {number} is {status}, its closing entry {'there' if uuid in closed else 'missing'}"
            )
        if over and (status == "success") != (code is None):
            wrong.append(f"O3: run {number} is {status} with the code {code}")
        attempts = house.rows(
            "panel.db",
            f"SELECT number, ended_at FROM run_attempts WHERE run_id = {number} ORDER BY number",
        )
        # A run that was cancelled while it waited has no attempt of that number.
        most = [one for one, _ in attempts]
        if most != list(range(1, len(most) + 1)) or len(most) not in (attempt, attempt - 1):
            wrong.append(f"O3: run {number} is at attempt {attempt}, and there are {most}")
        if over and any(end is None for _, end in attempts):
            wrong.append(f"O3: an attempt of run {number} has no end")
    for key, shown, last, of_last in house.rows(
        "panel.db",
        "SELECT s.key, s.status, s.last_run_id, r.status FROM data_syncs s"
        " LEFT JOIN sync_runs r ON r.id = s.last_run_id",
    ):
        if shown != of_last:
            wrong.append(f"O3: the row of {key} shows {shown}, its run {last} is {of_last}")
    return wrong


def errors_are_told(house: House, secrets: Iterable[str] = ()) -> list[str]:
    """O4. Every code and message of a run, an attempt, a part; and the secrets in whatever the house has written."""
    wrong = []
    told = [
        *(
            (f"run {number}", code, message)
            for number, code, message in house.rows(
                "panel.db", "SELECT id, error_code, error_message FROM sync_runs WHERE error_code IS NOT NULL"
            )
        ),
        *(
            (f"run {run}, attempt {number}", code, message)
            for run, number, code, message in house.rows(
                "panel.db",
                "SELECT run_id, number, error_code, error_message FROM run_attempts WHERE error_code IS NOT NULL",
            )
        ),
        *(
            (f"run {run}, part {part}", code, message)
            for run, part, code, message in house.rows(
                "panel.db",
                "SELECT run_id, part, error_code, error_message FROM run_partitions"
                " WHERE state IN ('failed', 'held')",
            )
        ),
    ]
    for where, code, message in told:
        if not CODE.fullmatch(str(code)) or code not in {key.partition(":")[0] for key in causes.CAUSES}:
            wrong.append(f"O4: {where}: {code} is no code that is explained")
        elif not message or len(message) > explain.LIMIT or "Traceback" in message:
            wrong.append(f"O4: {where}: {message!r}")
        elif not explain.english(code).todo:
            wrong.append(f"O4: {where}: {code} does not say what to do")
    for name, text in _written(house):
        wrong += [f"O4: a secret is in {name}" for secret in secrets if secret in text]
    return wrong


def heals(house: House, sync: Callable[[str], tuple[int, dict[str, Any]]] | None = None) -> list[str]:
    """O5. The next run of the students, asked for by anybody; call it when the fault is gone.

    sync: asks for a run and follows it, as `house.sync` does by command.
    """
    code, run = (sync or house.sync)("students")
    if (code, run["status"]) != (0, "success"):
        return [f"O5: the next run: {run['status']} {run['error_code']} {run['error_message']}"]
    return [] if state(house.data) == wanted(house) else ["O5: the rows are not the gateway's"]


def nothing_is_left(house: House, patience: float = 0.0) -> list[str]:
    """O7. Of runs that are not running now. patience: seconds for the engine's next sweep."""
    deadline = time.monotonic() + patience
    while (wrong := _left(house)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return wrong


def _left(house: House) -> list[str]:
    runs = {
        str(uuid): (str(status), str(source))
        for uuid, status, source in house.rows(
            "panel.db",
            "SELECT r.uuid, CASE WHEN r.decision IS NULL THEN r.status ELSE r.decision END, s.key"
            " FROM sync_runs r JOIN data_syncs s ON s.id = r.sync_id",
        )
    }
    wrong = [
        f"O7: process {process.pid} of run {run} lives: {' '.join(process.cmdline())[:120]}"
        for process, run in _processes()
        if run in runs and runs[run][0] != "running"
    ]
    waiting = {f"{source}-{uuid}" for uuid, (status, source) in runs.items() if status in ("held", "running")}
    staging = house.instance / "staging"
    for path in sorted(staging.glob("*")) if staging.exists() else ():
        if path.name.partition(".")[0] not in waiting:
            wrong.append(f"O7: {path.name} is staged, and nobody waits for it")
    unfinished = [*house.instance.rglob("*.tmp*"), *house.instance.rglob("*-journal")]
    wrong += [f"O7: {path.relative_to(house.instance)} is left" for path in unfinished]
    return wrong + _locks(house)


def files_are_sound(house: House) -> list[str]:
    """O9."""
    wrong = _sound(house.instance / "panel.db")
    if isinstance(house.data.place, Path):
        wrong += _sound(house.data.place) if house.data.place.exists() else []
    else:
        wrong += _server_is_sound(house.data.place)
    return wrong


class Watch:
    """O8: asks /healthz and a page over and over, as long as it is entered; `wrong` says what was too slow.

    What counts is the usual answer: half of at least twenty must come in time, and each within half a minute.
    """

    LEAST = 20

    LIMITS = {"/healthz": 1.0, "/": 2.0}

    def __init__(self, house: House) -> None:
        self._house = house
        self._browser = house.browser()
        self._over = threading.Event()
        self._took: dict[str, list[float]] = {path: [] for path in self.LIMITS}
        self._failed: list[str] = []
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        if kind is None:
            until(lambda: all(len(took) >= self.LEAST for took in self._took.values()), "twenty answers", 120)
        self._over.set()
        self._thread.join(60)

    def _ask(self) -> None:
        while not self._over.is_set():
            for path, took in self._took.items():
                began = time.monotonic()
                try:
                    self._one(path)
                except OSError as error:
                    self._failed.append(f"{path}: {error}")
                took.append(time.monotonic() - began)
            self._over.wait(0.2)

    def _one(self, path: str) -> None:
        if path == "/healthz":
            urllib.request.urlopen(self._house.url + path, timeout=PATIENCE).close()
        else:
            self._browser.page(path)

    def wrong(self) -> list[str]:
        wrong = [f"O8: {what}" for what in self._failed]
        for path, limit in self.LIMITS.items():
            took = sorted(self._took[path])
            if took[len(took) // 2] > limit or took[-1] > PATIENCE:
                wrong.append(f"O8: {path} took {took[len(took) // 2]:.2f} s, at most {took[-1]:.2f} s")
        return wrong

    def summary(self) -> str:
        """The usual and the slowest answers."""
        told = ((path, sorted(took)) for path, took in self._took.items())
        return ", ".join(
            f"{path} {took[len(took) // 2]:.2f} s, at most {took[-1]:.2f} s" for path, took in told
        )


def _written(house: House) -> Iterator[tuple[str, str]]:
    """What the house has written: its logs and other files, and its databases that are files, as statements."""
    folder = house.instance.parent
    for path in sorted(folder.rglob("*")):
        # Never a database's files: closing one of them lets go of the locks that this process has there.
        if path.is_file() and ".db" not in path.name and path.name != "campuses.csv":
            yield str(path.relative_to(folder)), path.read_text(encoding="utf-8", errors="replace")
    for path in (house.instance / "panel.db", house.data.place):
        if isinstance(path, Path) and path.exists():
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as db:
                yield path.name, "\n".join(db.iterdump())


def _processes() -> Iterator[tuple[psutil.Process, str]]:
    """Every living process that carries a run's id."""
    for process in psutil.process_iter():
        try:
            run = process.environ().get(RUN_VARIABLE)
            if run is not None and process.status() != psutil.STATUS_ZOMBIE:
                yield process, run
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue


def _locks(house: House) -> list[str]:
    """Whether somebody holds a write lock for longer than any transaction of ours takes."""
    wrong = []
    files = [house.instance / "panel.db"]
    if isinstance(house.data.place, Path):
        files.append(house.data.place)
    else:
        with psycopg.connect(plain(house.data.place)) as server:
            [(idle,)] = server.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state LIKE 'idle in transaction%'"
            ).fetchall()
        wrong += [f"O7: {idle} sessions sit in a transaction"] if idle else []
    for path in files:
        if not path.exists():
            continue
        with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as db:
            try:
                db.execute("BEGIN IMMEDIATE")
                db.execute("ROLLBACK")
            except sqlite3.OperationalError as error:
                wrong.append(f"O7: {path.name}: {error}")
    return wrong


def _sound(path: Path) -> list[str]:
    with closing(sqlite3.connect(path, timeout=30)) as db:
        said = [words for (words,) in db.execute("PRAGMA integrity_check")]
        strays = db.execute("PRAGMA foreign_key_check").fetchall()
    wrong = [] if said == ["ok"] else [f"O9: {path.name}: {said[:3]}"]
    return wrong + ([f"O9: {path.name}: rows that refer to none: {strays[:3]}"] if strays else [])


def _server_is_sound(address: Path | str) -> list[str]:
    """What pg_amcheck does, by the extension's own functions: every table's pages, every index against its table."""
    with psycopg.connect(plain(str(address)), autocommit=True) as server:
        server.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
        wrong = [
            f"O9: {table}: {said}"
            for table, said in server.execute(
                "SELECT c.relname, v.msg FROM pg_class c, LATERAL verify_heapam(c.oid) v"
                " WHERE c.relkind IN ('r', 't') AND c.relpersistence = 'p'"
            )
        ]
        try:
            server.execute(
                "SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                " JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND c.relpersistence = 'p'"
                " AND i.indisvalid"
            )
        except psycopg.errors.IndexCorrupted as error:
            wrong.append(f"O9: {error.diag.message_primary}")
    return wrong
