"""One gate before every route.

Nothing is open unless it is named here: a page that somebody adds tomorrow and forgets to protect is closed.
"""

from urllib.parse import urlsplit

from flask import Flask, abort, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from panel.auth import sessions
from panel.clock import utcnow
from panel.config import Config

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Open to strangers.
PUBLIC = frozenset({"static", "admin.static", "auth.login", "auth.set_locale", "health.healthz"})
# What everybody who is signed in may change: their own session, language, colours and password, how they look at lists.
OWN_BUSINESS = frozenset(
    {
        *("auth.logout", "auth.set_locale", "auth.set_theme", "account.index"),
        *("data.columns", "data.save_view", "data.remove_view"),
    }
)
API = "api"  # this blueprint knows its callers by bearer tokens alone, and checks them itself


def install(app: Flask) -> None:
    names = accepted_hosts(app.extensions["hamgam_config"])

    @app.before_request
    def gate() -> ResponseReturnValue | None:
        """Let a request in, or answer it here.

        1. The host must be one of our names (an address book entry elsewhere may point a foreign name at us).
        2. A change must come from our own pages.
        3. A stranger sees the public routes alone.
        4. A viewer changes nothing but their own business.
        """
        if names is not None and host_name(request.host) not in names:
            abort(400, description="unknown host")
        if holds_nul(request.path, request.args):
            abort(400)
        if request.blueprint == API or (request.endpoint is None and request.path.startswith("/api/")):
            return None
        if request.method not in SAFE_METHODS and not from_our_pages():
            abort(403, description="cross-origin")
        if request.method not in SAFE_METHODS and holds_nul("", request.form):
            abort(400)
        if request.endpoint in PUBLIC:
            return None
        if not current_user.is_authenticated:
            return sign_in_first()
        sessions.touch(utcnow())
        changes = request.method not in SAFE_METHODS and request.endpoint not in OWN_BUSINESS
        if changes and not current_user.can("operator"):
            abort(403)
        return None


def holds_nul(text: str, values: MultiDict[str, str]) -> bool:
    """A NUL ends a text in C and is refused by PostgreSQL; nobody types one."""
    return "\0" in text or any("\0" in name + value for name, value in values.items(multi=True))


def accepted_hosts(config: Config) -> frozenset[str] | None:
    """The host names that requests may ask for; None for any, where the panel listens on every address."""
    bound = config.host.strip("[]").lower()
    extra = config.trusted_hosts
    if not extra and bound in ("0.0.0.0", "::", ""):
        return None
    return frozenset({"localhost", "127.0.0.1", "::1", bound, *(name.strip("[]").lower() for name in extra)})


def host_name(host: str) -> str:
    """The name in a Host header, without the port and an IPv6 address's brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def from_our_pages() -> bool:
    """Browsers say where a request comes from; other programs, which hold no cookie of ours, say nothing."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def sign_in_first() -> ResponseReturnValue:
    """A person is sent to the sign-in page and back; a script is told 401."""
    for leftover in ("_user_id", "sid", "began", "seen"):
        session.pop(leftover, None)
    if request.method not in SAFE_METHODS or sessions.by_a_script():
        abort(401)
    target = request.full_path.rstrip("?")
    return redirect(url_for("auth.login", next=target if target != "/" else None))
