"""backup, restore, migrate, doctor: keeping an instance well."""

import json
import sys
from pathlib import Path

import click

from panel.cli.house import House, Refusal
from panel.clock import utcnow


@click.command()
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), help="Below this folder, not instance/backups."
)
@click.option("--days", default=7, show_default=True, help="Keep the newest backup of each of so many days.")
@click.option("--weeks", default=4, show_default=True, help="And of each of so many weeks.")
@click.option("--list", "only_list", is_flag=True, help="Take none; list those there are, and check each.")
@click.pass_obj
def backup(house: House, folder: Path | None, days: int, weeks: int, only_list: bool) -> None:
    """Copy databases, key and held parts into a folder of their own, checked; then remove old ones.

    The panel, the engine and a running sync go on meanwhile.
    """
    from panel import backup as backups

    home = folder or house.config.backups
    if only_list:
        for found in backups.finished(home):
            backups.check(found)
            click.echo(f"{found.folder}  {found.size / 1024**2:.1f} MB, schema {found.schema}, whole")
        return
    taken = backups.take(house.config, utcnow(), folder=home)
    backups.check(taken)
    click.echo(f"{taken.folder}  {taken.size / 1024**2:.1f} MB, whole")
    click.echo(
        "It holds persons' data and the secret key: keep it as safe as the server, and a copy elsewhere."
    )
    for path in backups.rotate(home, utcnow(), days=days, weeks=weeks):
        click.echo(f"removed {path}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.pass_obj
def restore(house: House, folder: Path) -> None:
    """Put a backup in the place of what is there, which is moved aside. FOLDER: a backup, or "newest".

    The panel and the engine must be stopped.
    """
    from panel import backup as backups
    from panel.restore import restore as put_back

    if str(folder) == "newest":
        there = backups.finished(house.config.backups)
        if not there:
            raise Refusal(f"there is no backup in {house.config.backups}")
        folder = there[0].folder
    aside = put_back(house.config, folder, utcnow())
    click.echo(f"restored from {folder}")
    for path in aside:
        click.echo(f"what was there is now {path}")
    click.echo("Start it again, and look: python -m panel doctor")


@click.command()
@click.option("--no-backup", is_flag=True, help="Go without the backup that is made before.")
@click.pass_obj
def migrate(house: House, no_backup: bool) -> None:
    """Bring the control database to this version's schema (every start does it too).

    Before an existing database is changed, a backup is made and checked; without one nothing is changed.
    The service must be stopped.
    """
    from panel import migrations

    house.make_backup = not no_backup
    _ = house.sessions
    upgraded = house.upgraded
    if upgraded is None:
        click.echo(f"schema {migrations.head()}, nothing to do")
        return
    click.echo(f"schema {migrations.head()}, was {upgraded.before or 'empty'}")
    if upgraded.backup is not None:
        click.echo(f"the backup of before: {upgraded.backup}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--offline", is_flag=True, help="Do not ask the gateway.")
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings too.")
@click.pass_obj
def doctor(house: House, as_json: bool, offline: bool, strict: bool) -> None:
    """Look for what is wrong, and say what to do. Exit code 1 if anything is bad, else 0.

    With --json a list of {"check", "state", "text", "todo"}; state is ok, warn or bad.
    """
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
    counted = ("bad", "warn") if strict else ("bad",)
    sys.exit(int(any(finding.state in counted for finding in found)))
