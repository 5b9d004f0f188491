"""What the commands share: the configuration, an opened and prepared database, errors as sentences."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from panel.config import Config, ConfigError, load
from panel.models import DataSync

if TYPE_CHECKING:
    from panel.migrations import Upgraded

ACTOR = "cli"


class Refusal(click.ClickException):
    """Wrong use, or an environment that cannot work."""

    exit_code = 2


class Commands(click.Group):
    """Commands in the order in which they were added; what people can mend ends as a sentence, not a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        from panel.backup import BackupError
        from panel.migrations import MigrationError
        from panel.restore import HalfRestored
        from panel.startup import NotWell
        from panel.vault import VaultError

        try:
            return super().invoke(ctx)
        except (ConfigError, HalfRestored, MigrationError, NotWell, VaultError) as error:
            raise Refusal(str(error)) from error
        except BackupError as error:
            raise click.ClickException(str(error)) from error
        except (DBAPIError, OSError) as error:
            raise self._hindered(error, ctx) from error

    @staticmethod
    def _hindered(error: DBAPIError | OSError, ctx: click.Context) -> Exception:
        """What keeps the databases from being read or written, as a sentence; any other error as it is."""
        from panel import storage

        trouble = storage.of(error, ctx.obj.config) if isinstance(ctx.obj, House) else None
        if trouble is not None:
            return click.ClickException(str(trouble))
        if isinstance(error, DBAPIError):
            # The statement and its parameters stay out: they may hold a person's data.
            words = f"the control database does not answer: {error.orig}"
            if getattr(error.orig, "sqlite_errorname", "") in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
                words += ". Stop the service, and restore the newest backup: python -m panel restore newest"
            return click.ClickException(words)
        return error


class House:
    """The instance that a command works in. Opening it makes the first start: schema, key, rows."""

    def __init__(self, demo: bool | None) -> None:
        self.demo = demo
        self.make_backup = True  # before an existing database is migrated
        self.upgraded: Upgraded | None = None

    @cached_property
    def config(self) -> Config:
        return load(demo=self.demo)

    @cached_property
    def sessions(self) -> sessionmaker[Session]:
        """Sessions on the prepared control database."""
        from panel import db, seed

        seeded = seed.prepare(self.config, make_backup=self.make_backup)
        self.upgraded = seeded.upgraded
        for problem in seeded.campus_problems:
            say(problem)
        return db.session_factory(self.config.panel_database_url)


def say(text: str = "") -> None:
    """Tell a person something: on stderr, so that stdout holds the answer alone."""
    click.echo(text, err=True)


def sync_of(session: Session, key: str) -> DataSync:
    """The sync of this key, or a sentence that names those there are."""
    found = session.scalar(select(DataSync).where(DataSync.key == key))
    if found is None:
        keys = ", ".join(session.scalars(select(DataSync.key).order_by(DataSync.key)))
        raise Refusal(f"there is no source “{key}”; there are: {keys or 'none'}")
    return found
