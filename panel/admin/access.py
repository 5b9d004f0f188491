"""Pages about people and programs, campuses and the calendar: users, tokens, who did what, one's own account."""

from typing import Any

from flask import Flask
from flask_admin import Admin
from flask_babel import lazy_gettext as lazy

from panel.admin.account import Account
from panel.admin.audit import Trail
from panel.admin.calendar_page import CalendarView
from panel.admin.campuses import Campuses
from panel.admin.tokens import Tokens
from panel.admin.users import Users
from panel.models import ApiToken, AuditEntry, Campus, User


def register(app: Flask, admin: Admin, db: Any) -> None:
    """Add these pages to the menu; each shows itself to those who may open it."""
    admin.add_view(Campuses(Campus, db, name=lazy("Campuses"), endpoint="campuses", url="/campuses"))
    admin.add_view(CalendarView())
    admin.add_view(Users(User, db, name=lazy("Users"), endpoint="users", url="/users"))
    admin.add_view(Tokens(ApiToken, db, name=lazy("API tokens"), endpoint="tokens", url="/tokens"))
    admin.add_view(Trail(AuditEntry, db, name=lazy("Audit trail"), endpoint="audit", url="/audit"))
    admin.add_view(Account(name=lazy("My account"), endpoint="account", url="/account"))
