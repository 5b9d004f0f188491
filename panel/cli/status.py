"""status: how each source stands."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from panel import lateness
from panel.cli.house import House, say, sync_of
from panel.clock import utcnow
from panel.models import ACTIVE, DataSync
from panel.zones import TEHRAN

if TYPE_CHECKING:
    from panel.engine.windows import Rule, Rules
    from panel.gateways import Gateway


COLOURS = {"green": "green", "amber": "yellow", "red": "red", "none": None}
LAMPS = {
    "well": "answers",
    "slow": "answers slowly",
    "failing": "failing",
    "paused": "asks for a pause",
    "down": "down",
    "unknown": "not asked yet",
}
WAITING = {
    "rate_limited": "the gateway asks to wait",
    "gateway": "waiting for the gateway",
    "turn": "waiting for its turn at the gateway",
    "retry": "waiting for another try",
    "destination": "waiting for the database",
}


def waiting_words(waiting: Mapping[str, Any]) -> str:
    """Why a run waits, and when it goes on, on Tehran's clock."""
    words = WAITING.get(waiting.get("reason", ""), "waiting")
    try:
        until = datetime.fromisoformat(str(waiting.get("until")))
    except ValueError:
        return words
    return f"{words}, goes on at {until.astimezone(TEHRAN):%H:%M}"


def lamp_words(one: "Gateway") -> str:
    """A gateway in a line: how it does, since when, why, and when it is asked again."""
    from panel import explain

    lamp = one.lamp
    words = f"{one.address} ({', '.join(one.sources)}): {LAMPS[lamp.kind]}"
    if one.light in ("amber", "red") and lamp.since is not None:
        words += f" since {moment(lamp.since)}"
    if lamp.kind in ("failing", "down") and lamp.cause is not None:
        words += f". {explain.english(lamp.cause.code, lamp.cause.params).what}"
    if lamp.kind == "slow":
        words += f"; asked at {lamp.pace * 100:.0f} % of the pace"
    if lamp.kind == "paused" and lamp.until is not None:
        words += f"; asked again at {lamp.until.astimezone(TEHRAN):%H:%M:%S}"
    if lamp.kind == "down":
        at = f"at {lamp.until.astimezone(TEHRAN):%H:%M:%S}" if lamp.until else "now"
        words += f" The next small question: {at if lamp.awaited else 'with the next run'}."
    return words


def moment(at: datetime | None) -> str:
    """A moment for the terminal, on Tehran's clock."""
    return "–" if at is None else at.astimezone(TEHRAN).strftime("%Y-%m-%d %H:%M")


def schedule_words(sync: DataSync, now: datetime) -> str:
    """A schedule in a few words."""
    if sync.is_paused(now) and sync.schedule_kind != "off":
        return "paused" if sync.paused_reason is not None else f"paused until {moment(sync.paused_until)}"
    if sync.schedule_kind == "interval":
        return f"every {sync.interval_minutes} min"
    if sync.schedule_kind == "cron":
        return f"cron {sync.cron}"
    from panel.engine.schedule import rules_of  # here, for status is quick where nothing goes by the calendar

    rules = rules_of(sync)
    return "off" if rules is None else calendar_words(rules)


def calendar_words(rules: "Rules") -> str:
    """Rules of the academic calendar in a few words."""
    said = []
    if rules.registration is not None:
        which = "" if rules.weeks.around is None else " (by the terms)"
        said.append(f"{_rule_words(rules.registration)} in registration weeks{which}")
    if rules.usual is not None:
        said.append(_rule_words(rules.usual) + (" otherwise" if said else ""))
    if rules.quiet is not None:
        said.append(f"quiet {rules.quiet[0]:%H:%M}-{rules.quiet[1]:%H:%M}")
    said.append("on holidays too" if rules.holidays else "not on holidays")
    return ", ".join(said)


def _rule_words(rule: "Rule") -> str:
    when = " ".join(f"{at:%H:%M}" for at in rule.at) if rule.every is None else f"every {rule.every} min"
    days = {"all": "", "working": " on working days"}.get(rule.on.text, f" on {rule.on.text}")
    return when + days


@click.command()
@click.argument("key", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a list (or, with a key, one source) as JSON.")
@click.pass_obj
def status(house: House, key: str | None, as_json: bool) -> None:
    """Show how each source stands."""
    from panel import gateways
    from panel.engine import lease

    now = utcnow()
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
        asked = gateways.gateways(session, house.config)
        if as_json:
            behind = {source: one.to_dict() for one in asked for source in one.sources}
            told = [
                {
                    **sync.to_dict(),
                    **lateness.timeliness(sync, now).to_dict(),
                    "gateway": behind.get(sync.key),
                }
                for sync in syncs
            ]
            click.echo(json.dumps(told[0] if key is not None else told, ensure_ascii=False))
            return
        table = Table("source", "status", "data as of", "records", "next run", "automatic", box=None)
        for sync in syncs:
            records = "–" if sync.records is None else f"{sync.records:,}"
            if sync.records_delta:
                records += f" ({sync.records_delta:+,})"
            table.add_row(
                sync.key,
                " ".join(part for part in (sync.status or "never run", sync.error_code) if part),
                moment(sync.data_as_of),
                records,
                moment(sync.next_run_at),
                schedule_words(sync, now),
            )
        Console().print(table)
        for one in asked:
            if key is None or key in one.sources:
                click.secho(lamp_words(one), fg=COLOURS[one.light])
        for sync in syncs:
            for line in lateness.timeliness(sync, now).in_words(sync):
                click.secho(f"{sync.key}: {line}", fg="red")
            if sync.last_run is not None and sync.last_run.waiting and sync.last_run.status in ACTIVE:
                click.echo(f"{sync.key}: {waiting_words(sync.last_run.waiting)}")
            if sync.last_run is not None and sync.last_run.error_message:
                click.echo(f"{sync.key}: {sync.last_run.error_message}")
            if sync.paused_reason is not None:
                click.echo(
                    f"{sync.key}: paused after an undo; go on with: python -m panel schedule {sync.key} --resume"
                )
            elif sync.is_paused(now):
                click.echo(f"{sync.key}: {schedule_words(sync, now)} (Tehran), then it goes on by itself")
    if not led:
        say("No engine is running: schedules wait. Start it with: python -m panel up")
