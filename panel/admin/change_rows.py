"""Lines of the change diary as people read them: who it was, what happened, from what to what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_babel import ngettext
from markupsafe import Markup
from sqlalchemy import select

from panel import browse, diary, quality
from panel.admin import show, values
from panel.auth.locale import current
from panel.extensions import db
from panel.models import SyncRun

KIND_WORDS = {
    "added": lazy("New"),
    "changed": lazy("Changed"),
    "gone": lazy("Gone"),
    "moved": lazy("Moved"),
    "loaded": lazy("First load"),
    "left": lazy("Left as it is"),
}
KIND_LOOKS = {
    "added": ("success", "check"),
    "changed": ("pending", "pencil"),
    "gone": ("failed", "dash"),
    "moved": ("pending", "arrow"),
    "loaded": ("none", "table"),
    "left": ("held", "hand"),
}
WHY_WORDS = {
    "changed": lazy("It was changed since, so the undo left it alone."),
    "missing": lazy("It is not there any more, so there was nothing to take back."),
    "there": lazy("It is there again, so it was not put back."),
}


@dataclass(frozen=True)
class Shown:
    """One line. details: field, from, to; of a gone or added row: field, value, None."""

    line: diary.Change
    source: str
    who: str
    url: str | None
    run_id: int | None
    details: list[tuple[str, Markup | str, Markup | str | None]]
    note: str


def rows(
    url: str,
    lines: Sequence[diary.Change],
    newcomers: Mapping[tuple[str, str, str], Mapping[str, Any]] | None = None,
) -> list[Shown]:
    """The lines of a page, with the names of those who are still there.

    newcomers: of a rehearsal, rows that are not there yet, by stream, part and key.
    """
    tables = tables_of_people()
    names = names_of(url, tables, lines)
    runs = _run_ids(lines)
    coming = newcomers or {}
    return [
        _row(
            line,
            tables.get(line.stream),
            names,
            runs.get(line.run),
            coming.get((line.stream, line.part, line.key or ""), {}),
        )
        for line in lines
    ]


def kind_badge(kind: str, words: Mapping[str, object] = MappingProxyType({})) -> Markup:
    """Icon, word and colour of a kind of change. words: others than the diary's own."""
    look, icon = KIND_LOOKS.get(kind, ("none", "dash"))
    word = str(words.get(kind) or KIND_WORDS.get(kind, kind))
    return Markup('<span class="badge s-{}">{}<span>{}</span></span>').format(
        look, show.icon(icon, "icon-flip" if icon == "arrow" else ""), word
    )


def field_choices() -> list[tuple[str, str]]:
    """Every field of every source with its label, for the filter."""
    found: dict[str, str] = {}
    for stream in diary.streams().values():
        for column, field in stream.fields.items():
            found.setdefault(column, field.label(current()))
    return sorted(found.items(), key=lambda pair: pair[1])


def _row(
    line: diary.Change,
    table: browse.DataTable | None,
    names: dict[tuple[str, str], str],
    run_id: int | None,
    coming: Mapping[str, Any],
) -> Shown:
    if table is None:  # no fetcher declares this stream any more
        return Shown(line, line.stream, "", None, run_id, [], "")
    label = table.stream.label(current())
    whole = line.before or coming
    who = names.get((line.stream, line.key or ""), "") or values.name(table, whole)
    return Shown(line, label, who, _link(table, line, names), run_id, _details(table, line), _note(line))


def _details(
    table: browse.DataTable, line: diary.Change
) -> list[tuple[str, Markup | str, Markup | str | None]]:
    def look(column: str, value: Any) -> Markup | str:
        return values.shown(table, column, value)

    def word(column: str) -> str:
        return table.label_of(column, current())

    if line.kind == "changed":
        return [(word(name), look(name, before), look(name, after)) for name, before, after in line.fields]
    if line.moved_to is not None:
        return [(_("Part"), show.part_name(line.part), show.part_name(line.moved_to))]
    if line.kind in ("added", "gone", "left"):
        whole = line.before or {}  # of a new row the diary keeps the key alone; an undo knows it whole
        chosen = whole if line.kind == "left" else table.summary
        return [(word(name), look(name, whole[name]), None) for name in chosen if whole.get(name)]
    return []


def _note(line: diary.Change) -> str:
    after = line.after or {}
    if line.kind == "loaded":
        rows = int(after.get("rows") or 0)
        return ngettext(
            "%(n)s row came for the first time.",
            "%(n)s rows came for the first time.",
            rows,
            n=show.number(rows),
        )
    if line.kind == "left":
        return str(WHY_WORDS.get(after.get("why", ""), ""))
    return ""


def _link(table: browse.DataTable, line: diary.Change, names: dict[tuple[str, str], str]) -> str | None:
    """The page of the row, if it is there; or of who is gone, with what the diary knows of them."""
    there = (line.stream, line.key) in names or (line.kind == "gone" and len(table.key) == 1)
    if line.key is None or not there:
        return None
    return values.row_url(table, {table.key[0]: line.key})


def tables_of_people() -> dict[str, browse.DataTable]:
    """Stream → the table that has its people: the first one of the stream."""
    found: dict[str, browse.DataTable] = {}
    for table in browse.tables().values():
        found.setdefault(table.stream.name, table)
    return found


def names_of(
    url: str, tables: dict[str, browse.DataTable], lines: Sequence[diary.Change | quality.Noted]
) -> dict[tuple[str, str], str]:
    """(stream, key) → name, of those whose row is there. Tables whose key is not one column have none."""
    found: dict[tuple[str, str], str] = {}
    for name, table in tables.items():
        keys = {line.key for line in lines if line.stream == name and line.key is not None}
        if keys and len(table.key) == 1 and browse.is_there(url, table):
            for row in browse.rows_of(url, table, sorted(keys), values.name_columns(table)):
                found[name, str(row[table.key[0]])] = values.name(table, row)
    return found


def _run_ids(lines: Sequence[diary.Change]) -> dict[str, int]:
    uuids = {line.run for line in lines}
    found = db.session.execute(select(SyncRun.uuid, SyncRun.id).where(SyncRun.uuid.in_(uuids)))
    return {str(row[0]): int(row[1]) for row in found}
