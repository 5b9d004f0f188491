"""The list of campuses: read from a CSV file or a line of codes, cleaned, and written down.

Nothing in a file can drop another line of it: what cannot be read is reported by its line, the rest is taken.
"""

import csv
import io
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from panel.models import Campus


@dataclass(frozen=True)
class Line:
    """One campus as a file tells it."""

    code: str
    name: str | None = None
    province_code: int | None = None
    type: int | None = None


@dataclass
class Reading:
    """What was read, and what was odd, each with its line number."""

    lines: list[Line] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Written:
    added: int
    changed: int
    unchanged: int
    stopped: int  # taken off the list of fetched campuses; their rows stay


class CampusFileError(Exception):
    """The file cannot be read as a list of campuses."""


def clean_code(text: str) -> str:
    """«۱۱۱۰ » → 1110: digits of any script to ASCII, spaces and invisible marks out."""
    kept = (character for character in text if unicodedata.category(character) not in ("Cf", "Zs", "Cc"))
    return "".join(
        str(unicodedata.decimal(character)) if unicodedata.decimal(character, None) is not None else character
        for character in kept
    )


def read_file(path: Path) -> Reading:
    """A CSV file with the columns pardis_code,name,province_code,type (the first is enough)."""
    try:
        return read_csv(path.read_bytes())
    except OSError as error:
        raise CampusFileError(f"{path} cannot be read: {error.strerror}") from error


def read_csv(content: bytes) -> Reading:
    """The same, from the bytes of an uploaded file."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CampusFileError("the file is not UTF-8; save it as “CSV UTF-8”") from error
    # Excel writes semicolons where the comma is a decimal mark.
    first = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    table = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        rows = [(number, row) for number, row in enumerate(table, 1) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise CampusFileError(f"the file is not CSV: {error}") from error
    if not rows:
        raise CampusFileError("the file is empty")
    header = [cell.strip().lower() for cell in rows[0][1]]
    if "pardis_code" in header:
        rows = rows[1:]
    elif clean_code(rows[0][1][0]).isdigit():
        header = ["pardis_code", "name", "province_code", "type"]
    else:
        raise CampusFileError("the first line must name the columns: pardis_code,name,province_code,type")
    reading = Reading()
    for number, row in rows:
        _take(reading, f"line {number}", dict(zip(header, row, strict=False)))
    return reading


def read_codes(text: str) -> Reading:
    """Codes separated by commas."""
    reading = Reading()
    for code in text.replace("،", ",").split(","):
        if code.strip():
            _take(reading, "GOLESTAN_CAMPUSES", {"pardis_code": code})
    return reading


def _take(reading: Reading, where: str, cells: dict[str, str]) -> None:
    written = cells.get("pardis_code", "")
    code = clean_code(written)
    if not (code.isascii() and code.isalnum() and len(code) <= 16):
        reading.problems.append(f"{where}: “{written.strip()[:40]}” is not a campus code; left out")
        return
    if any(line.code == code for line in reading.lines):
        reading.problems.append(f"{where}: {code} is there twice; the first one counts")
        return
    name = " ".join(cells.get("name", "").split())[:200]
    reading.lines.append(
        Line(
            code,
            name or None,
            _whole(reading, where, "province_code", cells, 99),
            _whole(reading, where, "type", cells, 9),
        )
    )


def _whole(reading: Reading, where: str, column: str, cells: dict[str, str], most: int) -> int | None:
    text = clean_code(cells.get(column, ""))
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= most):
        reading.problems.append(f"{where}: {column} “{text[:20]}” is not 0 to {most}; left empty")
        return None
    return int(text)


def write(session: Session, lines: Iterable[Line], *, only_these: bool = False) -> Written:
    """Add and update, in the caller's transaction. only_these: stop fetching campuses that are not listed.

    A listed campus is fetched again. What a line does not tell (no name) stays as it is.
    """
    known = {campus.pardis_code: campus for campus in session.scalars(select(Campus))}
    added = changed = unchanged = stopped = 0
    listed: set[str] = set()
    for line in lines:
        listed.add(line.code)
        campus = known.get(line.code)
        if campus is None:
            session.add(
                Campus(
                    pardis_code=line.code,
                    name=line.name,
                    province_code=line.province_code,
                    type=line.type,
                    active=True,
                )
            )
            added += 1
            continue
        told = {"name": line.name, "province_code": line.province_code, "type": line.type, "active": True}
        news = {
            name: value
            for name, value in told.items()
            if value is not None and getattr(campus, name) != value
        }
        for name, value in news.items():
            setattr(campus, name, value)
        changed += bool(news)
        unchanged += not news
    if only_these:
        for code, campus in known.items():
            if campus.active and code not in listed:
                campus.active = False
                stopped += 1
    session.flush()
    return Written(added, changed, unchanged, stopped)
