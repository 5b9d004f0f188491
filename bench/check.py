"""Compare a contestant's database with the truth: python -m bench.check, told on stdin, one sentence or "right".

A process of its own, so that what it holds in memory is not taken for a contestant's.
"""

import hashlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson
import psycopg

RIGHT = "right"
ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Question:
    """database: its address. truth: files of JSON lines by table. rows: least and most that student_terms may have.

    every_field: compare each field of each row of each table; else rows, keys, and the fields in `changes`, which
    are read by our own rules, since other scripts store them as they came.
    """

    database: str
    truth: dict[str, str]
    rows: tuple[int, int]
    every_field: bool
    changes: list[dict[str, Any]] = field(default_factory=list)


def ask(question: Question) -> str:
    """RIGHT, or what is wrong, found out by another process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.check"],
        input=json.dumps(asdict(question)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    return done.stdout.strip() or f"the check failed: {done.stderr.strip()[-300:]}"


def answer(question: Question) -> str:
    """RIGHT, or the first thing that is wrong."""
    try:
        db = _open(question.database)
        if db is None:
            return "there is no database"
        try:
            if question.every_field:
                return next(_wrong_fields(db, question.truth), RIGHT)
            return next(_wrong_keys(db, question), RIGHT)
        finally:
            db.close()
    except (sqlite3.Error, psycopg.Error) as error:
        return f"{type(error).__module__.partition('.')[0]} says: {error}"


class _Reader(Protocol):
    """A database that is only read. Statements have `?` for values; identifiers are quoted."""

    def read(self, statement: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]: ...

    def columns(self, table: str) -> list[str]: ...

    def close(self) -> None: ...


class _Sqlite:
    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self.close = self._db.close

    def read(self, statement: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        return self._db.execute(statement, values)

    def columns(self, table: str) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT name FROM pragma_table_info(?)", (table,))]


class _Postgresql:
    def __init__(self, url: str) -> None:
        self._db = psycopg.connect(url)
        self._db.read_only = True
        self.close = self._db.close

    def read(self, statement: str, values: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        if values:  # of one row
            yield from self._db.execute(statement.replace("?", "%s"), values)
            return
        with self._db.cursor(name="all") as cursor:  # of a table, which need not fit into memory
            cursor.itersize = 5_000
            yield from cursor.execute(statement)

    def columns(self, table: str) -> list[str]:
        found = self._db.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
            (table,),
        )
        return [row[0] for row in found]


def _open(url: str) -> _Reader | None:
    if url.startswith("postgresql"):
        return _Postgresql(url)
    path = Path(url.removeprefix("sqlite:///"))
    return _Sqlite(path) if path.exists() else None


def _wrong_fields(db: _Reader, truth: dict[str, str]) -> Iterator[str]:
    """Compare by a digest of each row, so that a million of them fit; a row that differs is then looked at."""
    keys = {"student_terms": ("codePardis", "term", "studentnum"), "Students": ("studentnum",)}
    for table, path in truth.items():
        expected: dict[tuple[Any, ...], bytes] = {}
        columns: list[str] = []
        for row in _lines(path):
            columns = columns or list(row)
            expected[tuple(row[column] for column in keys[table])] = _digest(row.values())
        if sorted(db.columns(table)) != sorted(columns):
            yield f"{table} has the columns {', '.join(db.columns(table)) or '(none)'}"
        there = next(iter(db.read(f"SELECT count(*) FROM {_names([table])}")))[0]
        if there != len(expected):
            yield f"{table} has {there} rows instead of {len(expected)}"
        places = [columns.index(column) for column in keys[table]]
        for stored in db.read(f"SELECT {_names(columns)} FROM {_names([table])}"):
            key = tuple(stored[place] for place in places)
            digest = expected.pop(key, None)
            if digest is None:
                yield f"{table} has {_said(key)}, which does not exist in truth"
            elif digest != _digest(stored):
                row = next(row for row in _lines(path) if tuple(row[name] for name in keys[table]) == key)
                differ = [name for name, value in zip(columns, stored, strict=True) if row[name] != value]
                yield f"{table} {_said(key)} differs in {', '.join(differ) or 'the types of its values'}"
        yield from (f"{table} lacks {_said(key)}" for key in expected)


def _wrong_keys(db: _Reader, question: Question) -> Iterator[str]:
    least, most = question.rows
    there = 0
    found: dict[tuple[str, str, str], str] = {}  # the key → its number as it is stored
    for campus, term, number in db.read('SELECT "codePardis", "term", "studentnum" FROM student_terms'):
        there += 1
        if (plain := _digits(number)) is not None:
            found[sys.intern(campus), sys.intern(term), plain] = number
    if not least <= there <= most:
        yield f"student_terms has {there} rows instead of {least} to {most}"
    stale = sum(not _has_arrived(db, change, found) for change in question.changes)
    missing = expected = 0
    for row in _lines(question.truth["student_terms"]):
        expected += 1
        missing += found.pop((row["codePardis"], row["term"], row["studentnum"]), None) is None
    if missing:
        yield f"{missing} of {expected} keys are missing"
    if found:
        yield f"{len(found)} keys do not exist in truth"
    if stale:
        yield f"{stale} of {len(question.changes)} changes have not arrived"


def _has_arrived(db: _Reader, change: dict[str, Any], found: dict[tuple[str, str, str], str]) -> bool:
    """Whether a changed field is there, cleaned by our own rules: other scripts store values as they came."""
    from fetchers.students import Students

    campus, term, plain = (change["key"][name] for name in ("codePardis", "term", "studentnum"))
    number = found.get((campus, term, plain))
    if number is None:
        return False
    statement = (
        f"SELECT {_names([change['field']])} FROM student_terms"
        ' WHERE "codePardis" = ? AND "term" = ? AND "studentnum" = ?'
    )
    raw = next(iter(db.read(statement, (campus, term, number))))[0]
    return Students.streams()[0].fields[change["field"]].clean(raw).value == change["after"]


def _digest(values: Iterable[Any]) -> bytes:
    return hashlib.blake2b(orjson.dumps(list(values)), digest_size=16).digest()


def _names(identifiers: Iterable[str]) -> str:
    return ", ".join(f'"{identifier}"' for identifier in identifiers)


def _said(key: Iterable[Any]) -> str:
    return "/".join(map(str, key))


def _digits(number: object) -> str | None:
    """A student number as it is meant: numbers and other scripts' digits as ASCII text; None where it is none."""
    text = str(number).strip()
    return str(int(text)) if text.isdecimal() else None


def _lines(path: str) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield orjson.loads(line)


if __name__ == "__main__":
    given = json.load(sys.stdin)
    print(answer(Question(**{**given, "rows": tuple(given["rows"])})))
