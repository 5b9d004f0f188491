"""What the pages share: who may open them, answers to buttons, and numbers read from addresses."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, current_app, flash, jsonify, make_response, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import BaseView
from flask_login import current_user

from panel.admin import show
from panel.config import Config

MAX_PAGE = 100_000
ACTIVE_SECONDS = 2
IDLE_SECONDS = 15


class PanelView(BaseView):
    """A page of the panel, for everybody who is signed in and has at least `role`.

    below: of one that is not in the menu, the endpoint of that which leads here; it is marked there.
    """

    role = "viewer"
    below: str | None = None

    def is_accessible(self) -> bool:
        return bool(current_user.is_authenticated and current_user.can(self.role))


def config() -> Config:
    """The checked environment that this panel was started with."""
    found: Config = current_app.extensions["hamgam_config"]
    return found


def done(ok: bool, message: str, back: str, go: str | None = None) -> ResponseReturnValue:
    """Answer a button: a sentence for the script that asked, else the page it came from with the sentence, if any."""
    if request.headers.get("X-Quiet"):
        return jsonify(ok=ok, message=message, go=go)
    if message:
        flash(message, "success" if ok else "error")
    return redirect(go or back)


def fragment(html: str, *, active: bool, announce: Sequence[str] = ()) -> Response:
    """A part of a page that refreshes itself: quickly while something is active.

    announce: what those who hear the page are told, as far as they have not been told it.
    """
    response = make_response(html)
    response.headers["X-Engine"] = "down" if show.engine_is_down() else "up"
    response.headers["X-Poll-Seconds"] = str(ACTIVE_SECONDS if active else IDLE_SECONDS)
    if announce:
        response.headers["X-Announce"] = ",".join(quote(text, safe="") for text in announce)
    return response


def page_number(name: str = "page") -> int:
    """Which page is asked for, from 1; nonsense means the first, and nothing is beyond MAX_PAGE."""
    text = request.args.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        return 1
    return min(max(int(text), 1), MAX_PAGE)


def address_with(**changes: Any) -> str:
    """This page's address with some of its arguments changed; None takes one away."""
    return address_at(request.path, **changes)


def address_at(path: str, **changes: Any) -> str:
    """Another address with this page's arguments, some of them changed."""
    args = {name: value for name, value in request.args.items() if name not in changes}
    args.update({name: str(value) for name, value in changes.items() if value is not None})
    return path + ("?" + urlencode(args) if args else "")
