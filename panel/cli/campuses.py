"""campuses: the list that the gateway does not give."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from panel import audit
from panel import campuses as campus_list
from panel.cli.house import ACTOR, House, Refusal, say
from panel.db import writing
from panel.models import Campus


@click.group()
def campuses() -> None:
    """The campuses whose students are fetched."""


@campuses.command("list")
@click.pass_obj
def list_(house: House) -> None:
    """List them."""
    table = Table("code", "name", "province", "type", "fetched", box=None)
    with house.sessions() as session:
        for campus in session.scalars(select(Campus).order_by(Campus.pardis_code)):
            table.add_row(
                campus.pardis_code,
                campus.name or "",
                "" if campus.province_code is None else str(campus.province_code),
                "" if campus.type is None else str(campus.type),
                "yes" if campus.active else "no",
            )
    Console().print(table)


@campuses.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--only-these", is_flag=True, help="Stop fetching campuses that are not in the file.")
@click.pass_obj
def import_(house: House, file: Path, only_these: bool) -> None:
    """Add and update campuses from a CSV file: pardis_code,name,province_code,type.

    The first column is enough. Campuses that are not in the file stay as they are.
    """
    try:
        reading = campus_list.read_file(file)
    except campus_list.CampusFileError as error:
        raise Refusal(f"{file}: {error}") from error
    for problem in reading.problems:
        say(f"{file.name}, {problem}")
    if not reading.lines:
        raise Refusal(f"{file}: there is no campus in it")
    with writing(house.sessions) as session:
        written = campus_list.write(session, reading.lines, only_these=only_these)
        audit.record(
            session, ACTOR, "campuses_imported", file.name, added=written.added, changed=written.changed
        )
    stopped = f", {written.stopped} no longer fetched" if only_these else ""
    click.echo(f"{written.added} added, {written.changed} changed, {written.unchanged} unchanged{stopped}")
