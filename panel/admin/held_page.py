"""The page of a held run, whom it would remove, and the buttons that decide about it."""

from collections.abc import Iterator
from typing import Any

from flask import Response, abort, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup

from fetchers.core.clean import Text
from fetchers.core.decide import holds
from fetchers.core.errors import FetchError
from panel import audit, decisions, doorbell, held
from panel.admin import base, show, sources, values
from panel.admin.quality import campus_names
from panel.auth.locale import current
from panel.auth.roles import requires
from panel.clock import utcnow
from panel.db import noting
from panel.extensions import db
from panel.models import SyncRun
from panel.sheets import csv_line

ROWS_A_PAGE = 50
MOST_PARTS = 50
LONGEST_SEARCH = 100


class HeldPages:
    """Below /runs/<number>: mixed into the view of runs."""

    @expose("/<int:run_id>/held")
    def held(self, run_id: int) -> ResponseReturnValue:
        run = _run(run_id)
        now = utcnow()
        search, part = _asked()
        number = base.page_number()
        parts, page, trouble = [], holds.Page(0, 0, []), None
        try:
            parts = held.parts(run, base.config())
            page = _page(run, search, part, number)
            pages = max(1, -(-page.total // ROWS_A_PAGE))
            if number > pages:
                number = pages
                page = _page(run, search, part, number)
        except FetchError as error:
            trouble = show.explained(error.code, error.params).what
        one = sources.source(run.sync, db.session(), base.config(), now)
        return self.render(  # type: ignore[attr-defined]
            "held.html",
            run=run,
            hold=run,
            name=one.label,
            label=one.label,
            question=one.question,
            cannot=one.cannot,
            waits=decisions.waits(run),
            decision=show.decision(run, now),
            parts=parts,
            campuses=campus_names(),
            most_parts=MOST_PARTS,
            page=page,
            number_of_page=number,
            pages=max(1, -(-page.total // ROWS_A_PAGE)),
            trouble=trouble,
            columns=held.columns(run),
            shown=_shown,
            search=search,
            part=part,
            address_with=base.address_with,
            locale_code=current(),
            now=now,
        )

    @expose("/<int:run_id>/held.csv")
    @requires("operator")
    def held_export(self, run_id: int) -> ResponseReturnValue:
        """The list as a table that Persian spreadsheets open well, and in which nothing is a formula."""
        run = _run(run_id)
        search, part = _asked()
        try:
            held.parts(run, base.config())
            text = "".join(_csv(run, search, part))
        except FetchError as error:
            return base.done(False, show.explained(error.code, error.params).what, _back(run_id))
        session, key = db.session(), run.sync.key
        with noting(session):
            audit.record(
                session, current_user.username, "hold_exported", key, request.remote_addr, run=run_id
            )
        answer = Response(text.encode("utf-8-sig"), mimetype="text/csv")
        answer.headers["Content-Disposition"] = f"attachment; filename=hamgam-{key}-run-{run_id}.csv"
        return answer

    @expose("/<int:run_id>/approve", methods=["POST"])
    @requires("operator")
    def approve(self, run_id: int) -> ResponseReturnValue:
        """«پذیرش یک‌باره»: a run that publishes what is held."""
        session = db.session()
        run = _run(run_id)
        try:
            asked = decisions.approve(
                session, run, triggered_by="panel", now=utcnow(), user=current_user.username
            )
        except decisions.CannotDecide as error:
            session.rollback()
            return base.done(False, _(str(error)), _back(run_id))
        if not asked.joined:
            _note("hold_accepted", run, by_run=asked.run.id)
        go = url_for("runs.one", run_id=asked.run.id)
        session.commit()
        doorbell.ring(base.config().instance)
        return base.done(True, _("What was held is being published."), _back(run_id), go)

    @expose("/<int:run_id>/reject", methods=["POST"])
    @requires("operator")
    def reject(self, run_id: int) -> ResponseReturnValue:
        """«نگه‌داشتن داده‌های پیشین»: nothing moves."""
        session = db.session()
        run = _run(run_id)
        try:
            decisions.reject(session, run, now=utcnow(), user=current_user.username)
        except decisions.CannotDecide as error:
            session.rollback()
            return base.done(False, _(str(error)), _back(run_id))
        _note("hold_rejected", run)
        session.commit()
        go = _back(run_id) if request.form.get("then") == "run" else None
        return base.done(True, _("The old data stay."), _back(run_id), go)


def _run(run_id: int) -> SyncRun:
    run = db.session.get(SyncRun, run_id) if run_id < 2**63 else None
    if run is None:
        abort(404)
    return run


def _back(run_id: int) -> str:
    return url_for("runs.one", run_id=run_id)


def _asked() -> tuple[str, str | None]:
    return request.args.get("search", "").strip()[:LONGEST_SEARCH], request.args.get("part")


def _page(run: SyncRun, search: str, part: str | None, number: int, rows: int = ROWS_A_PAGE) -> holds.Page:
    return held.vanishing(
        run,
        base.config(),
        sees_personal=current_user.can("admin"),
        search=search,
        part=part,
        offset=(number - 1) * rows,
        limit=rows,
    )


def _note(action: str, run: SyncRun, **details: Any) -> None:
    audit.record(
        db.session(),
        current_user.username,
        action,
        run.sync.key,
        request.remote_addr,
        run=run.id,
        **details,
    )


def _value(column: held.Column, row: holds.Vanishing) -> Any:
    """A cell; where the row is no longer there, its key is still known."""
    if row.row is not None:
        return row.row.get(column.name)
    own = [name for name in column.stream.primary_key if name not in column.stream.partition_columns]
    return dict(zip(own, row.key, strict=False)).get(column.name)


def _shown(column: held.Column, row: holds.Vanishing) -> Markup | str:
    if column.personal and not current_user.can("admin"):
        return values.masked()
    value = _value(column, row)
    if value is None or value == "":
        return Markup('<span class="muted">–</span>')
    if type(column.stream.fields.get(column.name)) is Text:
        return Markup("<bdi>{}</bdi>").format(value)
    return Markup('<span class="ltr">{}</span>').format(value)


def _csv(run: SyncRun, search: str, part: str | None) -> Iterator[str]:
    columns = held.columns(run)
    heads = [column.label(current()) for column in columns]
    yield csv_line([*heads, _("Part"), _("Note")])
    number = 1
    while True:
        page = _page(run, search, part, number, held.EXPORTED_AT_ONCE)
        for row in page.rows:
            cells = [_value(column, row) for column in columns]
            yield csv_line([*cells, show.part_name(row.part), _("moved") if row.moved else ""])
        if len(page.rows) < held.EXPORTED_AT_ONCE:
            return
        number += 1
