"""runs, letter, cancel: what happened, whom to tell, and stopping what is happening."""

import json

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from panel import audit
from panel.cli.house import ACTOR, House, Refusal, sync_of
from panel.cli.status import moment
from panel.clock import utcnow
from panel.db import writing
from panel.models import SyncRun


@click.command()
@click.option("--sync", "key", help="Only of this source.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print a list as JSON.")
@click.pass_obj
def runs(house: House, key: str | None, limit: int, as_json: bool) -> None:
    """List runs, newest first."""
    with house.sessions() as session:
        chosen = select(SyncRun).options(joinedload(SyncRun.sync)).order_by(SyncRun.id.desc()).limit(limit)
        if key is not None:
            chosen = chosen.where(SyncRun.sync_id == sync_of(session, key).id)
        found = list(session.scalars(chosen))
    if as_json:
        click.echo(json.dumps([run.to_dict() for run in found], ensure_ascii=False))
        return
    table = Table("run", "source", "status", "asked by", "started", "seconds", "read", "changes", box=None)
    for run in found:
        table.add_row(
            str(run.id),
            run.sync.key,
            " ".join(part for part in (run.status, run.error_code, run.dry_run and "(rehearsal)") if part),
            run.triggered_by,
            moment(run.started_at),
            "–" if run.duration_seconds is None else f"{run.duration_seconds:.1f}",
            f"{run.read:,}",
            f"+{run.added:,} ~{run.changed:,} -{run.gone:,}",
        )
    Console().print(table)


@click.command()
@click.argument("run", type=int)
@click.option("--language", type=click.Choice(["fa", "en"]), default="fa", show_default=True)
@click.pass_obj
def letter(house: House, run: int, language: str) -> None:
    """Write to gateway support about a run that failed: a text to copy, without secrets or personal data."""
    from panel import letter as letters
    from panel import runs as truth

    with house.sessions() as session:
        try:
            facts = letters.of_run(session, truth.get(session, run), house.config)
        except LookupError as error:
            raise Refusal(str(error)) from error
    if facts is None:
        raise Refusal(f"There is nothing in run {run} that the gateway's support team could mend.")
    click.echo(letters.write(facts, language))


@click.command()
@click.argument("run", type=int)
@click.pass_obj
def cancel(house: House, run: int) -> None:
    """Stop a run. What it has published stays."""
    from panel import doorbell
    from panel import runs as truth

    with writing(house.sessions) as session:
        try:
            found = truth.get(session, run)
        except LookupError as error:
            raise Refusal(str(error)) from error
        news = truth.cancel(session, found, now=utcnow(), user=ACTOR)
        if news:
            audit.record(session, ACTOR, "run_cancelled", found.sync.key, run=run)
        status = truth.get(session, run).status
    doorbell.ring(house.config.instance)
    if status in ("pending", "running"):
        click.echo(f"Run {run} was asked to stop; it is {status} until its process is gone.")
    else:
        click.echo(f"Run {run} is {status}." if news else f"Run {run} had ended already: {status}.")
