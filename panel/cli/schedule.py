"""schedule: when a source is synced by itself, and when that comes next."""

import json
from datetime import datetime
from typing import Any

import click
from sqlalchemy.orm import Session

from fetchers.core.clean import to_jalali
from panel import audit
from panel.cli.house import ACTOR, House, Refusal, say, sync_of
from panel.cli.status import moment, schedule_words
from panel.clock import utcnow
from panel.db import writing
from panel.models import DataSync
from panel.zones import TEHRAN

TIMES = 5
SKIPPED = 5


@click.command()
@click.argument("key")
@click.option("--every", type=int, metavar="MINUTES", help="Sync each so many minutes.")
@click.option("--at", metavar="TIMES", help="Sync at these times of the day: 02:30 or 02:30,14:00.")
@click.option(
    "--on",
    metavar="DAYS",
    help="On these days: working (the default with --at), all, weekdays such as sat,wed, or days of the Jalali "
    "calendar: 1,15, last, 1/13, 12/last.",
)
@click.option(
    "--registration",
    type=int,
    metavar="MINUTES",
    help="In the registration weeks each so many minutes instead.",
)
@click.option(
    "--weeks",
    metavar="WEEKS",
    help="Which weeks those are: listed (in the calendar; the default), or 14,21: so many days before and after "
    "the first of Mehr and of Bahman.",
)
@click.option("--quiet", metavar="FROM-TO", help="Never begin between these times: 22:00-06:00.")
@click.option("--holidays", is_flag=True, help="By the calendar, but on its holidays too.")
@click.option("--cron", metavar="EXPR", help="Sync at these times: five fields.")
@click.option("--off", is_flag=True, help="No automatic sync.")
@click.option(
    "--pause-until",
    metavar="MOMENT",
    help='Rest until then, in Tehran: "1405/10/01 08:00". It goes on by itself.',
)
@click.option(
    "--resume", is_flag=True, help="Go on with the schedule that an undo or --pause-until has paused."
)
@click.option("--json", "as_json", is_flag=True, help="Print schedule, next times and skipped turns as JSON.")
@click.pass_obj
def schedule(house: House, key: str, **given: Any) -> None:
    """Show when a source is synced by itself, and the next five times; or change it.

    A schedule by the calendar has --at, or any of --on, --registration, --weeks, --quiet, --holidays: its days, times
    and registration weeks are those of the house's calendar (python -m panel calendar). A new schedule also ends a
    pause.
    """
    as_json = given.pop("as_json")
    wishes = [name for name, value in given.items() if value is not None and value is not False]
    alone = [name for name in wishes if name in ("cron", "off", "pause_until", "resume")]
    if alone and len(wishes) > 1:
        raise click.UsageError(f"--{alone[0].replace('_', '-')} goes with no other option")
    now = utcnow()
    if wishes == ["resume"]:
        click.echo(_resume(house, key, now))
    elif wishes == ["pause_until"]:
        click.echo(_pause(house, key, given["pause_until"], now))
    elif wishes:
        click.echo(_change(house, key, given, wishes, now))
    with house.sessions() as session:
        sync = sync_of(session, key)
        if as_json:
            click.echo(json.dumps(_told(session, sync, now), ensure_ascii=False))
        elif not wishes:
            _show(session, sync, now)


def _resume(house: House, key: str, now: datetime) -> str:
    from panel import runs

    with writing(house.sessions) as session:
        sync = sync_of(session, key)
        paused = runs.resume(session, sync, now=now)
        if paused:
            audit.record(session, ACTOR, "sync_resumed", key)
        words = schedule_words(sync, now)
    return f"{key}: goes on, {words}" if paused else f"{key}: was not paused, {words}"


