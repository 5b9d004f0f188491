"""move: from SQLite to PostgreSQL."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from panel.cli.follow import LINE_EVERY
from panel.cli.house import ACTOR, House, Refusal, say


@click.command()
@click.option("--data", metavar="URL", help="Empty PostgreSQL database for the data: postgresql://….")
@click.option("--panel", metavar="URL", help="Empty PostgreSQL database for people, schedules and runs.")
@click.pass_obj
def move(house: House, data: str | None, panel: str | None) -> None:
    """Move this installation from SQLite to PostgreSQL. Stop the service first.

    Each database is copied and compared, in one piece or not at all; the SQLite files stay as they
    are. At the end it prints what to put into .env. A password need not be in the URL: ~/.pgpass is
    read too.
    """
    from fetchers.core.errors import FetchError
    from fetchers.core.store.moving import CannotMove
    from panel import audit
    from panel.config import load
    from panel.db import session_factory, writing
    from panel.move import move as move_all

    if data is None and panel is None:
        raise Refusal("name at least one new database: --data URL, --panel URL")
    if house.config.demo:
        raise Refusal("the demonstration keeps its data in its own folder; there is nothing to move")
    places = {
        name: url
        for name, url in (("DATA_DATABASE_URL", data), ("PANEL_DATABASE_URL", panel))
        if url is not None
    }
    new = load({**house.config.environ, **places}, demo=False)
    _ = house.sessions  # brings the control database to this version's schema
    began = time.monotonic()
    try:
        with _progress() as tell:
            moved = move_all(house.config, new, tell)
    except CannotMove as error:
        raise Refusal(f"{error} Nothing was moved.") from error
    except FetchError as error:
        raise click.ClickException(
            f"{error} Nothing was moved; the SQLite files are as they were."
        ) from error
    factory = session_factory(new.panel_database_url)
    with writing(factory) as session:
        audit.record(session, ACTOR, "databases_moved", ", ".join(sorted(places)))
    factory.kw["bind"].dispose()

    for copied in (*moved.data, *moved.panel):
        say(f"{copied.table:24} {copied.content.rows:>12,}  {copied.content.digest}")
    if moved.left:
        say(f"Left behind, since they are not Hamgam's: {', '.join(moved.left)}")
    if moved.replaced:
        say(f"{moved.replaced} rows held a NUL character, which PostgreSQL does not keep; it became �.")
    say(f"Moved and compared in {time.monotonic() - began:.0f} s. The SQLite files are as they were.")
    say("Put this into .env, then start the service:")
    for name, url in places.items():
        click.echo(f"{name}={url}")


@contextmanager
def _progress() -> Iterator["Bar | Lines"]:
    if not sys.stderr.isatty():
        yield Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress)


class Bar:
    """A line for each table, which moves."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, table: str, done: int, rows: int) -> None:
        task = self.tasks.get(table)
        if task is None:
            task = self.tasks[table] = self.progress.add_task(table, total=rows)
        self.progress.update(task, completed=done)


class Lines:
    """A line for a large table each few seconds."""

    def __init__(self) -> None:
        self.at = time.monotonic()

    def __call__(self, table: str, done: int, rows: int) -> None:
        if time.monotonic() - self.at > LINE_EVERY:
            say(f"{table}: {done:,} of {rows:,} rows")
            self.at = time.monotonic()
