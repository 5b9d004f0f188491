"""«تقویم»: holidays and registration weeks by which schedules go, the working days, and the clock."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from flask import abort, flash, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from sqlalchemy import select
from sqlalchemy.orm import Session

from fetchers.core.clean import to_jalali
from panel import audit, holidays, persian
from panel.admin import base, schedule_form, show
from panel.admin.guarded import actor
from panel.auth.locale import current
from panel.auth.roles import requires
from panel.clock import utcnow
from panel.engine import schedule
from panel.engine.days import WEEK, ScheduleError
from panel.extensions import db
from panel.models import CalendarSpan
from panel.zones import TEHRAN

PROBLEMS_SHOWN = 20
KIND_WORDS = {"holiday": lazy("Holiday"), "registration": lazy("Registration weeks")}


@dataclass(frozen=True)
class Entry:
    """One line of the list, as it is drawn."""

    id: int
    kind: str
    word: str
    first: str
    last: str | None  # none where it is one day
    weekdays: str
    days: int
    name: str | None
    over: bool


class CalendarView(base.PanelView):
    """Everybody sees the calendar, administrators change it."""

    def __init__(self) -> None:
        super().__init__(name=lazy("Calendar"), url="/calendar", endpoint="calendar")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        session, now = db.session(), utcnow()
        today = now.astimezone(TEHRAN).date()
        spans = session.scalars(select(CalendarSpan).order_by(CalendarSpan.first, CalendarSpan.id)).all()
        years = sorted({to_jalali(span.first).year for span in spans} | {to_jalali(today).year})
        year = _year(years, to_jalali(today).year)
        chosen = holidays.settings(session)
        names = schedule_form.weekday_names()
        return self.render(
            "calendar.html",
            entries=[_entry(span, now) for span in spans if to_jalali(span.first).year == year],
            years=[(one, show.digits(one)) for one in years],
            year=year,
            kinds=KIND_WORDS,
            week=[(day, names[day], day in chosen.working_days) for day in WEEK],
            zone=chosen.zone,
            troubles=[show.trouble(one) for one in holidays.troubles(session, today)],
        )

    @expose("/settings", methods=["POST"])
    @requires("admin")
    def settings(self) -> ResponseReturnValue:
        """Working days and clock."""
        session = db.session()
        days = [day for day in WEEK if f"day_{day}" in request.form]
        try:
            news = holidays.choose(session, zone=request.form.get("zone", ""), working_days=days)
        except ScheduleError as error:
            session.rollback()
            return base.done(False, _(error.text, **error.params), url_for("calendar.index"))
        if news:
            _changed(session, "calendar_changed")
        return base.done(True, _("Saved."), url_for("calendar.index"))

    @expose("/add", methods=["POST"])
    @requires("admin")
    def add(self) -> ResponseReturnValue:
        """One entry, as typed."""
        session, form = db.session(), request.form
        try:
            line = holidays.entry(
                form.get("kind", ""), form.get("first", ""), form.get("last", ""), form.get("name", "")
            )
        except ScheduleError as error:
            return base.done(False, show.digits(_(error.text, **error.params)), url_for("calendar.index"))
        written = holidays.write(session, [line], keep=True)
        if written.added or written.renamed:
            _changed(session, "calendar_changed", added=written.added)
        back = url_for("calendar.index", year=to_jalali(line.first).year)
        return base.done(True, _("Added.") if written.added else _("This is on the calendar already."), back)

    @expose("/<int:entry_id>/remove", methods=["POST"])
    @requires("admin")
    def remove(self, entry_id: int) -> ResponseReturnValue:
        """Take one entry off."""
        session = db.session()
        span = session.get(CalendarSpan, entry_id)
        if span is None:
            abort(404)
        year = to_jalali(span.first).year
        session.delete(span)
        session.flush()
        _changed(session, "calendar_changed", removed=1)
        return base.done(True, _("Removed."), url_for("calendar.index", year=year))

    @expose("/import", methods=["POST"])
    @requires("admin")
    def import_(self) -> ResponseReturnValue:
        """Take a file of days: it replaces what is listed of its kinds and Jalali years."""
        session, back = db.session(), url_for("calendar.index")
        file = request.files.get("file")
        if file is None or not file.filename:
            return base.done(False, _("Choose a file first."), back)
        try:
            reading = holidays.read_text(file.read())
        except holidays.CalendarFileError as error:
            why = _(error.text, **error.params)
            return base.done(False, _("The file was not taken: %(reason)s", reason=why), back)
        for problem in reading.problems[:PROBLEMS_SHOWN]:
            what = show.digits(_(problem.text, **problem.params))
            flash(_("Line %(line)s: %(what)s", line=show.digits(problem.line), what=what), "warning")
        if not reading.lines:
            return base.done(False, _("There is no day in this file."), back)
        written = holidays.write(session, reading.lines)
        _changed(session, "calendar_imported", added=written.added, removed=written.removed)
        text = _(
            "Calendar: %(added)s added, %(removed)s removed, %(unchanged)s as they were.",
            added=show.number(written.added),
            removed=show.number(written.removed),
            unchanged=show.number(written.unchanged + written.renamed),
        )
        year = max(to_jalali(line.first).year for line in reading.lines)
        return base.done(True, text, url_for("calendar.index", year=year))


def _changed(session: Session, action: str, **details: Any) -> None:
    """What follows from every change: schedules are planned anew, the trail has a line."""
    schedule.replan(session, utcnow())
    audit.record(session, **actor(), action=action, **details)
    session.commit()


def _year(years: list[int], otherwise: int) -> int:
    text = request.args.get("year", "")
    year = int(text) if text.isascii() and text.isdigit() and len(text) == 4 else otherwise
    return year if year in years else otherwise


def _entry(span: CalendarSpan, now: datetime) -> Entry:
    begin, end = (datetime.combine(day, time(12), tzinfo=TEHRAN) for day in (span.first, span.last))
    days = [persian.weekday(begin, current())]
    if span.last != span.first:
        days.append(persian.weekday(end, current()))
    return Entry(
        id=span.id,
        kind=span.kind,
        word=str(KIND_WORDS.get(span.kind, span.kind)),
        first=_day(begin),
        last=_day(end) if span.last != span.first else None,
        weekdays=" – ".join(days),
        days=(span.last - span.first).days + 1,
        name=span.name,
        over=span.last < now.astimezone(TEHRAN).date(),
    )


def _day(noon: datetime) -> str:
    """A day as the calendar page shows it in every language: Jalali, for that is what the file has."""
    return show.digits(to_jalali(noon))
