"""Wrong passwords slow down whoever sends them: per name and per address, over all workers.

Nobody is locked out for good: the wait grows to a minute for a name, to five minutes for an address.
An attempt is written down before the password is looked at, so that many at once count too; a right one
strikes the name's attempts out again. Refused ones are not counted, else a stranger could stretch the wait.
"""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from panel.models import LoginAttempt

WINDOW = timedelta(hours=1)
# Many people may share one address: a department must not wait because two of them mistyped.
FREE_PER_NAME, LONGEST_PER_NAME = 5, timedelta(minutes=1)
FREE_PER_ADDRESS, LONGEST_PER_ADDRESS = 20, timedelta(minutes=5)


def name_key(username: str) -> str:
    """What stands for the typed name: people type passwords into the name's box, so it is not kept itself."""
    return hashlib.sha256(username.strip().casefold().encode("utf-8", "surrogatepass")).hexdigest()


def delay(failures: int, free: int, longest: timedelta) -> timedelta:
    """How long to wait after so many failures: none at first, then 1, 2, 4 … seconds up to the longest."""
    if failures < free:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(failures - free, 20)), longest)


def wait(session: Session, username: str, address: str, now: datetime) -> timedelta:
    """How long this name from this address still has to wait; zero if it may try."""
    by_name = _remaining(
        session, LoginAttempt.username == name_key(username), FREE_PER_NAME, LONGEST_PER_NAME, now
    )
    by_address = _remaining(
        session,
        LoginAttempt.address == address,
        FREE_PER_ADDRESS,
        LONGEST_PER_ADDRESS,
        now,
    )
    return max(by_name, by_address)


def note_attempt(session: Session, username: str, address: str, now: datetime) -> None:
    """Write an attempt down as failed until it succeeds, and forget the old ones."""
    session.execute(delete(LoginAttempt).where(LoginAttempt.at < now - WINDOW))
    session.add(LoginAttempt(username=name_key(username), address=address[:64], at=now))


def forgive(session: Session, username: str) -> None:
    """The password was right: the name's attempts no longer count."""
    session.execute(delete(LoginAttempt).where(LoginAttempt.username == name_key(username)))


def _remaining(
    session: Session, whose: ColumnElement[bool], free: int, longest: timedelta, now: datetime
) -> timedelta:
    # `at <= now`: a clock that was set back must not make people wait for the future.
    failures, last = session.execute(
        select(func.count(), func.max(LoginAttempt.at)).where(
            whose, LoginAttempt.at > now - WINDOW, LoginAttempt.at <= now
        )
    ).one()
    if not failures:
        return timedelta(0)
    return max(timedelta(0), last + delay(failures, free, longest) - now)
