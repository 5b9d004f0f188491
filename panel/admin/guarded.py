"""The base of every list over a table of the panel: all is off and closed until a view says so."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import abort, request, session
from flask_admin import expose
from flask_admin.babel import gettext as theirs
from flask_admin.contrib.sqla import ModelView
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_babel import ngettext
from flask_login import current_user
from wtforms import SelectChoice

from panel.admin.show import number
from panel.auth.login import address
from panel.extensions import db

LAST_PAGE = 1_000_000  # times the page size, still an offset that every database takes
LONGEST_SEARCH = 200
LARGEST_ID = 2**63 - 1


class GuardedModelView(ModelView):
    """Rows of one model. `sees` and `changes` name the roles that may look and change."""

    sees = "admin"
    changes = "admin"
    new_title: Any = lazy("New")
    edit_title: Any = lazy("Edit")

    # Flask-Admin allows all of these by itself.
    can_create = False
    can_edit = False
    can_delete = False
    can_export = False
    can_view_details = False
    can_set_page_size = False
    column_editable_list: Any = None
    column_display_pk = False
    column_display_actions = False
    column_filters: Any = None
    named_filter_urls = False
    page_size = 50
    export_max_rows = 10_000

    def is_accessible(self) -> bool:
        return bool(current_user.is_authenticated and current_user.can(self.sees))

    def inaccessible_callback(self, name: str, **kwargs: Any) -> Any:
        return abort(403)

    def _handle_view(self, name: str, **kwargs: Any) -> Any:
        if request.method == "POST" and not current_user.can(self.changes):
            abort(403)
        return super()._handle_view(name, **kwargs)

    def is_action_allowed(self, name: str) -> bool:
        return name != "delete" and super().is_action_allowed(name)

    @expose("/new/", methods=("GET", "POST"))
    def create_view(self) -> Any:
        return in_our_words(super().create_view())

    @expose("/edit/", methods=("GET", "POST"))
    def edit_view(self) -> Any:
        return in_our_words(super().edit_view())

    def render(self, template: str, **kwargs: Any) -> str:
        # "Failed to create record." above a form whose boxes say what is wrong with them.
        keep_messages(lambda category, text: None if category == "danger" else text)
        return super().render(template, **kwargs)

    def _get_list_extra_args(self) -> Any:
        """Numbers from the address, brought into what the database can take."""
        args = super()._get_list_extra_args()
        args.page = max(0, min(args.page or 0, LAST_PAGE))
        args.page_size = self.page_size
        args.search = (args.search or "")[:LONGEST_SEARCH] or None
        args.extra_args = {}
        return args

    def called(self, row: Any) -> str:
        """What people call this row: what its list begins with."""
        return str(getattr(row, self.column_list[0]))

    def counted(self, count: int) -> str:
        """How many rows the list has."""
        return ngettext("%(n)s row", "%(n)s rows", count, n=number(count))

    def get_one(self, id: Any) -> Any:
        """The row of a plain number; anything else is no row of ours."""
        text = str(id)
        if not (text.isascii() and text.isdigit() and int(text[:20]) <= LARGEST_ID):
            return None
        return db.session.get(self.model, int(text))


def in_our_words(answer: Any) -> Any:
    """Flask-Admin speaks of records, or in Persian of models; we say only that it is done."""
    ours = {
        theirs("Record was successfully created."): _("Added."),
        theirs("Record was successfully saved."): _("Saved."),
        theirs("Record does not exist."): _("There is no such row any more."),
    }
    keep_messages(lambda category, text: ours.get(text, text))
    return answer


def keep_messages(say: Callable[[str, str], str | None]) -> None:
    """What waits to be shown, as `say` puts it; None drops a message."""
    if "_flashes" in session:
        said = [(category, say(category, text)) for category, text in session["_flashes"]]
        session["_flashes"] = [(category, text) for category, text in said if text is not None]


def choices(words: Mapping[str, Any]) -> list[SelectChoice]:
    """A select's choices: what is sent, and its word."""
    return [SelectChoice(value, label) for value, label in words.items()]


def actor() -> dict[str, str]:
    """Who does it and from where, for the trail."""
    return {"actor": current_user.username, "address": address()}
