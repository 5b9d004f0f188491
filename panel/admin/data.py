"""The data browser's pages: a table with search, and one row whole. Looking only."""

from collections.abc import Mapping

from flask import abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_babel import ngettext

from panel import browse
from panel.admin import (
    base,
    day_boxes,
    facet_boxes,
    list_columns,
    listed,
    person_page,
    saved_views,
    show,
)
from panel.admin.export_pages import ExportPages, recent
from panel.admin.values import may_see, row_url, shown
from panel.auth.locale import current
from panel.exports import orders
from panel.extensions import db


class DataView(ExportPages, base.PanelView):
    """What the database has now."""

    def __init__(self) -> None:
        super().__init__(name=lazy("Data"), url="/data", endpoint="data")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        first = next(iter(browse.tables()), None)
        if first is None:
            return self.render("data_none.html")
        return redirect(url_for("data.table", table_name=first))

    @expose("/<table_name>")
    def table(self, table_name: str) -> ResponseReturnValue:
        url = base.config().data_database_url
        table = _table(table_name)
        there = browse.is_there(url, table)
        table = list_columns.with_more(url, table) if there else table
        wanted = listed.asked(table, request.args)
        columns = list_columns.shown(table, request.args.get("columns", ""))
        address = listed.Address(table, wanted, columns.names if columns.in_address else ())
        spans = listed.spans(table, request.args)
        problems = [text for span in spans.values() for text in span.problems]
        page = browse.listing(url, table, wanted, columns.names) if there else None
        return self.render(
            "data.html",
            table=table,
            tables=browse.tables(),
            page=page,
            wanted=wanted,
            address=address,
            shared=request.url_root.rstrip("/") + address.with_columns(columns.names).here(),
            views=saved_views.of(table, address),
            files=recent(table),
            most_rows=orders.MOST_ROWS,
            chosen=columns,
            choosable=[
                (column, table.label_of(column, current()), column in columns.names)
                for column in list_columns.choosable(table)
            ],
            facets=facet_boxes.boxes(table, page.facets) if page else [],
            days=[
                (column, table.label_of(column, current()), *_typed(column, request.args))
                for column in table.stream.days
            ],
            problems=problems,
            searched=_searched(table),
            columns=[(column, table.label_of(column, current())) for column in columns.names],
            may_sort=lambda column: page is not None and column in page.sortable and may_see(table, column),
            shown=lambda column, value: shown(table, column, value),
            row_url=lambda row: row_url(table, row),
            list_count=_count,
            locale_code=current(),
        )

    @expose("/<table_name>/columns", methods=["POST"])
    def columns(self, table_name: str) -> ResponseReturnValue:
        """Keep which columns this person wants to see of a table; back to the list as it was."""
        table, address = _list_of_form(table_name)
        own = "reset" in request.form
        list_columns.remember(table, [] if own else request.form.getlist("column"))
        db.session.commit()
        return redirect(address.with_columns(()).here())

    @expose("/<table_name>/views", methods=["POST"])
    def save_view(self, table_name: str) -> ResponseReturnValue:
        """Keep a list under a name, with its columns."""
        table, address = _list_of_form(table_name)
        name = saved_views.save(table, request.form.get("name", ""), address)
        db.session.commit()
        if name is None:
            text = _("The view was not saved. It needs a name, and there can be %(n)s of one table.",
                     n=show.number(saved_views.MOST_VIEWS))  # fmt: skip
            return base.done(False, text, address.here())
        return base.done(True, _("The view “%(name)s” is saved.", name=name), address.here())

    @expose("/<table_name>/views/<int:number>/remove", methods=["POST"])
    def remove_view(self, table_name: str, number: int) -> ResponseReturnValue:
        """Forget a view."""
        table, address = _list_of_form(table_name)
        name = saved_views.remove(table, number)
        db.session.commit()
        if name is None:
            return base.done(False, _("There is no such view any more."), address.here())
        return base.done(True, _("The view “%(name)s” is removed.", name=name), address.here())

    @expose("/<table_name>/row")
    def row(self, table_name: str) -> ResponseReturnValue:
        table = _table(table_name)
        url = base.config().data_database_url
        missing = [column for column in table.key if column not in request.args]
        if missing or not browse.is_there(url, table):
            abort(404)
        key = {column: request.args[column][:200] for column in table.key}
        table = browse.with_discovered(url, table)
        found = browse.row(url, table, key)
        if found is not None:
            return self.render("data_row.html", **person_page.page(table, found, url))
        gone = person_page.page_of_gone(table, key[table.key[0]], url) if len(key) == 1 else None
        if gone is None:
            abort(404)
        return self.render("data_row.html", **gone)


def _table(name: str) -> browse.DataTable:
    table = browse.tables().get(name)
    if table is None:
        abort(404)
    return table


def _list_of_form(table_name: str) -> tuple[browse.DataTable, listed.Address]:
    """The list that a form was sent from."""
    url = base.config().data_database_url
    table = list_columns.with_more(url, _table(table_name))
    columns = list_columns.shown(table, request.form.get("columns", ""))
    wanted = listed.asked(table, request.form)
    return table, listed.Address(table, wanted, columns.names if columns.in_address else ())


def _typed(column: str, args: Mapping[str, str]) -> tuple[str, str]:
    """What stands in the boxes of a column's days."""
    since, until = (args.get(f"{word}_{column}", "")[: day_boxes.LONGEST] for word in ("since", "until"))
    return since, until


def _count(page: browse.Listing) -> str:
    """How many rows there are, or that nobody counted them."""
    if page.total is None and (page.before or page.after):
        if not page.more_than:
            return _("Not counted")
        return _(
            "More than %(n)s rows: so many fit that they were not counted.", n=show.number(page.more_than)
        )
    n = len(page.rows) if page.total is None else page.total
    return ngettext("%(n)s row", "%(n)s rows", n, n=show.number(n))


def _searched(table: browse.DataTable) -> str:
    """The columns that the search looks into, so that nobody wonders at what it finds."""
    comma = "، " if current() == "fa" else ", "
    return comma.join(table.label_of(column, current()) for column in table.stream.search)
