"""«دفتر تغییرات»: who appeared, left or changed, over all runs or of one; a search, and a file for Excel."""

import io
from collections.abc import Sequence
from typing import Any

from flask import request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import lazy_gettext as lazy
from flask_login import current_user
from sqlalchemy import select

from panel import audit, diary, persian, rehearsals
from panel.admin import base, change_rows, change_sheet, day_boxes, sources
from panel.admin.quality import campus_names
from panel.auth.locale import current
from panel.auth.roles import requires
from panel.clock import utcnow
from panel.extensions import db
from panel.models import DataSync, SyncRun
from panel.sheets import XLSX

LONGEST_SEARCH = 100


class ChangesView(base.PanelView):
    """The diary over all runs."""

    def __init__(self) -> None:
        super().__init__(name=lazy("Change diary"), url="/changes", endpoint="changes")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        return self.render("changes.html", **page_of(None))

    @expose("/export", methods=["POST"])
    @requires("operator")
    def export(self) -> ResponseReturnValue:
        """The lines that the filters choose, as a file. Who took how much is written down."""
        run = _run(request.form.get("run", ""))
        wanted, problems = wanted_from(request.form, run)
        if problems:
            back = url_for("runs.changes", run_id=run.id) if run else url_for("changes.index")
            return base.done(False, " ".join(problems), back)
        book = io.BytesIO()
        count = change_sheet.write(book, _diary_url(run), wanted, may_see_personal=current_user.can("admin"))
        book.seek(0)
        audit.record(
            db.session(),
            current_user.username,
            "diary_exported",
            request.form.get("source") or None,
            request.remote_addr,
            lines=count,
        )
        db.session.commit()
        return send_file(book, mimetype=XLSX, as_attachment=True, download_name="changes.xlsx")


def page_of(run: SyncRun | None) -> dict[str, Any]:
    """What the diary's page shows: of one run, or over all."""
    wanted, problems = wanted_from(request.args, run)
    of_source = tuple(stream.name for stream in _streams_of(run.sync.key)) if run else wanted.streams
    since = diary.whole_since(_diary_url(run), of_source)
    found = diary.page(_diary_url(run), wanted, number=base.page_number())
    syncs = db.session.scalars(select(DataSync).order_by(DataSync.key)).all()
    return {
        "run": run,
        "label": sources.listing(run.sync).label(current()) if run else None,
        "rows": change_rows.rows(
            base.config().data_database_url, found.changes, _newcomers(run, found.changes)
        ),
        "file_is_gone": run is not None and run.dry_run and not rehearsals.is_kept(base.config(), run),
        "campuses": campus_names(),
        "kind_badge": change_rows.kind_badge,
        "kind_words": change_rows.KIND_WORDS,
        "fields": change_rows.field_choices(),
        "sources": sources.choices(syncs),
        "problems": problems,
        "since": persian.jalali_date(since, current()) if since else None,
        "cut": bool(run and since and run.started_at and run.started_at < since),
        "given": {name: request.args.get(name, "")[:LONGEST_SEARCH] for name in FILTERS},
        "filtered": any(request.args.get(name) for name in FILTERS),
        "here_url": url_for("runs.changes", run_id=run.id) if run else url_for("changes.index"),
        "most_lines": change_sheet.MOST_LINES,
        "page": found.page,
        "pages": found.pages,
        "total": found.total,
        "more": found.more,
        "address_with": base.address_with,
        "now": utcnow(),
    }


FILTERS = ("search", "source", "kind", "field", "since", "until", "key")


def wanted_from(given: Any, run: SyncRun | None) -> tuple[diary.Wanted, list[str]]:
    """The filters of an address or a form, and sentences about those that cannot be read."""
    days = day_boxes.span(given)
    kind = given.get("kind")
    field = given.get("field", "")
    streams = None
    if given.get("source"):
        streams = tuple(stream.name for stream in _streams_of(given["source"]))
    wanted = diary.Wanted(
        run=run.uuid if run else None,
        streams=streams,
        kind=kind if kind in diary.KINDS else None,
        field=field if field in dict(change_rows.field_choices()) else None,
        since=days.since,
        until=days.until,
        words=given.get("search", "")[:LONGEST_SEARCH],
        key=given.get("key", "")[:200] or None,
    )
    return wanted, days.problems


def _diary_url(run: SyncRun | None) -> str:
    return base.config().data_database_url if run is None else rehearsals.diary_url(base.config(), run)


def _newcomers(run: SyncRun | None, lines: Sequence[diary.Change]) -> dict[rehearsals.Place, dict[str, Any]]:
    """Who would appear, by a rehearsal: no table has them yet."""
    if run is None or not run.dry_run:
        return {}
    places = [(line.stream, line.part, line.key) for line in lines if line.kind == "added" and line.key]
    return rehearsals.newcomers(base.config(), run, places)


def _streams_of(key: str) -> list[Any]:
    sync = db.session.scalar(select(DataSync).where(DataSync.key == key))
    return diary.streams_by_source().get(sync.fetcher, []) if sync else []


def _run(text: str) -> SyncRun | None:
    return (
        db.session.get(SyncRun, int(text)) if text.isascii() and text.isdigit() and len(text) < 16 else None
    )
