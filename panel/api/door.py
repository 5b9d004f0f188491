"""Who may come in, and the shapes of answers that all routes share."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from flask import Blueprint, Response, current_app, g, request
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException

from panel import storage
from panel.auth import tokens
from panel.auth.gate import SAFE_METHODS
from panel.clock import utcnow
from panel.db import noting
from panel.extensions import db
from panel.models import SyncRun
from panel.web.error_pages import api_error

log = logging.getLogger("panel.api")
api = Blueprint("api", __name__, url_prefix="/api/v1")
LARGEST_ID = 2**63 - 1


class Refused(HTTPException):
    """An answer in the API's error shape."""

    def __init__(self, status: int, message: str, code: str | None = None, details: object = None) -> None:
        self.code = status
        super().__init__(message, api_error(status, message, code, details))


class Body(BaseModel):
    """What a request may hold: what is declared, and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)


B = TypeVar("B", bound=Body)


@api.before_request
def authenticate() -> None:
    """The header alone opens this door: no cookie (so no forged form), no token in an address (logs keep it).

    A token that reads may not change anything.
    """
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    now = utcnow()
    caller = (
        tokens.verify(db.session(), secret.strip(), now) if scheme.lower() == "bearer" and secret else None
    )
    if caller is None:
        raise Refused(401, "A valid token is needed: Authorization: Bearer TOKEN.")
    scope = "read" if request.method in SAFE_METHODS else "write"
    if not caller.may(scope):
        raise Refused(403, "This needs a token that writes, of a user who may operate.")
    if tokens.use_is_news(caller, now):
        _note_use(caller, now)
    g.caller = caller


def _note_use(caller: tokens.Caller, now: datetime) -> None:
    """When a token was used last is worth knowing; a full disk or a busy database must not close the door for it."""
    try:
        with noting(db.session()):
            tokens.note_use(db.session(), caller, now)
    except DBAPIError as error:
        db.session.rollback()
        trouble = storage.of(error, current_app.extensions["hamgam_config"])
        if trouble is None:
            raise
        log.warning("the use of a token is not noted: %s", trouble)


@api.after_request
def name_the_scheme(response: Response) -> Response:
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def caller() -> tokens.Caller:
    found: tokens.Caller = g.caller
    return found


def instance() -> Path:
    path: Path = current_app.extensions["hamgam_config"].instance
    return path


def body(model: type[B]) -> B:
    """The request's JSON, checked; an empty body means all defaults."""
    content = request.get_data()
    if not content.strip():
        content = b"{}"
    elif not request.is_json:
        raise Refused(415, "Send JSON, with Content-Type: application/json.")
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        problems = [
            {"field": ".".join(str(part) for part in problem["loc"]), "message": problem["msg"]}
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise Refused(400, "The body is not as it should be.", "invalid", problems) from None


def whole(name: str, default: int, most: int) -> int:
    """A whole number of the query string, brought into 1..most; anything else is the default."""
    text = request.args.get(name, "")
    if not (text.isascii() and text.isdigit()):
        return default
    return max(1, min(int(text[:19]), most))


def run_or_404(run_id: int) -> SyncRun:
    run = db.session.get(SyncRun, run_id) if run_id <= LARGEST_ID else None
    if run is None:
        raise Refused(404, f"There is no run {run_id}.")
    return run


def iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
