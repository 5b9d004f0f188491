"""A sync's settings: where each value comes from, saving what people change, and keeping secrets secret.

A value comes, in this order, from the environment (for settings that declare `env`, while it is set), from
the sync's row, or from the default of the fetcher's `Settings`. Lists that the panel keeps (campuses) are
filled in.

Settings that declare `env` (the gateway's address and login) belong to the gateway, not to one source: saving
one of them saves it to every sync whose fetcher declares the same variable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, get_args, get_origin

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic import Field as PydanticField
from pydantic.fields import FieldInfo
from sqlalchemy import select
from sqlalchemy.orm import Session

from fetchers.core import registry
from panel import audit
from panel.clock import utcnow
from panel.config import Config
from panel.models import Campus, DataSync
from panel.setting_words import say
from panel.vault import Vault, VaultError

MASK = "--------"


class Limits(BaseModel):
    """What may be set of a sync itself, whatever its fetcher: columns of its row."""

    model_config = ConfigDict(extra="forbid")

    timeout_seconds: int = PydanticField(7200, ge=10, le=7 * 86400)
    stall_seconds: int = PydanticField(900, ge=10, le=86400)
    retries: int = PydanticField(2, ge=0, le=20)
    retry_wait_seconds: int = PydanticField(60, ge=0, le=86400)
    guard_part_rows: int = PydanticField(20, ge=0, le=10_000_000)
    guard_part_percent: float = PydanticField(30.0, ge=0, le=100)
    guard_total_rows: int = PydanticField(50, ge=0, le=10_000_000)
    guard_total_percent: float = PydanticField(10.0, ge=0, le=100)
    hold_days: int = PydanticField(7, ge=1, le=365)
    grace_minutes: int = PydanticField(60, ge=2, le=14 * 1440)
    fresh_hours: int = PydanticField(0, ge=0, le=8784)
    # Three years: as long as most people study, so that "why is he not on the list" can be answered; whole rows of
    # people who left are personal data, and are not kept without end.
    diary_days: int = PydanticField(1095, ge=0, le=36_500)
    new_fields: Literal["add", "ignore", "freeze"] = "add"


class Stored(Protocol):
    """What is kept of a sync's settings: its row, or these columns of it."""

    @property
    def fetcher(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    @property
    def secrets(self) -> bytes | None: ...


@dataclass(frozen=True)
class Resolved:
    """The settings as a run gets them. `values` holds secrets: for the child's stdin and nowhere else."""

    values: dict[str, Any] = field(repr=False)
    origins: dict[str, str]  # name -> environment, row, default, list
    problems: list[tuple[str, str]]  # (name, what is wrong); name "" for the whole
    sealed: bool = False  # the saved passwords cannot be opened with the keys at hand


@dataclass(frozen=True)
class FormValue:
    """One setting as a form shows it. A secret's value is a mask or empty, never the secret."""

    name: str
    value: Any
    origin: str
    info: FieldInfo
    secret: bool
    env: str | None  # the variable that rules it now; then the form shows it as set there
    shared_with: tuple[str, ...]  # other syncs that get the same value when it is saved

    @property
    def read_only(self) -> bool:
        return self.origin == "environment"


@dataclass(frozen=True)
class Saved:
    """What `save` did: nothing at all if there are problems."""

    changed: tuple[str, ...] = ()
    shared_with: tuple[str, ...] = ()
    problems: list[tuple[str, str]] = field(default_factory=list)


def extra(info: FieldInfo) -> Mapping[str, Any]:
    """What `Setting(…)` said beside pydantic's own: titles, env, filled_from …"""
    return info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}


def is_secret(info: FieldInfo) -> bool:
    return info.annotation is SecretStr or SecretStr in get_args(info.annotation)


def declared(sync: Stored) -> Mapping[str, FieldInfo]:
    """The settings that the sync's fetcher declares, by name; none for a broken fetcher file."""
    fetcher = registry.load(sync.fetcher).fetcher
    return {} if fetcher is None else fetcher.Settings.model_fields


