"""Talking to a Golestan gateway: login, tokens, error bodies (DOMAIN.md G1–G8).

Every call is a POST that reads, so repeating one is safe.
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fetchers.core import errors
from fetchers.core.clean import clean
from fetchers.core.records import Known, Records
from fetchers.core.wire import envelope, large
from fetchers.core.wire.envelope import Page
from fetchers.core.wire.http import Answer, Session, traced

_LONG_NUMBER = re.compile(r"\d{8,}")  # of a person, most likely: no run's log needs it
# How deep an explanation is read. Python's own limit is no bound to lean on: what else runs near it fails too.
_DEEPEST = 32
# Refusals whose status alone tells people what to do.
_REFUSALS: Mapping[int, Mapping[str, str]] = {
    403: {"reason": "forbidden"},
    404: {"reason": "not_there"},
    405: {"reason": "not_there"},
    410: {"reason": "not_there"},
}


class GolestanClient:
    """One login, shared by all threads of a job. Raises ConfigError for an address that is none."""

    def __init__(self, session: Session, base_url: str, username: str, password: str) -> None:
        self._session = session
        self._base = base_url.rstrip("/")
        try:
            self._host = urlsplit(self._base).netloc
        except ValueError:
            raise errors.ConfigError(
                "The gateway's address is not a web address.", setting="base_url"
            ) from None
        self._credentials = {"userName": username, "password": password}
        self._lock = threading.Lock()
        self._token = ""
        self._generation = 0
        self._refused: errors.FetchError | None = None  # why no login will ever work in this job

    @contextmanager
    def about(self, path: str) -> Iterator[None]:
        """What goes wrong inside the block was about this address: the error names it, and nothing that is secret."""
        try:
            yield
        except errors.FetchError as error:
            error.params.setdefault("host", self._host)
            error.params.setdefault("path", urlsplit(self._base).path + path)
            if "said" in error.params:
                error.params["said"] = self._harmless(str(error.params["said"]))
            raise

    def login(self) -> None:
        """Log in once, now. Raises AuthError or ConfigError where that cannot work; it is never tried again."""
        with self._lock:
            self._renew()

    def page(self, path: str, body: Mapping[str, Any], what: str) -> Page:
        """Ask for one page, patiently. `what` names the part in the log.

        Raises FetchError: AuthError where the login or a fresh token is refused, GatewayError for a refused request.
        """
        return self._session.patiently(lambda: self._page_once(path, body, what), what)

    def _page_once(self, path: str, body: Mapping[str, Any], what: str) -> Page:
        answer = self._post_with_token(path, body)
        if answer.status >= 400:
            raise self._refusal(answer)
        if answer.status != 200:
            raise errors.Envelope(f"{self._host} answered {answer.status} instead of data.", reason="status")
        if answer.spooled is None and answer.body[:64].lstrip()[:3] == b"<e>":
            said = msgspec.json.encode(envelope.text(answer.body, answer.headers))
            raise self._error_body({"data": msgspec.Raw(said)})
        found, records = _read(answer, self._session.expected)
        if _says_failed(found):
            raise self._error_body(found)
        if records is None:
            records = envelope.records(found.get("data"), self._host)
        if _begins(found["data"], b"{"):
            self._session.log(
                f"{what}: one object came instead of a list; it is taken as one record.", "warning"
            )
        return Page(records, envelope.whole_number(found.get("totalcount")))

    def _error_body(self, found: Mapping[str, msgspec.Raw]) -> errors.Envelope:
        """An error that comes with status 200, in the gateway's own words."""
        said = self._message(found)
        return errors.Envelope(
            f"{self._host} answered with an error. {said}".strip(), reason="error_body", said=said
        )

    def _post_with_token(self, path: str, body: Mapping[str, Any]) -> Answer:
        """One call; a 401 renews the token once for all threads, and the same request is repeated once.

        Who renews it also uses it first, while the others wait: it may be good for one use. A token that is refused
        when it was just given heals by no further login, and each would count against the account: nothing more is
        asked in this job.
        """
        while True:
            generation, token = self._current()
            answer = self._ask(path, body, token)
            if answer.status != 401:
                return answer
            with self._lock:
                if self._generation != generation:
                    continue  # another thread has renewed it meanwhile
                self._renew()
                answer = self._ask(path, body, self._token)
                if answer.status != 401:
                    return answer
                self._refused = errors.AuthError(
                    f"{self._host} refuses a token that it has just given (401).",
                    host=self._host,
                    status=401,
                    reason="token",
                )
                raise self._refused

    def _ask(self, path: str, body: Mapping[str, Any], token: str) -> Answer:
        headers = {"Authorization": f"Bearer {token}"}
        return self._session.post_json(self._base + path, body, headers, small=_smallest(body))

    def _current(self) -> tuple[int, str]:
        with self._lock:
            if not self._token or self._refused is not None:
                self._renew()
            return self._generation, self._token

    def _renew(self) -> None:
        """Log in; the caller holds the lock, so all other threads wait for this one login."""
        if self._refused is not None:
            raise self._refused
        try:
            self._token = self._login_once()
        except errors.FetchError as error:
            # A redirect, a certificate: what will not heal for one part will not for the next thousand either.
            self._refused = None if error.retryable else error
            raise
        self._generation += 1

    def _login_once(self) -> str:
        with self.about("/Login"):
            return self._ask_for_a_token()

    def _ask_for_a_token(self) -> str:
        answer = self._session.post_json(f"{self._base}/Login", self._credentials, {})
        if answer.status in (400, 401, 403):
            raise errors.AuthError(
                f"{self._host} refuses this user name or password ({answer.status}).",
                host=self._host,
                status=answer.status,
                **_REFUSALS.get(answer.status, {}),
            )
        if answer.status in (404, 405, 410):
            raise errors.ConfigError(
                f"{self._host} has no login at this address ({answer.status}).", setting="base_url"
            )
        if answer.status != 200:
            raise self._refusal(answer)
        # From here on the gateway has judged: whatever it calls its no, a second try might count as a wrong password.
        found = envelope.read(answer.body, answer.headers)
        try:
            token = msgspec.json.decode(found["data"], type=_Login).token
        except (KeyError, msgspec.MsgspecError, ValueError, RecursionError):
            token = ""
        if not token.isascii() or not token.isprintable() or " " in token or not token:
            raise errors.AuthError(
                f"{self._host} gave no token at the login.", host=self._host, status=200, reason="no_token"
            )
        return token

    def _refusal(self, answer: Answer) -> errors.FetchError:
        """A 4xx in words: whatever shape `errors` has, this never raises (DOMAIN.md part 3, row 8)."""
        said, trace = "", ""
        try:
            found = envelope.read(answer.body, answer.headers) if answer.body.strip() else {}
            said, trace = self._message(found), _text(found.get("traceid"))[:100]
        except errors.FetchError:
            said = ""  # a web page or plain text: the status says enough
        told = {"trace": trace} if trace else traced(answer)
        mark = f"(trace {told['trace']})" if told else ""
        return errors.GatewayError(
            " ".join(filter(None, (f"{self._host} refuses the request ({answer.status}).", said, mark))),
            host=self._host,
            status=answer.status,
            said=said,
            **told,
            **_REFUSALS.get(answer.status, {}),
        )

    def _message(self, found: Mapping[str, msgspec.Raw]) -> str:
        """What an error body says, from any of its known shapes: cleaned, short, and without what must stay here."""
        pieces = [_text(found.get(key)) for key in ("title", "message", "error", "errors")]
        if _is_error_text(found.get("data")):
            pieces.append(_text(found["data"]))
        return self._harmless(" ".join(dict.fromkeys(piece for piece in pieces if piece)))

    def _harmless(self, said: str) -> str:
        """The gateway's words, short, without our login and without numbers that could be a person's."""
        ours = (*self._credentials.values(), self._token)
        for secret in filter(None, (*ours, *map(clean, ours))):  # cleaned as the gateway's words were
            said = said.replace(secret, "--------")
        return _LONG_NUMBER.sub("--------", said)[:200]


