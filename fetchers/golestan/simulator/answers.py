"""The shapes in which the gateway answers, good and bad."""

from __future__ import annotations

import codecs
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from .wire import Response

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
_HTML_PAGES = (
    "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1></center>"
    "\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">'
    "<html><head><title>{status} - {title}</title></head><body><h2>{status} - {title}</h2>"
    "<h3>There is a problem with the resource you are looking for, and it cannot be displayed.</h3></body></html>",
)
_TITLES = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Time-out",
}
_ERROR_BODIES = (
    '{"data":null,"isSuccess":false,"message":"خطا در ارتباط با سامانه گلستان"}',
    '{"data":null,"totalPages":0,"totalCount":0}',
    '{"isSuccess":true,"message":null}',
    "<e>خطاي شماره 12: گزارش در دسترس نيست</e>",
)
_LOGIN_PAGE = (
    "<!DOCTYPE html><html dir='rtl'><head><title>ورود به سامانه</title></head>"
    "<body><form><input name='user'></form></body></html>"
)


def _json_escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(f"\\u{ord(c):04x}" for c in error.object[error.start : error.end]), error.end


codecs.register_error("simulator_json", _json_escape)


def of_json(value: Any, status: int = 200, **headers: str) -> Response:
    body = json.dumps(value, ensure_ascii=False).encode()
    return Response(
        status, body, {"Content-Type": JSON, **{k.replace("_", "-"): v for k, v in headers.items()}}
    )


def problem(status: int, title: str, errors: Any, serial: int) -> Response:
    """A validation problem as ASP.NET Core writes it."""
    body = {
        "type": f"https://tools.ietf.org/html/rfc9110#section-15.5.{status - 399}",
        "title": title,
        "status": status,
        "errors": errors,
        "traceId": f"00-{serial:032x}-{serial:016x}-00",
    }
    response = of_json(body, status)
    response.headers["Content-Type"] = "application/problem+json; charset=utf-8"
    return response


def error_shape(name: str, text: str, serial: int) -> Any:
    """`errors` in one of the shapes in which it was met: dict, list, string, empty, null."""
    return ({name: [text]}, [text], text, {}, None)[serial % 5]


def unauthorized(had_token: bool) -> Response:
    challenge = 'Bearer error="invalid_token"' if had_token else "Bearer"
    return Response(401, b"", {"WWW-Authenticate": challenge})


def html_error(status: int, which: int) -> Response:
    page = _HTML_PAGES[which % 2].format(status=status, title=_TITLES.get(status, "Error"))
    return Response(status, page.encode(), {"Content-Type": "text/html"})


def html_page() -> Response:
    return Response(200, _LOGIN_PAGE.encode(), {"Content-Type": HTML})


def error_body(which: int) -> Response:
    return Response(200, _ERROR_BODIES[which % len(_ERROR_BODIES)].encode(), {"Content-Type": JSON})


def throttled(which: int, longest: int, odd: bool) -> Response:
    """429, with Retry-After as seconds, as a date, missing, or nonsense."""
    soon = datetime.now(UTC) + timedelta(seconds=longest)
    forms = [str(longest), format_datetime(soon, usegmt=True), None] + (["-1", "soon"] if odd else [])
    response = Response(429, b"", {})
    if (form := forms[which % len(forms)]) is not None:
        response.headers["Retry-After"] = form
    return response


def recode(response: Response, kind: str) -> Response:
    """The same answer in another encoding, or with another word about it."""
    assert isinstance(response.body, bytes)
    text = response.body
    legacy = text.decode().replace("ی", "ي").encode("cp1256", "simulator_json")
    forms = {
        "bom": (b"\xef\xbb\xbf" + text, JSON),
        "text_plain": (text, "text/plain"),
        "cp1256": (legacy, "application/json; charset=windows-1256"),
        "cp1256_mislabelled": (legacy, JSON),
        "utf16": (text.decode().encode("utf-16"), JSON),
    }
    body, kind_of_content = forms[kind]
    return Response(response.status, body, {**response.headers, "Content-Type": kind_of_content})


CHARSETS = ("bom", "text_plain", "cp1256", "cp1256_mislabelled", "utf16")
