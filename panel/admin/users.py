"""Users: who may open the panel, and what they may do there."""

import re
from typing import Any

from flask import flash
from flask_admin.form import BaseForm
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_babel import ngettext
from sqlalchemy import select
from wtforms import BooleanField, PasswordField, SelectField, StringField, ValidationError
from wtforms.validators import InputRequired, Length, Optional

from panel import audit
from panel.admin.guarded import GuardedModelView, actor, choices
from panel.admin.show import moment, number
from panel.auth import passwords, sessions
from panel.clock import utcnow
from panel.extensions import db
from panel.models import User

ROLE_WORDS = {
    "viewer": lazy("Viewer"),
    "operator": lazy("Operator"),
    "admin": lazy("Administrator"),
}
ROLE_HELP = lazy(
    "Viewers look; operators also sync and cancel; administrators also change settings and users."
)
USERNAME = re.compile(r"[\w.@+-]{1,150}")
LATIN = {"dir": "ltr", "autocapitalize": "none", "spellcheck": "false"}


def strip(text: str | None) -> str | None:
    return text.strip() if text else text


class PasswordPair(BaseForm):
    """A new password, typed twice."""

    password: Any
    again: Any

    def validate_again(self, field: Any) -> None:
        if self.password.data != field.data:
            raise ValidationError(_("The two passwords are not the same."))

    def password_problems(self, username: str) -> bool:
        """Put what the rules say against the new password beside its box."""
        problems = passwords.check_password_rules(self.password.data, username)
        self.password.errors = [*self.password.errors, *problems]
        return bool(problems)


class NewUser(PasswordPair):
    username = StringField(
        lazy("User name"),
        [InputRequired(), Length(max=150)],
        filters=[strip],
        description=lazy("Letters, digits and . @ + - _"),
        render_kw={**LATIN, "autocomplete": "off"},
    )
    full_name = StringField(
        lazy("Full name"),
        [Length(max=150)],
        filters=[strip],
        description=lazy("As colleagues see it beside what this person did; may be empty."),
    )
    role = SelectField(lazy("Role"), choices=choices(ROLE_WORDS), default="viewer", description=ROLE_HELP)
    password = PasswordField(
        lazy("Password"),
        [InputRequired()],
        description=lazy("At least 8 characters."),
        render_kw={**LATIN, "autocomplete": "new-password"},
    )
    again = PasswordField(
        lazy("Repeat password"), [InputRequired()], render_kw={**LATIN, "autocomplete": "new-password"}
    )

    def validate_username(self, field: Any) -> None:
        if not USERNAME.fullmatch(field.data or ""):
            raise ValidationError(_("A user name may hold letters, digits and . @ + - _"))
        if db.session.scalar(select(User.id).where(User.username == field.data)) is not None:
            raise ValidationError(_("This user name is taken."))


class ChangedUser(PasswordPair):
    full_name = StringField(
        lazy("Full name"),
        [Length(max=150)],
        filters=[strip],
        description=lazy("As colleagues see it beside what this person did; may be empty."),
    )
    role = SelectField(lazy("Role"), choices=choices(ROLE_WORDS), description=ROLE_HELP)
    active = BooleanField(
        lazy("May sign in"),
        description=lazy("Unticked: signed out at once, everywhere, and the API tokens stop working."),
    )
    password = PasswordField(
        lazy("New password"),
        [Optional()],
        description=lazy(
            "At least 8 characters. Leave empty to keep the present one; a new one ends every open session."
        ),
        render_kw={**LATIN, "autocomplete": "new-password"},
    )
    again = PasswordField(lazy("Repeat new password"), render_kw={**LATIN, "autocomplete": "new-password"})


class Users(GuardedModelView):
    """No user is ever deleted: the trail names them. They are disabled instead."""

    can_create = True
    can_edit = True
    new_title = lazy("New user")
    edit_title = lazy("Edit user")
    column_display_actions = True
    column_list = ("username", "full_name", "role", "active", "last_seen_at", "created_at")
    column_sortable_list = ("username", "full_name", "role", "active", "last_seen_at", "created_at")
    column_default_sort = "username"
    column_searchable_list = ("username", "full_name")
    column_labels = {
        "username": lazy("User name"),
        "full_name": lazy("Full name"),
        "role": lazy("Role"),
        "active": lazy("May sign in"),
        "last_seen_at": lazy("Last sign-in"),
        "created_at": lazy("Added"),
    }
    column_formatters = {
        "full_name": lambda view, context, user, name: user.full_name or "–",
        "role": lambda view, context, user, name: ROLE_WORDS.get(user.role, user.role),
        "active": lambda view, context, user, name: _("Yes") if user.active else _("No"),
        "last_seen_at": lambda view, context, user, name: (
            moment(user.last_seen_at) if user.last_seen_at else _("never")
        ),
        "created_at": lambda view, context, user, name: moment(user.created_at),
    }

    def search_placeholder(self) -> str:
        return _("Name or user name")

    def counted(self, count: int) -> str:
        return ngettext("%(n)s user", "%(n)s users", count, n=number(count))

    def get_create_form(self) -> type[BaseForm]:
        return NewUser

    def get_edit_form(self) -> type[BaseForm]:
        return ChangedUser

    def create_model(self, form: Any) -> Any:
        """Add a user, unless the password is one that others would try."""
        if form.password_problems(form.username.data):
            return False
        user = User(
            username=form.username.data,
            full_name=form.full_name.data or None,
            role=form.role.data,
            password_hash=passwords.hash_password(form.password.data),
            created_at=utcnow(),
        )
        db.session.add(user)
        audit.record(db.session(), **actor(), action="user_added", subject=user.username, role=user.role)
        db.session.commit()
        return user

    def update_model(self, form: Any, user: User) -> bool:
        """Change a user, but never leave the panel without an active administrator."""
        if form.password.data and form.password_problems(user.username):
            return False
        stays = form.role.data == "admin" and form.active.data
        if user.role == "admin" and user.active and not stays and not other_administrators(user):
            flash(_("This is the last active administrator; make somebody else one first."), "error")
            return False
        changed = []
        for name, value in (
            ("full_name", form.full_name.data or None),
            ("role", form.role.data),
            ("active", form.active.data),
        ):
            if getattr(user, name) != value:
                setattr(user, name, value)
                changed.append(name)
        if form.password.data:
            user.password_hash = passwords.hash_password(form.password.data)
            changed.append("password")
        if "password" in changed or not user.active:
            sessions.end_all(user)
        if changed:
            audit.record(
                db.session(),
                **actor(),
                action="user_changed",
                subject=user.username,
                changed=changed,
                role=user.role,
                active=user.active,
            )
        db.session.commit()
        return True


def other_administrators(user: User) -> bool:
    """Is there another active administrator? Locked where the database can, against two at once."""
    others = (
        select(User.id)
        .where(User.role == "admin", User.active.is_(True), User.id != user.id)
        .order_by(User.id)
        .with_for_update()
    )
    return db.session.scalars(others).first() is not None
