"""The lamps of the gateways on the status page: icon, word and colour; since when, why, and when it is asked again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from markupsafe import Markup

from panel import letter, persian
from panel.admin import show, sources
from panel.auth.locale import current
from panel.gateways import Gateway

WORDS = {
    "well": lazy("Responding"),
    "slow": lazy("Answers slowly"),
    "failing": lazy("Failing"),
    "paused": lazy("Asks for a pause"),
    "down": lazy("Down"),
    "unknown": lazy("Not asked yet"),
}
ICONS = {
    "well": "check",
    "slow": "clock",
    "failing": "warn",
    "paused": "hand",
    "down": "cross",
    "unknown": "dash",
}
COLOURS = {"green": "success", "amber": "held", "red": "failed", "none": "none"}


@dataclass(frozen=True)
class Shown:
    """One gateway as the page shows it."""

    address: str
    light: str
    badge: Markup
    sources: str
    since: datetime | None
    lines: list[str]
    answered_at: datetime | None
    announced: str | None  # to those who hear the page: what is not as it should be
    for_keeper: bool = False  # there is something to write to its keeper, and the card above does not say so


def shown(gateways: Iterable[Gateway], now: datetime) -> list[Shown]:
    """These gateways as the page shows them."""
    return [_shown(one, now) for one in gateways]


def _shown(one: Gateway, now: datetime) -> Shown:
    word = WORDS[one.lamp.kind]
    return Shown(
        address=one.address,
        light=one.light,
        badge=show.badge(COLOURS[one.light], ICONS[one.lamp.kind], word),
        sources=show.some(one.sources, sources.label),
        since=one.lamp.since if one.light in ("amber", "red") else None,
        lines=[line for line in (_why(one), _next(one, now), _budget(one)) if line],
        answered_at=one.lamp.answered_at,
        announced=f"{one.address}: {word}" if one.light in ("amber", "red") else None,
        for_keeper=one.light != "red" and letter.of_gateway(one, now) is not None,
    )


def _why(one: Gateway) -> str | None:
    lamp = one.lamp
    if lamp.kind == "slow" and lamp.seconds is not None and lamp.usual is not None:
        return _(
            "It takes %(now)s to answer, usually %(usual)s.",
            now=show.duration(lamp.seconds),
            usual=show.duration(lamp.usual),
        )
    if lamp.kind not in ("down", "failing") or lamp.cause is None:
        return None
    return show.explained(lamp.cause.code, lamp.cause.params).what


def _next(one: Gateway, now: datetime) -> str | None:
    """When and how it is asked from here on."""
    lamp = one.lamp
    at = persian.clock(lamp.until, now, current()) if lamp.until and lamp.until > now else None
    if lamp.kind == "paused" and at:
        return _("It has asked for fewer requests; Hamgam goes on at %(time)s.", time=at)
    if lamp.kind == "slow":
        return _("Hamgam asks at %(percent)s%% of its pace.", percent=show.number(round(lamp.pace * 100)))
    if lamp.kind == "failing":
        return _("The last %(n)s requests failed.", n=show.number(lamp.failures))
    if lamp.kind != "down":
        return None
    if not lamp.awaited:
        return _("The next run begins with one small question.")
    if at:
        return _("Hamgam asks one small question at a time; the next at %(time)s.", time=at)
    return _("Hamgam asks one small question now.")


def _budget(one: Gateway) -> str | None:
    """How gently it is asked; while something is wrong, that says more."""
    if one.light in ("amber", "red"):
        return None
    if not one.budget.per_second:
        return _(
            "At most %(n)s requests at once, for all its sources.", n=show.number(one.budget.connections)
        )
    return _(
        "At most %(rate)s requests a second and %(n)s at once, for all its sources.",
        rate=show.number(one.budget.per_second),
        n=show.number(one.budget.connections),
    )
