"""Files of the data browser's lists: ordered, watched while they are made, and taken away. Everybody sees their own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import abort, redirect, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_babel import ngettext
from flask_login import current_user

from fetchers.core.clean import to_jalali
from panel import browse, persian
from panel.admin import base, list_columns, listed, show
from panel.auth.locale import current
from panel.auth.roles import requires
from panel.clock import utcnow
from panel.exports import orders, sheet, starting
from panel.exports.orders import CANCELLED, DONE, FAILED, MAKING, Order, State
from panel.sheets import CSV, XLSX

KIND_WORDS = {"xlsx": lazy("Excel file"), "csv": lazy("CSV file")}
ERROR_WORDS = {
    "disk_full": lazy(
        "The server’s disk is full, so the file could not be written. The data are safe. Whoever looks after the "
        "server must make room; then make the file again."
    ),
    "database": lazy(
        "The database could not be read to the end. Nothing was changed. Make the file again in a moment; if it fails "
        "again, the page “Status” says what is wrong."
    ),
    "too_long": lazy(
        "It took more than ten minutes and was ended. Nothing was changed. Narrow the list, or choose fewer columns, "
        "and make the file again."
    ),
    "lost": lazy(
        "The program that made the file was ended before it was ready, perhaps by a restart of the server. Nothing was "
        "changed. Make the file again."
    ),
    "unknown": lazy(
        "The file could not be made. Nothing was changed. Make it again; if it fails again, the log of the panel on "
        "the server says why."
    ),
}


@dataclass(frozen=True)
class Shown:
    """One file as a page shows it. text: one line about how far it is. until: when it goes, from now."""

    order: Order
    state: State
    label: str
    kind: str
    text: str
    until: str
    url: str

    @property
    def making(self) -> bool:
        """Whether it is being made now."""
        return self.state.state == MAKING

    @property
    def done(self) -> bool:
        """Whether it can be taken away."""
        return self.state.state == DONE

    @property
    def failed(self) -> bool:
        """Whether it will never be."""
        return self.state.state == FAILED


class ExportPages:
    """The part of the data browser's view that is about files."""

    render: Any

    @expose("/<table_name>/export", methods=["POST"])
    @requires("operator")
    def export(self, table_name: str) -> ResponseReturnValue:
        """Order the list as a file, as it is seen: narrowed, sorted, with these columns."""
        config = base.config()
        table = browse.tables().get(table_name)
        if table is None or not browse.is_there(config.data_database_url, table):
            abort(404)
        table = list_columns.with_more(config.data_database_url, table)
        wanted = listed.asked(table, request.form)
        columns = list_columns.shown(table, request.form.get("columns", ""))
        back = listed.Address(table, wanted, columns.names if columns.in_address else ()).here()
        problems = [text for span in listed.spans(table, request.form).values() for text in span.problems]
        if problems:
            return base.done(False, " ".join(problems), back)
        now = utcnow()
        orders.forget_old(config, now)
        if orders.making(config, now) >= orders.AT_ONCE:
            text = _(
                "Other files are being made just now, and too many at once would slow everything. "
                "Try again in a minute."
            )
            return base.done(False, text, back)
        page = browse.listing(config.data_database_url, table, wanted, (), size=1)
        kind = request.form.get("as")
        order = Order(
            name=orders.new_name(),
            user_id=current_user.id,
            username=current_user.username,
            address=request.remote_addr,
            table=table.name,
            wanted=wanted,
            columns=columns.names,
            kind=kind if kind in orders.KINDS else "xlsx",
            locale=current(),
            sees_personal=bool(current_user.can("admin")),
            total=page.total,
            at=now,
        )
        starting.start(config, orders.write(config, order))
        return redirect(url_for("data.exported", export_id=order.name), 303)

    @expose("/exports/<uuid:export_id>")
    def exported(self, export_id: UUID) -> ResponseReturnValue:
        """How far a file is; and when it is there, where."""
        one = _mine(export_id)
        return self.render("export.html", one=one, seconds=base.ACTIVE_SECONDS, **_words())

    @expose("/exports/<uuid:export_id>/live")
    def exported_live(self, export_id: UUID) -> ResponseReturnValue:
        """The moving part of that page."""
        one = _mine(export_id)
        html = self.render("parts/export_state.html", one=one, **_words())
        return base.fragment(html, active=one.making, announce=[] if one.making else [one.text])

    @expose("/exports/<uuid:export_id>/file")
    def export_file(self, export_id: UUID) -> ResponseReturnValue:
        """The file itself."""
        one = _mine(export_id)
        path = orders.file_of(_place(export_id), one.order.kind)
        if not one.done or not path.is_file():
            abort(404)
        today = to_jalali(persian.tehran(one.order.at))
        return send_file(
            path,
            mimetype=XLSX if one.order.kind == "xlsx" else CSV,
            as_attachment=True,
            download_name=sheet.file_name(one.order.table, one.order.kind, today),
        )

    @expose("/exports/<uuid:export_id>/cancel", methods=["POST"])
    @requires("operator")
    def cancel_export(self, export_id: UUID) -> ResponseReturnValue:
        """Make it no further."""
        one = _mine(export_id)
        if one.making:
            orders.stop(_place(export_id))
        return base.done(True, _("The file is not made any further."), one.url)


def recent(table: browse.DataTable) -> list[Shown]:
    """This person's files of a table that are still kept, the newest first."""
    config = base.config()
    found = orders.of_user(config, current_user.id)
    return [
        _shown(order, orders.folder(config) / order.name) for order in found if order.table == table.name
    ][:3]


def _place(export_id: UUID) -> Path:
    return orders.folder(base.config()) / str(export_id)


def _mine(export_id: UUID) -> Shown:
    """The file of this name, of whoever asks; with personal data only while they may see those."""
    order = orders.read(_place(export_id))
    allowed = order is not None and order.user_id == current_user.id
    if order is None or not allowed or (order.sees_personal and not current_user.can("admin")):
        abort(404)
    return _shown(order, _place(export_id))


def _shown(order: Order, place: Path) -> Shown:
    state = orders.state_of(place, utcnow())
    table = browse.tables().get(order.table)
    return Shown(
        order,
        state,
        table.label(current()) if table else order.table,
        str(KIND_WORDS[order.kind]),
        _text(order, state),
        persian.relative(order.at + orders.KEPT, utcnow(), current()),
        url_for("data.exported", export_id=order.name),
    )


def _text(order: Order, state: State) -> str:
    rows = ngettext("%(n)s row", "%(n)s rows", state.rows, n=show.number(state.rows))
    if state.state == MAKING:
        if order.rows is None:
            return _("%(rows)s so far", rows=rows)
        return _("%(n)s of %(all)s rows", n=show.number(state.rows), all=show.number(order.rows))
    if state.state == DONE:
        return _(
            "Ready: %(rows)s, %(size)s MB", rows=rows, size=show.number(max(0.1, round(state.size / 1e6, 1)))
        )
    if state.state == CANCELLED:
        return _("Cancelled; no file was made.")
    return _("No file was made.")


def _words() -> dict[str, Any]:
    return {"error_words": ERROR_WORDS, "most_rows": orders.MOST_ROWS}
