"""Compare a contestant's database with the truth: python -m bench.check, told on stdin, one sentence or "right".

A process of its own, so that what it holds in memory is not taken for a contestant's.
"""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RIGHT = "right"
ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Question:
    """truth: files of JSON lines by table. rows: least and most rows that student_terms may have.

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
    if not Path(question.database).exists():
        return "there is no database"
    db = sqlite3.connect(f"file:{question.database}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    try:
        if question.every_field:
            return next(_wrong_fields(db, question.truth), RIGHT)
        return next(_wrong_keys(db, question), RIGHT)
    except sqlite3.Error as error:
        return f"SQLite says: {error}"
    finally:
        db.close()


def _wrong_fields(db: sqlite3.Connection, truth: dict[str, str]) -> Iterator[str]:
    keys = {"student_terms": ("codePardis", "term", "studentnum"), "Students": ("studentnum",)}
    for table, path in truth.items():
        match = " AND ".join(f'"{column}" = ?' for column in keys[table])
        expected = 0
        for row in _lines(path):
            expected += 1
            key = tuple(row[column] for column in keys[table])
            stored = db.execute(f'SELECT * FROM "{table}" WHERE {match}', key).fetchone()
            if stored is None:
                yield f"{table} lacks {'/'.join(key)}"
            elif (found := dict(stored)) != row:
                differ = [name for name in row if name not in found or found[name] != row[name]]
                yield f"{table} {'/'.join(key)} differs in {', '.join(differ) or 'columns'}"
        there = db.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]
        if there != expected:
            yield f"{table} has {there} rows instead of {expected}"


def _wrong_keys(db: sqlite3.Connection, question: Question) -> Iterator[str]:
    least, most = question.rows
    there = db.execute("SELECT count(*) FROM student_terms").fetchone()[0]
    if not least <= there <= most:
        yield f"student_terms has {there} rows instead of {least} to {most}"
    found: dict[tuple[str, str, str], int] = {}
    for place, campus, term, number in db.execute(
        "SELECT rowid, codePardis, term, studentnum FROM student_terms"
    ):
        if (plain := _digits(number)) is not None:
            found[str(campus), str(term), plain] = place
    expected = {
        (row["codePardis"], row["term"], row["studentnum"]) for row in _lines(question.truth["student_terms"])
    }
    if missing := expected - found.keys():
        yield f"{len(missing)} of {len(expected)} keys are missing"
    if strange := found.keys() - expected:
        yield f"{len(strange)} keys do not exist in truth"
    yield from _stale(db, question.changes, found)


def _stale(
    db: sqlite3.Connection, changes: list[dict[str, Any]], found: dict[tuple[str, str, str], int]
) -> Iterator[str]:
    from fetchers.students import Students

    fields = Students.streams()[0].fields
    stale = 0
    for change in changes:
        key = change["key"]
        place = found[key["codePardis"], key["term"], key["studentnum"]]
        row = db.execute("SELECT * FROM student_terms WHERE rowid = ?", (place,)).fetchone()
        stale += fields[change["field"]].clean(row[change["field"]]).value != change["after"]
    if stale:
        yield f"{stale} of {len(changes)} changes have not arrived"


def _digits(number: object) -> str | None:
    """A student number as it is meant: numbers and other scripts' digits as ASCII text; None where it is none."""
    text = str(number).strip()
    return str(int(text)) if text.isdecimal() else None


def _lines(path: str) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


if __name__ == "__main__":
    given = json.load(sys.stdin)
    print(answer(Question(**{**given, "rows": tuple(given["rows"])})))
