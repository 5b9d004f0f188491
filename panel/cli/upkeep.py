"""migrate, doctor: keeping an instance well."""

import json
import sys

import click

from panel.cli.house import House


@click.command()
@click.pass_obj
def migrate(house: House) -> None:
    """Bring the control database to this version's schema (every start does it too)."""
    from panel import migrations

    before = migrations.current(house.config)
    _ = house.sessions
    after = migrations.head()
    click.echo(f"schema {after}" + (", nothing to do" if before == after else f", was {before or 'empty'}"))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--offline", is_flag=True, help="Do not ask the gateway.")
@click.pass_obj
def doctor(house: House, as_json: bool, offline: bool) -> None:
    """Look for what is wrong, and say what to do. Exit code 1 if anything is bad."""
    from panel.doctor import examine

    found = examine(house.config, ask_gateway=not offline)
    if as_json:
        click.echo(json.dumps([finding.to_dict() for finding in found], ensure_ascii=False))
    else:
        colours = {"ok": "green", "warn": "yellow", "bad": "red"}
        for finding in found:
            click.echo(click.style(f"{finding.state:5}", fg=colours[finding.state]) + finding.text)
            if finding.todo:
                click.echo(f"     → {finding.todo}")
    sys.exit(any(finding.state == "bad" for finding in found))