def _pause(house: House, key: str, until: str, now: datetime) -> str:
    from panel.engine import pause
    from panel.engine.days import ScheduleError

    try:
        end = pause.read_until(until, now)
    except ScheduleError as error:
        raise Refusal(str(error)) from error
    with writing(house.sessions) as session:
        sync = sync_of(session, key)
        pause.pause(session, sync, end, now, ACTOR)
        words = schedule_words(sync, now)
    return (
        f"{key}: {words} (Tehran)" if words != "off" else f"{key}: off; paused until {moment(end)} (Tehran)"
    )


def _change(house: House, key: str, given: dict[str, Any], wishes: list[str], now: datetime) -> str:
    from panel import holidays, runs
    from panel.engine import schedule as schedules
    from panel.engine import windows
    from panel.engine.days import ScheduleError

    rules = None
    if wishes in (["every"], ["cron"], ["off"]):
        kind = "interval" if given["every"] is not None else wishes[0]
    else:
        kind = "calendar"
        try:
            rules = windows.read(_typed(given))
        except ScheduleError as error:
            raise Refusal(str(error)) from error
    every, cron = given["every"] if kind == "interval" else None, given["cron"]
    with writing(house.sessions) as session:
        sync = sync_of(session, key)
        calendar = holidays.calendar(session)
        problem = schedules.check_schedule(kind, every, cron, rules, calendar, now)
        if problem:
            raise Refusal(problem)
        schedules.set_schedule(sync, kind, every, cron, rules, calendar, now)
        runs.resume(session, sync, now=now)
        words, due = schedule_words(sync, now), sync.next_run_at
        audit.record(session, ACTOR, "schedule_changed", key, kind=kind)
    return f"{key}: {words}" + ("" if due is None else f", next at {moment(due)} (Tehran)")


def _typed(given: dict[str, Any]) -> Any:
    from panel.engine.windows import Typed

    start, dash, end = (given["quiet"] or "-").replace("–", "-").partition("-")
    if not dash:
        raise Refusal(f"--quiet {given['quiet']}: it must look like 22:00-06:00")
    return Typed(
        at=given["at"] or "",
        every="" if given["every"] is None else str(given["every"]),
        on=given["on"] or ("all" if given["every"] is not None else ""),
        registration="" if given["registration"] is None else str(given["registration"]),
        weeks=given["weeks"] or "",
        quiet_from=start,
        quiet_to=end,
        holidays=given["holidays"],
    )


def _told(session: Session, sync: DataSync, now: datetime) -> dict[str, Any]:
    from panel.upcoming import told

    return told(session, sync, now, times=TIMES)


def _show(session: Session, sync: DataSync, now: datetime) -> None:
    from panel import holidays, upcoming
    from panel.engine import schedule as schedules

    calendar = holidays.calendar(session)
    click.echo(f"{sync.key}: {schedule_words(sync, now)}")
    if sync.paused_until is not None and now < sync.paused_until:
        click.echo("It goes on by itself then; at once with --resume.")
    zone = calendar.zone.key
    if zone != TEHRAN.key and sync.schedule_kind in ("cron", "calendar"):
        click.echo(f"Its clock is that of {zone}; the times below are in Tehran time.")
    for at in schedules.upcoming(sync, now, calendar, TIMES):
        here = at.astimezone(TEHRAN)
        click.echo(f"  {to_jalali(here)} {here:%H:%M %a}  ({here:%Y-%m-%d})")
    if sync.schedule_kind != "off" and sync.next_run_at is None:
        say("It does not come due any more: the calendar leaves it no day. See: python -m panel calendar")
    skipped = upcoming.skipped(session, sync, SKIPPED)
    if skipped:
        click.echo("Turns in which no run was started, the newest first:")
    for tick in skipped:
        run = "" if tick.run_id is None else f" (run {tick.run_id})"
        click.echo(f"  {moment(tick.due_at)}  {upcoming.REASONS.get(tick.reason, tick.reason)}{run}")
    for trouble in holidays.troubles(session, now.astimezone(TEHRAN).date()):
        if sync.key in trouble.syncs:
            say(str(trouble))
