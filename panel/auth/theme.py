"""Light or dark: what the signed-in person chose, else what their device says.

The server says it in the page itself, so that no page is drawn light first and dark a moment later. The colours
are in static/hamgam.css and static/dark.css.
"""

from flask import Flask
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

THEMES = ("light", "dark")
AUTO = "auto"  # as the device says, by prefers-color-scheme; nothing is stored for it


def current() -> str:
    """`light`, `dark` or `auto`; a stranger has chosen nothing."""
    try:
        choice = current_user.theme if current_user and current_user.is_authenticated else None
    except SQLAlchemyError:  # the page that says so has colours all the same
        choice = None
    return choice if choice in THEMES else AUTO


def install(app: Flask) -> None:
    """Templates ask `colour_theme()`: to Flask-Admin `theme` is its own choice of templates."""
    app.jinja_env.globals["colour_theme"] = current
