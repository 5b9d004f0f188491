"""The signed session: how long it lasts, what ends it, and the cookie that carries it.

The cookie holds the user's `session_version`; raising it in the user's row (sign-out, new password, disabled
account) ends every session of that user at once, replayed cookies too.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_login import UserMixin, login_user

from panel.auth.roles import allows
from panel.clock import utcnow
from panel.extensions import db, login_manager
from panel.models import User

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=12)
TOUCH_EVERY = timedelta(minutes=1)
COOKIE = "hamgam"


@dataclass(frozen=True)
class Person(UserMixin):
    """The signed-in user, as read at the start of this request."""

    id: int
    username: str
    full_name: str | None
    role: str
    locale: str | None
    theme: str | None
    session_version: int

    @classmethod
    def of(cls, user: User) -> "Person":
        return cls(
            user.id,
            user.username,
            user.full_name,
            user.role,
            user.locale,
            user.theme,
            user.session_version,
        )

    def get_id(self) -> str:
        return f"{self.id}.{self.session_version}"

    def can(self, needed: str) -> bool:
        return allows(self.role, needed)

    @property
    def shown_name(self) -> str:
        return self.full_name or self.username


def begin(user: User, now: datetime) -> None:
    """Open a session for this user; nothing of the stranger's session lives on in it."""
    session.clear()
    session["sid"] = secrets.token_urlsafe(16)
    session["began"] = int(now.timestamp())
    session["seen"] = int(now.timestamp())
    login_user(Person.of(user))


def end_all(user: User) -> None:
    """End every session of this user."""
    user.session_version += 1


def in_time(now: datetime) -> bool:
    """Is the session neither idle for too long nor too old? A session without its times is neither."""
    began, seen = session.get("began"), session.get("seen")
    if not isinstance(began, int) or not isinstance(seen, int):
        return False
    moment = now.timestamp()
    return moment - began < ABSOLUTE.total_seconds() and moment - seen < IDLE.total_seconds()


def touch(now: datetime) -> None:
    """Note that a person is there. A page that refreshes itself is not a person."""
    if not by_a_script() and now.timestamp() - session["seen"] >= TOUCH_EVERY.total_seconds():
        session["seen"] = int(now.timestamp())


def by_a_script() -> bool:
    """A safe request that a script of an open page made, not a person who went somewhere.

    Browsers tell by Sec-Fetch-Mode, but not over plain http; whoever goes to a page accepts HTML by name.
    """
    if request.method not in ("GET", "HEAD"):
        return False
    headers = request.headers
    if headers.get("Sec-Fetch-Mode", "navigate") != "navigate" or "X-Requested-With" in headers:
        return True
    return "text/html" not in headers.get("Accept", "text/html")


@login_manager.user_loader
def load_person(session_id: str) -> Person | None:
    """The person of a session cookie, or None where the session has ended."""
    user_id, _, version = session_id.partition(".")
    if not user_id.isdecimal() or not version.isdecimal() or not in_time(utcnow()):
        return None
    user = db.session.get(User, int(user_id))
    if user is None or not user.active or user.session_version != int(version):
        return None
    return Person.of(user)


class CookieRules(SecureCookieSessionInterface):
    """HttpOnly and SameSite=Lax always; over https also Secure, and `__Host-`, which pins it to this host."""

    def get_cookie_name(self, app: Flask) -> str:
        return f"__Host-{COOKIE}" if request.is_secure else COOKIE

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure

    def get_cookie_domain(self, app: Flask) -> str | None:
        return None

    def get_cookie_path(self, app: Flask) -> str:
        return "/"


def install(app: Flask) -> None:
    app.session_interface = CookieRules()
    app.config.update(
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=ABSOLUTE,
    )
    login_manager.session_protection = None  # an address that changes on the road is no theft
