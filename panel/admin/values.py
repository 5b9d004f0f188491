"""How values of the destination look on a page, and who may see them."""

from collections.abc import Mapping
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from flask_login import current_user
from markupsafe import Markup, escape

from fetchers.core.clean import Code, Email, JalaliDate, NationalCode, Phone
from panel import browse, persian
from panel.auth.locale import current
from panel.diary import MASK


def name(table: browse.DataTable, row: Mapping[str, Any]) -> str:
    """What a person would call this row: the first two searched columns that hold plain words."""
    return " ".join(str(row[column]) for column in name_columns(table) if row.get(column))


def name_columns(table: browse.DataTable) -> list[str]:
    """The columns of which such a name is made."""
    words = [
        column
        for column in table.stream.search
        if not isinstance(table.field(column), Code | Email | NationalCode | Phone)
        and not table.is_number(column)
        and may_see(table, column)
    ]
    return words[:2]


def may_see(table: browse.DataTable, column: str) -> bool:
    """Personal data are for administrators; nor can others order by them."""
    return not table.is_personal(column) or bool(current_user.can("admin"))


def shown(table: browse.DataTable, column: str, value: Any) -> Markup | str:
    """A value as people read it: codes left-to-right and as they are, dates in the reader's digits.

    A page has hundreds: `Markup.format` would take a tenth of the page's time.
    """
    if value is None or value == "":
        return Markup('<span class="muted">–</span>')
    if not may_see(table, column):
        return masked()
    field = table.field(column)
    if isinstance(field, JalaliDate):
        return Markup(f'<span class="num" dir="ltr">{escape(persian.digits(value, current()))}</span>')
    if field is None or isinstance(field, Code | Email | NationalCode | Phone) or table.is_number(column):
        return Markup(f'<span class="ltr">{escape(value)}</span>')
    return Markup(f"<bdi>{escape(value)}</bdi>")


def masked() -> Markup:
    """What stands for a value that this person may not see."""
    return Markup('<span class="masked" title="{}">{}</span>').format(
        _("Personal data: shown to administrators only"), MASK
    )


def row_url(table: browse.DataTable, row: Mapping[str, Any]) -> str:
    return url_for("data.row", table_name=table.name, **{column: row[column] for column in table.key})
