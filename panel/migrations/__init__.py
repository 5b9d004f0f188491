"""The control database's schema, step by step. `upgrade` is all that a start needs."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from panel.clock import utcnow
from panel.config import Config
from panel.db import intent_to_write, prepare_engine

log = logging.getLogger(__name__)

HOME = Path(__file__).resolve().parent
# Any number, the same in every process: PostgreSQL's lock for "I am migrating".
_MIGRATING = 7_254_001


class MigrationError(Exception):
    """The database cannot be brought to this version's schema."""


@dataclass(frozen=True)
class Upgraded:
    """What an upgrade did. before: the schema until then; None: there was none. backup: of the time before."""

    before: str | None
    backup: Path | None


def upgrade(config: Config, *, now: datetime | None = None, make_backup: bool = True) -> Upgraded | None:
    """Bring the control database to the newest schema; None if there was nothing to do.

    1. Look, without a lock: almost always there is nothing to do.
    2. One process at a time: look again, for another one may have been quicker.
    3. Refuse while an engine of an earlier version works on it.
    4. Make a backup, checked, of the whole installation; without one nothing is migrated.
    5. Under the write lock, migrate in one transaction: killed at any moment, the schema is the old or the new one.

    make_backup: False only where a person has said so. Raises MigrationError.
    """
    engine = _engine(config.panel_database_url)
    try:
        with engine.connect() as connection:
            before = _revision(connection)
            if before == head():
                return None
            _refuse_strangers(connection, before)
        with _one_at_a_time(config):
            with engine.connect() as connection:
                before = _revision(connection)
            if before == head():
                return None
            saved = None if before is None else _prepare(config, engine, now or utcnow(), make_backup)
            with intent_to_write(), engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _MIGRATING})
                if _revision(connection) == head():
                    return None
                migrate(connection)
                _check_references(connection)
    finally:
        engine.dispose()
    log.info("the control database is at schema %s (was: %s)", head(), before or "empty")
    return Upgraded(before, saved)


def current(config: Config) -> str | None:
    """The revision of the control database; null for one that is empty or does not exist."""
    database = make_url(config.panel_database_url).database
    if config.panel_database_url.startswith("sqlite") and not Path(database or "").exists():
        return None
    engine = _engine(config.panel_database_url)
    try:
        with engine.connect() as connection:
            return _revision(connection)
    finally:
        engine.dispose()


def head() -> str:
    """The newest revision that this version knows: revisions are numbered, 0001, 0002 …

    Every command asks; Alembic itself is loaded (0.3 s) only where there is something to migrate.
    """
    return max(file.name[:4] for file in (HOME / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def _engine(url: str) -> Engine:
    engine = prepare_engine(create_engine(url, poolclass=NullPool))
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _no_cascades(connection: Any, _record: Any) -> None:
            # Batch mode drops and rebuilds tables: with foreign keys on, others would lose rows by that.
            # They are checked before the commit instead (https://www.sqlite.org/lang_altertable.html).
            connection.execute("PRAGMA foreign_keys = OFF")

    return engine


def migrate(connection: Connection) -> None:
    """Bring the database to the newest schema, in the caller's transaction."""
    from alembic import command
    from alembic.config import Config as AlembicConfig

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(HOME).replace("%", "%%"))
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(text("SELECT version_num FROM alembic_version"))


def _refuse_strangers(connection: Connection, revision: str | None) -> None:
    """A database of a newer version, or of another program, is not ours to change."""
    if revision is None:
        tables = set(inspect(connection).get_table_names()) - {"alembic_version"}
        if tables:
            raise MigrationError(
                "PANEL_DATABASE_URL names a database that has tables of another program "
                f"({', '.join(sorted(tables)[:3])} …). Name an empty one."
            )
    elif revision > head():
        raise MigrationError(
            f"The control database is of a newer version (schema {revision}, this version knows {head()}). "
            "Install that version again, or restore the backup that was made before the upgrade."
        )


@contextmanager
def _one_at_a_time(config: Config) -> Iterator[None]:
    """Wait while another process of this installation migrates. The kernel gives the lock back however it ends."""
    descriptor = os.open(config.instance / "migrate.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _prepare(config: Config, engine: Engine, now: datetime, make_backup: bool) -> Path | None:
    """Before an existing database is migrated: nobody works on it, and what it is now is kept. The backup's folder."""
    from panel import backup as backups  # which asks this module what the newest schema is
    from panel.engine import lease

    with Session(engine) as session:
        holder = lease.holder(session)
    if holder is not None:
        raise MigrationError(
            f"An engine of an earlier version is at work (process {holder.pid}); nothing was changed. "
            "Stop it (systemctl stop hamgam), then start this version."
        )
    if not make_backup:
        log.warning("no backup is made before migrating")
        return None
    try:
        taken = backups.take(config, now, before=head())
        backups.check(taken)
        backups.rotate(config.backups, now)
    except backups.BackupError as error:
        raise MigrationError(
            f"{error} So the control database was not migrated, and stays as it is. Mend that and start again; "
            "or go without a backup: python -m panel migrate --no-backup"
        ) from error
    log.info("a backup was made before migrating: %s", taken.folder)
    return taken.folder


def _check_references(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise MigrationError(f"Migrating would break references in {broken[0][0]}; nothing was changed.")
