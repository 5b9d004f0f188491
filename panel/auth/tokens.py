"""Bearer tokens for programs: shown once, kept as a hash, with a scope and an end."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from panel.auth.roles import allows
from panel.models import ApiToken, User

SCOPES = ("read", "write")
MARK = "hamgam_"  # so that a token that leaked into a file is recognised as one
PREFIX_LENGTH = len(MARK) + 5
NOTE_USE_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Caller:
    """The program behind a request, and the person it acts for."""

    token_id: int
    token_name: str
    scope: str
    username: str
    role: str
    last_used_at: datetime | None

    def may(self, scope: str) -> bool:
        """Reading needs a token; writing a write token of somebody who may operate."""
        return scope == "read" or (self.scope == "write" and allows(self.role, "operator"))


def create(
    session: Session, user: User, name: str, scope: str, now: datetime, lifetime: timedelta | None
) -> tuple[ApiToken, str]:
    """A new token's row and the token itself, which nobody can read again. The caller commits."""
    if scope not in SCOPES:
        raise ValueError(f"a token's scope is one of {', '.join(SCOPES)}, not {scope}")
    secret = MARK + secrets.token_urlsafe(32)
    token = ApiToken(
        user_id=user.id,
        name=name,
        prefix=secret[:PREFIX_LENGTH],
        sha256=digest(secret),
        scope=scope,
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
    )
    session.add(token)
    session.flush()
    return token, secret


def verify(session: Session, secret: str, now: datetime) -> Caller | None:
    """Who calls with this token; None if it is unknown, revoked, expired or of a disabled user."""
    wanted = digest(secret)
    token = session.scalar(
        select(ApiToken).where(ApiToken.sha256 == wanted).options(joinedload(ApiToken.user))
    )
    if token is None or not hmac.compare_digest(token.sha256, wanted):
        return None
    if token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now):
        return None
    if not token.user.active:
        return None
    return Caller(token.id, token.name, token.scope, token.user.username, token.user.role, token.last_used_at)


def use_is_news(caller: Caller, now: datetime) -> bool:
    """Is it time to note the use again? Once a minute is enough to tell a dead token from a live one."""
    return caller.last_used_at is None or now - caller.last_used_at >= NOTE_USE_EVERY


def note_use(session: Session, caller: Caller, now: datetime) -> None:
    session.execute(update(ApiToken).where(ApiToken.id == caller.token_id).values(last_used_at=now))


def revoke(token: ApiToken, now: datetime) -> bool:
    """End a token now; False if it had ended before."""
    if token.revoked_at is not None:
        return False
    token.revoked_at = now
    return True


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
