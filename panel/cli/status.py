"""status: how each source stands."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from panel.cli.house import House, say, sync_of
from panel.models import DataSync

ZONE = ZoneInfo("Asia/Tehran")


def moment(at: datetime | None) -> str:
    """A moment for the terminal, on Tehran's clock."""
    return "–" if at is None else at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M")


def schedule_words(sync: DataSync) -> str:
    if sync.paused_reason is not None and sync.schedule_kind != "off":
        return "paused"
    if sync.schedule_kind == "interval":
        return f"every {sync.interval_minutes} min"
    return f"cron {sync.cron}" if sync.schedule_kind == "cron" else "off"


@click.command()
@click.argument("key", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a list (or, with a key, one source) as JSON.")
@click.pass_obj
def status(house: House, key: str | None, as_json: bool) -> None:
    """Show how each source stands."""
    from panel.engine import lease

    with house.sessions() as session:
        if key is not None:
            syncs = [sync_of(session, key)]
        else:
            syncs = list(
                session.scalars(
                    select(DataSync).options(joinedload(DataSync.last_run)).order_by(DataSync.key)
                )
            )
        led = lease.holder(session) is not None
        if as_json:
            told = [sync.to_dict() for sync in syncs]
            click.echo(json.dumps(told[0] if key is not None else told, ensure_ascii=False))
            return
        table = Table("source", "status", "last success", "records", "next run", "automatic", box=None)
        for sync in syncs:
            records = "–" if sync.records is None else f"{sync.records:,}"
            if sync.records_delta:
                records += f" ({sync.records_delta:+,})"
            table.add_row(
                sync.key,
                " ".join(part for part in (sync.status or "never run", sync.error_code) if part),
                moment(sync.last_success_at),
                records,
                moment(sync.next_run_at),
                schedule_words(sync),
            )
        Console().print(table)
        for sync in syncs:
            if sync.last_run is not None and sync.last_run.error_message:
                click.echo(f"{sync.key}: {sync.last_run.error_message}")
            if sync.paused_reason is not None:
                click.echo(
                    f"{sync.key}: paused after an undo; go on with: python -m panel schedule {sync.key} --resume"
                )
    if not led:
        say("No engine is running: schedules wait. Start it with: python -m panel up")
