"""«ساختار داده»: the columns of a source now, which of them nobody declared, and what the gateway sent otherwise."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from sqlalchemy import select

from fetchers.core.clean import (
    Code,
    Discovered,
    Email,
    Field,
    Integer,
    JalaliDate,
    NationalCode,
    Phone,
    Province,
)
from fetchers.core.errors import FetchError
from fetchers.core.fetcher import Stream
from fetchers.core.store import discovered, reading
from panel import browse
from panel.admin import base, schema_words, show, sources
from panel.auth.locale import current
from panel.extensions import db
from panel.models import DataSync, SyncRun

EVENTS_SHOWN = 200

KIND_LOOKS = {
    "added": ("success", "check"),
    "ignored": ("none", "dash"),
    "refused": ("failed", "cross"),
    "lost": ("failed", "cross"),
    "renamed": ("failed", "cross"),
    "type": ("failed", "cross"),
    "null": ("failed", "cross"),
    "returned": ("success", "turn"),
}
IGNORED_WORDS = {
    "asked": lazy("The settings say so."),
    "name": lazy("It cannot be the name of a column."),
    "taken": lazy("The table has another column of this name."),
    "many": lazy("There are too many such columns already."),
    "once": lazy("Only one record had it."),
}
CAME_AS_WORDS = {
    "text": lazy("text"),
    "number": lazy("number, kept as text"),
    "boolean": lazy("yes or no, kept as text"),
    "list": lazy("list, kept as JSON"),
    "object": lazy("structure, kept as JSON"),
    "null": lazy("empty at first, kept as text"),
}
TYPE_WORDS: tuple[tuple[type[Field], Any], ...] = (
    (Code, lazy("code")),
    (Integer, lazy("whole number")),
    (JalaliDate, lazy("Jalali date")),
    (NationalCode, lazy("national code")),
    (Phone, lazy("telephone")),
    (Email, lazy("e-mail")),
    (Province, lazy("province")),
)


@dataclass(frozen=True)
class Row:
    """One column. since, last_seen: None where it is not known."""

    name: str
    label: str
    discovered: bool
    personal: bool
    type: str
    since: datetime | None
    last_seen: datetime | None


@dataclass(frozen=True)
class Line:
    """One event of the history."""

    at: datetime
    kind: str
    field: str
    detail: str
    run_id: int | None


@dataclass(frozen=True)
class Table:
    """A stream and its columns."""

    label: str
    tables: tuple[str, ...]
    rows: list[Row]


def page(sync: DataSync, now: datetime) -> dict[str, Any]:
    """What the page shows; `trouble` where the destination cannot be read."""
    listing = sources.listing(sync)
    declared = listing.fetcher.streams() if listing.fetcher is not None else []
    tables, lines, trouble = [_table(stream, {}) for stream in declared], [], None
    try:
        destination = reading.look_into(base.config().data_database_url)
        if destination is not None:
            with closing(destination), destination:  # one view, though others write meanwhile
                streams = discovered.streams(destination, declared)
                tables = [_table(stream, discovered.columns(destination, stream.name)) for stream in streams]
                events = discovered.history(destination, [stream.name for stream in declared], EVENTS_SHOWN)
            lines = _lines(events)
    except FetchError as error:
        trouble = show.explained(error.code, error.params).what
    except sqlite3.Error as error:
        trouble = str(reading.unreadable(error))
    return {
        "sync": sync,
        "label": listing.label(current()),
        "tables": tables,
        "lines": lines,
        "trouble": trouble,
        "kind_badge": kind_badge,
        "choice": sync.new_fields,
        "now": now,
    }


def kind_badge(kind: str) -> Any:
    """Icon, word and colour of a kind of event."""
    look, icon = KIND_LOOKS.get(kind, ("none", "dash"))
    return show.badge(look, icon, schema_words.KIND_WORDS.get(kind, kind))


def _table(stream: Stream, known: Mapping[str, discovered.Column]) -> Table:
    shown = browse.DataTable(stream.table, stream.label, stream, stream.primary_key, None, None)
    rows = []
    for name in stream.columns:
        field, books = stream.fields.get(name), known.get(name)
        rows.append(
            Row(
                name=name,
                label=shown.label_of(name, current()),
                discovered=isinstance(field, Discovered),
                personal=shown.is_personal(name),
                type=_type(field, books),
                since=_moment(books.since if books else None),
                last_seen=_moment(books.last_seen if books else None),
            )
        )
    return Table(stream.label(current()), discovered.tables(stream), rows)


def _type(field: Field | None, books: discovered.Column | None) -> str:
    if field is None:
        return _("what was asked for")
    if isinstance(field, Discovered):
        return str(CAME_AS_WORDS.get((books.came_as if books else None) or "text", ""))
    return str(next((word for kind, word in TYPE_WORDS if isinstance(field, kind)), _("text")))


def _lines(events: Sequence[discovered.Event]) -> list[Line]:
    uuids = {event.run for event in events}
    found = db.session.execute(select(SyncRun.uuid, SyncRun.id).where(SyncRun.uuid.in_(uuids)))
    runs = {str(row[0]): int(row[1]) for row in found}
    return [
        Line(datetime.fromisoformat(event.at), event.kind, event.field, _detail(event), runs.get(event.run))
        for event in events
    ]


def _detail(event: discovered.Event) -> str:
    if event.kind == "ignored":
        return str(IGNORED_WORDS.get(event.detail or "", ""))
    if event.kind == "added":
        return str(CAME_AS_WORDS.get(event.detail or "", ""))
    if event.detail is None:
        return ""
    part, _space, strangers = event.detail.partition(" (")
    return show.part_name(part) + (f" ({strangers}" if strangers else "")


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
