"""API tokens: made here, shown once, ended here."""

from datetime import timedelta
from typing import Any

from flask import abort, flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.form import BaseForm
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from wtforms import SelectChoice, SelectField, StringField
from wtforms.validators import InputRequired, Length

from panel import audit
from panel.admin.guarded import GuardedModelView, actor, choices
from panel.admin.show import moment, number
from panel.auth import tokens
from panel.clock import utcnow
from panel.extensions import db
from panel.models import ApiToken, User

SCOPE_WORDS = {"read": lazy("Read only"), "write": lazy("Read, sync and cancel")}
LIFETIMES = {
    "90": lazy("90 days"),
    "30": lazy("30 days"),
    "365": lazy("One year"),
    "never": lazy("Without end"),
}


class NewToken(BaseForm):
    name = StringField(
        lazy("Name"),
        [InputRequired(), Length(max=80)],
        description=lazy("What will use it, for example “nightly report”."),
    )
    owner = SelectField(
        lazy("Acts for"),
        coerce=int,
        description=lazy("It may never do more than this user; if the user is disabled, it stops working."),
    )
    scope = SelectField(
        lazy("Permission"),
        choices=choices(SCOPE_WORDS),
        default="read",
        description=lazy("As little as it needs: most programs only look."),
    )
    lifetime = SelectField(
        lazy("Valid for"),
        choices=choices(LIFETIMES),
        default="90",
        description=lazy("Afterwards it stops working, and a new one is made."),
    )


def state(token: ApiToken) -> str:
    now = utcnow()
    if token.revoked_at is not None:
        return _("Revoked")
    if token.expires_at is not None and token.expires_at <= now:
        return _("Expired")
    return _("Valid") if token.user.active else _("Its user is disabled")


class Tokens(GuardedModelView):
    can_create = True
    new_title = lazy("New token")
    column_display_actions = True
    list_template = "access/tokens.html"
    column_list = ("name", "user", "prefix", "scope", "state", "expires_at", "last_used_at", "created_at")
    column_sortable_list = ("name", "expires_at", "last_used_at", "created_at")
    column_default_sort = ("created_at", True)
    column_searchable_list = ("name", "prefix")
    column_labels = {
        "name": lazy("Name"),
        "user": lazy("Acts for"),
        "prefix": lazy("Token prefix"),
        "scope": lazy("Permission"),
        "state": lazy("State"),
        "expires_at": lazy("Valid until"),
        "last_used_at": lazy("Last used"),
        "created_at": lazy("Created"),
    }
    column_formatters = {
        "user": lambda view, context, token, name: token.user.username,
        "scope": lambda view, context, token, name: SCOPE_WORDS.get(token.scope, token.scope),
        "state": lambda view, context, token, name: state(token),
        "expires_at": lambda view, context, token, name: (
            moment(token.expires_at) if token.expires_at else _("no end")
        ),
        "last_used_at": lambda view, context, token, name: (
            moment(token.last_used_at) if token.last_used_at else _("never")
        ),
        "created_at": lambda view, context, token, name: moment(token.created_at),
    }

    def search_placeholder(self) -> str:
        return _("Name or token prefix")

    def counted(self, count: int) -> str:
        return ngettext("%(n)s token", "%(n)s tokens", count, n=number(count))

    def get_query(self) -> Any:
        return super().get_query().options(joinedload(ApiToken.user))

    def get_create_form(self) -> type[BaseForm]:
        return NewToken

    def create_form(self, obj: Any = None) -> Any:
        form = super().create_form(obj)
        people = db.session.scalars(select(User).where(User.active.is_(True)).order_by(User.username))
        form.owner.choices = [SelectChoice(user.id, user.username) for user in people]
        return form

    @expose("/new/", methods=("GET", "POST"))
    def create_view(self) -> ResponseReturnValue:
        """The form; and when it is sent, the page that shows the token this one time."""
        form = self.create_form()
        if not self.validate_form(form):
            return self.render(
                self.create_template, form=form, form_opts=None, return_url=self.get_url(".index_view")
            )
        owner = db.session.get_one(User, form.owner.data)
        lifetime = None if form.lifetime.data == "never" else timedelta(days=int(form.lifetime.data))
        token, secret = tokens.create(
            db.session(), owner, form.name.data, form.scope.data, utcnow(), lifetime
        )
        audit.record(
            db.session(),
            **actor(),
            action="token_created",
            subject=token.name,
            acts_for=owner.username,
            scope=token.scope,
            prefix=token.prefix,
        )
        db.session.commit()
        return self.render(
            "access/token_made.html", token=token, secret=secret, return_url=self.get_url(".index_view")
        )

    @expose("/revoke/", methods=("POST",))
    def revoke_view(self) -> ResponseReturnValue:
        token = self.get_one(request.form.get("id", ""))
        if token is None:
            abort(404)
        if tokens.revoke(token, utcnow()):
            audit.record(
                db.session(), **actor(), action="token_revoked", subject=token.name, prefix=token.prefix
            )
            db.session.commit()
        flash(_("The token “%(name)s” no longer works.", name=token.name), "success")
        return redirect(self.get_url(".index_view"))
