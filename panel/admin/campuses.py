"""Campuses: the gateway does not list them, so the panel does."""

from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.form import BaseForm
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_login import current_user
from sqlalchemy import select
from wtforms import BooleanField, IntegerField, SelectField, StringField, ValidationError
from wtforms.validators import InputRequired, Length, NumberRange, Optional
from wtforms.widgets import TextInput

from fetchers.core.clean.text import fold
from panel import audit, campuses
from panel.admin.guarded import GuardedModelView, actor, choices
from panel.admin.show import digits
from panel.extensions import db
from panel.models import Campus

TYPE_WORDS = {"1": lazy("Campus"), "2": lazy("Centre"), "3": lazy("College"), "4": lazy("Other")}


# Made before the other fields: forms show them in the order in which they were made.
CODE = StringField(
    lazy("Campus code"),
    [InputRequired(), Length(max=40)],
    description=lazy("As the gateway knows it, for example 1110."),
    render_kw={"dir": "ltr"},
)


class ChangedCampus(BaseForm):
    name = StringField(
        lazy("Name"), [Length(max=200)], description=lazy("As people call it; shown beside the code.")
    )
    province_code = IntegerField(
        lazy("Province code"),
        [Optional(), NumberRange(0, 99)],
        description=lazy("0 to 99; may be empty. It is kept with the campus and has no effect on syncing."),
        widget=TextInput(),  # a code is not counted up and down, and may be typed in Persian digits
        render_kw={"dir": "ltr", "inputmode": "numeric"},
    )
    type = SelectField(
        lazy("Type"),
        choices=choices({"": "–", **TYPE_WORDS}),
        description=lazy("May be empty. It is kept with the campus and has no effect on syncing."),
    )
    active = BooleanField(
        lazy("To be fetched"),
        default=True,
        description=lazy("Unticked: its data are no longer asked for. The rows that are there stay."),
    )


class NewCampus(ChangedCampus):
    pardis_code = CODE

    def validate_pardis_code(self, field: Any) -> None:
        code = campuses.clean_code(field.data or "")
        if not (code.isascii() and code.isalnum() and len(code) <= 16):
            raise ValidationError(_("A campus code has letters and digits, at most 16."))
        if db.session.scalar(select(Campus.id).where(Campus.pardis_code == code)) is not None:
            raise ValidationError(_("This campus is on the list already."))


class Campuses(GuardedModelView):
    """Everybody sees the list, administrators change it. A campus is switched off, not deleted."""

    sees = "viewer"
    list_template = "access/campuses.html"
    column_list = ("pardis_code", "name", "province_code", "type", "active")
    column_sortable_list = ("pardis_code", "name", "province_code", "type", "active")
    column_default_sort = "pardis_code"
    column_searchable_list = ("pardis_code", "name")
    column_labels = {
        "pardis_code": lazy("Campus code"),
        "name": lazy("Name"),
        "province_code": lazy("Province code"),
        "type": lazy("Type"),
        "active": lazy("To be fetched"),
    }
    column_formatters = {
        "province_code": lambda view, context, campus, name: _dash(campus.province_code),
        "type": lambda view, context, campus, name: TYPE_WORDS.get(str(campus.type), _dash(campus.type)),
        "active": lambda view, context, campus, name: _("Yes") if campus.active else _("No"),
    }

    def search_placeholder(self) -> str:
        return _("Campus code or name")

    @property
    def _may_change(self) -> bool:
        return bool(current_user and current_user.is_authenticated and current_user.can(self.changes))

    # Flask-Admin asks for these in each request, and once while the view is made.
    can_create = can_edit = column_display_actions = _may_change
    new_title = lazy("New campus")
    edit_title = lazy("Edit campus")

    def get_create_form(self) -> type[BaseForm]:
        return NewCampus

    def get_edit_form(self) -> type[BaseForm]:
        return ChangedCampus

    def get_list(
        self,
        page: int | None,
        sort_column: Any,
        sort_desc: Any,
        search: str | None,
        filters: Any,
        execute: bool = True,
        page_size: int | None = None,
    ) -> tuple[int, Any]:
        """The list is short: searched here, where ي and ی, ۱ and 1 are the same."""
        found = list(db.session.scalars(select(Campus)))
        if search:
            wanted = fold(search)
            found = [
                campus for campus in found if wanted in fold(f"{campus.pardis_code} {campus.name or ''}")
            ]
        key = sort_column if sort_column in self.column_sortable_list else "pardis_code"
        found.sort(
            key=lambda campus: (getattr(campus, key) is not None, getattr(campus, key)),
            reverse=bool(sort_desc),
        )
        size = page_size or self.page_size
        start = (page or 0) * size
        return len(found), found[start : start + size]

    def create_model(self, form: Any) -> Any:
        campus = Campus(pardis_code=campuses.clean_code(form.pardis_code.data))
        _fill(campus, form)
        db.session.add(campus)
        audit.record(db.session(), **actor(), action="campus_added", subject=campus.pardis_code)
        db.session.commit()
        return campus

    def update_model(self, form: Any, campus: Campus) -> bool:
        _fill(campus, form)
        audit.record(
            db.session(),
            **actor(),
            action="campus_changed",
            subject=campus.pardis_code,
            active=campus.active,
        )
        db.session.commit()
        return True

    @expose("/import/", methods=("POST",))
    def import_view(self) -> ResponseReturnValue:
        """Take a CSV file: listed campuses are added or updated, the others stay as they are."""
        back = redirect(self.get_url(".index_view"))
        file = request.files.get("file")
        if file is None or not file.filename:
            flash(_("Choose a CSV file first."), "error")
            return back
        try:
            reading = campuses.read_csv(file.read())
        except campuses.CampusFileError as error:
            flash(_("The file was not taken: %(reason)s", reason=_(error.text, **error.params)), "error")
            return back
        take(reading)
        return back


def take(reading: campuses.Reading) -> None:
    """Write what was read into the list, leave a line in the trail, and say what became of it."""
    written = campuses.write(db.session(), reading.lines)
    audit.record(
        db.session(),
        **actor(),
        action="campuses_imported",
        added=written.added,
        changed=written.changed,
    )
    db.session.commit()
    flash(
        _(
            "Campuses: %(added)s added, %(changed)s changed, %(unchanged)s as they were.",
            added=digits(written.added),
            changed=digits(written.changed),
            unchanged=digits(written.unchanged),
        ),
        "success",
    )
    for problem in reading.problems[:20]:
        said = _(problem.text, **problem.params)
        flash(_("Line %(line)s: %(what)s", line=digits(problem.line), what=said), "warning")


def _fill(campus: Campus, form: Any) -> None:
    campus.name = " ".join((form.name.data or "").split()) or None
    campus.province_code = form.province_code.data
    campus.type = int(form.type.data) if form.type.data else None
    campus.active = form.active.data


def _dash(value: int | None) -> str:
    return "–" if value is None else str(value)
