"""The settings form of one source, made from what its fetcher declares: no fetcher needs a form of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from flask_babel import lazy_gettext as lazy
from pydantic.fields import FieldInfo
from sqlalchemy.orm import Session

from fetchers.core import registry
from fetchers.core.clean import ascii_digits
from panel import settings
from panel.admin import schedule_form, show
from panel.auth.locale import current
from panel.config import Config
from panel.models import DataSync

LIMIT_WORDS = {
    "timeout_seconds": (lazy("Time limit of a run (seconds)"), lazy("A run that takes longer is stopped.")),
    "stall_seconds": (
        lazy("Stop when nothing arrives for (seconds)"),
        lazy("While a run waits because the gateway asks for it, this clock stands still."),
    ),
    "retries": (
        lazy("Attempts after the first"),
        lazy("Only for what may heal by itself; a refused login is never tried again."),
    ),
    "retry_wait_seconds": (
        lazy("Wait before the next attempt (seconds)"),
        lazy("Doubles with each attempt."),
    ),
    "guard_part_rows": (
        lazy("One part may lose at most (records)"),
        lazy("A part is one campus in one term. So many may always vanish from it."),
    ),
    "guard_part_percent": (
        lazy("and at most (percent)"),
        lazy("Of the records that the part had before."),
    ),
    "guard_total_rows": (
        lazy("The whole source may lose at most (records)"),
        lazy("All its parts together. So many may always vanish."),
    ),
    "guard_total_percent": (
        lazy("and at most (percent)"),
        lazy("Of all the records of the source."),
    ),
    "diary_days": (
        lazy("The change diary goes back (days)"),
        lazy(
            "What is older is removed, except of the newest run that can be undone. 0: it is kept for ever."
        ),
    ),
    "hold_days": (
        lazy("What is held waits for a decision (days)"),
        lazy("If nobody decides by then, the old data stay."),
    ),
    "grace_minutes": (
        lazy("A sync may be late by (minutes)"),
        lazy("When a turn has not begun by then, or its data have not come, the source is shown as overdue."),
    ),
    "fresh_hours": (
        lazy("The data may be as old as (hours)"),
        lazy("0: as the schedule says. Older data are shown as stale, whatever the reason."),
    ),
    "new_fields": (
        lazy("New fields"),
        lazy("What happens when the gateway begins to send a field that is not known yet."),
    ),
}
CHOICE_WORDS = {
    "add": lazy("Add: a column from now on"),
    "ignore": lazy("Ignore: tell, and do not store"),
    "freeze": lazy("Freeze: refuse the part, keep the old data"),
}
DRIFT = ("new_fields",)
WATCH = ("grace_minutes", "fresh_hours")
GUARD = ("guard_part_rows", "guard_part_percent", "guard_total_rows", "guard_total_percent", "hold_days")


@dataclass(frozen=True)
class Box:
    """One field of the form, ready to be drawn."""

    name: str
    label: str
    help: str | None
    kind: str  # text, password, number, check, choice
    value: Any
    attrs: dict[str, Any] = field(default_factory=dict)
    choices: tuple[tuple[str, str], ...] = ()
    env: str | None = None  # set in the environment: shown, not to be changed
    problem: str | None = None


@dataclass(frozen=True)
class Form:
    """The whole form: what the fetcher asks, the schedule, the limits of a run and of what may vanish."""

    main: list[Box]
    advanced: list[Box]
    limits: list[Box]
    guard: list[Box]
    drift: list[Box]
    watch: list[Box]
    shared_with: str
    has_campuses: bool
    campuses: int
    schedule: schedule_form.Part
    problems: dict[str, str]


def form(
    sync: DataSync,
    session: Session,
    config: Config,
    now: datetime,
    typed: Mapping[str, str],
    problems: Mapping[str, str],
) -> Form:
    """The form as it stands; what somebody typed a moment ago and could not be saved is still in it."""
    declared = settings.declared(sync)
    values = settings.form_values(sync, session, config)
    boxes = {name: _box(shown, typed, problems.get(name)) for name, shown in values.items()}
    advanced = [name for name in boxes if settings.extra(declared[name]).get("advanced")]
    shared = sorted({key for shown in values.values() for key in shown.shared_with})
    limits = {name: _limit(name, sync, typed, problems.get(name)) for name in settings.Limits.model_fields}
    return Form(
        main=[box for name, box in boxes.items() if name not in advanced],
        advanced=[boxes[name] for name in advanced],
        limits=[box for name, box in limits.items() if name not in GUARD + DRIFT + WATCH],
        guard=[limits[name] for name in GUARD],
        drift=[limits[name] for name in DRIFT],
        watch=[limits[name] for name in WATCH],
        shared_with=show.some(shared, lambda key: registry.load(key).label(current())),
        has_campuses=any(settings.extra(info).get("filled_from") == "campuses" for info in declared.values()),
        campuses=len(settings.active_campuses(session)),
        schedule=schedule_form.part(sync, session, now, typed),
        problems=dict(problems),
    )


def save(
    sync: DataSync,
    typed: Mapping[str, str],
    session: Session,
    config: Config,
    actor: str,
    address: str | None,
    now: datetime,
) -> dict[str, str]:
    """Write what was typed; the problems by field, if there are any (then the caller rolls back).

    1. The schedule. 2. The settings and limits whose text differs from what the form showed.
    """
    problems: dict[str, str] = {}
    wrong = schedule_form.save(sync, typed, session, actor, address, now)
    if wrong:
        problems["schedule"] = wrong
    saved = settings.save(
        sync, _changes(sync, typed, session, config), session, config, actor, address=address, now=now
    )
    for name, sentence in saved.problems:
        problems.setdefault(name, sentence)
    return problems


def missing(sync: DataSync, resolved: settings.Resolved, *, but_lists: bool) -> str | None:
    """The first setting that cannot be used, in a sentence; but_lists: one that the panel fills may be empty."""
    fields = settings.declared(sync)
    for name, why in resolved.problems:
        if but_lists and name in fields and settings.extra(fields[name]).get("filled_from"):
            continue
        title = settings.extra(fields[name]).get(f"title_{current()}") if name in fields else ""
        return f"{title}: {why}" if title else why
    return None


def _box(shown: settings.FormValue, typed: Mapping[str, str], problem: str | None) -> Box:
    said = settings.extra(shown.info)
    language = current()
    kind, choices = _kind(shown.info, shown.secret)
    value = shown.value
    if shown.name in typed and not shown.read_only and not shown.secret:
        value = typed[shown.name]
    return Box(
        name=shown.name,
        label=str(said.get(f"title_{language}") or shown.info.title or shown.name),
        help=said.get(f"help_{language}"),
        kind=kind,
        value=_text(value) if kind != "check" else bool(value),
        attrs={
            **_limits_of(shown.info),
            **({"placeholder": said["placeholder"]} if said.get("placeholder") else {}),
        },
        choices=choices,
        env=shown.env,
        problem=problem,
    )


def _limit(name: str, sync: DataSync, typed: Mapping[str, str], problem: str | None) -> Box:
    label, help_text = LIMIT_WORDS.get(name, (name, None))
    kind, choices = _kind(settings.Limits.model_fields[name], secret=False)
    return Box(
        name=name,
        label=str(label),
        help=str(help_text) if help_text else None,
        kind=kind,
        value=typed.get(name, _text(getattr(sync, name))),
        choices=tuple((value, str(CHOICE_WORDS.get(value, word))) for value, word in choices),
        problem=problem,
    )


def _kind(info: FieldInfo, secret: bool) -> tuple[str, tuple[tuple[str, str], ...]]:
    if secret:
        return "password", ()
    plain = [one for one in get_args(info.annotation) if one is not type(None)] or [info.annotation]
    if get_origin(info.annotation) is Literal:
        return "choice", tuple((str(one), str(one)) for one in get_args(info.annotation))
    if isinstance(info.annotation, type) and issubclass(info.annotation, Enum):
        return "choice", tuple((str(one.value), str(one.value)) for one in info.annotation)
    if plain[0] is bool:
        return "check", ()
    return ("number" if plain[0] in (int, float) else "text"), ()


def _limits_of(info: FieldInfo) -> dict[str, Any]:
    """The declared limits as the browser knows them; the server checks all of them.

    Numbers have none: a number box of the browser refuses Persian digits, so theirs is a text box.
    """
    longest = [limit.max_length for limit in info.metadata if getattr(limit, "max_length", None) is not None]
    return {"maxlength": min(longest)} if longest else {}


def _has_a_form(info: FieldInfo) -> bool:
    """Whether a text must look in a certain way (a term, an address): then its digits are Latin ones."""
    return any(getattr(limit, "pattern", None) is not None for limit in info.metadata)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value.value if isinstance(value, Enum) else value)


def _changes(sync: DataSync, typed: Mapping[str, str], session: Session, config: Config) -> dict[str, Any]:
    """What differs from what the form showed. An emptied field goes back to its default."""
    changes: dict[str, Any] = {}
    for name, shown in settings.form_values(sync, session, config).items():
        kind, _choices = _kind(shown.info, shown.secret)
        if shown.read_only:
            continue
        if kind == "check":
            if f"has_{name}" in typed and bool(shown.value) != (name in typed):
                changes[name] = name in typed
        elif name in typed:
            text = typed[name] if shown.secret else typed[name].strip()
            if kind == "number" or _has_a_form(shown.info):
                text = ascii_digits(text)
            if text.strip() == _text(shown.value):
                continue
            changes[name] = settings.from_text(shown.info, text) if text else (text if shown.secret else None)
    for name in settings.Limits.model_fields:
        if name in typed and ascii_digits(typed[name].strip()) != _text(getattr(sync, name)):
            changes[name] = ascii_digits(typed[name].strip())
    return changes
