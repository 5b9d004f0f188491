"""How things look on a page: words of statuses, numbers, moments, durations, icons, errors in plain words.

Registered as template globals by `install`, so that templates hold no logic of their own. Every moment is
shown relative first ("2 hours ago") with the exact time on hover and for screen readers. Codes keep Latin digits in
every language (panel/persian.py has the rule).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from flask import Flask, current_app, g, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from markupsafe import Markup, escape

from fetchers.core import registry
from fetchers.core.clean import to_jalali
from panel import causes, explain, part_map, persian, settings
from panel.auth.locale import current
from panel.clock import utcnow
from panel.holidays import Trouble
from panel.models import ACTIVE, SyncRun

STATUS_WORDS = {
    "pending": lazy("Waiting"),
    "running": lazy("Running"),
    "success": lazy("Successful"),
    "failed": lazy("Failed"),
    "cancelled": lazy("Cancelled"),
    "held": lazy("Needs approval"),
    None: lazy("Never run"),
}
STATUS_ICONS = {
    "pending": "clock",
    "running": "turn",
    "success": "check",
    "failed": "cross",
    "cancelled": "stop",
    "held": "hand",
    None: "dash",
}
DECISION_WORDS = {
    "approved": lazy("Accepted"),
    "rejected": lazy("Old data kept"),
    "superseded": lazy("Superseded by a newer run"),
    "lapsed": lazy("Nobody decided; old data kept"),
}
PART_WORDS = {
    "planned": lazy("To do"),
    "done": lazy("Done"),
    "resumed": lazy("Done before"),
    "staged": lazy("Fetched, waits"),
    "failed": lazy("Failed"),
    "held": lazy("Needs approval"),
    "unreached": lazy("Not reached"),  # still to do when the run ended
    "not_due": lazy("Not due"),
}
PART_ICONS = {
    "planned": "dash",
    "done": "check",
    "resumed": "check",
    "staged": "clock",
    "failed": "cross",
    "held": "hand",
    "unreached": "dash",
    "not_due": "clock",
}
DOOR_WORDS = {
    "panel": lazy("in the panel"),
    "api": lazy("through the API"),
    "cli": lazy("on the command line"),
    "schedule": lazy("automatically"),
}
DOOR_ICONS = {"panel": "person", "api": "plug", "cli": "prompt", "schedule": "clock"}
# The fixed order of the counts, everywhere.
COUNT_WORDS = {
    "read": lazy("Records read"),
    "added": lazy("New"),
    "changed": lazy("Changed"),
    "unchanged": lazy("Unchanged"),
    "gone": lazy("Gone"),
    "rejected": lazy("Rejected"),
    "duplicates": lazy("Duplicates"),
}
UNUSUAL_WORDS = {
    "long": lazy("far longer than usual"),
    "short": lazy("far shorter than usual"),
}
UNUSUAL_ADVICE = {
    "long": lazy("This run took far longer than usual. If the next ones do too, ask how the gateway does."),
    "short": lazy(
        "This run took far less time than usual. See in the counts below whether it read what it should have."
    ),
}
WAITING_WORDS = {
    "rate_limited": lazy("The gateway asks us to wait"),
    "gateway": lazy("Waiting for the gateway"),
    "turn": lazy("Waiting for its turn at the gateway"),
    "retry": lazy("Waiting before the next attempt"),
    "destination": lazy("Waiting for another run to finish writing"),
}


def number(value: float | None) -> str:
    """A number for people: Persian digits and separators in Persian; a dash for nothing."""
    return "–" if value is None else persian.number(value, current())


def digits(text: object) -> str:
    """A text with its digits in the reader's script: a number, a date, a time; never a code (panel/persian.py)."""
    return persian.digits(str(text), current())


def time_of_day(at: datetime) -> str:
    """The clock in Tehran, ۱۴:۰۵: where the day stands above it."""
    return digits(f"{persian.tehran(at):%H:%M}")


