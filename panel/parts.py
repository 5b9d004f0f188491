"""The parts of a source: those that people choose from, and those in which one person is, or was.

A fetcher plans from its settings and the date alone, so its parts can be listed without asking any gateway. No filter
of the gateway is known that would give one person (DOMAIN.md G4), so a person is synced by their parts.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy.orm import Session

from fetchers.core import registry
from fetchers.core.clean import ascii_digits
from fetchers.core.fetcher import Fetcher, Stream
from fetchers.core.store import sql
from fetchers.core.store.reading import look_into, unreadable
from fetchers.core.wire.http import Session as Gateway
from panel import settings
from panel.config import Config
from panel.models import DataSync

LONGEST_NUMBER = 40


def N_(text: str) -> str:
    """Mark a text for the catalogue; who shows it translates it."""
    return text


class CannotChoose(Exception):
    """There is nothing to choose from, or nothing was found. Its text is an English sentence (a msgid)."""

    def __init__(self, text: str, **params: str) -> None:
        super().__init__(text)
        self.text = text
        self.params = params

    def __str__(self) -> str:
        return self.text % self.params


@dataclass(frozen=True)
class Planned:
    """One part that a full run would ask for. open: an incremental one asks for it each time.

    begun: False of a term that is still to come, in which there may be nobody yet.
    """

    stream: Stream
    partition: dict[str, str]
    open: bool
    begun: bool = True


@dataclass(frozen=True)
class _NoGateway:
    """All that planning may ask of a session: which day it is."""

    now: datetime


def planned(sync: DataSync, session: Session, config: Config, now: datetime) -> list[Planned]:
    """Every part of a source, in the order in which a run would fetch them. Raises CannotChoose."""
    kind = registry.load(sync.fetcher).fetcher
    if kind is None:
        raise CannotChoose(N_("The fetcher's file must be mended first."))
    if not any(stream.partition_columns for stream in kind.streams()):
        raise CannotChoose(N_("This source is fetched as one whole; it has no parts to choose from."))
    found = settings.resolved(sync, session, config)
    if found.problems:
        raise CannotChoose(N_("The settings must be completed first."))
    fetcher: Fetcher = kind(kind.Settings(**found.values), cast(Gateway, _NoGateway(now)))
    try:
        return [
            Planned(
                stream,
                dict(partition),
                fetcher.every_days(stream, partition) == 0,
                _begun(fetcher, stream, partition),
            )
            for stream in fetcher.streams()
            for partition in fetcher.plan(stream)
        ]
    except Exception as error:  # a file of somebody else's; what a run would make of it, a run must say
        raise CannotChoose(
            N_("The parts of this source cannot be listed; start a sync to see why.")
        ) from error


def _begun(fetcher: Fetcher, stream: Stream, partition: Mapping[str, str]) -> bool:
    newest = stream.partition_columns.get(stream.latest.newest) if stream.latest else None
    if stream.latest is None or newest is None:
        return True
    return partition[newest] <= str(getattr(fetcher, stream.latest.ceiling)())


def choices(parts: Iterable[Planned]) -> dict[str, list[str]]:
    """What there is to choose: each name of a part with its values, in the order in which they are fetched."""
    found: dict[str, dict[str, None]] = {}
    for part in parts:
        for name, value in part.partition.items():
            found.setdefault(name, {})[value] = None
    return {name: list(values) for name, values in found.items()}


def chosen(parts: Iterable[Planned], wanted: Mapping[str, Collection[str]]) -> list[dict[str, str]]:
    """The parts that have one of the wanted values under each name; a name without values leaves all of its own."""
    limits = {name: set(values) for name, values in wanted.items() if values}
    return [
        part.partition
        for part in parts
        if all(part.partition.get(name) in values for name, values in limits.items())
    ]


def of_person(
    sync: DataSync, number: str, session: Session, config: Config, now: datetime
) -> list[dict[str, str]]:
    """The parts to ask for about one person: where they are, where the diary says they were, and the open ones there.

    "There" is everything of a part but its term: whoever is at a campus may register for its newest terms.
    Raises CannotChoose, also where the number is in no row and no line, and StorageError.
    """
    number = ascii_digits(number).strip()[:LONGEST_NUMBER]
    parts = planned(sync, session, config, now)
    wanted: list[dict[str, str]] = []
    known = False
    for stream in dict.fromkeys(part.stream.name for part in parts):
        mine = [part for part in parts if part.stream.name == stream]
        there = _where(mine[0].stream, number, config.data_database_url)
        known = known or bool(there)
        wanted += _around(mine, there)
    if not known:
        raise CannotChoose(
            N_(
                "Nobody with the number %(number)s is stored, and the change diary knows nobody of that number."
            ),
            number=number,
        )
    if not wanted:
        raise CannotChoose(N_("The campuses and terms of %(number)s are no longer fetched."), number=number)
    return wanted


def _around(parts: list[Planned], there: list[dict[str, str]]) -> list[dict[str, str]]:
    stream = parts[0].stream
    term = stream.partition_columns.get(stream.latest.newest) if stream.latest else None

    def place(partition: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((name, value) for name, value in partition.items() if name != term))

    places = {place(partition) for partition in there}
    return [
        part.partition
        for part in parts
        if part.partition in there or (part.open and place(part.partition) in places)
    ]


def _where(stream: Stream, number: str, url: str) -> list[dict[str, str]]:
    """The parts in which somebody is, or was according to the diary. Raises StorageError."""
    own = [column for column in stream.primary_key if column not in stream.partition_columns]
    if len(own) != 1 or not stream.partition_columns or not number:
        return []
    try:
        db = look_into(url)
        if db is None:
            return []
        try:
            return _look(db, stream, own[0], number)
        finally:
            db.close()
    except sqlite3.Error as error:
        raise unreadable(error) from error


def _look(db: sql.Destination, stream: Stream, own: str, number: str) -> list[dict[str, str]]:
    asked = tuple(stream.partition_columns.values())
    found: list[dict[str, str]] = []
    if sql.columns_of(db, stream.table):
        rows: Iterable[Any] = db.execute(
            f"SELECT {sql.names(stream.partition_columns)} FROM {sql.name(stream.table)}"
            f" WHERE {sql.name(own)} = ?",
            (number,),
        )
        found += [dict(zip(asked, map(str, row), strict=True)) for row in rows]
    if sql.columns_of(db, "_hamgam_changes"):
        lines: Iterable[Any] = db.execute(
            "SELECT DISTINCT part FROM _hamgam_changes WHERE stream = ? AND key = ?", (stream.name, number)
        )
        found += [dict(pair.split("=", 1) for pair in str(part).split(",")) for (part,) in lines]
    return found