def vault(config: Config) -> Vault:
    return Vault(config.secret_key, config.previous_secret_keys)


def active_campuses(session: Session) -> list[str]:
    """The campus codes that are fetched, in order."""
    return list(session.scalars(select(Campus.pardis_code).where(Campus.active).order_by(Campus.pardis_code)))


def resolved(sync: DataSync, session: Session, config: Config) -> Resolved:
    """Everything that a run of this sync is told, checked by the fetcher's own `Settings`."""
    return resolve(sync, config, lambda: active_campuses(session))


def resolve(sync: Stored, config: Config, campuses: Callable[[], list[str]]) -> Resolved:
    """The same for who has read the columns himself. campuses: asked only if the fetcher wants the list."""
    listing = registry.load(sync.fetcher)
    if listing.fetcher is None:
        return Resolved({}, {}, [("", listing.error or "the fetcher file cannot be used")])
    model = listing.fetcher.Settings
    try:
        secrets = vault(config).open(sync.secrets)
    except VaultError as error:
        return Resolved({}, {}, [("", str(error))], sealed=True)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, info in model.model_fields.items():
        found, origin = _found(name, info, sync, secrets, config, campuses)
        origins[name] = origin
        if origin != "default":
            values[name] = found
    try:
        checked = model(**values)
    except ValidationError as error:
        return Resolved(values, origins, problems_of(error))
    return Resolved(_revealed(checked), origins, _empty_gateway(checked))


def _found(
    name: str,
    info: FieldInfo,
    sync: Stored,
    secrets: Mapping[str, Any],
    config: Config,
    campuses: Callable[[], list[str]],
) -> tuple[Any, str]:
    if extra(info).get("filled_from") == "campuses":
        return campuses(), "list"
    from_environment = config.variable(extra(info).get("env"))
    if from_environment is not None:
        return from_text(info, from_environment), "environment"
    if name in secrets:
        return secrets[name], "row"
    if name in sync.settings:
        return sync.settings[name], "row"
    return None, "default"


def from_text(info: FieldInfo, text: str) -> Any:
    """A value written as text (environment, command line): lists are separated by commas."""
    if get_origin(info.annotation) in (list, tuple, set):
        return [part.strip() for part in text.replace("،", ",").split(",") if part.strip()]
    return text


def _revealed(checked: BaseModel) -> dict[str, Any]:
    values = checked.model_dump(mode="json")
    for name in type(checked).model_fields:
        value = getattr(checked, name)
        if isinstance(value, SecretStr):
            values[name] = value.get_secret_value()
    return values


def _empty_gateway(checked: BaseModel) -> list[tuple[str, str]]:
    """Address and login may have an empty default, so that a form can be drawn; a run needs them."""
    return [
        (name, say("missing", {}))
        for name, info in type(checked).model_fields.items()
        if extra(info).get("env") and _is_empty(getattr(checked, name))
    ]


def _is_empty(value: Any) -> bool:
    return not (value.get_secret_value() if isinstance(value, SecretStr) else value)


def known(fetcher: str, stored: Mapping[str, Any], config: Config, *names: str) -> dict[str, Any]:
    """Some settings that are no secrets, as a run gets them; those that the fetcher does not declare are left out.

    stored: the row's own. Unchecked, and quick: the vault stays shut.
    """
    kind = registry.load(fetcher).fetcher
    fields = {} if kind is None else kind.Settings.model_fields
    found: dict[str, Any] = {}
    for name in names:
        if name not in fields:
            continue
        from_environment = config.variable(extra(fields[name]).get("env"))
        if from_environment is not None:
            found[name] = from_text(fields[name], from_environment)
        else:
            found[name] = stored.get(name, fields[name].get_default(call_default_factory=True))
    return found