def duration(seconds: float | None) -> str:
    return "–" if seconds is None else persian.duration(seconds, current())


def share(part: float | None) -> str:
    """0.0123 as people read it: 1.23%."""
    if part is None:
        return "–"
    percent = part * 100
    if 0 < percent < 0.01:
        return _("under %(n)s%%", n=number(0.01))
    rounded = round(percent, 2 if percent < 10 else 1)
    shown = number(int(rounded) if rounded == int(rounded) else rounded)
    return f"{shown}{'٪' if current() == 'fa' else '%'}"


def exact(moment: datetime | None) -> str:
    """A moment in full: Jalali in Persian."""
    return "–" if moment is None else persian.jalali_datetime(moment, current())


def due(at: datetime) -> str:
    """A moment to come, in full, with its day of the week."""
    return persian.due(at, current())


def listed(words: Iterable[object]) -> str:
    """Words one after the other, as the language separates them."""
    return ("، " if current() == "fa" else ", ").join(str(word) for word in words)


def some(names: Sequence[Any], word: Callable[[Any], object], most: int = 5) -> str:
    """The words for these names; of many, the first ones and how many more there are."""
    told = listed(word(name) for name in names[:most])
    more = len(names) - most
    return told if more <= 0 else _("%(names)s and %(n)s more", names=told, n=number(more))


def trouble(one: Trouble) -> str:
    """What is missing on the calendar, in the reader's language."""
    sources = some(one.syncs, lambda key: registry.load(key).label(current()))
    return digits(_(one.text, **one.params(sources)))


def moment(at: datetime | None, now: datetime | None = None) -> Markup:
    """A moment: relative, exact on hover and focus and for screen readers."""
    if at is None:
        return Markup("–")
    whole = escape(exact(at))
    return Markup(
        f'<time class="moment" datetime="{at.astimezone(UTC).isoformat(timespec="seconds")}" data-exact="{whole}" '
        f'tabindex="0">{escape(persian.relative(at, now or utcnow(), current()))}'
        f'<span class="sr-only"> ({whole})</span></time>'
    )


def waiting(run: SyncRun, now: datetime) -> str | None:
    """Why nothing moves, and when it goes on; nothing of a run that has ended."""
    if not run.waiting or run.status not in ACTIVE:
        return None
    text = str(WAITING_WORDS.get(run.waiting.get("reason", ""), _("Waiting")))
    until = _told_moment(run.waiting.get("until"))
    if until is None or until <= now:
        return text
    return _(
        "%(why)s; goes on at %(time)s, %(relative)s.",
        why=text,
        time=persian.clock(until, now, current()),
        relative=persian.relative(until, now, current()),
    )


def _told_moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def icon(name: str, css: str = "") -> Markup:
    """One of static/icons.svg; for the eye alone, words stand beside it."""
    if "icons" not in g:  # once for each request: a page has hundreds
        g.icons = url_for("static", filename="icons.svg")
    return _icon(g.icons, name, css)


@lru_cache(maxsize=512)
def _icon(icons: str, name: str, css: str) -> Markup:
    box = "0 0 32 32" if name == "mark" else "0 0 24 24"
    return Markup(
        '<svg class="icon {}" viewBox="{}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>'
    ).format(css, box, icons, name)


def status_badge(status: str | None) -> Markup:
    """Icon, word and colour of a run's status."""
    return badge(status or "none", STATUS_ICONS.get(status, "dash"), STATUS_WORDS.get(status, status))


def run_badge(run: SyncRun) -> Markup:
    """A run's status; of a hold that is decided, the decision; a rehearsal never looks like a sync."""
    if run.dry_run:
        return _rehearsal_badge(run)
    if run.status == "held" and run.decision is not None:
        return badge("cancelled", "hand", DECISION_WORDS.get(run.decision, run.decision))
    return status_badge(run.status)


