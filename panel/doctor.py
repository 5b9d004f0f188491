"""The doctor: looks at everything that an installation stands on, and says what to do about what is wrong."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import func, or_, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from panel import (
    backup,
    db,
    explain,
    holidays,
    lateness,
    leftovers,
    machine,
    migrations,
    probe,
    settings,
    sizes,
    startup,
    whose_fault,
)
from panel.clock import utcnow
from panel.config import Config
from panel.destination import reader
from panel.engine import heartbeat, lease, roll
from panel.finding import Finding
from panel.models import DataSync, SyncRun, User
from panel.zones import TEHRAN

OLD_BACKUP = timedelta(days=7)
SILENT = timedelta(seconds=30)  # a leader renews its lease every five seconds
WAITS_LONG = timedelta(minutes=15)
UNFINISHED = timedelta(days=1)  # what an orderly end would have removed within minutes
NAMED = 5


def examine(config: Config, *, ask_gateway: bool = True, now: datetime | None = None) -> list[Finding]:
    """Look at everything; a thing that cannot be looked at is a finding, not an error."""
    now = now or utcnow()
    found = list(machine.look(config, now))
    database = list(_control_database(config))
    found += [*database, *_data_database(config)]
    if any(finding.state == "bad" for finding in database):
        return [*found, *_backups(config, now, there_is_something_to_lose=True)]
    engine = db.open_engine(config.panel_database_url)
    try:
        with db.sessionmaker(engine)() as session:
            synced = session.scalar(select(DataSync.id).where(DataSync.last_success_at.is_not(None)).limit(1))
            found += [
                *_engine(session, config, now),
                *_stuck(session, now),
                *_late(session, now),
                *_heartbeat(config, now),
                *_leftovers(session, config, now),
                *_backups(config, now, there_is_something_to_lose=synced is not None),
                *_people(session),
                *_campuses(session, config),
                *_calendar(session),
                *_sources(session, config, ask_gateway),
                *sizes.look(session, config),
            ]
    finally:
        engine.dispose()
    return found


def _control_database(config: Config) -> Iterator[Finding]:
    path = backup.sqlite_path(config.panel_database_url)
    if path is not None and path.exists():
        finding = _integrity("control", "the control database", path)
        yield finding
        if finding.state == "bad":
            return
    try:
        revision = migrations.current(config)
    except DBAPIError as error:
        yield Finding(
            "control", "bad", f"the control database does not open: {error.orig}", "Check PANEL_DATABASE_URL."
        )
        return
    if revision != migrations.head():
        yield Finding(
            "schema", "bad", f"the schema is {revision or 'empty'}, not {migrations.head()}",
            "Stop the service, then: python -m panel migrate",
        )  # fmt: skip
    elif path is None:
        yield Finding("control", "ok", f"the control database answers (schema {revision})")


def _data_database(config: Config) -> Iterator[Finding]:
    path = backup.sqlite_path(config.data_database_url)
    if path is None:
        yield _answers(config.data_database_url)
    elif not path.exists():
        yield Finding("data", "ok", "the data are not there yet: nothing was synced so far")
    else:
        yield _integrity("data", "the data", path)


def _answers(url: str) -> Finding:
    try:
        with reader(url).connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return Finding(
            "data",
            "bad",
            f"the data's database server does not answer: {type(error).__name__}",
            "Check DATA_DATABASE_URL, and whether PostgreSQL runs.",
        )
    return Finding("data", "ok", "the data's database server answers")


def _integrity(check: str, name: str, path: Path) -> Finding:
    found = startup.damage(path, "integrity_check")
    if found is None:
        size = path.stat().st_size / 1024**2
        return Finding(check, "ok", f"{name}: {path.name} is whole ({size:.1f} MB)")
    return Finding(
        check,
        "bad",
        f"{name}: {path} is damaged: {found}",
        "Stop the service, then: python -m panel restore newest. And look at the disk: dmesg, smartctl.",
    )


def _engine(session: Session, config: Config, now: datetime) -> Iterator[Finding]:
    holder, here = lease.holder(session), roll.present(config.instance)
    if holder is None:
        waiting = session.scalar(select(DataSync.id).where(DataSync.schedule_kind != "off").limit(1))
        state = "warn" if waiting is None or config.engine == "inline" else "bad"
        yield Finding(
            "engine", state, "no engine is running: schedules wait",
            "Start it: systemctl start hamgam, or python -m panel up",
        )  # fmt: skip
    elif holder.heartbeat_at is not None and now - holder.heartbeat_at > SILENT:
        seconds = (now - holder.heartbeat_at).total_seconds()
        yield Finding(
            "engine", "bad", f"the engine (process {holder.pid}) has not been heard of for {seconds:.0f} s",
            "It hangs, or the clock was set: systemctl restart hamgam",
        )  # fmt: skip
    else:
        yield Finding("engine", "ok", f"an engine leads (process {holder.pid}, epoch {holder.epoch})")
    others = [pid for pid in here if holder is None or pid != holder.pid]
    if holder is not None and others:
        yield Finding(
            "engine", "warn",
            f"{len(others) + 1} engines are at work here: process {holder.pid} leads, "
            f"{', '.join(map(str, others))} only stands by",
            "If nobody wants that, stop those: an engine that was started by hand, or a second service.",
        )  # fmt: skip


def _stuck(session: Session, now: datetime) -> Iterator[Finding]:
    """Runs whose row says something that nobody makes true any more."""
    holder = lease.holder(session)
    left = select(SyncRun.id).where(SyncRun.status == "running")
    if holder is not None:
        # A leader judges what another one has left within its first sweep.
        foreign = or_(SyncRun.epoch.is_(None), SyncRun.epoch != holder.epoch)
        left = left.where(foreign, SyncRun.started_at < now - timedelta(minutes=2))
    running = session.scalars(left.order_by(SyncRun.id)).all()
    if running and holder is None:
        yield Finding(
            "stuck", "warn", f"{_runs(running)}: running, by their row, and no engine works at them",
            "Start the engine: it finds out how they ended, and goes on with what is missing.",
        )  # fmt: skip
    elif running:
        yield Finding(
            "stuck", "bad", f"{_runs(running)}: left behind by an earlier engine, and still not judged",
            "Look into the engine's log, then: systemctl restart hamgam",
        )  # fmt: skip
    late = select(SyncRun.id).where(SyncRun.status == "pending", SyncRun.not_before < now - WAITS_LONG)
    waiting = session.scalars(late.order_by(SyncRun.id)).all()
    busy = session.scalar(select(func.count()).where(SyncRun.status == "running"))
    if waiting and holder is not None and not busy:
        yield Finding(
            "stuck", "bad", f"{_runs(waiting)}: waiting for a quarter of an hour, while the engine has nothing to do",
            "Look into the engine's log, then: systemctl restart hamgam",
        )  # fmt: skip
    if not running and not (waiting and holder is not None and not busy):
        yield Finding("stuck", "ok", "no run is stuck")


def _late(session: Session, now: datetime) -> Iterator[Finding]:
    """What should have happened and did not."""
    missing = lateness.needing_a_person(session, now)
    for sync, how in missing[:NAMED]:
        if how.turn == lateness.OVERDUE:
            yield Finding(
                "late", "bad", f"{sync.key}: a run was due {_ago(how.due_at, now)}, and none has begun",
                "Start the engine, or look into its log: journalctl -u hamgam",
            )  # fmt: skip
        if how.stale:
            yield Finding(
                "late", "warn",
                f"{sync.key}: the data are as of {_ago(sync.data_as_of, now)}, older than they should be",
                f"See how its last runs ended: python -m panel runs --sync {sync.key}",
            )  # fmt: skip
    if len(missing) > NAMED:
        yield Finding(
            "late", "bad", f"and {len(missing) - NAMED} more sources are late", "python -m panel status"
        )
    if not missing:
        yield Finding("late", "ok", "every turn was answered, and the data are as fresh as they should be")


def _heartbeat(config: Config, now: datetime) -> Iterator[Finding]:
    if config.heartbeat_url is None:
        return
    host = urlsplit(config.heartbeat_url).hostname
    found = heartbeat.last(config.instance)
    late = 3 * timedelta(minutes=config.heartbeat_minutes)
    if found is None:
        yield Finding("heartbeat", "warn", f"no sign of life was sent to {host} yet", "Start the engine.")
    elif found.trouble is not None:
        yield Finding(
            "heartbeat", "warn", f"the last sign of life did not reach {host}: {found.trouble}",
            f"See whether this machine reaches {host}, and check PANEL_HEARTBEAT_URL.",
        )  # fmt: skip
    elif now - datetime.fromisoformat(found.at) > late:
        yield Finding(
            "heartbeat", "warn", f"the last sign of life was sent {_ago(datetime.fromisoformat(found.at), now)}",
            "Start the engine, or look into its log: journalctl -u hamgam",
        )  # fmt: skip
    else:
        yield Finding("heartbeat", "ok", f"signs of life arrive at {host}")


def _ago(moment: datetime | None, now: datetime) -> str:
    hours = 0.0 if moment is None else (now - moment).total_seconds() / 3600
    return f"{hours:.1f} hours ago" if hours < 48 else f"{hours / 24:.0f} days ago"


def _runs(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:NAMED])) + (" …" if len(numbers) > NAMED else "")
    return f"run {named}" if len(numbers) == 1 else f"{len(numbers)} runs ({named})"


def _leftovers(session: Session, config: Config, now: datetime) -> Iterator[Finding]:
    """Files of what was killed or restored, which nobody needs."""
    staged = [path for path in leftovers.of_staging(session, config, now) if _is_older(path, now, UNFINISHED)]
    if staged:
        yield Finding(
            "leftovers", "warn", f"{_megabytes(staged)} in {config.staging} belong to runs that are over",
            "A running engine removes them within seconds. If they stay, look into its log.",
        )  # fmt: skip
    unfinished = [
        path for path in config.backups.glob(".hamgam-*.unfinished") if _is_older(path, now, UNFINISHED)
    ]
    if unfinished:
        yield Finding(
            "leftovers", "warn", f"a backup was killed before its end: {unfinished[0]}",
            "The next one removes it: python -m panel backup",
        )  # fmt: skip
    aside = [*config.instance.glob("*.before-restore-*"), *config.staging.glob("*.before-restore-*")]
    if aside:
        yield Finding(
            "leftovers", "warn", f"{_megabytes(aside)} were moved aside by a restore",
            f"When all is well: rm {config.instance}/*.before-restore-*",
        )  # fmt: skip
    if not staged and not unfinished and not aside:
        yield Finding("leftovers", "ok", "nothing lies about")


def _is_older(path: Path, now: datetime, age: timedelta) -> bool:
    return now - datetime.fromtimestamp(path.stat().st_mtime, UTC) > age


def _megabytes(paths: list[Path]) -> str:
    return f"{sum(path.stat().st_size for path in paths) / 1024**2:.1f} MB"


def _backups(config: Config, now: datetime, *, there_is_something_to_lose: bool) -> Iterator[Finding]:
    todo = "python -m panel backup; for one every night, see docs/deploy.md"
    newest = next(iter(backup.finished(config.backups)), None)
    if newest is not None:
        age = now - newest.taken_at
        state = "warn" if age > OLD_BACKUP else "ok"
        words = f"the newest backup is {age.days} days old"
        yield Finding("backup", state, words, todo if state == "warn" else "")
    elif there_is_something_to_lose:
        yield Finding("backup", "warn", f"there is no backup in {config.backups}", todo)


def _people(session: Session) -> Iterator[Finding]:
    some = session.scalar(select(User.id).where(User.role == "admin", User.active).limit(1))
    if some is None:
        yield Finding(
            "people", "warn", "nobody can administer the panel", "python -m panel user add NAME --role admin"
        )


def _campuses(session: Session, config: Config) -> Iterator[Finding]:
    codes = settings.active_campuses(session)
    if codes:
        yield Finding("campuses", "ok", f"{len(codes)} campuses are fetched")
    else:
        yield Finding(
            "campuses",
            "warn",
            "there is no campus, so no student is fetched",
            "python -m panel campuses import FILE",
        )


def _calendar(session: Session) -> Iterator[Finding]:
    for trouble in holidays.troubles(session, utcnow().astimezone(TEHRAN).date()):
        yield Finding("calendar", "warn", str(trouble), "python -m panel calendar import FILE")


def _sources(session: Session, config: Config, ask_gateway: bool) -> Iterator[Finding]:
    asked: dict[tuple[str, ...], probe.ProbeResult] = {}
    for sync in session.scalars(select(DataSync).order_by(DataSync.key)):
        declared = settings.declared(sync)
        found = settings.resolved(sync, session, config)
        if not declared:
            yield Finding(
                "source", "bad", f"{sync.key}: the fetcher file cannot be used: {found.problems[0][1]}"
            )
            continue
        if found.problems:
            words = "; ".join(f"{name or 'settings'}: {problem}" for name, problem in found.problems)
            yield Finding(
                "source", "warn", f"{sync.key}: {words}", f"python -m panel set {sync.key} NAME=VALUE"
            )
            continue
        if not ask_gateway:
            yield Finding("source", "ok", f"{sync.key}: its settings are complete")
            continue
        # One login for all sources behind one gateway.
        shared = tuple(
            f"{name}={found.values[name]}"
            for name, info in declared.items()
            if settings.extra(info).get("env")
        )
        answer = asked.get(shared)
        if answer is None:
            answer = asked[shared] = probe.check(sync.fetcher, found.values, config)
            yield from machine.against_gateway(answer.clock_off)
        if answer.ok:
            yield Finding(
                "gateway", "ok", f"{sync.key}: settings complete, {answer.message or 'the gateway answers'}"
            )
        else:
            yield _fault(sync.key, answer, str(found.values.get("base_url") or ""))


def _fault(key: str, answer: probe.ProbeResult, address: str) -> Finding:
    """The step at which the way to the gateway breaks, and whose matter that is."""
    found = whose_fault.find(answer, address, network=whose_fault.has_network())
    why = explain.english(found.code, found.params)
    if found.broken is None:
        return Finding("gateway", "bad", f"{key}: {why.what}", why.todo)
    verdict, call = whose_fault.VERDICTS[found.whose]
    way = ", ".join(
        f"{whose_fault.TITLES[step].lower()} {state.replace('_', ' ')}" for step, state in found.steps
    )
    return Finding("gateway", "bad", f"{key}: {why.what} {verdict} ({way})", f"{call} {why.todo}")
