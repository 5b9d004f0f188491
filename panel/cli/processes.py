"""up, web, engine: the processes."""

import os
import sys

import click

from panel.cli.house import House, Refusal


@click.command()
@click.option("--demo/--no-demo", default=None, help="The demonstration with a simulated gateway, or never.")
@click.option(
    "--no-backup", is_flag=True, help="Migrate an older database without the backup that is made before."
)
@click.pass_obj
def up(house: House, demo: bool | None, no_backup: bool) -> None:
    """Start everything: the panel and the engine, watched over.

    While no gateway is configured this starts the demonstration, in a house of its own.
    """
    from panel.service import supervisor

    if demo is not None:
        house.demo = demo
    try:
        sys.exit(supervisor.up(house.demo, make_backup=not no_backup))
    except supervisor.CannotStart as error:
        raise Refusal(str(error)) from error


@click.command()
@click.pass_obj
def web(house: House) -> None:
    """Start the panel alone (gunicorn)."""
    from panel.service import supervisor

    _ = house.sessions  # migrated and seeded before the first request
    command = supervisor.web_command()
    environ = {**os.environ, "PANEL_DEMO": "1" if house.config.demo else "0"}
    os.execve(command[0], command, environ)


@click.command()
@click.pass_obj
def engine(house: House) -> None:
    """Start the engine alone: it takes due runs and supervises them."""
    from panel import logs
    from panel.engine.worker import Engine

    _ = house.sessions
    logs.configure(house.config.log_level)
    Engine(house.config).run_forever()
