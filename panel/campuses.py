"""The list of campuses: read from a CSV file or a line of codes, cleaned, and written down.

Nothing in a file can drop another line of it: what cannot be read is reported by its line, the rest is taken.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from panel.models import Campus

COLUMNS = ("pardis_code", "name", "province_code", "type")
SEPARATORS = re.compile(r"[,،;؛\t]")


@dataclass(frozen=True)
class Line:
    """One campus as a file tells it."""

    code: str
    name: str | None = None
    province_code: int | None = None
    type: int | None = None


def N_(text: str) -> str:
    """Mark a text for the catalogue; it is translated when it is shown."""
    return text


@dataclass(frozen=True)
class Problem:
    """What is odd about one line; as a text, in English."""

    line: int | None  # none where there are no lines
    text: str
    params: dict[str, str]

    def __str__(self) -> str:
        said = self.text % self.params
        return said if self.line is None else f"line {self.line}: {said}"


@dataclass
class Reading:
    """What was read, and what was odd, each with its line number."""

    lines: list[Line] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Written:
    added: int
    changed: int
    unchanged: int
    stopped: int  # taken off the list of fetched campuses; their rows stay


class CampusFileError(Exception):
    """The file cannot be read as a list of campuses."""

    def __init__(self, text: str, **params: str) -> None:
        super().__init__(text % params)
        self.text, self.params = text, params


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
        raise CampusFileError(N_("it cannot be read: %(why)s"), why=str(error.strerror)) from error


def read_csv(content: bytes) -> Reading:
    """The same, from the bytes of an uploaded file."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CampusFileError(N_("it is not UTF-8; save it as “CSV UTF-8”")) from error
    # Excel writes semicolons where the comma is a decimal mark.
    first = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    table = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        rows = [(number, row) for number, row in enumerate(table, 1) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise CampusFileError(N_("it is not CSV: %(why)s"), why=str(error)) from error
    if not rows:
        raise CampusFileError(N_("it is empty"))
    header = [cell.strip().lower() for cell in rows[0][1]]
    if "pardis_code" in header:
        rows = rows[1:]
    elif clean_code(rows[0][1][0]).isdigit():
        header = list(COLUMNS)
    else:
        raise CampusFileError(
            N_("its first line must name the columns: %(columns)s"), columns=",".join(COLUMNS)
        )
    reading = Reading()
    for number, row in rows:
        _take(reading, number, dict(zip(header, row, strict=False)))
    return reading


def read_typed(text: str) -> Reading:
    """What a person types or pastes: a campus a line, its code and then its name; or codes alone.

    Two columns of a sheet may come with their titles: a first line without a digit is none of the list.
    """
    reading = Reading()
    for number, line in enumerate(text.splitlines(), 1):
        if number == 1 and "\n" in text.strip() and not any(character.isdigit() for character in line):
            continue
        pieces = [piece.strip() for piece in SEPARATORS.split(line) if piece.strip()]
        words = line.split()
        if len(pieces) == 1 and len(words) > 1:
            pieces = words if all(_is_number(word) for word in words) else line.strip().split(None, 1)
        if all(_is_number(piece) for piece in pieces):
            for piece in pieces:
                _take(reading, number, {"pardis_code": piece})
        else:
            _take(reading, number, {"pardis_code": pieces[0], "name": " ".join(pieces[1:])})
    return reading


def _is_number(text: str) -> bool:
    return clean_code(text).isdigit()


def read_codes(text: str) -> Reading:
    """Codes separated by commas."""
    reading = Reading()
    for code in text.replace("،", ",").split(","):
        if code.strip():
            _take(reading, None, {"pardis_code": code})
    return reading


def _take(reading: Reading, number: int | None, cells: dict[str, str]) -> None:
    written = cells.get("pardis_code", "")
    code = clean_code(written)
    if not (code.isascii() and code.isalnum() and len(code) <= 16):
        text = N_("“%(code)s” is not a campus code; left out")
        reading.problems.append(Problem(number, text, {"code": written.strip()[:40]}))
        return
    if any(line.code == code for line in reading.lines):
        text = N_("%(code)s is there twice; the first one counts")
        reading.problems.append(Problem(number, text, {"code": code}))
        return
    name = " ".join(cells.get("name", "").split())[:200]
    reading.lines.append(
        Line(
            code,
            name or None,
            _whole(reading, number, "province_code", cells, 99),
            _whole(reading, number, "type", cells, 9),
        )
    )


def _whole(reading: Reading, number: int | None, column: str, cells: dict[str, str], most: int) -> int | None:
    text = clean_code(cells.get(column, ""))
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= most):
        said = N_("%(column)s “%(given)s” is not 0 to %(most)s; left empty")
        reading.problems.append(
            Problem(number, said, {"column": column, "given": text[:20], "most": str(most)})
        )
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
