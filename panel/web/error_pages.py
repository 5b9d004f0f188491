"""What a person or a program is told when a request fails: no traceback, but a number that the log has."""

import logging
import secrets

from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, DBAPIError
from werkzeug.exceptions import HTTPException

from panel import storage
from panel.db import only_looking
from panel.extensions import db, login_manager

log = logging.getLogger("panel.web")
API_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "not_json",
    422: "invalid",
    429: "too_many_requests",
    503: "busy",
}


def wants_json() -> bool:
    return request.path.startswith("/api/")


def api_error(status: int, message: str, code: str | None = None, details: object = None) -> Response:
    """The one error shape of the API."""
    body = {"error": {"code": code or API_CODES.get(status, "error"), "message": message, "details": details}}
    return make_response(jsonify(body), status)


def headline(status: int) -> tuple[str, str]:
    """What happened, and what to do."""
    known = {
        400: (_("This request could not be understood"), _("Go back, reload the page and try again.")),
        401: (_("You are not signed in"), _("Sign in and try again.")),
        403: (_("You may not do this"), _("Your role does not allow it. An administrator can change that.")),
        404: (_("There is no such page"), _("Check the address, or start from the first page.")),
        405: (_("This address cannot be used this way"), _("Start from the first page.")),
        413: (_("This is too large"), _("Send a smaller file.")),
        429: (_("Too many attempts"), _("Wait a little and try again.")),
        503: (_("The database is busy"), _("Nothing was changed. Try again in a few seconds.")),
    }
    return known.get(
        status,
        (
            _("Something went wrong here"),
            _("Try again; if it stays so, give the number below to your support."),
        ),
    )


def is_known() -> bool:
    """Whether this request came from somebody who has shown who they are; without asking the database again."""
    return "caller" in g or getattr(g.get("_login_user"), "is_authenticated", False) is True


def page(
    status: int,
    number: str | None = None,
    title: str | None = None,
    todo: str | None = None,
    *,
    bare: bool = False,
) -> Response:
    """bare: without the frame of other pages, which asks the database."""
    what, then = headline(status)
    facts = {"status": status, "title": title or what, "todo": todo or then, "number": number}
    with only_looking():  # to say that the database is busy, nobody waits for it once more
        if not bare:
            try:
                return make_response(render_template("error.html", **facts), status)
            except Exception:  # whatever broke the page may break the error page's frame too
                log.exception("the error page could not be rendered either")
        # Every template is told who is signed in: where the database does not say, nobody is.
        g.setdefault("_login_user", login_manager.anonymous_user())
        return make_response(render_template("error_bare.html", **facts), status)


def answer(status: int, message: str, number: str | None = None) -> Response:
    if wants_json():
        return api_error(status, message, details={"number": number} if number else None)
    return page(status, number)


def install(app: Flask) -> None:
    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> ResponseReturnValue:
        if error.response is not None:  # made elsewhere, whole
            return error.response
        status = error.code or 500
        if status < 400:
            return error.get_response()
        response = answer(status, error.description or error.name)
        for name in ("Allow", "Retry-After"):
            value = error.get_response().headers.get(name)
            if value:
                response.headers[name] = value
        return response

    @app.errorhandler(CSRFError)
    def forged_or_stale(_error: CSRFError) -> ResponseReturnValue:
        return page(
            400,
            title=_("This page was open for too long"),
            todo=_("Nothing was changed. Go back, reload the page and try again."),
        )

    @app.errorhandler(DBAPIError)
    @app.errorhandler(OSError)
    def storage_failed(error: DBAPIError | OSError) -> ResponseReturnValue:
        """A database that is busy or gone, a disk that is full or worse: nothing of the request is done."""
        trouble = storage.of(error, app.extensions["hamgam_config"])
        if trouble is None:
            return crashed(error)
        db.session.rollback()
        if trouble.reason != storage.BUSY:
            log.error("%s %s: %s", request.method, request.path, trouble)
        todo = trouble.todo if is_known() or not trouble.params else storage.FOR_STRANGERS
        if wants_json():
            response = api_error(503, f"{trouble.title}. {todo.format_map(trouble.params)}", trouble.reason)
        else:
            words = _(todo).format_map(trouble.params)
            response = page(503, title=_(trouble.title), todo=words, bare=not trouble.can_read)
        response.headers["Retry-After"] = str(trouble.retry_after)
        return response

    @app.errorhandler(DataError)
    def no_such_value(error: DataError) -> ResponseReturnValue:
        """A value that the column cannot hold: too large a number, a character that cannot be stored."""
        log.info(
            "refused by the database: %s %s: %s", request.method, request.path, type(error.orig).__name__
        )
        db.session.rollback()
        return answer(400, "A value in this request cannot be stored or compared.")

    @app.errorhandler(Exception)
    def crashed(error: Exception) -> ResponseReturnValue:
        number = secrets.token_hex(4)
        log.error("request failed, number %s: %s %s", number, request.method, request.path, exc_info=error)
        db.session.rollback()
        return answer(500, "Something went wrong here; the log has it under this number.", number)
