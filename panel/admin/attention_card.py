"""The card at the top of the home page: what needs a person now, each with one way to what can be done about it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_babel import ngettext
from flask_login import current_user
from markupsafe import Markup, escape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from panel import attention, explain, holidays, letter, storage
from panel.admin import show, sources
from panel.attention import Need
from panel.auth.locale import direction
from panel.config import Config
from panel.gateways import Gateway
from panel.models import DataSync
from panel.zones import TEHRAN

MOST = 10  # what does not fit is on the list of those that need somebody
WORDS = {
    attention.ENGINE: lazy("Engine is down"),
    attention.DISK: lazy("Disk"),
    attention.HELD: lazy("Needs your decision"),
    attention.FAILED: lazy("Failed"),
    attention.BROKEN: lazy("Mistake in its file"),
    attention.MISSING: lazy("Settings are missing"),
    attention.DOWN: lazy("Gateway is down"),
    attention.LATE_TURN: lazy("Overdue"),
    attention.STALE: lazy("Old data"),
    attention.PAUSED: lazy("Automatic sync is paused"),
    attention.UNPLANNED: lazy("No turn is left"),
    attention.CALENDAR: lazy("Calendar"),
}
# Colour and icon of each: red, what is broken; amber, what waits.
LOOKS = {
    attention.ENGINE: ("failed", "warn"),
    attention.DISK: ("failed", "warn"),
    attention.HELD: ("held", "hand"),
    attention.FAILED: ("failed", "cross"),
    attention.BROKEN: ("failed", "warn"),
    attention.MISSING: ("held", "gear"),
    attention.DOWN: ("failed", "plug"),
    attention.LATE_TURN: ("failed", "clock"),
    attention.STALE: ("failed", "clock"),
    attention.PAUSED: ("held", "hand"),
    attention.UNPLANNED: ("held", "calendar"),
    attention.CALENDAR: ("held", "calendar"),
}


@dataclass(frozen=True)
class Line:
    """One thing as the card shows it. go: address and words of what can be done in the panel; None: nothing."""

    kind: str
    badge: Markup
    text: Markup
    since: datetime | None
    go: tuple[str, str] | None
    announced: str | None  # to those who hear the page, where no row of the table tells it


@dataclass(frozen=True)
class Card:
    """lines: the first of all that there are; more: how many are not among them.

    look: `success` where all is well, `none` where that is not known, else "". as_of: of when the data are then.
    """

    lines: Sequence[Line]
    more: int
    summary: str
    look: str
    as_of: datetime | None
    by_themselves: str | None

    @property
    def announced(self) -> list[str]:
        return [text for text in (self.summary, *(line.announced for line in self.lines)) if text]


def card(
    everything: Sequence[sources.Standing],
    shown: Collection[str],
    lamps: Sequence[Gateway],
    session: Session,
    config: Config,
    now: datetime,
    *,
    is_new: bool,
) -> Card:
    """What the home page says first. shown: the keys of the sources whose rows are on this page.

    is_new: the page leads to the first steps, which say the rest.
    """
    found = attention.attention(
        everything,
        engine_down=show.engine_is_down(),
        disk=storage.of_disks(config),
        gateways=lamps,
        calendar=holidays.troubles(session, now.astimezone(TEHRAN).date()),
        is_new=is_new,
    )
    calm = not found.needs
    same = Counter(one.label for one in everything)
    in_step = calm and bool(everything) and all(one.status == "success" for one in everything)
    return Card(
        lines=[_line(need, same, shown, now) for need in found.needs[:MOST]],
        more=max(0, len(found.needs) - MOST),
        summary="" if is_new else summary(everything),
        look=("success" if in_step else "none") if calm else "",
        as_of=session.scalar(select(func.min(DataSync.data_as_of))) if in_step else None,
        by_themselves=show.some(found.by_themselves, lambda one: _name(one, same)) or None,
    )


def summary(everything: Sequence[sources.Standing]) -> str:
    """The answer to "is all well?" in one sentence."""
    if not everything:
        return ""
    needs = sum(one.need is not None for one in everything)
    if needs:
        return _(
            "Sources that need you: %(n)s of %(all)s.", n=show.number(needs), all=show.number(len(everything))
        )
    active = sum(one.active for one in everything)
    if active:
        return ngettext(
            "%(n)s source is being synced now.",
            "%(n)s sources are being synced now.",
            active,
            n=show.number(active),
        )
    if any(one.heals for one in everything):
        return _("Nothing to do now.")
    in_step = sum(one.status == "success" for one in everything)
    if in_step == len(everything):
        return _("All sources are in step.")
    if in_step:
        return _(
            "%(n)s of %(all)s sources are in step; press “Sync” beside the others.",
            n=show.number(in_step),
            all=show.number(len(everything)),
        )
    return _("Press “Sync” beside a source to bring it in step.")


def _name(source: sources.Standing, same: Mapping[str, int]) -> str:
    """What a source is called; those that are called the same, with their keys."""
    return source.label if same[source.label] == 1 else f"{source.label} (\u2068{source.key}\u2069)"


def _line(need: Need, same: Mapping[str, int], shown: Collection[str], now: datetime) -> Line:
    colour, icon = LOOKS[need.kind]
    text: str | Markup
    go: tuple[str, str] | None = None
    announced = None  # by the row of its source, or by its lamp
    if need.source is not None:
        text, go = _name(need.source, same), _way(need, shown)
    elif isinstance(need.about, Gateway):
        text = Markup('<span class="ltr">{}</span>').format(need.about.address)
        go = _to_keeper(need.about, now)
    elif isinstance(need.about, holidays.Trouble):
        text = announced = show.trouble(need.about)
        page = show.page_url("calendar")
        go = (page, _("Calendar")) if page else None
    elif isinstance(need.about, storage.Trouble):
        announced = _(need.about.title)
        text = f"{announced}. {_(need.about.todo).format_map(_plain(need.about.params))}"
    else:
        text = _(
            "Nothing is synced until it starts. On the server: %(command)s", command="python -m panel up"
        )
        announced = str(WORDS[need.kind])
    badge = show.badge(colour, icon, WORDS[need.kind])
    return Line(need.kind, badge, escape(text), need.since, go, announced)


def _way(need: Need, shown: Collection[str]) -> tuple[str, str]:
    """Where something can be done about a source: a page of its own, or its row in the table."""
    key = need.source.key
    if need.run is not None and need.kind == attention.HELD:
        return url_for("runs.held", run_id=need.run), _("Who would vanish")
    if need.run is not None:
        return url_for("runs.one", run_id=need.run), _("What to do")
    if need.kind == attention.MISSING and current_user.can("admin"):
        return url_for("syncs.settings", key=key), _("Complete them")
    row = f"#source-{key}"
    return row if key in shown else url_for("admin.index", search=key) + row, _("Show it")


def _to_keeper(gateway: Gateway, now: datetime) -> tuple[str, str] | None:
    """The letter, where its keeper could do something."""
    if letter.of_gateway(gateway, now) is None:
        return None
    return url_for("admin.letter", of=gateway.address), _("Letter to gateway support")


def _plain(params: Mapping[str, str]) -> dict[str, str]:
    """The params of a disk's trouble, as people read them: a path in one piece, a number in their digits."""
    apart = explain.apart_in_line if direction() == "rtl" else str
    return {name: show.digits(value) if name == "free" else apart(value) for name, value in params.items()}
