"""Time zones by their IANA names, from the tzdata package: a system older than 2022 still has summer time in Tehran."""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

_NAME = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,2}")


class UnknownZone(ValueError):
    """There is no time zone of this name."""


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name such as Asia/Tehran; UnknownZone for anything else."""
    if not _NAME.fullmatch(name):
        raise UnknownZone(name)
    file = resources.files("tzdata.zoneinfo").joinpath(*name.split("/"))
    try:
        with file.open("rb") as content:
            return ZoneInfo.from_file(content, key=name)
    except (OSError, ValueError) as error:
        raise UnknownZone(name) from error


TEHRAN = zone("Asia/Tehran")


def instant(day: date, at: time, where: ZoneInfo) -> datetime | None:
    """The moment (UTC) at which a clock there shows this time on this day; None where there was no such day.

    A time that occurs twice is the first of the two. One that a clock change leaves out is the moment of the
    change, so that whatever is due daily is due once on such a day too.
    """
    local = datetime.combine(day, at)
    moment = local.replace(tzinfo=where).astimezone(UTC)
    if _shown(moment, where) == local:
        return moment
    change = _change_before(moment, where)
    if _shown(change, where).date() == day:
        return change
    # The change leads over midnight: the last minute before it, unless it leaves out the whole day.
    before = change - timedelta(minutes=1)
    return before if _shown(before, where).date() == day else None


def _shown(moment: datetime, where: ZoneInfo) -> datetime:
    return moment.astimezone(where).replace(tzinfo=None)


def _change_before(moment: datetime, where: ZoneInfo) -> datetime:
    """The clock change, to the second, within the two days before a moment that lies after it."""
    offset = moment.astimezone(where).utcoffset()
    early, late = moment - timedelta(days=2), moment
    while late - early > timedelta(seconds=1):
        middle = (early + (late - early) / 2).replace(microsecond=0)
        if middle <= early:
            middle = early + timedelta(seconds=1)
        if middle.astimezone(where).utcoffset() == offset:
            late = middle
        else:
            early = middle
    return late