def configured(sync: DataSync, session: Session, config: Config) -> bool:
    """Whether address and login are known and nothing that a person sets is missing or wrong."""
    listed = {
        name for name, info in declared(sync).items() if extra(info).get("filled_from")
    }  # an empty list of campuses is a plan without parts, which a run reports in its own words
    return not [name for name, _ in resolved(sync, session, config).problems if name not in listed]


def form_values(sync: DataSync, session: Session, config: Config) -> dict[str, FormValue]:
    """The settings as a form shows them, in the fetcher's order; never a secret."""
    try:
        secrets = vault(config).open(sync.secrets)
    except VaultError:
        secrets = {}  # the form is where they are entered again
    shown: dict[str, FormValue] = {}
    for name, info in declared(sync).items():
        if extra(info).get("filled_from"):
            continue
        value, origin = _found(name, info, sync, secrets, config, lambda: active_campuses(session))
        env = extra(info).get("env")
        if is_secret(info):
            value = MASK if value else ""
        elif origin == "default":
            value = None if info.is_required() else info.get_default(call_default_factory=True)
        shown[name] = FormValue(
            name=name,
            value=value,
            origin=origin,
            info=info,
            secret=is_secret(info),
            env=env if origin == "environment" else None,
            shared_with=tuple(other.key for other, _ in sharers(sync, env, session)),
        )
    return shown


def save(
    sync: DataSync,
    changes: Mapping[str, Any],
    session: Session,
    config: Config,
    actor: str,
    *,
    address: str | None = None,
    now: datetime | None = None,
) -> Saved:
    """Check and write what a person changed, in the caller's transaction; all of it or nothing.

    A name is one of the fetcher's settings or of `Limits`. For a secret, empty or the mask means unchanged;
    null takes a value away (its default rules again). Settings that the environment rules are refused.

    1. Check each value by itself. 2. Check them together, if nothing is missing.
    3. Write them here and, for the gateway's own, to every sync that shares them.
    4. Leave a line in the trail.
    """
    fields = declared(sync)
    changes = {
        name: value
        for name, value in changes.items()
        if not (name in fields and is_secret(fields[name]) and value in ("", MASK))
    }
    checked, limits, problems = _checked(sync, fields, changes, config)
    if problems:
        return Saved(problems=problems)
    box = vault(config)
    try:
        together = {**sync.settings, **box.open(sync.secrets)}
    except VaultError as error:
        # Sealed with a lost key: only entering the secrets anew helps, and then the old ones may go.
        if not any(name in fields and is_secret(fields[name]) for name in changes):
            return Saved(problems=[("", str(error))])
        together = dict(sync.settings)
    before = dict(together)
    _apply(together, checked)
    problems = _together(sync, fields, together, session, config)
    if problems:
        return Saved(problems=problems)

    moment = now or utcnow()
    changed = [name for name in checked if before.get(name) != together.get(name)]
    changed += [name for name, value in limits.items() if getattr(sync, name) != value]
    shared: set[str] = set()  # sources that had another value
    told = set(changed)
    for name, value in limits.items():
        setattr(sync, name, value)
    write(sync, checked, box, moment)
    for name, value in checked.items():
        for other, its_name in sharers(sync, extra(fields[name]).get("env"), session):
            if not _has(other, its_name, value, box):
                write(other, {its_name: value}, box, moment)
                shared.add(other.key)
                told.add(name)
    if told:
        details: dict[str, Any] = {"names": sorted(told)}
        if shared:
            details["shared_with"] = sorted(shared)
        audit.record(session, actor, "settings_changed", sync.key, address, **details)
    return Saved(tuple(sorted(changed)), tuple(sorted(shared)))


def _has(sync: DataSync, name: str, value: Any, box: Vault) -> bool:
    """Whether a source has this value of its own already."""
    try:
        return {**sync.settings, **box.open(sync.secrets)}.get(name) == value
    except VaultError:
        return False


