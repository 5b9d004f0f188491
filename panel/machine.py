"""The machine that an installation stands on: rights, room on its disks, clock, time zone data."""

import os
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from panel import backup, startup
from panel.config import ROOT, Config
from panel.finding import Finding
from panel.persian import TEHRAN

LITTLE_SPACE = 2 * 1024**3
NO_SPACE = 200 * 1024**2
OTHERS = stat.S_IRWXG | stat.S_IRWXO
# Year of this version: a clock before it was never set.
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
SUMMER = datetime(2026, 7, 1, tzinfo=UTC)
# Seconds by which our clock and the gateway's may differ.
CLOCKS_DIFFER, CLOCKS_DIFFER_MUCH = 60, 600


def look(config: Config, now: datetime) -> Iterator[Finding]:
    """Everything that needs no database."""
    yield from folder(config)
    yield from rights(config)
    yield from disks(config)
    yield from clock(now)
    yield from zones()


def folder(config: Config) -> Iterator[Finding]:
    """The instance can be written."""
    if os.access(config.instance, os.W_OK | os.X_OK):
        yield Finding("folder", "ok", f"the instance is {config.instance}")
    elif startup.is_read_only(config.instance):
        todo = "A disk that errs becomes read-only: look at `dmesg`, then mount it writable again."
        yield Finding("folder", "bad", f"the disk of {config.instance} is read-only", todo)
    else:
        todo = "Give it to the account of the panel."
        yield Finding("folder", "bad", f"{config.instance} cannot be written", todo)


def rights(config: Config) -> Iterator[Finding]:
    """Nobody but this account can read what is secret or personal.

    A file in a folder that is closed to others is closed, whatever its own rights say; the key is looked at all the
    same, since it is copied to other places.
    """
    found = False
    key = config.instance / "secret.key"
    if _mode(key) & OTHERS:
        found = True
        yield Finding("rights", "bad", f"others can read {key}", f"chmod 600 {key}")
    open_ = [
        path for path in _private_files(config.instance) if path != key and _is_open(path, config.instance)
    ]
    if open_:
        found = True
        more = f" and {len(open_) - 1} other files" if len(open_) > 1 else ""
        todo = f"chmod go= {config.instance}"
        yield Finding("rights", "bad", f"others can read {open_[0]}{more}", todo)
    for url in (config.panel_database_url, config.data_database_url):
        path = backup.sqlite_path(url)
        outside = path is not None and config.instance not in path.parents
        if path is not None and outside and _is_open(path, path.parent):
            found = True
            yield Finding("rights", "bad", f"others can read {path}", f"chmod go= {path}")
    # The service's group may read .env (docs/deploy.md): the code belongs to root, and so does the file.
    environment = Path(config.environ.get("PANEL_ENV_FILE") or ROOT / ".env")
    if environment.is_file() and _mode(environment) & stat.S_IRWXO:
        found = True
        yield Finding("rights", "bad", f"everybody can read {environment}", f"chmod o= {environment}")
    if not found:
        yield Finding("rights", "ok", "key, databases and backups are readable for this account alone")


def _private_files(instance: Path) -> Iterator[Path]:
    if _mode(instance) & OTHERS:
        kinds = ("*.db", "*.db-wal", "*.dump", "*.key", "*.log", "*.before-restore-*")
        yield from sorted(path for kind in kinds for path in instance.rglob(kind) if path.is_file())


def _is_open(path: Path, top: Path) -> bool:
    """Whether others can read a file, as far as the folders from `top` on let them come to it."""
    folders = [folder for folder in path.parents if folder == top or top in folder.parents]
    passable = all(_mode(folder) & (stat.S_IXGRP | stat.S_IXOTH) for folder in folders)
    return passable and bool(_mode(path) & (stat.S_IRGRP | stat.S_IROTH))


def disks(config: Config) -> Iterator[Finding]:
    """Room on each disk that something is written to, also for the next backup."""
    data = backup.sqlite_path(config.data_database_url)
    folders = {"instance": config.instance, "backups": config.backups, "logs": config.logs}
    if data is not None:
        folders["data"] = data.parent
    seen: dict[int, list[str]] = {}
    for name, path in folders.items():
        if path.exists():
            seen.setdefault(path.stat().st_dev, []).append(name)
    for names in seen.values():
        free = shutil.disk_usage(folders[names[0]]).free
        words = f"{_gigabytes(free)} free on the disk of the {' and '.join(names)}"
        needed = backup.room_needed(config) if "backups" in names or not config.backups.exists() else 0
        if free < NO_SPACE:
            todo = "Make room: nothing can be written soon. What takes it is said below."
            yield Finding("disk", "bad", words, todo)
        elif free < max(LITTLE_SPACE, 2 * needed):
            yield Finding("disk", "warn", words, "Make room before it is needed.")
        else:
            yield Finding("disk", "ok", words)


def clock(now: datetime) -> Iterator[Finding]:
    """The clock was set. Whether it is right, the gateway's tells (`against_gateway`)."""
    if now < EARLIEST:
        todo = "Set it (timedatectl set-ntp true): schedules and terms depend on it."
        yield Finding("clock", "bad", f"the clock says {now:%Y-%m-%d}", todo)
    else:
        yield Finding("clock", "ok", f"the clock says {now.astimezone(TEHRAN):%Y-%m-%d %H:%M} in Tehran")


def against_gateway(off: float | None) -> Iterator[Finding]:
    """off: seconds by which the gateway's clock is ahead of ours; None where it did not tell."""
    if off is None:
        return
    words = f"the gateway's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} this server's"
    if abs(off) < CLOCKS_DIFFER:
        yield Finding("gateway_clock", "ok", "the gateway's clock and this server's agree")
        return
    todo = "Compare both with a watch. This server's: timedatectl set-ntp true. Else tell the gateway's support team."
    yield Finding("gateway_clock", "bad" if abs(off) >= CLOCKS_DIFFER_MUCH else "warn", words, todo)


def zones() -> Iterator[Finding]:
    """Since 1401 Iran keeps one time all the year; older zone data add an hour in summer.

    Hamgam shows times by the tzdata package; other programs of the machine, and what is read through the system's
    data, by those.
    """
    if _summer_time(TEHRAN):
        todo = "Update the tzdata package (make .venv/.runtime): summers are an hour off."
        yield Finding("zones", "bad", "Hamgam's time zone data are from before 2022", todo)
        return
    try:
        systems = ZoneInfo.no_cache("Asia/Tehran")
    except ZoneInfoNotFoundError:
        todo = "Install the tzdata package (it is in requirements.txt)."
        yield Finding("zones", "bad", "there are no time zone data", todo)
        return
    if _summer_time(systems):
        todo = (
            "Update the system's tzdata (apt install tzdata); without a network, set PYTHONTZPATH= (empty) for the "
            "service, so that Hamgam's own are used throughout."
        )
        yield Finding(
            "zones", "warn", "the system's time zone data still have Iranian summer time: an hour off", todo
        )
    else:
        yield Finding("zones", "ok", "the time zone data know that Iran has no summer time")


def _summer_time(zone: ZoneInfo) -> bool:
    return SUMMER.astimezone(zone).utcoffset() != timedelta(hours=3, minutes=30)


def _mode(path: Path) -> int:
    """A path's rights; 0 where there is none."""
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else 0


def _gigabytes(size: int) -> str:
    return f"{size / 1024**3:.1f} GB"
