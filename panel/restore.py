"""Put a backup in the place of what is there now. What was there is moved aside, never deleted.

Killed at any step, an installation either is as it was, or refuses to start and says to run the same command again.
"""

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from panel import backup as backups
from panel import db, migrations
from panel.backup import Backup, BackupError, server_command, sqlite_path, to_disk
from panel.config import Config

MARKER = "restoring.json"


class HalfRestored(Exception):
    """A restore was interrupted: nothing may start before it has been finished."""


def refuse_half_restored(instance: Path) -> None:
    """Raises HalfRestored while a restore waits to be finished."""
    marker = instance / MARKER
    if marker.exists():
        folder = json.loads(marker.read_text(encoding="utf-8"))["folder"]
        raise HalfRestored(
            f"A restore was interrupted; nothing is lost. Finish it: python -m panel restore {folder}"
        )


def restore(config: Config, folder: Path, now: datetime) -> list[Path]:
    """Put the backup in `folder` in place; the files that were moved aside for it.

    1. Check the whole backup, and that it fits this installation.
    2. Refuse while the panel or an engine works.
    3. Copy everything beside the places where it goes.
    4. Mark the installation; from here on nothing starts.
    5. Move aside what is there, put the copies in place, restore PostgreSQL's databases.
    6. Take the mark away.

    Raises BackupError; before step 4 nothing is changed.
    """
    backup = backups.read(folder)
    backups.check(backup)
    places = _places(config, backup)
    with _nobody_works(config):
        stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        fresh = {place: place.with_name(f".{place.name}.restored") for place in places.values()}
        try:
            for name, place in places.items():
                place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                shutil.copyfile(folder / name, fresh[place])
                fresh[place].chmod(0o600)
                to_disk(fresh[place])
            marker = config.instance / MARKER
            marker.write_text(json.dumps({"folder": str(folder.resolve())}), encoding="utf-8")
            to_disk(marker)
            to_disk(config.instance)
            aside = []
            for old in _in_the_way(config, places):
                moved = old.with_name(f"{old.name}.before-restore-{stamp}")
                old.rename(moved)
                aside.append(moved)
            for place, copy in fresh.items():
                copy.rename(place)
                to_disk(place.parent)
            _servers(config, folder, backup)
            marker.unlink()
        except OSError as error:
            raise BackupError(
                f"The restore stopped: {error.strerror}. Nothing is lost; mend that and run the same command again."
            ) from error
    return aside


def _places(config: Config, backup: Backup) -> dict[str, Path]:
    """Where each file of the backup goes."""
    if backup.schema > migrations.head():
        raise BackupError(
            f"The backup is of a newer version (schema {backup.schema}, this one knows {migrations.head()}). "
            "Install that version first."
        )
    found: dict[str, Path] = {}
    for name in backup.files:
        if name == "secret.key":
            found[name] = config.instance / name
        elif name.startswith("staging/"):
            found[name] = config.staging / Path(name).name
    for base, url, variable in (
        ("panel", config.panel_database_url, "PANEL_DATABASE_URL"),
        ("data", config.data_database_url, "DATA_DATABASE_URL"),
    ):
        path = sqlite_path(url)
        other = f"{base}.dump" if path is not None else f"{base}.db"
        if other in backup.files:
            raise BackupError(
                f"The backup's {other} is of another kind of database than {variable} names. Set it as it was then."
            )
        if path is not None and f"{base}.db" in backup.files:
            found[f"{base}.db"] = path
    return found


def _in_the_way(config: Config, places: dict[str, Path]) -> Iterator[Path]:
    """What is there now and must not meet what comes, with the files that SQLite keeps beside it."""
    urls = (config.panel_database_url, config.data_database_url)
    databases = [path for url in urls if (path := sqlite_path(url)) is not None]
    for path in {*databases, *config.staging.glob("*.db"), *places.values()}:
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"):
            if (old := path.with_name(name)).exists():
                yield old


def _servers(config: Config, folder: Path, backup: Backup) -> None:
    for base, url in (("panel", config.panel_database_url), ("data", config.data_database_url)):
        if f"{base}.dump" in backup.files:
            server_command(
                "pg_restore", make_url(url), "--clean", "--if-exists", "--no-owner", "--single-transaction",
                str(folder / f"{base}.dump"),
            )  # fmt: skip


@contextmanager
def _nobody_works(config: Config) -> Iterator[None]:
    """Hold the instance's lock; raises BackupError where the panel or an engine is at work."""
    stop = "Stop it first (systemctl stop hamgam, or Ctrl-C where it runs)."
    descriptor = os.open(config.instance / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"The panel is running. {stop}") from None
        with socket.socket() as question:
            question.settimeout(2)
            if question.connect_ex((config.host, config.port)) == 0:
                raise BackupError(
                    f"Something answers at {config.host}:{config.port}, most likely the panel. {stop}"
                )
        if _engine_leads(config):
            raise BackupError(f"An engine is running. {stop}")
        yield
    finally:
        os.close(descriptor)


def _engine_leads(config: Config) -> bool:
    from panel.engine import lease

    try:
        if migrations.current(config) is None:
            return False
        with db.session_factory(config.panel_database_url)() as session:
            return lease.holder(session) is not None
    except DBAPIError:
        return False  # what is there cannot be read: that is why it is replaced
