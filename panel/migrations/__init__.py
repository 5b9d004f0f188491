"""The control database's schema, step by step. `upgrade` is all that a start needs."""

import logging
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
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


def upgrade(config: Config, *, now: datetime | None = None) -> bool:
    """Bring the control database to the newest schema; True if that changed anything.

    1. Look, without a lock: almost always there is nothing to do.
    2. Copy an existing SQLite database into instance/backups.
    3. Under the write lock, look again (another process may have been quicker); migrate in one transaction.
    """
    engine = _engine(config.panel_database_url)
    try:
        with engine.connect() as connection:
            before = _revision(connection)
            if before == head():
                return False
            _refuse_strangers(connection, before)
        if before is not None:
            _backup(config, before, now or utcnow())
        with intent_to_write(), engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": _MIGRATING})
            if _revision(connection) == head():
                return False
            migrate(connection)
            _check_references(connection)
    finally:
        engine.dispose()
    log.info("the control database is at schema %s (was: %s)", head(), before or "empty")
    return True


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


def _backup(config: Config, revision: str, now: datetime) -> None:
    from panel.backup import copy_file  # which asks this module what the newest schema is

    url = make_url(config.panel_database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        log.warning("PostgreSQL: no backup is made before migrating; use pg_dump")
        return
    config.backups.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = config.backups / f"panel-{revision}-{now:%Y%m%dT%H%M%S%f}.db"
    copy_file(Path(url.database), target)
    log.info("the control database was copied to %s before migrating", target)


def _check_references(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise MigrationError(f"Migrating would break references in {broken[0][0]}; nothing was changed.")
