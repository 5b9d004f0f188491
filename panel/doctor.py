"""The doctor: looks at everything that an instance stands on, and says what to do about what is wrong."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from panel import backup, db, explain, migrations, probe, settings
from panel.clock import utcnow
from panel.config import Config
from panel.destination import reader
from panel.models import DataSync, User

OLD_BACKUP = 7  # days
LITTLE_SPACE = 2 * 1024**3
NO_SPACE = 200 * 1024**2
# Year of this version: a clock before it was never set.
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Finding:
    """One thing looked at. state: ok, warn, bad."""

    state: str
    text: str
    todo: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine(config: Config, *, ask_gateway: bool = True) -> list[Finding]:
    """Look at everything; a thing that cannot be looked at is a finding, not an error."""
    found = [*_folder(config), *_space(config), *_clock()]
    database = list(_control_database(config))
    found += [*database, *_data_database(config)]
    if any(finding.state == "bad" for finding in database):
        return found
    engine = db.open_engine(config.panel_database_url)
    try:
        with db.sessionmaker(engine)() as session:
            found += [
                *_engine(session, config),
                *_backups(session, config),
                *_people(session),
                *_campuses(session, config),
                *_sources(session, config, ask_gateway),
            ]
    finally:
        engine.dispose()
    return found


def _folder(config: Config) -> Iterator[Finding]:
    if not os.access(config.instance, os.W_OK | os.X_OK):
        yield Finding("bad", f"{config.instance} cannot be written", "Give it to the account of the panel.")
        return
    yield Finding("ok", f"the instance is {config.instance}")
    key = config.instance / "secret.key"
    if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield Finding("bad", f"others can read {key}", f"chmod 600 {key}")
    elif key.exists():
        yield Finding("ok", "the secret key is readable for this account alone")


def _space(config: Config) -> Iterator[Finding]:
    free = shutil.disk_usage(config.instance).free
    words = f"{free / 1024**3:.1f} GB free on the disk of the instance"
    if free < NO_SPACE:
        yield Finding("bad", words, "Make room: nothing can be written soon.")
    elif free < LITTLE_SPACE:
        yield Finding("warn", words, "Make room before it is needed.")
    else:
        yield Finding("ok", words)


def _clock() -> Iterator[Finding]:
    now = utcnow()
    if now < EARLIEST:
        yield Finding("bad", f"the clock says {now:%Y-%m-%d}", "Set it; schedules and terms depend on it.")
        return
    try:
        # Since 1401 Iran keeps one time all the year; older zone data add an hour in summer.
        summer = datetime(2026, 7, 1, tzinfo=ZoneInfo("Asia/Tehran")).utcoffset()
    except ZoneInfoNotFoundError:
        yield Finding(
            "bad", "there are no time zone data", "Install the tzdata package (it is in requirements.txt)."
        )
        return
    if summer != timedelta(hours=3, minutes=30):
        yield Finding(
            "warn", "the time zone data are from before 2022", "Update tzdata: summers are an hour off."
        )
    else:
        yield Finding(
            "ok", f"clock and time zone: {now.astimezone(ZoneInfo('Asia/Tehran')):%Y-%m-%d %H:%M} in Tehran"
        )


def _control_database(config: Config) -> Iterator[Finding]:
    try:
        revision = migrations.current(config)
    except DBAPIError as error:
        yield Finding("bad", f"the control database does not open: {error.orig}", "Check PANEL_DATABASE_URL.")
        return
    if revision != migrations.head():
        yield Finding(
            "bad", f"the schema is {revision or 'empty'}, not {migrations.head()}", "python -m panel migrate"
        )
        return
    url = make_url(config.panel_database_url)
    if url.get_backend_name() == "sqlite":
        yield _integrity("the control database", Path(url.database or ""))
    else:
        yield Finding("ok", f"the control database answers (schema {revision})")


def _data_database(config: Config) -> Iterator[Finding]:
    url = make_url(config.data_database_url)
    if url.get_backend_name() != "sqlite":
        yield _answers(config.data_database_url)
        return
    path = Path(url.database or "")
    if not path.exists():
        yield Finding("ok", "the data are not there yet: nothing was synced so far")
        return
    yield _integrity("the data", path)


def _answers(url: str) -> Finding:
    try:
        with reader(url).connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return Finding(
            "bad",
            f"the data's database server does not answer: {type(error).__name__}",
            "Check DATA_DATABASE_URL, and whether PostgreSQL runs.",
        )
    return Finding("ok", "the data's database server answers")


def _integrity(name: str, path: Path) -> Finding:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        answer = str(error)
    if answer == "ok":
        return Finding("ok", f"{name}: {path.name} is whole ({path.stat().st_size / 1024**2:.1f} MB)")
    return Finding(
        "bad", f"{name}: {path} is damaged: {answer[:120]}", "Stop the panel and restore a backup."
    )


def _engine(session: Session, config: Config) -> Iterator[Finding]:
    from panel.engine import lease

    holder = lease.holder(session)
    if holder is None:
        yield Finding("warn", "no engine is running: schedules wait", "Start it: python -m panel up")
    else:
        yield Finding("ok", f"an engine leads (process {holder.pid}, epoch {holder.epoch})")


def _backups(session: Session, config: Config) -> Iterator[Finding]:
    todo = "python -m panel backup; for one every night, see docs/deploy.md"
    newest = next(iter(backup.finished(config.backups)), None)
    if newest is not None:
        age = (utcnow() - newest.taken_at).days
        state = "warn" if age > OLD_BACKUP else "ok"
        yield Finding(state, f"the newest backup is {age} days old", todo if state == "warn" else "")
    elif (
        session.scalar(select(DataSync.id).where(DataSync.last_success_at.is_not(None)).limit(1)) is not None
    ):
        yield Finding("warn", f"there is no backup in {config.backups}", todo)


def _people(session: Session) -> Iterator[Finding]:
    some = session.scalar(select(User.id).where(User.role == "admin", User.active).limit(1))
    if some is None:
        yield Finding("warn", "nobody can administer the panel", "python -m panel user add NAME --role admin")


def _campuses(session: Session, config: Config) -> Iterator[Finding]:
    codes = settings.active_campuses(session)
    if codes:
        yield Finding("ok", f"{len(codes)} campuses are fetched")
    else:
        yield Finding(
            "warn", "there is no campus, so no student is fetched", "python -m panel campuses import FILE"
        )


def _sources(session: Session, config: Config, ask_gateway: bool) -> Iterator[Finding]:
    asked: dict[tuple[str, ...], probe.ProbeResult] = {}
    for sync in session.scalars(select(DataSync).order_by(DataSync.key)):
        declared = settings.declared(sync)
        found = settings.resolved(sync, session, config)
        if not declared:
            yield Finding("bad", f"{sync.key}: the fetcher file cannot be used: {found.problems[0][1]}")
            continue
        if found.problems:
            words = "; ".join(f"{name or 'settings'}: {problem}" for name, problem in found.problems)
            yield Finding("warn", f"{sync.key}: {words}", f"python -m panel set {sync.key} NAME=VALUE")
            continue
        if not ask_gateway:
            yield Finding("ok", f"{sync.key}: its settings are complete")
            continue
        # One login for all sources behind one gateway.
        shared = tuple(
            f"{name}={found.values[name]}"
            for name, info in declared.items()
            if settings.extra(info).get("env")
        )
        answer = asked.get(shared) or probe.check(sync.fetcher, found.values, config)
        asked[shared] = answer
        if answer.ok:
            yield Finding("ok", f"{sync.key}: settings complete, {answer.message or 'the gateway answers'}")
        else:
            why = explain.english(answer.code, answer.params)
            yield Finding("bad", f"{sync.key}: {why.what}", why.todo)
