"""calendar: holidays, registration weeks, working days, and the clock of the schedules."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from fetchers.core.clean import to_jalali
from panel import audit
from panel.cli.house import ACTOR, House, Refusal, say
from panel.clock import utcnow
from panel.db import writing
from panel.models import CalendarSpan
from panel.zones import TEHRAN


@click.group()
def calendar() -> None:
    """The academic calendar that schedules go by: holidays, registration weeks, working days."""


@calendar.command("list")
@click.option("--year", type=int, help="Only what begins in this Jalali year.")
@click.pass_obj
def list_(house: House, year: int | None) -> None:
    """List what is on it."""
    from panel import holidays

    table = Table("kind", "from", "to", "name", box=None)
    with house.sessions() as session:
        chosen = holidays.settings(session)
        for span in session.scalars(select(CalendarSpan).order_by(CalendarSpan.first, CalendarSpan.id)):
            first = to_jalali(span.first)
            if year in (None, first.year):
                table.add_row(span.kind, str(first), str(to_jalali(span.last)), span.name or "")
        troubles = holidays.troubles(session, utcnow().astimezone(TEHRAN).date())
    Console().print(table)
    click.echo(f"working days: {', '.join(chosen.working_days)}")
    click.echo(f"clock: {chosen.zone}")
    for trouble in troubles:
        say(str(trouble))


@calendar.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--keep", is_flag=True, help="Only add: what is on the list and not in the file stays.")
@click.pass_obj
def import_(house: House, file: Path, keep: bool) -> None:
    """Take holidays and registration weeks from a file of Jalali days, CSV or plain text.

    A line is a day or a first and a last day, then a name: 1405/01/01,1405/01/04,Nowruz. A cell "registration" makes
    registration weeks of it. The file replaces what is listed of its kinds and Jalali years.
    """
    from panel import holidays
    from panel.engine import schedule

    try:
        reading = holidays.read_file(file)
    except holidays.CalendarFileError as error:
        raise Refusal(f"{file}: {error}") from error
    for problem in reading.problems:
        say(f"{file.name}, {problem}")
    if not reading.lines:
        raise Refusal(f"{file}: there is no day in it")
    with writing(house.sessions) as session:
        written = holidays.write(session, reading.lines, keep=keep)
        schedule.replan(session, utcnow())
        audit.record(
            session, ACTOR, "calendar_imported", file.name, added=written.added, removed=written.removed
        )
    click.echo(
        f"{written.added} added, {written.renamed} renamed, {written.unchanged} unchanged, {written.removed} removed"
    )


@calendar.command("set")
@click.option("--working-days", metavar="DAYS", help="Such as sat,sun,mon,tue,wed.")
@click.option(
    "--zone", metavar="ZONE", help="The clock that schedules go by: an IANA name such as Asia/Tehran."
)
@click.pass_obj
def set_(house: House, working_days: str | None, zone: str | None) -> None:
    """Choose the working days, or the clock of schedules by the calendar and by cron."""
    from panel import holidays
    from panel.engine import schedule
    from panel.engine.days import ScheduleError

    if working_days is None and zone is None:
        raise click.UsageError("give --working-days or --zone")
    with writing(house.sessions) as session:
        try:
            news = holidays.choose(
                session,
                zone=zone,
                working_days=None if working_days is None else working_days.replace("،", ",").split(","),
            )
        except ScheduleError as error:
            raise Refusal(str(error)) from error
        if news:
            schedule.replan(session, utcnow())
            audit.record(session, ACTOR, "calendar_changed")
        chosen = holidays.settings(session)
        click.echo(f"working days: {', '.join(chosen.working_days)}; clock: {chosen.zone}")
