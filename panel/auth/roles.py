"""Three roles, each with what the one before it may do: viewer looks, operator syncs, admin sets up."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import abort
from flask_login import current_user

from panel.models.access import ROLES

P = ParamSpec("P")
R = TypeVar("R")


def allows(role: str, needed: str) -> bool:
    """May somebody of this role do what needs that one? An unknown role may nothing."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(needed)


def requires(needed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A view for people of this role and above; others get 403."""
    ROLES.index(needed)  # a misspelt role is found when the module is imported

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if not current_user.is_authenticated or not current_user.can(needed):
                abort(403)
            return view(*args, **kwargs)

        return guarded

    return decorate