def healing_badge() -> Markup:
    """Of a failure that needs nobody: quieter than one that does."""
    return badge("pending", "clock", _("Will be tried again"))


def look(run: SyncRun) -> str:
    """The status by which a run is coloured; of a rehearsal that went well, the real run's."""
    return "held" if run.dry_run and run.status == "success" and run.partitions_held else run.status


def _rehearsal_badge(run: SyncRun) -> Markup:
    mark, foretold = badge("none", "eye", _("Rehearsal")), look(run)
    if foretold == "success":
        return mark
    would_be = foretold != run.status
    ended = badge("held", "hand", _("Would need approval")) if would_be else status_badge(run.status)
    return Markup("{} {}").format(mark, ended)


def decision(run: SyncRun, now: datetime) -> str | None:
    """What became of a hold, in a sentence; None while it waits, and for every other run."""
    if run.status != "held" or run.decision is None:
        return None
    word = DECISION_WORDS.get(run.decision, run.decision)
    when = persian.relative(run.decided_at, now, current()) if run.decided_at else ""
    by = _("by %(name)s", name=run.decided_by) if run.decided_by else ""
    return " · ".join(part for part in (str(word), by, when) if part)


def part_badge(state: str) -> Markup:
    return badge(state, PART_ICONS.get(state, "dash"), PART_WORDS.get(state, state))


def badge(css: str, icon_name: str, word: object) -> Markup:
    """Icon, word and colour of whatever has a state."""
    return Markup('<span class="badge s-{}">{}<span>{}</span></span>').format(css, icon(icon_name), str(word))


def starter(triggered_by: str, requested_by: str | None) -> Markup:
    """Who or what started a run."""
    word = escape(str(DOOR_WORDS.get(triggered_by, triggered_by)))
    if requested_by and requested_by != triggered_by:  # the command line names no user but itself
        word = Markup("<bdi>{}</bdi> {}").format(requested_by, word)
    sign = icon(DOOR_ICONS.get(triggered_by, "dash"))
    return Markup('<span class="nowrap">{} {}</span>').format(sign, word)


def delta(change: int | None) -> Markup:
    """The difference from the success before: ▲12, ▼3, or no change."""
    if change is None:
        return Markup("")
    if change == 0:
        return Markup('<span class="delta delta-same">{}</span>').format(_("no change"))
    if change > 0:
        css, arrow, word = "delta-up", "▲", _("more than before")
    else:
        css, arrow, word = "delta-down", "▼", _("fewer than before")
    return Markup(
        '<span class="delta {}"><span aria-hidden="true">{}</span>{}<span class="sr-only"> {}</span></span>'
    ).format(css, arrow, number(abs(change)), word)


def explained(code: str | None, params: Mapping[str, Any] | None = None) -> explain.Explanation:
    """The explanation of an error in the reader's language and digits, its settings by their titles."""
    shown = {name: _told(name, value) for name, value in (params or {}).items()}
    return explain.explain(code, shown)


def _told(name: str, value: Any) -> Any:
    if isinstance(value, int | float):
        return explain.figure(name, value, current())
    if name == "setting":
        return value if f"E_CONFIG:{value}" in causes.CAUSES else setting_title(str(value))
    if name == "missing" and isinstance(value, list):
        return listed(setting_title(str(one)) for one in value)
    return value


def setting_title(name: str) -> str:
    """What the forms call a setting, whichever source has it; its own name where none does."""
    for listing in registry.catalogue().values():
        fields = {} if listing.fetcher is None else listing.fetcher.Settings.model_fields
        if name in fields:
            return str(settings.extra(fields[name]).get(f"title_{current()}") or name)
    return name