def _checked(
    sync: DataSync, fields: Mapping[str, FieldInfo], changes: Mapping[str, Any], config: Config
) -> tuple[dict[str, Any], dict[str, Any], list[tuple[str, str]]]:
    """Each value by itself: the fetcher's, the row's own, and what is wrong."""
    fetcher = registry.load(sync.fetcher).fetcher
    checked: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    for name, value in changes.items():
        env = extra(fields[name]).get("env") if name in fields else None
        if name in Limits.model_fields:
            value, wrong = one(Limits, name, value)
            limits[name] = value
        elif fetcher is None or name not in fields or extra(fields[name]).get("filled_from"):
            wrong = [(name, say("unknown", {}))]
        elif config.variable(env) is not None:
            wrong = [(name, say("environment", {"variable": env}))]
        elif value is None or (value == "" and env):
            checked[name] = None
            continue
        else:
            value, wrong = one(fetcher.Settings, name, value)
            checked[name] = value
        problems += wrong
    return checked, limits, problems


def one(model: type[BaseModel], name: str, value: Any) -> tuple[Any, list[tuple[str, str]]]:
    """One value, checked by its own field alone, as it is stored (plain JSON, secrets revealed)."""
    draft = model.model_construct()
    try:
        model.__pydantic_validator__.validate_assignment(draft, name, value)
    except ValidationError as error:
        return None, problems_of(error)
    value = getattr(draft, name)
    if isinstance(value, SecretStr):
        return value.get_secret_value(), []
    return draft.model_dump(mode="json", include={name})[name], []


def _apply(stored: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if value is None:
            stored.pop(name, None)
        else:
            stored[name] = value


def _together(
    sync: DataSync,
    fields: Mapping[str, FieldInfo],
    stored: Mapping[str, Any],
    session: Session,
    config: Config,
) -> list[tuple[str, str]]:
    """What the whole says (a rule over two settings). Missing ones may come with a later change."""
    fetcher = registry.load(sync.fetcher).fetcher
    if fetcher is None:
        return []
    whole: dict[str, Any] = {}
    for name, info in fields.items():
        value, origin = _found(name, info, sync, {}, config, lambda: active_campuses(session))
        if origin in ("environment", "list"):
            whole[name] = value
        elif name in stored:
            whole[name] = stored[name]
    try:
        fetcher.Settings(**whole)
    except ValidationError as error:
        if any(one["type"] == "missing" for one in error.errors(include_url=False)):
            return []
        return problems_of(error)
    return []


def write(sync: DataSync, values: Mapping[str, Any], box: Vault, now: datetime) -> None:
    """Write checked values into one row, secrets sealed; null takes one away."""
    fields = declared(sync)
    open_ones = {name: value for name, value in values.items() if not is_secret(fields[name])}
    secret_ones = {name: value for name, value in values.items() if is_secret(fields[name])}
    if open_ones:
        stored = dict(sync.settings)  # a new object: SQLAlchemy does not see changes inside JSON
        _apply(stored, open_ones)
        sync.settings = stored
    if secret_ones:
        try:
            stored = box.open(sync.secrets)
        except VaultError:
            stored = {}
        _apply(stored, secret_ones)
        sync.secrets = box.seal(stored) if stored else None
    sync.updated_at = now


def sharers(sync: DataSync, env: str | None, session: Session) -> list[tuple[DataSync, str]]:
    """Other syncs that declare the same variable, and what the setting is called there."""
    if not env:
        return []
    others = session.scalars(select(DataSync).where(DataSync.id != sync.id).order_by(DataSync.key))
    return [
        (other, name)
        for other in others
        for name, info in declared(other).items()
        if extra(info).get("env") == env
    ]


def problems_of(error: ValidationError) -> list[tuple[str, str]]:
    """pydantic's findings as (name, sentence). The value is not repeated: it may be a secret."""
    return [
        (
            ".".join(str(part) for part in one["loc"][:1]),
            say(one["type"], one.get("ctx", {}), one["msg"]),
        )
        for one in error.errors(include_url=False, include_input=False)
    ]
