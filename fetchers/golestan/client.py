"""Talking to a Golestan gateway: login, tokens, error bodies (DOMAIN.md G1–G8).

Every call is a POST that reads, so repeating one is safe.
"""

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fetchers.core import envelope, errors
from fetchers.core.clean import clean
from fetchers.core.envelope import Page
from fetchers.core.http import Answer, Session


class GolestanClient:
    """One login, shared by all threads of a job."""

    def __init__(self, session: Session, base_url: str, username: str, password: str) -> None:
        self._session = session
        self._base = base_url.rstrip("/")
        self._host = urlsplit(self._base).netloc
        self._credentials = {"userName": username, "password": password}
        self._lock = threading.Lock()
        self._token: str | None = None
        self._generation = 0
        self._refused: errors.AuthError | None = None

    def login(self) -> None:
        """Log in once, now. Raises AuthError where name or password are wrong; that is never tried again."""
        self._renew(self._generation)

    def page(self, path: str, body: Mapping[str, Any], what: str) -> Page:
        """Ask for one page, patiently. `what` names the part in the log.

        Raises FetchError: AuthError where a fresh token is refused too, GatewayError for a refused request.
        """
        return self._session.patiently(lambda: self._page_once(path, body), what)

    def _page_once(self, path: str, body: Mapping[str, Any]) -> Page:
        answer = self._post_with_token(path, body)
        if answer.status >= 400:
            raise self._refusal(answer)
        if answer.status != 200:
            raise errors.Envelope(f"{self._host} answered {answer.status} instead of data.", reason="status")
        found = envelope.read(answer.body, answer.headers)
        if _says_failed(found):
            raise errors.Envelope(
                f"{self._host} answered with an error: {_message(found)}",
                reason="error_body",
                said=_message(found),
            )
        return Page(
            envelope.records(found.get("data"), self._host), envelope.whole_number(found.get("totalcount"))
        )

    def _post_with_token(self, path: str, body: Mapping[str, Any]) -> Answer:
        """One call; a 401 renews the token once for all threads, and the same request is repeated.

        A token that another thread fetched may be used up or withdrawn before we come to use it, so only a token
        that this call fetched itself counts against the gateway.
        """
        own_logins = 0
        while own_logins < 2:
            generation, token = self._current()
            answer = self._session.post_json(self._base + path, body, {"Authorization": f"Bearer {token}"})
            if answer.status != 401:
                return answer
            own_logins += self._renew(generation)
        raise errors.GatewayError(
            f"{self._host} refuses a token that it has just given (401).", host=self._host, status=401
        )

    def _current(self) -> tuple[int, str]:
        with self._lock:
            generation, token = self._generation, self._token
        if token is None:
            self._renew(generation)
            return self._current()
        return generation, token

    def _renew(self, seen: int) -> bool:
        """Log in, unless another thread has done so since the caller looked. True if this call did."""
        with self._lock:
            if self._refused is not None:
                raise self._refused
            if self._generation != seen:
                return False
            try:
                self._token = self._login_once()
            except errors.AuthError as error:
                self._refused = error
                raise
            self._generation += 1
            return True

    def _login_once(self) -> str:
        answer = self._session.post_json(f"{self._base}/Login", self._credentials, {})
        if answer.status in (400, 401, 403):
            raise errors.AuthError(
                f"{self._host} refuses this user name or password ({answer.status}).",
                host=self._host,
                status=answer.status,
            )
        if answer.status != 200:
            raise self._refusal(answer)
        found = envelope.read(answer.body, answer.headers)
        try:
            token = msgspec.json.decode(found["data"], type=_Login).token
        except (KeyError, msgspec.DecodeError, msgspec.ValidationError) as error:
            raise errors.Envelope(f"{self._host} gave no token at the login.", reason="no_token") from error
        if not token or not token.isascii() or any(sign.isspace() for sign in token):
            raise errors.Envelope(f"{self._host} gave no usable token at the login.", reason="no_token")
        return token

    def _refusal(self, answer: Answer) -> errors.FetchError:
        """A 4xx in words: whatever shape `errors` has, this never raises (DOMAIN.md part 3, row 8)."""
        said, trace = "", ""
        try:
            found = envelope.read(answer.body, answer.headers) if answer.body.strip() else {}
            said, trace = _message(found), _text(found.get("traceid"))
        except errors.FetchError:
            said = ""  # a web page or plain text: the status says enough
        return errors.GatewayError(
            f"{self._host} refuses the request ({answer.status}). {said}".strip(),
            host=self._host,
            status=answer.status,
            said=said,
            trace=trace,
        )


class _Login(msgspec.Struct):
    token: str


def _says_failed(found: Mapping[str, msgspec.Raw]) -> bool:
    flag = found.get("issuccess")
    if flag is not None and bytes(flag).strip() == b"false":
        return True
    return "data" not in found and any(key in found for key in ("errors", "title", "message", "error"))


def _message(found: Mapping[str, msgspec.Raw]) -> str:
    """What an error body says, from any of its known shapes, cleaned and short."""
    pieces = [_text(found.get(key)) for key in ("title", "message", "error", "errors")]
    return " ".join(dict.fromkeys(piece for piece in pieces if piece))[:200]


def _text(raw: msgspec.Raw | None) -> str:
    if raw is None:
        return ""
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return ""
    return clean(" ".join(_leaves(value))) or ""


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in (f"{key}:", *_leaves(inner))]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [] if value is None else [str(value)]