def part_name(part: str, campuses: Mapping[str, str] | None = None) -> str:
    """campus=1110,term=4051 in words; the whole source where it has no parts. campuses: their names, by code.

    Codes are Latin in every language.
    """
    if not part:
        return _("the whole source")
    words = {"campus": _("campus"), "term": _("term")}
    stream, names = part_map.named(part)
    told = [stream] if stream else []
    for name, value in names.items():
        called = (campuses or {}).get(value, value) if name == "campus" else value
        if called == value:
            told.append(f"{words.get(name, name)} {value}")
        else:  # in whichever script its name is
            told.append(f"\u2068{called}\u2069 ({value})")
    return listed(told)


def here() -> str:
    """This page's own address, to come back to after a change of language."""
    args = {name: value for name, value in request.args.items(multi=True) if name != "lang"}
    return request.path if not args else request.full_path


def today() -> str:
    """The day in Tehran as the Jalali calendar has it, in Latin digits: for scripts."""
    return str(to_jalali(persian.tehran(utcnow())))


def script_texts() -> dict[str, Any]:
    """The few texts that the scripts show by themselves."""
    english = current() != "fa"
    return {
        "days": {
            "months": persian.JALALI_MONTHS_EN if english else persian.MONTHS_FA,
            "weekdays": ("Sa", "Su", "Mo", "Tu", "We", "Th", "Fr") if english else tuple("شیدسچپج"),
            "month": _("Month"),
            "year": _("Year"),
            "before": _("The month before"),
            "after": _("The next month"),
            "short": _("{month} {year} has {n} days. Choose another day."),
        },
        "sure": _("Are you sure?"),
        "yes": _("Yes"),
        "no": _("No, go back"),
        "unreachable": _("The panel does not answer. Try again in a moment."),
        "refused": _("This could not be done. Reload the page and try again."),
        "testing": _("Asking the gateway …"),
        "copied": _("Copied."),
        "press_copy": _("It is marked now: press Ctrl-C."),
    }


def navigation(view: Any = None) -> list[dict[str, Any]]:
    """The menu: every page that this person may open, categories flattened."""
    site = current_app.extensions["admin"][0]
    below = getattr(view, "below", None) if view else None
    marked = next((one for one in site._views if one.endpoint == below), view)
    found = []
    for item in site.menu():
        for entry in item.get_children() if item.is_category() else [item]:
            if entry.is_accessible() and entry.is_visible():
                active = bool(view and entry.is_active(marked))
                found.append({"name": entry.name, "url": entry.get_url(), "active": active})
    return found


def page_url(name: str) -> str | None:
    """The address of a page of the menu by its endpoint; None where there is no such page for this person."""
    for view in current_app.extensions["admin"][0]._views:
        if view.endpoint == name and view.is_accessible():
            return url_for(f"{name}.{view._default_view}")
    return None


def account_url() -> str | None:
    """The page about oneself, where there is one."""
    return page_url("account")


def is_demo() -> bool:
    return bool(current_app.extensions["hamgam_config"].demo)


def engine_is_down() -> bool:
    """Whether nothing starts runs now; asked once for each request."""
    from panel.engine.lease import holder
    from panel.extensions import db

    if "engine_is_down" not in g:
        g.engine_is_down = holder(db.session()) is None
    down: bool = g.engine_is_down
    return down


def install(app: Flask) -> None:
    """Make these the templates' vocabulary."""
    app.jinja_env.globals.update(
        account_url=account_url,
        calendar_trouble=trouble,
        delta=delta,
        digits=digits,
        due=due,
        duration=duration,
        engine_is_down=engine_is_down,
        exact=exact,
        explained=explained,
        healing_badge=healing_badge,
        here=here,
        icon=icon,
        is_demo=is_demo,
        moment=moment,
        navigation=navigation,
        number=number,
        page_url=page_url,
        part_badge=part_badge,
        part_name=part_name,
        script_texts=script_texts,
        today=today,
        starter=starter,
        time_of_day=time_of_day,
        unusual_advice=UNUSUAL_ADVICE,
        unusual_words=UNUSUAL_WORDS,
        run_badge=run_badge,
        status_badge=status_badge,
    )
