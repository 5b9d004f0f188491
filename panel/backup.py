"""Backups: one folder with all that an installation is, taken while it works, and checked before it counts.

    instance/backups/hamgam-20261125T003000Z/       (…Z-before-0007: made before migrating to that schema)
        manifest.json    what is in it, with a SHA-256 of each file; written last
        panel.db         the control database   (panel.dump where it is on PostgreSQL)
        data.db          the destination        (data.dump)
        secret.key       without it, the gateway's password in panel.db stays sealed
        staging/         what waits for a person's decision

The control database is copied before the destination. So a restored status may be older than the data, which the
ledger beside the data puts right at the next start; the other way round, a status could claim what is not there.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url

from panel import migrations
from panel.config import Config

FORMAT = 1
NAME = re.compile(r"hamgam-\d{8}T\d{6}Z(-before-(?P<before>\d{4}))?")
KEEP_DAYS = 7
KEEP_WEEKS = 4
KEEP_UPGRADES = 3
_CHUNK = 1 << 20


class BackupError(Exception):
    """A backup that could not be taken, or cannot be trusted. The sentence says what to do."""


@dataclass(frozen=True)
class Backup:
    """A finished backup. size: bytes of all its files. schema: of the control database in it.

    before: the schema that was about to be migrated to; None for an ordinary one.
    """

    folder: Path
    taken_at: datetime
    size: int
    schema: str
    files: dict[str, str]  # path within the folder -> SHA-256
    before: str | None = None


def take(config: Config, now: datetime, *, folder: Path | None = None, before: str | None = None) -> Backup:
    """Copy the installation into a new folder below `folder` (by default instance/backups), and check the copy.

    Readers and writers go on: SQLite's VACUUM INTO and pg_dump each read one snapshot. Nothing stands under the
    final name before all of it is whole and on the disk. Raises BackupError; then no file of it is left.
    before: the schema that the control database is about to be migrated to.
    """
    home = folder or config.backups
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _one_at_a_time(home):
            _check_space(config, home)
            _sweep(home)
            while (final := home / _name(now, before)).exists():
                now += timedelta(seconds=1)  # one was made in this very second
            unfinished = home / f".{final.name}.unfinished"
            try:
                _fill(config, unfinished, now)
                unfinished.rename(final)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)  # gone already where all went well
            to_disk(home)
    except (OSError, sqlite3.Error, subprocess.SubprocessError) as error:
        raise BackupError(f"The backup was not made: {_why(error)}. The data are not touched.") from error
    return read(final)


def _name(now: datetime, before: str | None) -> str:
    return f"hamgam-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}" + (f"-before-{before}" if before else "")


def _fill(config: Config, folder: Path, now: datetime) -> None:
    """Copy everything into a new folder, and wait until it is on the disk."""
    folder.mkdir(mode=0o700)
    _copy_all(config, folder)
    manifest = {
        "format": FORMAT,
        "taken_at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "schema": migrations.current(config) or migrations.head(),
        "files": {path.relative_to(folder).as_posix(): sha256(path) for path in _files(folder)},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    for path in _files(folder):
        path.chmod(0o600)
        to_disk(path)
    for path in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
        to_disk(path)


def read(folder: Path) -> Backup:
    """What a backup's manifest says. Raises BackupError for a folder that is none."""
    try:
        found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        files = {str(name): str(mark) for name, mark in found["files"].items()}
        if found["format"] != FORMAT:
            raise BackupError(f"{folder} was made by another version of Hamgam (format {found['format']}).")
        return Backup(
            folder,
            datetime.fromisoformat(found["taken_at"]),
            sum((folder / name).stat().st_size for name in files),
            str(found["schema"]),
            files,
            named["before"] if (named := NAME.fullmatch(folder.name)) else None,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{folder} is no backup, or not a whole one: {_why(error)}.") from error


def check(backup: Backup) -> None:
    """Look at every file of a backup: its bytes, and its databases' own integrity. Raises BackupError."""
    for name, mark in backup.files.items():
        path = backup.folder / name
        if sha256(path) != mark:
            raise BackupError(f"{path} is not what it was when the backup was made. Take another backup.")
        if path.suffix == ".db":
            check_integrity(path)


def check_integrity(path: Path) -> None:
    """Raises BackupError where SQLite finds anything wrong in the file."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            answer = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        answer = str(error)
    if answer != "ok":
        raise BackupError(f"{path} is damaged: {answer[:120]}.")


def copy_file(path: Path, target: Path) -> None:
    """One consistent snapshot of an SQLite file, whoever writes meanwhile (sqlite.org/lang_vacuum.html), checked.

    Raises sqlite3.Error, BackupError.
    """
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))
    target.chmod(0o600)
    check_integrity(target)


def finished(home: Path) -> list[Backup]:
    """The backups in a folder, newest first; what only looks like one is left out."""
    found = []
    for path in home.glob("hamgam-*"):
        if NAME.fullmatch(path.name):
            try:
                found.append(read(path))
            except BackupError:
                continue
    return sorted(found, key=lambda backup: backup.taken_at, reverse=True)


def rotate(home: Path, now: datetime, *, days: int = KEEP_DAYS, weeks: int = KEEP_WEEKS) -> list[Path]:
    """Remove the backups that are no longer needed; those that went.

    Kept are the newest of all, the newest of each of the last `days` days, and of each of the last `weeks` weeks (UTC);
    and apart from these, the newest three that were made before a migration.
    """
    backups = finished(home)
    ordinary = [backup for backup in backups if backup.before is None]
    upgrades = [backup for backup in backups if backup.before is not None]
    keep = {backup.folder for backup in (*ordinary[:1], *upgrades[:KEEP_UPGRADES])}
    met: set[tuple[str, int, int]] = set()
    for backup in ordinary:
        year, week, _ = backup.taken_at.isocalendar()
        for period, reach in (
            (("day", backup.taken_at.year, backup.taken_at.timetuple().tm_yday), timedelta(days=days)),
            (("week", year, week), timedelta(weeks=weeks)),
        ):
            if now - backup.taken_at < reach and period not in met:
                met.add(period)
                keep.add(backup.folder)
    gone = [backup.folder for backup in backups if backup.folder not in keep]
    for path in gone:
        # Without its manifest it is no backup: a removal that is cut short leaves nothing to be mistaken for one.
        (path / "manifest.json").unlink()
        shutil.rmtree(path)
    return gone


def sqlite_path(url: str) -> Path | None:
    """The file behind a database's address; None where it is on a server."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def sha256(path: Path) -> str:
    """The digest of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def server_command(program: str, url: URL, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's own programs on a database; the password goes by the environment.

    Raises BackupError where the program is not installed or says no.
    """
    names = {"host": "-h", "port": "-p", "username": "-U"}
    where = [piece for name, flag in names.items() if (v := getattr(url, name)) for piece in (flag, str(v))]
    environ = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    try:
        return subprocess.run(
            [program, *where, "-d", str(url.database), "-w", *arguments],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise BackupError(f"{program} is missing. Install PostgreSQL's client programs.") from error
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines()[:1] or [f"exit code {error.returncode}"]
        raise BackupError(f"{program} failed: {said[0][:200]}.") from error


def _copy_all(config: Config, target: Path) -> None:
    _copy_database(config.panel_database_url, target, "panel")
    if (key := config.instance / "secret.key").exists():
        shutil.copyfile(key, target / "secret.key")
    for path in sorted(config.staging.glob("*.db")):
        (target / "staging").mkdir(exist_ok=True, mode=0o700)
        copy_file(path, target / "staging" / path.name)
    _copy_database(config.data_database_url, target, "data")


def _copy_database(url: str, target: Path, name: str) -> None:
    path = sqlite_path(url)
    if path is None:
        dump = target / f"{name}.dump"
        server_command("pg_dump", make_url(url), "--format=custom", "--no-owner", f"--file={dump}")
    elif path.exists():
        copy_file(path, target / f"{name}.db")


@contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    """Wait for a backup that another process makes here: each removes what an earlier, killed one has left."""
    descriptor = os.open(home, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def room_needed(config: Config) -> int:
    """How many bytes the next backup may take, as far as they are in files."""
    databases = [sqlite_path(config.panel_database_url), sqlite_path(config.data_database_url)]
    paths = [*(path for path in databases if path is not None), *config.staging.glob("*.db")]
    return sum(path.stat().st_size for path in paths if path.exists())


def _check_space(config: Config, home: Path) -> None:
    needed, free = room_needed(config), shutil.disk_usage(home).free
    if free < needed:
        raise BackupError(
            f"The backup was not made: it may need {needed >> 20} MB, {free >> 20} MB are free in {home}. "
            "The data are not touched. Make room, or name another folder (backup --to)."
        )


def _sweep(home: Path) -> None:
    """Take away what an earlier, killed backup left."""
    for path in home.glob(".hamgam-*.unfinished"):
        shutil.rmtree(path, ignore_errors=True)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def to_disk(path: Path) -> None:
    """Wait until a file, or a folder's names, are on the disk (fsync(2))."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)[:200]