def _read(answer: Answer, known: Known | None) -> tuple[dict[str, msgspec.Raw], Records | None]:
    """An answer of status 200, and its records; None: they are still in its `data`, if there are any."""
    if answer.spooled is not None:
        return large.read(answer.spooled, answer.headers, known)
    quickly = envelope.read_with_records(answer.body, answer.headers, known)
    return quickly or (envelope.read(answer.body, answer.headers), None)


def _smallest(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same question for one record of the first page."""
    first = {"pageNumber": 1, "pageSize": 1}
    return {
        name: first.get(name, _smallest(value) if isinstance(value, Mapping) else value)
        for name, value in body.items()
    }


class _Login(msgspec.Struct):
    token: str


def _says_failed(found: Mapping[str, msgspec.Raw]) -> bool:
    if bytes(found.get("issuccess", b"")).strip() == b"false":
        return True
    if any(_text(found.get(key)) not in ("", "False") for key in ("error", "errors")):
        return True
    if _is_error_text(found.get("data")):
        return True
    return "data" not in found and any(key in found for key in ("title", "message"))


def _is_error_text(raw: msgspec.Raw | None) -> bool:
    """Whether a value is a text as Golestan's reports answer errors: `<e>…</e>` with status 200 (DOMAIN.md 1.3)."""
    return raw is not None and _begins(raw, b'"<e>')


def _begins(raw: msgspec.Raw, word: bytes) -> bool:
    """Whether a value begins so; without a copy, for it may be a list of 100 MB."""
    return bytes(memoryview(raw)[: len(word)]) == word


def _text(raw: msgspec.Raw | None) -> str:
    """A value's words, whatever its shape. Never raises."""
    if raw is None:
        return ""
    try:
        return clean(" ".join(_leaves(msgspec.json.decode(raw)))) or ""
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""


def _leaves(value: Any, inside: int = 0) -> list[str]:
    """The words in a decoded value, in order; none from below `_DEEPEST` levels, where nobody explains anything."""
    if isinstance(value, (dict, list)) and inside == _DEEPEST:
        return []
    if isinstance(value, dict):
        return [
            leaf
            for key, inner in value.items()
            if (found := _leaves(inner, inside + 1))
            for leaf in (f"{key}:", *found)
        ]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner, inside + 1)]
    return [] if value is None else [str(value)]
