"""The page of one source: how its records and its durations went, month by month, as charts and as a table."""

import json
from datetime import datetime
from typing import Any

from flask import Response, abort, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from sqlalchemy import select

from fetchers.core.clean.jalali import to_jalali
from panel import persian, trend
from panel.admin import base, reports, show, sources
from panel.auth.locale import current
from panel.clock import utcnow
from panel.extensions import db
from panel.models import DataSync
from panel.trend import Point, Trend

# In which unit a chart shows durations, by the longest: up to so many seconds, how many make one, what it is called.
UNITS = (
    (180.0, 1, lazy("seconds")),
    (3 * 3600.0, 60, lazy("minutes")),
    (float("inf"), 3600, lazy("hours")),
)


class SourcesView(base.PanelView):
    """One source over the months. Not in the menu: the status table leads here."""

    below = "admin"

    def __init__(self) -> None:
        super().__init__(name=lazy("Source"), url="/sources", endpoint="sources")

    def is_visible(self) -> bool:
        return False

    @expose("/")
    def index(self) -> ResponseReturnValue:
        return redirect(url_for("admin.index"))

    @expose("/<key>")
    def one(self, key: str) -> ResponseReturnValue:
        sync, now = _sync(key), utcnow()
        found = trend.trend(db.session(), sync.id, now)
        return self.render(
            "source.html",
            sync=sync,
            label=sources.label(sync.fetcher),
            counted=sources.counted(sync.fetcher),
            months=trend.by_month(found.points),
            with_charts=len(found.points) > 1,
            month_name=reports.month_name,
            by_day=found.by_day,
            days=base.config().keep.runs,
            now=now,
        )

    @expose("/<key>/trend")
    def trend(self, key: str) -> ResponseReturnValue:
        """What static/charts.js draws, as JSON: all that is read in it is in the reader's words and digits."""
        told = drawn(trend.trend(db.session(), _sync(key).id, utcnow()))
        return Response(json.dumps(told, ensure_ascii=False), mimetype="application/json")


def drawn(found: Trend) -> dict[str, Any]:
    """A trend for a script that knows no calendar: moments as seconds, and of each what is said of it."""
    points = found.points
    kind, at = trend.marks(points)
    longest = max((point.longest or 0.0 for point in points), default=0.0)
    _upto, size, unit = next(one for one in UNITS if longest <= one[0])
    several = any(point.syncs > 1 for point in points)
    durations = [_series(_("Average") if several else _("Duration"), [point.mean for point in points], size)]
    if several:
        durations.append(_series(_("Longest"), [point.longest for point in points], size))
    records = [point.records for point in points]
    return {
        "x": [round(point.at.timestamp()) for point in points],
        "labels": [_when(point, found.by_day) for point in points],
        "marks": [{"x": round(moment.timestamp()), "text": _mark(moment, kind)} for moment in at],
        "charts": {
            "records": {
                "unit": "",
                "series": [
                    {"name": _("Records"), "values": records, "told": [show.number(one) for one in records]}
                ],
            },
            "durations": {"unit": str(unit), "series": durations},
        },
    }


def _series(name: str, seconds: list[float | None], size: int) -> dict[str, Any]:
    return {
        "name": name,
        "values": [None if one is None else round(one / size, 2) for one in seconds],
        "told": [show.duration(one) for one in seconds],
    }


def _when(point: Point, by_day: bool) -> str:
    locale = current()
    return persian.jalali_date(point.at, locale) if by_day else persian.jalali_datetime(point.at, locale)


def _mark(moment: datetime, kind: str) -> str:
    """What stands below the chart: a Jalali month by its name in either language, the first of a year with the year; a
    day as elsewhere; or the hour.
    """
    locale, here = current(), persian.tehran(moment)
    day = to_jalali(here)
    if kind == "months":
        named = persian.jalali_month(day.year, day.month, locale)
        return named if day.month == 1 else named.rsplit(" ", 1)[0]
    if kind == "hours":
        return persian.digits(f"{here:%H:%M}", locale)
    return persian.jalali_date(moment, locale).rsplit(" ", 1)[0]


def _sync(key: str) -> DataSync:
    found = db.session.scalar(select(DataSync).where(DataSync.key == key))
    if found is None:
        abort(404)
    return found
