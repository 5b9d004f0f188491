"""How `house.tar.xz` was made, from a checkout of the first complete version (commit 6c49ecd):

    git worktree add /tmp/first 6c49ecd
    python -m tests.first_version.make /tmp/first

It plays some days of an office with that version's own commands, before a simulated gateway: three people, a token,
runs that succeed, fail, are cancelled, held, rehearsed and undone; a schedule; and last a run whose engine is killed
while it publishes. Then it takes out what must not be in a repository, and packs. It is not part of the tests.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.first_version import ARCHIVE, DELTAS, GATEWAY_PASSWORD, KEY, WORLD

NOBODY = "!"  # no password has this hash
BOOT = "00000000-0000-4000-8000-000000000000"


class Office:
    """The first version's commands in an instance of its own."""

    def __init__(self, checkout: Path, instance: Path, gateway: str) -> None:
        self.checkout = checkout
        self.instance = instance
        self.environ = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("PANEL_", "GOLESTAN_"))
            },
            "PANEL_ENV_FILE": os.devnull,
            "PANEL_INSTANCE": str(instance),
            "PANEL_SECRET_KEY": KEY,
            "PANEL_DEMO": "0",
            "GOLESTAN_CAMPUSES": ",".join(
                campus["pardis_code"] for campus in ask(f"{gateway}/__sim__/campuses")
            ),
            "GOLESTAN_FIRST_TERM": min(ask(f"{gateway}/__sim__/terms")),
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "panel", *words],
            cwd=self.checkout,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def command(self, *words: str, code: int = 0) -> None:
        process = self.start(*words)
        said, _ = process.communicate(timeout=300)
        print(f"$ python -m panel {' '.join(words)}  ({process.returncode})")
        assert process.returncode == code, said

    def rows(self, database: str, statement: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.instance / database}?mode=ro", uri=True, timeout=30)) as db:
            return db.execute(statement).fetchall()

    def is_running(self) -> bool:
        return bool(self.rows("panel.db", "SELECT 1 FROM sync_runs WHERE status = 'running'"))

    def published(self) -> int:
        """Parts of the newest run of the students that are in the ledger."""
        [(uuid,)] = self.rows(
            "panel.db",
            "SELECT uuid FROM sync_runs JOIN data_syncs ON data_syncs.id = sync_id WHERE key = 'students'"
            " ORDER BY sync_runs.id DESC LIMIT 1",
        )
        parts = f"SELECT count(*) FROM _hamgam_ledger WHERE run = '{uuid}' AND kind = 'part'"
        return int(self.rows("faculty_data.db", parts)[0][0])


def ask(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=30) as answer:
        return json.load(answer)


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def play(office: Office, gateway: str) -> None:
    """Some days of an office."""
    deltas = iter(DELTAS)

    def next_day() -> None:
        ask(f"{gateway}/__sim__/delta", next(deltas))

    for name, role in (("maryam", "admin"), ("reza", "operator"), ("sara", "viewer")):
        office.command("user", "add", name, "--role", role, "--random")
    office.command("token", "create", "maryam", "reports")
    for key in ("faculty", "students"):
        office.command(
            "set", key, "base_url=http://127.0.0.1:1", "username=hamgam", f"password={GATEWAY_PASSWORD}",
            "requests_per_second=0", "retry_budget=0", "retries=0", "hold_days=365",
        )  # fmt: skip
    office.command("sync", "faculty", code=1)  # nobody is there
    office.command("set", "faculty", f"base_url={gateway}")
    office.command("sync", "faculty")
    office.command("sync", "students")
    next_day()
    office.command("sync", "students")
    next_day()
    office.command("sync", "faculty", "--dry-run")
    office.command("sync", "faculty")
    next_day()
    office.command("sync", "students", "--full")
    [(last,)] = office.rows("panel.db", "SELECT max(id) FROM sync_runs")
    office.command("undo", str(last))
    office.command("schedule", "students", "--cron", "30 2 * * *")
    office.command("schedule", "students", "--resume")
    next_day()
    office.command("sync", "faculty", code=3)  # too many would vanish: held
    ask(f"{gateway}/__sim__/options", {"latency": 300})
    cancelled = office.start("sync", "students", "--full")
    wait_for(office.is_running)
    wait_for(lambda: office.published() >= 2)
    cancelled.send_signal(signal.SIGINT)
    cancelled.communicate(timeout=60)
    next_day()
    office.command("set", "students", "retries=2")
    engine = office.start("engine")
    following = office.start("sync", "students", "--full")
    wait_for(office.is_running)
    wait_for(lambda: office.published() >= 3)
    engine.kill()  # its child sees the end of its lifeline, and exits
    following.kill()
    for process in (engine, following):
        process.communicate()
    assert office.is_running()


def scrub(instance: Path) -> None:
    """Take out passwords' hashes and what names the machine; leave one plain file of each database."""
    with closing(sqlite3.connect(instance / "panel.db", isolation_level=None)) as db:
        db.execute("UPDATE users SET password_hash = ?", (NOBODY,))
        db.execute("UPDATE api_tokens SET sha256 = hex(id), prefix = 'hamgam_'")
        db.execute("UPDATE sync_runs SET child_boot_id = ? WHERE child_boot_id IS NOT NULL", (BOOT,))
        db.execute("UPDATE engine_lease SET boot_id = ?, owner = 'office|4242|1|pid:[1]'", (BOOT,))
    for name in ("panel.db", "faculty_data.db"):
        with closing(sqlite3.connect(instance / name, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = DELETE").fetchall()
            db.execute("VACUUM")


def pack(instance: Path) -> None:
    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    kept = [*instance.glob("*.db"), *instance.glob("staging/*.db"), *instance.glob("rehearsals/**/*.db")]
    with tarfile.open(ARCHIVE, "w:xz") as archive:
        for path in sorted(kept):
            archive.add(path, f"instance/{path.relative_to(instance)}", filter=plain)
    print(f"{ARCHIVE}: {ARCHIVE.stat().st_size >> 10} kB, {len(kept)} files")


def main(checkout: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        simulator = subprocess.Popen(
            [sys.executable, "-m", "fetchers.golestan.simulator", *WORLD],
            cwd=checkout,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert simulator.stdout is not None
            gateway = simulator.stdout.readline().strip().removeprefix("listening on ")
            office = Office(checkout, Path(folder) / "instance", gateway)
            play(office, gateway)
            scrub(office.instance)
            pack(office.instance)
        finally:
            simulator.kill()
            simulator.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
