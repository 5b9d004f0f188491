"""What was ordered and how far it is, in files: read by the pages, written by the process that makes the file."""

import json
import os
import re
import shutil
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from panel.browse import Wanted
from panel.config import Config

MOST_ROWS = 200_000  # of one file
AT_ONCE = 2  # files that are made at the same time, whoever ordered them
KEPT = timedelta(hours=2)  # they may hold personal data
SILENT = timedelta(seconds=60)  # so long without a word, and nobody makes it any more
KINDS = ("xlsx", "csv")

MAKING, DONE, FAILED, CANCELLED = "making", "done", "failed", "cancelled"
NAME = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Order:
    """What one person ordered. Nothing here is secret; the addresses of databases are told to the process alone."""

    name: str
    user_id: int
    username: str
    address: str | None
    table: str
    wanted: Wanted
    columns: tuple[str, ...]
    kind: str
    locale: str
    sees_personal: bool
    total: int | None  # rows, where they were counted
    at: datetime

    @property
    def rows(self) -> int | None:
        """How many rows the file will have."""
        return None if self.total is None else min(self.total, MOST_ROWS)


@dataclass(frozen=True)
class State:
    """How far it is. cut: there are more rows than a file may have. error: a word of `ERRORS`, why it failed."""

    state: str
    rows: int = 0
    size: int = 0
    cut: bool = False
    error: str | None = None
    at: datetime | None = None


# Why no file was made.
ERRORS = ("disk_full", "database", "too_long", "lost", "unknown")


def folder(config: Config) -> Path:
    """Of all exports."""
    return config.instance / "exports"


def new_name() -> str:
    """A name that nobody guesses."""
    return str(uuid.uuid4())


def write(config: Config, order: Order) -> Path:
    """Make the order's folder; where it is. Raises OSError."""
    place = folder(config) / order.name
    place.mkdir(parents=True, mode=0o700)
    text = json.dumps(asdict(order), default=lambda moment: moment.isoformat())
    (place / "order.json").write_text(text, encoding="utf-8")
    tell(place, State(MAKING, at=order.at))
    return place


def place_of(config: Config, name: str) -> Path | None:
    """Where an order of this name is, if it can be one."""
    return folder(config) / name if NAME.fullmatch(name) else None


def read(place: Path) -> Order | None:
    """The order of a folder; None if there is none (any more)."""
    try:
        found = json.loads((place / "order.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    wanted = found.pop("wanted")
    wanted = {**wanted, **{word: tuple(wanted[word]) for word in ("after", "before")}}
    wanted["days"] = {column: tuple(span) for column, span in wanted["days"].items()}
    return Order(
        **{
            **found,
            "wanted": Wanted(**wanted),
            "columns": tuple(found["columns"]),
            "at": datetime.fromisoformat(found["at"]),
        }
    )


def of_user(config: Config, user_id: int) -> list[Order]:
    """This person's orders that are still kept, the newest first."""
    every = (read(place) for place in folder(config).glob("*"))
    mine = [order for order in every if order is not None and order.user_id == user_id]
    return sorted(mine, key=lambda order: order.at, reverse=True)


def file_of(place: Path, kind: str) -> Path:
    """The file itself."""
    return place / f"file.{kind}"


def tell(place: Path, state: State) -> None:
    """Write down how far it is: whole, or not at all. Raises OSError."""
    written = place / "state.new"
    stated = replace(state, at=state.at or datetime.now(UTC))
    written.write_text(
        json.dumps(asdict(stated), default=lambda moment: moment.isoformat()), encoding="utf-8"
    )
    os.replace(written, place / "state.json")


def state_of(place: Path, now: datetime) -> State:
    """How far it is; one that says nothing any more has failed."""
    try:
        found = json.loads((place / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return State(FAILED, error="lost")
    at = datetime.fromisoformat(found.pop("at"))
    state = State(**found, at=at)
    if state.state == MAKING and now - at > SILENT:
        return replace(state, state=FAILED, error="lost")
    return state


def making(config: Config, now: datetime) -> int:
    """How many are being made now."""
    return sum(state_of(place, now).state == MAKING for place in folder(config).glob("*"))


def stop(place: Path) -> None:
    """Wish for an end; the process that makes the file sees that within a moment. Raises OSError."""
    (place / "stop").touch()


def clear(place: Path) -> None:
    """Take away what was written of a file that will not be."""
    for path in place.glob("*"):
        if path.name not in ("order.json", "state.json", "state.new", "stop"):
            path.unlink(missing_ok=True)


def is_stopped(place: Path) -> bool:
    """Whether somebody wishes for an end."""
    return (place / "stop").exists()


def forget_old(config: Config, now: datetime) -> int:
    """Remove what is older than files are kept; how many that were. Raises OSError."""
    removed = 0
    for place in folder(config).glob("*"):
        try:
            age = now - datetime.fromtimestamp(place.stat().st_mtime, UTC)
        except FileNotFoundError:  # another process was quicker
            continue
        if NAME.fullmatch(place.name) and age > KEPT:
            shutil.rmtree(place, ignore_errors=True)
            removed += 1
    return removed
