"""Signing in and out, and the choice of language and colours."""

import math
from datetime import datetime

from flask import Blueprint, current_app, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user, logout_user
from sqlalchemy import select

from panel import audit, persian
from panel.auth import locale, passwords, sessions, theme, throttle
from panel.auth.redirects import safe_next
from panel.clock import utcnow
from panel.extensions import db
from panel.models import User

auth = Blueprint("auth", __name__)
LONGEST_NAME = 150


def address() -> str:
    """Where the request comes from, as far as it can be known."""
    return request.remote_addr or "unknown"


@auth.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    target = safe_next(request.values.get("next"))
    if request.method == "GET":
        if current_user.is_authenticated:
            return redirect(target)
        return _form(target)
    username = request.form.get("username", "").strip()[:LONGEST_NAME]
    return _try(username, request.form.get("password", ""), target, utcnow())


def _try(username: str, password: str, target: str, now: datetime) -> ResponseReturnValue:
    """One attempt to sign in.

    1. Ask the throttle; write the attempt down as failed before the password is looked at.
    2. Verify, outside any transaction: it takes long, and SQLite has one writer.
    3. Open a new session, or say the same sentence whatever was wrong.
    """
    waiting = throttle.wait(db.session(), username, address(), now)
    if waiting:
        db.session.rollback()
        return _refused_for(math.ceil(waiting.total_seconds()), username, target)
    throttle.note_attempt(db.session(), username, address(), now)
    db.session.commit()

    user = db.session.scalar(select(User).where(User.username == username))
    db.session.commit()
    right = passwords.verify_password(user.password_hash if user else None, password)

    if user is None or not user.active or not right:
        known = user.username if user else "?"  # a password typed into the name's box is not kept
        audit.record(db.session(), known, "login_failed", address=address())
        db.session.commit()
        return _form(target, username, _("The user name or the password is not right."), 401)
    if passwords.needs_rehash(user.password_hash):
        user.password_hash = passwords.hash_password(password)
    user.last_seen_at = now
    throttle.forgive(db.session(), username)
    audit.record(db.session(), user.username, "login", address=address())
    db.session.commit()
    sessions.begin(user, now)
    return redirect(target)


def _form(
    target: str, username: str = "", problem: str | None = None, status: int = 200
) -> ResponseReturnValue:
    return make_response(
        render_template("login.html", next=target, username=username, problem=problem), status
    )


def _refused_for(seconds: int, username: str, target: str) -> ResponseReturnValue:
    problem = ngettext(
        "Too many attempts. Wait %(seconds)s second and try again.",
        "Too many attempts. Wait %(seconds)s seconds and try again.",
        seconds,
        seconds=persian.number(seconds, locale.current()),
    )
    response = make_response(_form(target, username, problem, 429))
    response.headers["Retry-After"] = str(seconds)
    return response


@auth.post("/logout")
def logout() -> ResponseReturnValue:
    """End the session, here and wherever else this person is signed in: a copied cookie dies with it."""
    user = db.session.get(User, current_user.id)
    if user is not None:
        sessions.end_all(user)
        audit.record(db.session(), user.username, "logout", address=address())
        db.session.commit()
    logout_user()
    session.clear()
    return redirect(url_for("auth.login"))


@auth.post("/locale")
def set_locale() -> ResponseReturnValue:
    """Remember the language in the browser, and for somebody who is signed in, with the user."""
    choice = request.form.get("locale", "")
    response = make_response(redirect(safe_next(request.form.get("next"))))
    if choice not in locale.LOCALES:
        return response
    if current_user.is_authenticated:
        user = db.session.get(User, current_user.id)
        if user is not None:
            user.locale = choice
            db.session.commit()
    response.set_cookie(
        locale.COOKIE,
        choice,
        max_age=365 * 24 * 3600,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
        path=current_app.config["APPLICATION_ROOT"],
    )
    return response


@auth.post("/theme")
def set_theme() -> ResponseReturnValue:
    """Remember with the user whether pages are light, dark, or as the device says."""
    choice = request.form.get("theme", "")
    user = db.session.get(User, current_user.id)
    if user is not None and choice in (*theme.THEMES, theme.AUTO):
        user.theme = None if choice == theme.AUTO else choice
        db.session.commit()
    return redirect(safe_next(request.form.get("next")))
