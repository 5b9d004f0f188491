"""The part of the settings form that says when a source is synced by itself, and what it will come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from sqlalchemy.orm import Session

from fetchers.core.clean import ascii_digits, to_jalali
from panel import audit, holidays, persian, upcoming
from panel.admin import show
from panel.auth.locale import current
from panel.engine import pause, schedule, windows
from panel.engine.days import ALL, WEEK, WORKING, ScheduleError
from panel.engine.windows import Rules, Typed
from panel.models import DataSync, SkippedTick
from panel.zones import TEHRAN

TIMES_SHOWN = 5
SKIPPED_SHOWN = 5
# What people begin with who have never chosen anything.
NIGHT, OFTEN = "02:30", "15"
BEFORE, AFTER = "14", "21"
# Ready-made schedules by the calendar; each is also one that can be put together in detail.
READY_MADE = ("nightly", "registration")
ON_WORDS = {
    WORKING: lazy("working days"),
    ALL: lazy("every day"),
    "week": lazy("these days of the week:"),
    "dates": lazy("these days of the Jalali month:"),
}


@dataclass(frozen=True)
class Wish:
    """A schedule as it was typed, read and not yet checked."""

    kind: str
    interval: int | None = None
    cron: str | None = None
    rules: Rules | None = None


@dataclass(frozen=True)
class Coming:
    """What a schedule comes to: its next times, or what is wrong with it; notes: what is missing on the calendar."""

    times: list[datetime]
    wrong: str | None = None
    notes: tuple[str, ...] = ()
    paused: bool = False


@dataclass(frozen=True)
class Part:
    """The schedule's part of the form, ready to be drawn. values: what stands in each box, by its name."""

    kind: str
    values: Mapping[str, str]
    week: list[tuple[str, str, bool]]
    not_on_holidays: bool
    coming: Coming
    skipped: list[tuple[SkippedTick, str]]
    clock: str | None  # the zone by which it goes, where that is not Tehran's
    working_days: str


def part(
    sync: DataSync,
    session: Session,
    now: datetime,
    typed: Mapping[str, str],
    keys: Sequence[str] | None = None,
) -> Part:
    """The part as it stands; what somebody typed a moment ago and could not be saved is still in it.

    keys: as `coming` has it.
    """
    calendar = holidays.calendar(session)
    rules = schedule.rules_of(sync)
    posted = "schedule_kind" in typed
    stored = _boxes(sync, rules)
    if sync.paused_until is not None and sync.paused_until <= now:
        stored["paused_until"] = ""
    chosen = rules.usual.on.weekdays if rules is not None and rules.usual is not None else None
    chosen = chosen or calendar.working_days
    names = weekday_names()
    return Part(
        kind=typed.get("schedule_kind", _kind(sync, rules)),
        values={name: typed.get(name, value) for name, value in stored.items()},
        week=[(day, names[day], f"cal_{day}" in typed if posted else day in chosen) for day in WEEK],
        not_on_holidays="cal_holidays" in typed if posted else rules is None or not rules.holidays,
        coming=coming(sync, typed or None, session, now, keys),
        skipped=[
            (tick, _(upcoming.REASONS.get(tick.reason, tick.reason)))
            for tick in upcoming.skipped(session, sync, SKIPPED_SHOWN)
        ],
        clock=calendar.zone.key if calendar.zone.key != TEHRAN.key else None,
        working_days=show.listed(names[day] for day in WEEK if day in calendar.working_days),
    )


def coming(
    sync: DataSync,
    typed: Mapping[str, str] | None,
    session: Session,
    now: datetime,
    keys: Sequence[str] | None = None,
) -> Coming:
    """What a schedule comes to as typed (null: as saved). Changes nothing.

    keys: the sources that are to have it; null: this one alone.
    """
    calendar = holidays.calendar(session)
    draft = sync
    if typed is not None:
        try:
            wish = read(typed)
            until = _until(sync, typed, now)
        except ScheduleError as error:
            return Coming([], show.digits(_(error.text, **error.params)))
        wrong = schedule.check_schedule(wish.kind, wish.interval, wish.cron, wish.rules, calendar, now)
        if wrong:
            return Coming([], _(wrong))
        draft = DataSync(key=sync.key, paused_reason=sync.paused_reason, paused_until=until)
        schedule.set_schedule(draft, wish.kind, wish.interval, wish.cron, wish.rules, calendar, now)
        if wish == saved(sync):
            draft.next_run_at = sync.next_run_at
    rules = schedule.rules_of(draft)
    today = now.astimezone(TEHRAN).date()
    theirs = [sync.key] if keys is None else keys
    troubles = holidays.troubles_of(dict.fromkeys(theirs, rules) if rules is not None else {}, session, today)
    times = schedule.upcoming(draft, now, calendar, TIMES_SHOWN)
    return Coming(times, None, tuple(show.trouble(one) for one in troubles), draft.paused_reason is not None)


def save(
    sync: DataSync,
    typed: Mapping[str, str],
    session: Session,
    actor: str,
    address: str | None,
    now: datetime,
) -> str | None:
    """Write the schedule and the pause that were typed; what is wrong, if something is."""
    if "schedule_kind" not in typed:
        return None
    calendar = holidays.calendar(session)
    try:
        wish = read(typed)
        until = _until(sync, typed, now)
    except ScheduleError as error:
        return show.digits(_(error.text, **error.params))
    if wish != saved(sync):
        wrong = schedule.check_schedule(wish.kind, wish.interval, wish.cron, wish.rules, calendar, now)
        if wrong:
            return _(wrong)
        schedule.set_schedule(sync, wish.kind, wish.interval, wish.cron, wish.rules, calendar, now)
        audit.record(session, actor, "schedule_changed", sync.key, address, kind=wish.kind)
    if until != sync.paused_until and until is not None:
        pause.pause(session, sync, until, now, actor, address)
    elif until is None and sync.paused_until is not None and sync.paused_until > now:
        sync.paused_until, sync.updated_at = None, now
        audit.record(session, actor, "sync_resumed", sync.key, address)
    return None


