"""Which language this request speaks: Persian unless the person or the browser chose otherwise."""

from flask import Flask, current_app, g, has_request_context, request
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

LOCALES = ("fa", "en")
RIGHT_TO_LEFT = ("fa",)
COOKIE = "hamgam_locale"


def current() -> str:
    """`?lang=` for one page, then the person's own choice, then the browser's cookie, then the panel's."""
    fallback = current_app.config["BABEL_DEFAULT_LOCALE"] if current_app else "fa"
    if not has_request_context():
        return fallback
    if request.method != "GET":  # which may be about to change it
        return _chosen() or fallback
    if "locale" not in g:
        g.locale = _chosen() or fallback
    return g.locale


def _chosen() -> str | None:
    for choice in (request.args.get("lang"), _own(), request.cookies.get(COOKIE)):
        if choice in LOCALES:
            return choice
    return None


def _own() -> str | None:
    """What the signed-in person chose."""
    try:
        return current_user.locale if current_user and current_user.is_authenticated else None
    except SQLAlchemyError:  # the page that says so needs a language all the same
        return None


def direction(locale: str | None = None) -> str:
    return "rtl" if (locale or current()) in RIGHT_TO_LEFT else "ltr"


def install(app: Flask) -> None:
    """Templates ask `locale()` and `text_direction()`."""
    app.jinja_env.globals.update(locale=current, text_direction=direction)
