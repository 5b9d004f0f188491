"""What can go wrong while fetching, as a tree. Each class has a stable code; people see the code's explanation.

    FetchError
    ├── ConfigError           E_CONFIG      settings that cannot work
    ├── AuthError             E_AUTH        the gateway refuses the login
    ├── GatewayError          E_GATEWAY     the gateway says no, and repeating will not help
    ├── Transient             may heal: repeated within the budget
    │   ├── ConnectError      E_CONNECT     no connection
    │   ├── TimedOut          E_TIMEOUT     one of the deadlines
    │   ├── ServerError       E_SERVER      500–504
    │   ├── RateLimited       E_RATE        429
    │   ├── Truncated         E_TRUNCATED   the body ends early
    │   ├── NotJson           E_NOT_JSON    HTML, broken JSON, an unknown encoding
    │   └── Envelope          E_ENVELOPE    JSON, but no list of records where one must be
    ├── Untrusted             E_CONNECT     the certificate cannot be trusted; repeating will not help
    ├── Redirected            E_REDIRECT    never followed: the token would travel along
    ├── TooLarge              E_TOO_LARGE   more bytes than the cap
    ├── PagingError           E_PAGING      pages that cannot be made a whole
    ├── SchemaError           E_SCHEMA      the records do not have the fields they must have
    ├── StorageError          E_STORAGE     the destination cannot be written
    ├── Fenced                E_FENCED      a newer engine has taken over
    ├── Shrunk                E_SHRUNK      more would vanish than the limits allow (held)
    ├── Moved                 E_MOVED       what was staged no longer fits the data that are there
    │   └── Overtaken         E_MOVED       another process has published the same part meanwhile
    ├── CannotUndo            E_UNDO        there is nothing (left) that could be taken back
    ├── OutOfMemory           E_OOM         the machine gives no more memory
    └── Partial               E_PARTIAL     some parts failed, the others are published

`params` feed the explanation that the panel shows in the reader's language (panel/explain.py); `str(error)` is
one English sentence. Neither ever holds a secret or a person's data.
"""

import errno
from typing import Any, ClassVar


class FetchError(Exception):
    """The fetch, or one part of it, failed. `retryable`: a later attempt may succeed without a person."""

    code: ClassVar[str] = "E_INTERNAL"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **params: Any) -> None:
        super().__init__(message)
        self.params = params

    def to_dict(self) -> dict[str, Any]:
        """The error as it travels in an event."""
        return {
            "code": self.code,
            "message": str(self)[:400],
            "params": self.params,
            "retryable": self.retryable,
        }


class ConfigError(FetchError):
    """Settings that cannot work; a person must change them."""

    code = "E_CONFIG"

    def __init__(self, message: str, **params: Any) -> None:
        super().__init__(message, **{"detail": message, **params})


class AuthError(FetchError):
    """The gateway refuses the login. Never repeated: repeating a wrong password locks accounts."""

    code = "E_AUTH"


class GatewayError(FetchError):
    """The gateway refuses the request for good (400, 403, 404, 405 …)."""

    code = "E_GATEWAY"


class Transient(FetchError):
    """May heal by itself. `retry_after`: seconds that the gateway asked us to wait, where it did."""

    retryable = True

    def __init__(self, message: str, retry_after: float | None = None, **params: Any) -> None:
        super().__init__(message, **params)
        self.retry_after = retry_after


class ConnectError(Transient):
    """No connection: refused, reset, unreachable, no such name, TLS trouble."""

    code = "E_CONNECT"


class TimedOut(Transient):
    """A deadline passed; `params["deadline"]` names which: name, connect, silence, request."""

    code = "E_TIMEOUT"


class ServerError(Transient):
    """The gateway answered 500–504."""

    code = "E_SERVER"


class RateLimited(Transient):
    """The gateway answered 429."""

    code = "E_RATE"


class Unavailable(Transient):
    """Nothing was asked: the gateway is down for everybody, or has asked for a pause (`reason` "pause")."""

    code = "E_UNAVAILABLE"


class Truncated(Transient):
    """The body ended before it was complete."""

    code = "E_TRUNCATED"


class NotJson(Transient):
    """The body is not JSON that we can read: HTML, cut off, an unknown encoding."""

    code = "E_NOT_JSON"


class Envelope(Transient):
    """JSON, but an error body or no list of records (`data` missing, null, a string)."""

    code = "E_ENVELOPE"


class Untrusted(FetchError):
    """The other side cannot prove who it is. A person must look; the check is never turned off."""

    code = "E_CONNECT"


class Redirected(FetchError):
    """The gateway redirects. Not followed: the token would go with it."""

    code = "E_REDIRECT"


class TooLarge(FetchError):
    """More decoded bytes than the cap; a bomb, or a page size that the gateway ignores."""

    code = "E_TOO_LARGE"


class PagingError(FetchError):
    """The pages cannot be made a whole: repeats, drift, fewer rows than announced."""

    code = "E_PAGING"
    retryable = True


class SchemaError(FetchError):
    """The records lack a field that they must have; the upstream has changed."""

    code = "E_SCHEMA"


class StorageError(FetchError):
    """The destination cannot be written: disk full, read-only, locked, I/O error, a server that is gone."""

    code = "E_STORAGE"

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "retryable": self.params.get("reason") in ("busy", "gone")}


class Fenced(FetchError):
    """A newer engine has taken over this destination; this child must not write any more."""

    code = "E_FENCED"


class Shrunk(FetchError):
    """More rows would vanish than the sync's limits allow; the old data stay. `held`: every part that must wait."""

    code = "E_SHRUNK"

    def __init__(self, message: str, *, held: frozenset[str] = frozenset(), **params: Any) -> None:
        super().__init__(message, held=len(held), **params)
        self.held = held


class Moved(FetchError):
    """What was staged was compared with data that have changed since; only a new sync can tell."""

    code = "E_MOVED"


class Overtaken(Moved):
    """Another process has published the same part meanwhile; the next try compares with what is there then."""

    retryable = True


class CannotUndo(FetchError):
    """A run cannot be undone; `params["reason"]`: nothing, diary (it was cleared), left (all changed since), source."""

    code = "E_UNDO"


class OutOfMemory(FetchError):
    """The machine gives no more memory. It ends the attempt: nothing this process does afterwards is to be trusted."""

    code = "E_OOM"
    retryable = True

    def __init__(self) -> None:
        super().__init__("There was no memory left on this machine.")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of any library means that memory ran out (a thread's stack is memory too)."""
    return (
        isinstance(error, MemoryError)
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (isinstance(error, RuntimeError) and "start new thread" in str(error))
    )


class Partial(FetchError):
    """Some parts failed; the others are published. Retryable when at least one failed part is."""

    code = "E_PARTIAL"

    def __init__(self, message: str, *, may_heal: bool, **params: Any) -> None:
        super().__init__(message, **params)
        self.may_heal = may_heal

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "retryable": self.may_heal}