def read(typed: Mapping[str, str]) -> Wish:
    """What was typed into the boxes. Raises ScheduleError."""
    kind = typed.get("schedule_kind", "off")
    if kind == "interval":
        minutes = ascii_digits(typed.get("interval_minutes", "").strip())
        return Wish(kind, interval=int(minutes) if minutes.isdigit() and len(minutes) < 9 else None)
    if kind == "cron":
        return Wish(kind, cron=ascii_digits(" ".join(typed.get("cron", "").split())) or None)
    if kind == "nightly":
        return Wish("calendar", rules=windows.read(Typed(at=typed.get("night_at", ""))))
    if kind == "registration":
        often = Typed(at=typed.get("often_at", ""), registration=typed.get("often_minutes", ""))
        if not often.registration.strip():
            raise ScheduleError(windows.NO_MINUTES)
        return Wish("calendar", rules=windows.read(often))
    return Wish(kind, rules=windows.read(_in_detail(typed)) if kind == "calendar" else None)


def _in_detail(typed: Mapping[str, str]) -> Typed:
    on = typed.get("cal_on", WORKING)
    if on == "week":
        on = " ".join(day for day in WEEK if f"cal_{day}" in typed) or ","
    elif on == "dates":
        on = typed.get("cal_dates", "").strip() or ","
    around = typed.get("cal_weeks") == "terms"
    return Typed(
        at=typed.get("cal_at", ""),
        every=typed.get("cal_minutes", ""),
        on=on,
        registration=typed.get("cal_busy", ""),
        registration_on=typed.get("cal_busy_on", ALL),
        weeks=f"{typed.get('cal_before', '')},{typed.get('cal_after', '')}" if around else "",
        quiet_from=typed.get("cal_quiet_from", ""),
        quiet_to=typed.get("cal_quiet_to", ""),
        holidays="cal_holidays" not in typed,
    )


def saved(sync: DataSync) -> Wish:
    """The schedule that a source has."""
    return Wish(sync.schedule_kind, sync.interval_minutes, sync.cron, schedule.rules_of(sync))


def _kind(sync: DataSync, rules: Rules | None) -> str:
    """Which of the form's choices a saved schedule is: a ready-made one is recognised by what it says."""
    if rules is None or rules.usual is None:
        return sync.schedule_kind
    at = " ".join(f"{one:%H:%M}" for one in rules.usual.at)
    often = str(rules.registration.every) if rules.registration is not None else ""
    if at and rules == windows.read(Typed(at=at, registration=often)):
        return READY_MADE[bool(often)]
    return sync.schedule_kind


def _boxes(sync: DataSync, rules: Rules | None) -> dict[str, str]:
    """What the boxes hold of a saved schedule."""
    usual, busy = (rules.usual, rules.registration) if rules is not None else (None, None)
    at = ", ".join(f"{one:%H:%M}" for one in usual.at) if usual is not None else ""
    on = usual.on.text if usual is not None else WORKING
    quiet = [f"{one:%H:%M}" for one in rules.quiet] if rules is not None and rules.quiet else ["", ""]
    around = rules.weeks.around if rules is not None else None
    often = str(busy.every) if busy is not None else ""
    boxes = {
        "interval_minutes": str(sync.interval_minutes or ""),
        "cron": sync.cron or "",
        "night_at": at or NIGHT,
        "often_at": at or NIGHT,
        "often_minutes": often or OFTEN,
        "cal_at": at,
        "cal_minutes": str(usual.every) if usual is not None and usual.every is not None else "",
        "cal_on": on if on in (WORKING, ALL) else "week" if usual and usual.on.weekdays else "dates",
        "cal_dates": usual.on.text if usual is not None and usual.on.dates else "",
        "cal_busy": often,
        "cal_busy_on": busy.on.text if busy is not None else ALL,
        "cal_weeks": "listed" if around is None else "terms",
        "cal_before": BEFORE if around is None else str(around[0]),
        "cal_after": AFTER if around is None else str(around[1]),
        "cal_quiet_from": quiet[0],
        "cal_quiet_to": quiet[1],
        "paused_until": until_text(sync.paused_until),
    }
    if current() == "fa":
        boxes["cal_dates"] = boxes["cal_dates"].replace("last", "آخر")
    return boxes


def until_text(until: datetime | None) -> str:
    """A pause's end as it is typed, in Latin digits, whatever the box shows: Jalali in Persian."""
    if until is None:
        return ""
    here = until.astimezone(TEHRAN)
    return f"{here:%Y-%m-%d %H:%M}" if current() == "en" else f"{to_jalali(here)} {here:%H:%M}"


def _until(sync: DataSync, typed: Mapping[str, str], now: datetime) -> datetime | None:
    """The end of the pause as typed: the stored one where the box was left as it was. Raises ScheduleError."""
    text = typed.get("paused_until", "").strip()
    if not text:
        return None
    return (
        sync.paused_until
        if ascii_digits(text) == until_text(sync.paused_until)
        else pause.read_until(text, now)
    )


def weekday_names() -> dict[str, str]:
    """What people call the days of the week, from Saturday on."""
    names: Any = persian.WEEKDAYS_EN if current() == "en" else persian.WEEKDAYS_FA
    return {day: names[(place + 5) % 7] for place, day in enumerate(WEEK)}
