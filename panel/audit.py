"""The trail of who did what."""

from typing import Any

from sqlalchemy.orm import Session

from panel.clock import utcnow
from panel.models import AuditEntry


def record(
    session: Session,
    actor: str,
    action: str,
    subject: str | None = None,
    address: str | None = None,
    **details: Any,
) -> AuditEntry:
    """Write one line, committed with what it tells of. `details` hold names of settings, never values."""
    entry = AuditEntry(
        at=utcnow(),
        actor=_one_line(actor, 150),
        address=None if address is None else _one_line(address, 64),
        action=action,
        subject=None if subject is None else _one_line(subject, 150),
        details=details or None,
    )
    session.add(entry)
    return entry


def _one_line(text: str, longest: int) -> str:
    """A name that somebody typed, fit for one line: no line breaks, no control or bidi characters."""
    return "".join(character if character.isprintable() else "�" for character in text)[:longest]
