"""set: what people may change about a source."""

import sys

import click

from panel.cli.house import ACTOR, House, Refusal, say, sync_of
from panel.db import writing


@click.command("set")
@click.argument("key")
@click.argument("assignments", nargs=-1, metavar="[NAME=VALUE]...")
@click.pass_obj
def set_(house: House, key: str, assignments: tuple[str, ...]) -> None:
    """Change settings of a source; without any, list them.

    NAME= takes a value away: its default rules again. NAME=- reads the value from a hidden prompt or from stdin,
    so that a password stays out of the command line. The gateway's address and login are shared by all sources
    behind it.
    """
    from panel import settings

    if not assignments:
        with house.sessions() as session:
            _list(house, key)
        return
    with house.sessions() as session:
        fields = settings.declared(sync_of(session, key))
    changes: dict[str, object] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise Refusal(f"{assignment}: it must look like name=value")
        if text == "-":
            text = _hidden(name)
        if not text:
            changes[name] = None
        else:
            changes[name] = settings.from_text(fields[name], text) if name in fields else text
    with writing(house.sessions) as session:
        saved = settings.save(sync_of(session, key), changes, session, house.config, ACTOR)
    if saved.problems:
        raise Refusal("; ".join(f"{name}: {words}" if name else words for name, words in saved.problems))
    click.echo(f"{key}: {', '.join(saved.changed)} changed" if saved.changed else f"{key}: nothing new")
    if saved.shared_with:
        click.echo(f"The gateway's own settings were saved for {', '.join(saved.shared_with)} too.")


def _hidden(name: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(name, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _list(house: House, key: str) -> None:
    from panel import settings

    with house.sessions() as session:
        sync = sync_of(session, key)
        for name, shown in settings.form_values(sync, session, house.config).items():
            where = (
                f"  (from {shown.env})" if shown.env else "  (default)" if shown.origin == "default" else ""
            )
            click.echo(f"{name}={'' if shown.value is None else shown.value}{where}")
        for name in settings.Limits.model_fields:
            click.echo(f"{name}={getattr(sync, name)}")
        for name, words in settings.resolved(sync, session, house.config).problems:
            say(f"{name or key}: {words}")
