"""set, schedule: what people may change about a source."""

import sys

import click

from panel import audit
from panel.cli.house import ACTOR, House, Refusal, say, sync_of
from panel.cli.status import moment, schedule_words
from panel.clock import utcnow
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


@click.command()
@click.argument("key")
@click.option("--every", type=int, metavar="MINUTES", help="Sync each so many minutes.")
@click.option("--cron", metavar="EXPR", help="Sync at these times: five fields, on Tehran's clock.")
@click.option("--off", is_flag=True, help="No automatic sync.")
@click.option("--resume", is_flag=True, help="Go on with the schedule that an undo has paused.")
@click.pass_obj
def schedule(house: House, key: str, every: int | None, cron: str | None, off: bool, resume: bool) -> None:
    """Switch the automatic sync of a source on or off. Each of these also ends the pause after an undo."""
    from panel import runs
    from panel.engine.schedule import check_schedule, plan

    if sum((every is not None, cron is not None, off, resume)) != 1:
        raise click.UsageError("give one of --every MINUTES, --cron EXPR, --off, --resume")
    if resume:
        with writing(house.sessions) as session:
            sync = sync_of(session, key)
            paused = runs.resume(session, sync, now=utcnow())
            if paused:
                audit.record(session, ACTOR, "sync_resumed", key)
            words = schedule_words(sync)
        click.echo(f"{key}: goes on, {words}" if paused else f"{key}: was not paused, {words}")
        return
    kind = "off" if off else "interval" if every is not None else "cron"
    problem = check_schedule(kind, every, cron)
    if problem:
        raise Refusal(problem)
    with writing(house.sessions) as session:
        sync = sync_of(session, key)
        now = utcnow()
        sync.schedule_kind, sync.interval_minutes, sync.cron, sync.updated_at = kind, every, cron, now
        plan(sync, now)
        runs.resume(session, sync, now=now)
        audit.record(session, ACTOR, "schedule_changed", key, schedule=schedule_words(sync))
        words, due = schedule_words(sync), sync.next_run_at
    click.echo(f"{key}: {words}" + ("" if due is None else f", next at {moment(due)} (Tehran)"))
