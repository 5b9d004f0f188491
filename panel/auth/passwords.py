"""Passwords: Argon2id hashes, the rules for new ones, and a check that takes as long for unknown names."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from panel.auth.common_passwords import is_common

SHORTEST = 8  # the sentences below name both
LONGEST = 1000  # nothing is cut off; longer than this is refused
# OWASP's second choice has less memory; here a sign-in takes about 50 ms and 32 MiB.
_hasher = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
# Of no password: the same work is done for a name that nobody has.
_DUMMY = _hasher.hash("no one signs in with this one")


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Is it this user's password? With no stored hash the answer is no, after the same work."""
    if len(password) > LONGEST:
        return False
    try:
        _hasher.verify(stored or _DUMMY, password)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def needs_rehash(stored: str) -> bool:
    return _hasher.check_needs_rehash(stored)


def check_password_rules(password: str, username: str = "") -> list[str]:
    """What is wrong with a new password, in the reader's language; empty if nothing is."""
    from flask_babel import gettext as _  # the commands hash passwords too, and start without Flask

    problems = []
    if len(password) < SHORTEST:
        problems.append(_("The password needs at least 8 characters."))
    if len(password) > LONGEST:
        problems.append(_("The password may have at most 1000 characters."))
    name = username.casefold()
    if name and (password.casefold() == name or (len(name) >= 4 and name in password.casefold())):
        problems.append(_("The password must not contain the user name."))
    if len(set(password)) < 4 or is_common(password):
        problems.append(_("This password is among the first that others would try."))
    return problems


def random_password() -> str:
    """Four groups of four that can be read aloud: no 0 and o, no 1, l and i. 79 random bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))
