"""Notes about records as people read them: who it is, where, what is odd, and since when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fetchers.core.clean import Text, flags
from panel import diary, quality
from panel.admin import change_rows, values
from panel.auth.locale import current


@dataclass(frozen=True)
class Shown:
    """One note. details: field and value of a record that was left out. masked: the value may not be seen."""

    note: quality.Noted
    source: str
    who: str
    url: str | None  # of the person's page
    campus: str | None
    campus_name: str | None
    term: str | None
    field: str
    value: Markup | str
    what: str
    todo: str
    details: list[tuple[str, Markup | str]]


def rows(
    url: str, notes: Sequence[quality.Noted], campuses: Mapping[str, str], *, sees_personal: bool
) -> list[Shown]:
    """The notes of a page, with the names of those who are stored. notes: masked already."""
    tables = change_rows.tables_of_people()
    names = change_rows.names_of(url, tables, notes)
    found = []
    for note in notes:
        stream = diary.streams().get(note.stream)
        table = tables.get(note.stream)
        there = note.key is not None and (note.stream, note.key) in names
        part = part_of(note)
        campus = part.get("campus")
        todo = flags.mend(note.reason)
        found.append(
            Shown(
                note,
                stream.label(current()) if stream is not None else note.stream,
                names.get((note.stream, note.key or ""), ""),
                values.row_url(table, {table.key[0]: note.key}) if table is not None and there else None,
                campus,
                campuses.get(campus) if campus else None,
                part.get("term"),
                quality.field_label(stream, note.field, current()),
                _value(note),
                flags.what(note.reason)(current()),
                todo(current()) if todo is not None else "",
                [
                    (quality.field_label(stream, name, current()), _look(value))
                    for name, value in quality.record(note, sees_personal)
                    if value not in (None, "")
                ]
                if not note.kept
                else [],
            )
        )
    return found


def part_of(note: quality.Noted) -> dict[str, str]:
    """What was asked for when this record came: {"campus": "1110", "term": "4051"}."""
    return dict(pair.split("=", 1) for pair in note.part.split(",") if "=" in pair)


def field_choices() -> list[tuple[str, str]]:
    """Every field of every source with its label, for the filter."""
    return change_rows.field_choices()


def _value(note: quality.Noted) -> Markup | str:
    """The odd value as it came."""
    if not note.kept or note.raw is None or note.raw == "":
        return ""
    if note.raw == quality.MASK:
        return values.masked()
    stream = diary.streams().get(note.stream)
    is_words = stream is not None and type(stream.fields.get(note.field or "")) is Text
    return Markup("<bdi>{}</bdi>" if is_words else '<span class="ltr">{}</span>').format(note.raw)


def _look(value: object) -> Markup | str:
    return values.masked() if value == quality.MASK else Markup("<bdi>{}</bdi>").format(value)
