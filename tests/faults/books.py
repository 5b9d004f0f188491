"""What a destination must be, worked out anew from its rows: whatever disagrees with them is named."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from fetchers.core.clean import fold
from fetchers.core.clean.alphabet import order_of
from fetchers.core.store import index
from fetchers.students import Students
from tests.acceptance.store import Tables

Rows = dict[tuple[Any, ...], dict[str, Any]]
COUNTED = ("added", "changed", "gone")
TABLES = (
    *(
        "student_terms",
        "Students",
        "_hamgam_search",
        "_hamgam_partitions",
        "_hamgam_changes",
    ),
    "_hamgam_rejected",
)


def newest(rows: Mapping[tuple[Any, ...], dict[str, Any]], current: str) -> Rows:
    """One row per student (DESIGN.md part 7). current: the newest term that has begun."""
    found: dict[tuple[Any, ...], tuple[Any, dict[str, Any]]] = {}
    for row in rows.values():
        late, own = row["term"] > current, row["codePardis"] != row["code_Markaz"]
        rank = (late, [-ord(sign) for sign in row["term"]], own, row["codePardis"])
        key = (row["studentnum"],)
        if key not in found or rank < found[key][0]:
            found[key] = (rank, row)
    return {key: row for key, (_, row) in found.items()}


def by_part(rows: Mapping[tuple[Any, ...], dict[str, Any]]) -> dict[str, Rows]:
    """student_terms by part: codePardis and term lead its key."""
    found: dict[str, Rows] = {}
    for key, row in rows.items():
        found.setdefault(f"campus={key[0]},term={key[1]}", {})[key] = row
    return found


def digest(house: Tables) -> str:
    """Of every row of the data, the search text, the books of the parts and the diary, to the byte."""
    found = hashlib.sha256()
    for table in TABLES:
        rows = sorted(map(repr, house.rows(f'SELECT * FROM "{table}"')))
        found.update(f"{table}{rows}".encode())
    return found.hexdigest()


def disagreements(house: Tables, current: str) -> list[str]:
    """Where Students, search, counts, index, books, diary and ledger differ from student_terms."""
    rows = house.table("student_terms")
    wrong = [*_people(house, rows, current), *_books(house, by_part(rows)), *_diary(house)]
    return [
        *wrong,
        *_counts(house, "student_terms", rows),
        *_counts(house, "Students", newest(rows, current)),
    ]


def entries(house: Tables, runs: Iterable[str]) -> set[str]:
    """The parts that the ledger says one of these runs has completed."""
    statement = "SELECT part FROM _hamgam_ledger WHERE run = ? AND kind = 'part'"
    return {part for run in runs for (part,) in house.rows(statement, run)}


def illegal(
    house: Tables, runs: Iterable[str], before: dict[str, Rows], after: dict[str, Rows], current: str
) -> list[str]:
    """What is wrong with a destination whose runs ended in the middle: each part is as before, or as it shall be.

    Which of the two is what the ledger says. before, after: rows by part. current: the newest term that has begun.
    """
    wrong = disagreements(house, current)
    there = by_part(house.table("student_terms"))
    entered = entries(house, runs)
    for part in before.keys() | after.keys() | there.keys():
        shall = (after if part in entered else before).get(part, {})
        if there.get(part, {}) != shall:
            wrong.append(f"{part}: {'entered' if part in entered else 'not entered'}, but the rows differ")
    return wrong


def _people(house: Tables, rows: Rows, current: str) -> list[str]:
    wrong = []
    everyone = newest(rows, current)
    if house.table("Students") != everyone:
        wrong.append("Students are not the newest rows")
    searched = Students.student_terms.stream.search  # type: ignore[attr-defined]
    texts = {
        (
            key[0],
            fold(" ".join(str(row[column]) for column in searched if row[column] is not None)),
            order_of([row["familyname"], row["firstname"]]),
        )
        for key, row in everyone.items()
    }
    kept = house.rows("SELECT key, folded, sorted FROM _hamgam_search WHERE table_name = 'Students'")
    if set(map(tuple, kept)) != texts:
        wrong.append("the search text is not that of Students")
    return wrong


def _counts(house: Tables, table: str, rows: Rows) -> list[str]:
    asked, counted = ("codePardis", "term"), ("codvaziayat", "vazeiyat", "grade", "gradname")
    shall = Counter(tuple(row[column] for column in (*asked, *counted)) for row in rows.values())
    there = {
        (*json.loads(part), *values): number
        for part, counts in house.rows(
            "SELECT part, counts FROM _hamgam_facets WHERE part != '' AND table_name = ?", table
        )
        for *values, number in json.loads(counts)
    }
    return [] if there == shall else [f"{table}: its rows are counted wrongly"]


def _books(house: Tables, there: dict[str, Rows]) -> list[str]:
    """The number of rows, the index and its digest, and the notes of each part."""
    wrong = []
    books = house.rows(
        "SELECT part, rows, digest, raw_index FROM _hamgam_partitions WHERE stream = 'student_terms'"
    )
    if strays := there.keys() - {part for part, *_ in books}:
        wrong.append(f"rows of parts that are in no book: {sorted(strays)}")
    rejected: dict[str, set[bytes]] = {}
    for part, mark in house.rows("SELECT part, hash FROM _hamgam_rejected WHERE kept = 0"):
        rejected.setdefault(part, set()).add(bytes(mark))
    for part, number, digest_, raw in books:
        rows = there.get(part, {})
        if number != len(rows):
            wrong.append(f"{part}: the books say {number} rows, and there are {len(rows)}")
        if not bytes(digest_):  # an undo forgets the index, so that the next sync compares the rows
            continue
        known = index.decode(bytes(raw))
        if index.digest(known.version, known.marks()) != bytes(digest_):
            wrong.append(f"{part}: the digest is not that of the index")
        kept = [key for key, outcome in zip(known.keys, known.outcomes, strict=True) if outcome == index.KEPT]
        if sorted(kept) != sorted(key[2] for key in rows):
            wrong.append(f"{part}: the index keeps other rows than there are")
        left_out = {
            mark
            for mark, outcome in zip(known.marks(), known.outcomes, strict=True)
            if outcome == index.REJECTED
        }
        if left_out != rejected.get(part, set()):
            wrong.append(f"{part}: the notes are about other records than the index rejects")
    return wrong


def _diary(house: Tables) -> list[str]:
    """The diary has a line for each row that the ledger counts, or one line with their number."""
    lines: dict[tuple[str, str], Counter[str]] = {}
    for run, part, kind, after in house.rows("SELECT run, part, kind, after FROM _hamgam_changes"):
        number = json.loads(after)["rows"] if kind == "loaded" else 1
        lines.setdefault((run, part), Counter())["added" if kind == "loaded" else kind] += number
    wrong = []
    for run, part, *counts in house.rows(
        "SELECT run, part, added, changed, gone FROM _hamgam_ledger WHERE kind = 'part'"
    ):
        told = lines.pop((run, part), Counter())
        if [told[word] for word in COUNTED] != counts:
            wrong.append(f"{part}: the ledger counts {counts}, the diary {dict(told)}")
    if lines:
        wrong.append(f"the diary tells of parts that are in no ledger: {sorted(lines)}")
    sums = ", ".join(f"coalesce(sum({word}), 0)" for word in COUNTED)
    for (run,) in house.rows("SELECT run FROM _hamgam_ledger WHERE kind = 'closing'"):
        [closing] = house.rows(f"SELECT {sums} FROM _hamgam_ledger WHERE run = ? AND kind = 'closing'", run)
        [parts] = house.rows(f"SELECT {sums} FROM _hamgam_ledger WHERE run = ? AND kind = 'part'", run)
        if closing != parts:
            wrong.append(f"run {run}: the closing entry counts {closing}, its parts {parts}")
    return wrong
