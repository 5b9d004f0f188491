"""The first start: schema, sources, campuses, the first administrator. Doing it again changes nothing."""

import logging
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fetchers.core import registry
from panel import audit, campuses, db, migrations, settings, startup
from panel.clock import utcnow
from panel.config import ROOT, Config, ConfigError
from panel.migrations import Upgraded
from panel.models import Campus, DataSync, User

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seeded:
    """What was new. `made_password` is to be shown once: it is kept nowhere but as a hash."""

    syncs: tuple[str, ...] = ()
    campuses: int = 0
    campus_problems: tuple[str, ...] = ()
    administrator: str | None = None
    made_password: str | None = None
    upgraded: Upgraded | None = None


def prepare(
    config: Config, *, administrator: bool = False, make_backup: bool = True, now: datetime | None = None
) -> Seeded:
    """Make an instance ready for any command: newest schema, seeded rows. Safe to call at once from many.

    administrator: where there is no user yet, make one with a random password (only a start that can show it
    asks for that); one whose password the environment gives is made in any case.
    Raises NotWell, HalfRestored, MigrationError.
    """
    startup.refuse_what_is_not_well(config)
    for folder in (config.staging, config.logs):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    upgraded = migrations.upgrade(config, make_backup=make_backup)
    engine = db.open_engine(config.panel_database_url)
    try:
        with db.writing(db.sessionmaker(engine, expire_on_commit=False)) as session:
            seeded = seed(session, config, now or utcnow(), administrator=administrator)
        return replace(seeded, upgraded=upgraded)
    finally:
        engine.dispose()


def seed(session: Session, config: Config, now: datetime, *, administrator: bool = True) -> Seeded:
    """Rows that must exist, in the caller's transaction.

    1. A sync for each fetcher file, broken ones too: their error is to be seen.
    2. Campuses, if there is none yet.
    3. The first administrator, if there is no user yet.
    """
    new = _syncs(session, config, now)
    count, problems = _campuses(session, config)
    name, password = _administrator(session, config, now, administrator)
    return Seeded(new, count, problems, name, password)


def _syncs(session: Session, config: Config, now: datetime) -> tuple[str, ...]:
    known = set(session.scalars(select(DataSync.key)))
    new = []
    for key, listing in registry.catalogue().items():
        if key in known:
            continue
        sync = DataSync(key=key, fetcher=key, settings={}, created_at=now, updated_at=now)
        if listing.fetcher is not None:
            sync.timeout_seconds = listing.fetcher.default_timeout_seconds
            sync.settings = _seeds(listing.fetcher, config)
        session.add(sync)
        session.flush()
        _share_gateway(sync, session, config)
        new.append(key)
    return tuple(new)


def _seeds(fetcher: type[registry.Fetcher], config: Config) -> dict[str, Any]:
    """Settings that the environment gives once; from then on the row rules."""
    seeds: dict[str, Any] = {}
    for name, info in fetcher.Settings.model_fields.items():
        variable = settings.extra(info).get("seed_env")
        given = config.variable(variable)
        if given is None:
            continue
        value, problems = settings.one(fetcher.Settings, name, settings.from_text(info, given))
        if problems:
            raise ConfigError(f"{variable}={given}: {problems[0][1]}")
        seeds[name] = value
    return seeds


def _share_gateway(sync: DataSync, session: Session, config: Config) -> None:
    """A source that comes later asks the same gateway: it starts with the address and login of the others."""
    box = settings.vault(config)
    for name, info in settings.declared(sync).items():
        for other, its_name in settings.sharers(sync, settings.extra(info).get("env"), session):
            try:
                stored = box.open(other.secrets) if settings.is_secret(info) else other.settings
            except settings.VaultError:
                log.warning("%s: its saved secrets cannot be opened, so %s gets none", other.key, sync.key)
                continue
            if its_name in stored:
                settings.write(sync, {name: stored[its_name]}, box, sync.updated_at)
                break


def _campuses(session: Session, config: Config) -> tuple[int, tuple[str, ...]]:
    if config.demo or not config.campuses or session.scalar(select(Campus.id).limit(1)) is not None:
        return 0, ()
    path = ROOT / config.campuses
    try:
        reading = campuses.read_file(path) if _is_file(path) else campuses.read_codes(config.campuses)
    except campuses.CampusFileError as error:
        raise ConfigError(f"GOLESTAN_CAMPUSES={config.campuses}: {error}.") from error
    return campuses.write(session, reading.lines).added, tuple(
        f"GOLESTAN_CAMPUSES: {problem}" for problem in reading.problems
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a long line of codes is no file name
        return False


def _administrator(
    session: Session, config: Config, now: datetime, wanted: bool
) -> tuple[str | None, str | None]:
    if session.scalar(select(User.id).limit(1)) is not None:
        return None, None
    given = config.admin_password
    if given is None and not wanted:
        return None, None
    from panel.auth.passwords import check_password_rules, hash_password  # here: it loads Flask and argon2

    if given is not None:
        problems = " ".join(check_password_rules(given, config.admin_username))
        if problems:
            raise ConfigError(f"PANEL_ADMIN_PASSWORD: {problems}")
    password = given or random_password()
    session.add(
        User(
            username=config.admin_username,
            password_hash=hash_password(password),
            role="admin",
            active=True,
            created_at=now,
        )
    )
    audit.record(session, "start", "user_added", config.admin_username, role="admin")
    return config.admin_username, None if given else password


def random_password() -> str:
    """A password for a person to type once: 20 letters and digits in groups, about 98 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))
