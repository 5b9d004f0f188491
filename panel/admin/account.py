"""One's own account: language, colours and password."""

from typing import Any

from flask import flash, redirect
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose
from flask_admin.helpers import get_form_data, validate_form_on_submit
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_login import current_user
from wtforms import PasswordField, ValidationError
from wtforms.validators import InputRequired

from panel import audit
from panel.admin.guarded import actor
from panel.admin.users import LATIN, ROLE_WORDS, PasswordPair
from panel.auth import passwords, sessions
from panel.clock import utcnow
from panel.extensions import db
from panel.models import User

THEME_WORDS = {
    "auto": lazy("Same as the device"),
    "light": lazy("Light"),
    "dark": lazy("Dark"),
}


class OwnPassword(PasswordPair):
    present = PasswordField(
        lazy("Current password"), [InputRequired()], render_kw={**LATIN, "autocomplete": "current-password"}
    )
    password = PasswordField(
        lazy("New password"),
        [InputRequired()],
        description=lazy("At least 8 characters."),
        render_kw={**LATIN, "autocomplete": "new-password"},
    )
    again = PasswordField(
        lazy("Repeat new password"),
        [InputRequired()],
        render_kw={**LATIN, "autocomplete": "new-password"},
    )

    def validate_present(self, field: Any) -> None:
        user = db.session.get_one(User, current_user.id)
        if not passwords.verify_password(user.password_hash, field.data or ""):
            raise ValidationError(_("This is not your current password."))


class Account(BaseView):
    def is_accessible(self) -> bool:
        return bool(current_user.is_authenticated)

    def is_visible(self) -> bool:
        return False  # one's name in the header leads here

    @expose("/", methods=("GET", "POST"))
    def index(self) -> ResponseReturnValue:
        """The page; and when the form is sent, the new password, which ends the other sessions."""
        form = OwnPassword(get_form_data())
        if validate_form_on_submit(form) and not form.password_problems(current_user.username):
            user = db.session.get_one(User, current_user.id)
            user.password_hash = passwords.hash_password(form.password.data)
            sessions.end_all(user)
            audit.record(db.session(), **actor(), action="password_changed", subject=user.username)
            db.session.commit()
            sessions.begin(user, utcnow())
            flash(_("Your password is changed. You are signed out everywhere else."), "success")
            return redirect(self.get_url(".index"))
        return self.render("access/account.html", form=form, roles=ROLE_WORDS, themes=THEME_WORDS)
