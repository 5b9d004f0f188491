"""«گزارش ماهانه»: a source's month on one sheet, to print and sign or to save for Excel."""

import io
from typing import Any

from flask import Response, abort, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_login import current_user
from sqlalchemy import select

from panel import audit, persian, report, upcoming
from panel.admin import base, show, sources
from panel.auth.locale import current, direction
from panel.auth.roles import requires
from panel.clock import utcnow
from panel.extensions import db
from panel.models import DataSync
from panel.report import Line, Month
from panel.sheets import XLSX, Book

WHAT = {
    **show.DECISION_WORDS,
    "cancelled": lazy("Run cancelled"),
    "undone": lazy("Run undone"),
}


class ReportsView(base.PanelView):
    """The monthly sheet of each source."""

    below = "runs"

    def __init__(self) -> None:
        super().__init__(name=lazy("Monthly report"), url="/reports", endpoint="reports")

    def is_visible(self) -> bool:
        """The menu is full; the list of runs leads here."""
        return False

    @expose("/")
    def index(self) -> ResponseReturnValue:
        now = utcnow()
        syncs = _syncs()
        if not syncs:
            return self.render("report.html", sheet=None)
        sync, month = _asked(syncs)
        return self.render(
            "report.html",
            sheet=report.sheet(db.session(), sync, month, now),
            sync=sync,
            label=sources.label(sync.fetcher),
            counted=sources.counted(sync.fetcher),
            other_counts=sources.other_counts(sync.fetcher),
            choices=sources.choices(syncs),
            month_name=month_name,
            share=show.share,
            what=WHAT,
            reasons=upcoming.REASONS,
            earlier=month.before(),
            later=month.before(-1) if month < Month.of(now) else None,
            days=base.config().keep.runs,
            now=now,
        )

    @expose("/sheet", methods=["POST"])
    @requires("operator")
    def sheet(self) -> ResponseReturnValue:
        """The same as an Excel file."""
        syncs = _syncs()
        if not syncs:
            abort(404)
        sync, month = _asked(syncs)
        book = io.BytesIO()
        write(book, report.sheet(db.session(), sync, month, utcnow()), sync.fetcher)
        audit.record(
            db.session(),
            current_user.username,
            "report_exported",
            sync.key,
            request.remote_addr,
            month=str(month),
        )
        db.session.commit()
        answer = Response(book.getvalue(), mimetype=XLSX)
        answer.headers["Content-Disposition"] = f"attachment; filename=hamgam-{sync.key}-{month}.xlsx"
        return answer


def month_name(month: Month) -> str:
    """آبان ۱۴۰۵, or Aban 1405."""
    return persian.jalali_month(month.year, month.month, current())


def write(target: io.BytesIO, sheet: report.Sheet, fetcher: str) -> None:
    """Write the sheet: the months, and what was decided in the last of them. fetcher: the key of the source's file."""
    book = Book(target, right_to_left=direction() == "rtl")
    book.sheet(
        sources.label(fetcher)[:31],
        [
            (_("Month"), 16),
            (_("Runs"), 8),
            *((str(show.STATUS_WORDS[status]), 12) for status in _ENDS),
            (_("Success rate (percent)"), 12),
            (_("Longest time without a success (hours)"), 16),
            (_("Usual duration (seconds)"), 14),
            (_("Turns without a run"), 12),
            *((str(show.COUNT_WORDS[name]), 12) for name in report.COUNTS),
            (_("%(what)s afterwards", what=sources.counted(fetcher)), 12),
        ],
    )
    for line in sheet.lines:
        book.row(_cells(line))
    book.sheet(
        _("Decisions"), [(_("When"), 18), (_("What"), 34), (_("Who"), 20), (_("Run"), 8)]
    )  # fmt: skip
    for one in sheet.decisions:
        book.row((show.exact(one.at), str(WHAT.get(one.what, one.what)), one.by, one.run))
    book.close()


_ENDS = ("success", "failed", "held", "cancelled")


def _cells(line: Line) -> tuple[Any, ...]:
    rate = line.success_rate
    return (
        month_name(line.month),
        line.runs,
        *(line.ended.get(status, 0) for status in _ENDS),
        None if rate is None else round(rate * 100, 1),
        None if line.gap is None else round(line.gap / 3600, 1),
        None if line.usual is None else round(line.usual, 1),
        line.skipped,
        *(line.counts.get(name, 0) for name in report.COUNTS),
        line.records,
    )


def _asked(syncs: list[DataSync]) -> tuple[DataSync, Month]:
    """The source and month of an address; the first one and this month, where it names none. 404 for no month."""
    chosen = request.values.get("source")
    sync = next((one for one in syncs if one.key == chosen), syncs[0])
    text = request.values.get("month")
    month = Month.of(utcnow()) if not text else Month.read(text)
    if month is None or month > Month.of(utcnow()):
        abort(404)
    return sync, month


def _syncs() -> list[DataSync]:
    return list(db.session.scalars(select(DataSync).order_by(DataSync.key)))
