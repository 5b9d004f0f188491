"""Undo: what one run did to the tables is taken back, and nothing else is touched."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from fetchers.core import registry
from fetchers.core.decide.undo import Undo, preview
from fetchers.core.errors import CannotUndo
from fetchers.core.events import Events
from fetchers.core.spec import Spec
from fetchers.core.store import ledger, sql
from tests.conftest import ROOT
from tests.fetchers.conftest import NOW
from tests.fetchers.core.conftest import House

TABLES = {"faculty": ("faculty",), "student_terms": ("student_terms", "Students")}


def stream(source: str) -> Any:
    fetcher = registry.load(source).fetcher
    assert fetcher is not None
    return fetcher.streams()[0]


@pytest.fixture(autouse=True)
def one_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests hold the destination open through apsw, so a preview must read through it too, in this process."""
    monkeypatch.setattr("fetchers.core.decide.undo.look_into", sql.connect_to_read)


@pytest.fixture
def faculty(destination: str) -> Iterator[House]:
    house = House(destination, stream("faculty"))
    yield house
    house.db.close()


@pytest.fixture
def students(destination: str) -> Iterator[House]:
    house = House(destination, stream("students"), ceiling="4051")
    yield house
    house.db.close()


def member(number: int, name: str = "مریم", **fields: Any) -> dict[str, Any]:
    return {"id": number, "name": name, "family": f"یوسفی {number}", "city": "تهران", **fields}


def student(number: int, **fields: Any) -> dict[str, Any]:
    return {"studentnum": str(number), "firstname": "نیلوفر", "familyname": f"کریمی {number}", **fields}


def digest(house: House) -> str:
    """Of everything that people see: the tables and what their search looks into."""
    found = hashlib.sha256()
    for table in (*TABLES[house.stream.name], "_hamgam_search"):
        rows = sorted(map(repr, house.rows(f'SELECT * FROM "{table}"')))
        found.update(f"{table}{rows}".encode())
    return found.hexdigest()


def undo(house: House, about: str, run: str, *, epoch: int = 1) -> list[dict[str, Any]]:
    """Undo a run; what was told of it."""
    told: list[dict[str, Any]] = []
    source = "faculty" if house.stream.name == "faculty" else "students"
    spec = Spec(source=source, run=run, about=about, mode="undo", epoch=epoch, database=house.url, now=NOW)
    code = Undo(spec, Events(told.append)).run()
    assert code == (0 if told[-1]["event"] == "result" else 1)
    return told


def diary(house: House, run: str) -> dict[str, int]:
    return dict(
        house.db.execute("SELECT kind, count(*) FROM _hamgam_changes WHERE run = ? GROUP BY kind", (run,))
    )


def a_busy_day(house: House) -> None:
    """run-1 loads 40 people; run-2 adds 10, changes 7 and loses 5."""
    house.sync(*(member(n) for n in range(1, 41)))
    before = digest(house)
    house.sync(
        *(member(n, city="شیراز" if n <= 7 else "تهران") for n in range(1, 36)),
        *(member(n) for n in range(101, 111)),
    )
    assert diary(house, "run-2") == {"added": 10, "changed": 7, "gone": 5}
    assert digest(house) != before


def test_a_run_that_added_10_changed_7_and_lost_5_is_taken_back_to_the_letter(faculty: House) -> None:
    faculty.sync(*(member(n) for n in range(1, 41)))
    before = digest(faculty)
    faculty.sync(
        *(member(n, city="شیراز" if n <= 7 else "تهران") for n in range(1, 36)),
        *(member(n) for n in range(101, 111)),
    )
    told = undo(faculty, "run-2", "undo-1")
    assert digest(faculty) == before
    end = told[-1]
    assert end["event"] == "result"
    assert {name: n for name, n in end["counts"].items() if n} == {
        "read": 12,
        "added": 5,
        "changed": 7,
        "gone": 10,
    }
    assert end["records"] == {"faculty": 40}
    assert diary(faculty, "undo-1") == {"added": 5, "changed": 7, "gone": 10}
    closing = ledger.verdict(faculty.url, "undo-1")
    assert closing is not None and closing.counts == end["counts"]
    assert closing.partitions == end["partitions"] == {"planned": 1, "done": 1, "failed": 0, "held": 0}


def test_the_undo_of_an_undo_brings_the_run_back(faculty: House) -> None:
    a_busy_day(faculty)
    after = digest(faculty)
    undo(faculty, "run-2", "undo-1")
    undo(faculty, "undo-1", "undo-2")
    assert digest(faculty) == after
    undo(faculty, "undo-2", "undo-3")
    undo(faculty, "undo-3", "undo-4")
    assert digest(faculty) == after


def test_students_and_the_table_of_newest_rows_stay_in_step(students: House) -> None:
    for term in ("4042", "4051"):
        students.sync(*(student(n) for n in range(1, 9)), campus="1110", term=term)
    before = digest(students)
    students.sync(
        *(student(n, city="قم") for n in range(1, 4)), student(20), student(21), campus="1110", term="4051"
    )
    assert diary(students, "run-3") == {"added": 2, "changed": 3, "gone": 5}
    undo(students, "run-3", "undo-1")
    assert digest(students) == before


def test_a_first_load_is_taken_back_to_nothing_and_can_come_back(students: House) -> None:
    students.sync(*(student(n) for n in range(1, 9)), campus="1110", term="4042")
    before = digest(students)
    students.sync(*(student(n) for n in range(5, 15)), campus="1110", term="4051")
    after = digest(students)
    told = undo(students, "run-2", "undo-1")
    assert digest(students) == before
    assert told[-1]["counts"]["gone"] == 10
    assert students.rows("SELECT part FROM _hamgam_partitions") == [("campus=1110,term=4042",)]
    undo(students, "undo-1", "undo-2")
    assert digest(students) == after
    # Taken back once more, what the gateway sends is a first load again: one line.
    undo(students, "undo-2", "undo-3")
    students.sync(*(student(n) for n in range(5, 15)), campus="1110", term="4051")
    assert digest(students) == after
    assert diary(students, "run-3") == {"loaded": 1}


def test_run_by_run_it_goes_back_to_the_beginning(faculty: House) -> None:
    seen = [digest(faculty)]
    faculty.sync(*(member(n) for n in range(1, 11)))
    for day in range(1, 5):
        seen.append(digest(faculty))
        faculty.sync(
            *(member(n, city=f"شهر {day}" if n % day == 0 else "تهران") for n in range(day, 11 + day))
        )
    for day in range(5, 0, -1):
        undo(faculty, f"run-{day}", f"undo-{day}")
        assert digest(faculty) == seen[day - 1], f"day {day}"


def test_what_a_later_run_changed_is_left_and_listed(faculty: House) -> None:
    faculty.sync(*(member(n) for n in range(1, 11)))
    faculty.sync(*(member(n, city="شیراز") for n in range(1, 11)), member(11), member(12))
    faculty.sync(*(member(n, city="قم" if n <= 3 else "شیراز") for n in range(1, 11)), member(11, "رضا"))
    told = undo(faculty, "run-2", "undo-1")
    # 1 to 3 were changed again, 11 was renamed, 12 has left since.
    assert told[-1]["counts"] == {
        "read": 12, "added": 0, "changed": 7, "unchanged": 5, "gone": 0, "rejected": 0, "duplicates": 0,
    }  # fmt: skip
    cities = dict(faculty.rows("SELECT id, city FROM faculty"))
    assert [cities[n] for n in (1, 3, 4, 10)] == ["قم", "قم", "تهران", "تهران"]
    left = faculty.rows("SELECT key, after FROM _hamgam_changes WHERE run = 'undo-1' AND kind = 'left'")
    assert dict(left) == {
        **dict.fromkeys(("1", "2", "3", "11"), '{"why":"changed"}'),
        "12": '{"why":"missing"}',
    }
    [warning] = [event for event in told if event["event"] == "log"]
    assert warning["level"] == "warning" and warning["message"].startswith("5 rows ")


@pytest.mark.parametrize(
    ("by_hand", "why"),
    [
        ("UPDATE faculty SET city = 'یزد' WHERE id = 1", {"1": "changed"}),
        ("UPDATE faculty SET name = 'زهرا' WHERE id = 101", {"101": "changed"}),
        ("DELETE FROM faculty WHERE id IN (2, 102)", {"2": "missing", "102": "missing"}),
        ("INSERT INTO faculty (id, name) VALUES (40, 'زهرا')", {"40": "there"}),
    ],
)
def test_after_an_edit_by_hand_it_says_what_it_cannot_restore(
    faculty: House, by_hand: str, why: dict[str, str]
) -> None:
    a_busy_day(faculty)
    faculty.db.execute(by_hand)
    seen = preview(faculty.url, "faculty", "run-2")
    told = undo(faculty, "run-2", "undo-1")
    left = faculty.rows("SELECT key, after FROM _hamgam_changes WHERE kind = 'left'")
    assert {key: json.loads(after)["why"] for key, after in left} == why
    assert {line.key: line.why for line in seen.lines if line.kind == "left"} == why
    assert told[-1]["counts"] == seen.counts.to_dict()
    assert seen.left == len(why)


def test_an_edit_of_another_field_does_not_hinder_and_is_kept(faculty: House) -> None:
    a_busy_day(faculty)
    faculty.db.execute("UPDATE faculty SET scope = 'علوم' WHERE id = 1")
    undo(faculty, "run-2", "undo-1")
    assert faculty.rows("SELECT city, scope FROM faculty WHERE id = 1") == [("تهران", "علوم")]
    assert "left" not in diary(faculty, "undo-1")


def test_of_a_row_changed_in_part_the_other_fields_come_back(faculty: House) -> None:
    faculty.sync(member(1))
    faculty.sync(member(1, city="شیراز", field="فیزیک"))
    faculty.db.execute("UPDATE faculty SET city = 'یزد'")
    told = undo(faculty, "run-2", "undo-1")
    assert faculty.rows("SELECT city, field FROM faculty") == [("یزد", None)]
    assert told[-1]["counts"]["changed"] == 1 and told[-1]["counts"]["unchanged"] == 0
    assert diary(faculty, "undo-1") == {"changed": 1, "left": 1}


def test_the_next_sync_brings_back_what_the_gateway_still_says(faculty: House) -> None:
    a_busy_day(faculty)
    after = digest(faculty)
    undo(faculty, "run-2", "undo-1")
    delta = faculty.sync(
        *(member(n, city="شیراز" if n <= 7 else "تهران") for n in range(1, 36)),
        *(member(n) for n in range(101, 111)),
    )
    assert (delta.counts.added, delta.counts.changed, delta.counts.gone) == (10, 7, 5)
    assert digest(faculty) == after


def test_the_next_sync_of_what_was_before_finds_nothing_to_do(faculty: House) -> None:
    a_busy_day(faculty)
    undo(faculty, "run-2", "undo-1")
    delta = faculty.sync(*(member(n) for n in range(1, 41)))
    assert (delta.counts.unchanged, delta.counts.added, delta.counts.changed, delta.counts.gone) == (
        40,
        0,
        0,
        0,
    )


def test_a_preview_tells_the_same_and_writes_nothing(faculty: House) -> None:
    a_busy_day(faculty)
    before = digest(faculty), faculty.rows("SELECT count(*) FROM _hamgam_changes")
    seen = preview(faculty.url, "faculty", "run-2", limit=6)
    assert (digest(faculty), faculty.rows("SELECT count(*) FROM _hamgam_changes")) == before
    assert (seen.counts.added, seen.counts.changed, seen.counts.gone, seen.left) == (5, 7, 10, 0)
    assert len(seen.lines) == 6
    assert seen.lines[0].kind == "changed" and seen.lines[0].before == {"city": "شیراز"}
    assert seen.lines[0].after == {"city": "تهران"}


@pytest.mark.parametrize(
    ("about", "reason"),
    [("never-ran", "nothing"), ("run-3", "nothing"), ("run-2", "left"), ("run-1", "diary")],
)
def test_what_cannot_be_undone_is_refused_and_changes_nothing(
    faculty: House, about: str, reason: str
) -> None:
    a_busy_day(faculty)
    records = [member(n, "دیگری", city="قم") for n in [*range(1, 8), *range(36, 41)]]
    faculty.sync(
        *(member(n, city="شیراز" if n <= 7 else "تهران") for n in range(1, 36)),
        *(member(n) for n in range(101, 111)),
    )
    faculty.sync(*records)
    faculty.db.execute("DELETE FROM _hamgam_changes WHERE run = 'run-1'")
    before = digest(faculty)
    told = undo(faculty, about, "undo-1")
    assert told[-1]["error"]["code"] == "E_UNDO"
    assert told[-1]["error"]["params"]["reason"] == reason
    assert set(told[-1]["counts"].values()) == {0}
    assert digest(faculty) == before
    assert diary(faculty, "undo-1") == {}
    assert ledger.plan_of(faculty.db, "undo-1") is None
    if reason != "left":
        with pytest.raises(CannotUndo):
            preview(faculty.url, "faculty", about)


def test_a_former_leader_undoes_nothing(faculty: House) -> None:
    a_busy_day(faculty)
    ledger.raise_fence(faculty.url, 9)
    before = digest(faculty)
    assert undo(faculty, "run-2", "undo-1", epoch=8)[-1]["error"]["code"] == "E_FENCED"
    assert digest(faculty) == before


def test_a_diary_of_the_first_version_can_be_undone_too(faculty: House) -> None:
    faculty.sync(*(member(n) for n in range(1, 41)))
    before = digest(faculty)
    faculty.sync(*(member(n) for n in range(1, 36)), member(101), member(102))
    faculty.db.execute(
        "CREATE TABLE old AS SELECT id, run, stream, part, key, kind, before, after, at FROM _hamgam_changes;"
        "DROP TABLE _hamgam_changes; ALTER TABLE old RENAME TO _hamgam_changes"
    )
    undo(faculty, "run-2", "undo-1")
    assert digest(faculty) == before


KILLED = """
import json, os, signal, sys
from fetchers.core.decide import undo
from fetchers.core.load import publish
from fetchers.core.store import ledger
from fetchers.core.events import Events
from fetchers.core.spec import Spec

at, order = int(sys.argv[1]), sys.argv[2]
steps = 0

def counted(real):
    def step(*args, **kwargs):
        global steps
        steps += 1
        if steps == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return step

for owner, name in ((ledger, "enter"), (publish.Publisher, "_take_out"), (publish.Diary, "_write"),
                    (publish.LatestRows, "refresh"), (undo.lookup, "how_many")):
    setattr(owner, name, counted(getattr(owner, name)))
undo.Undo(Spec.model_validate_json(order), Events(lambda event: None)).run()
print(steps)
"""


def test_killed_at_any_step_it_leaves_before_or_after(students: House) -> None:
    for term in ("4042", "4051"):
        students.sync(*(student(n) for n in range(1, 9)), campus="1110", term=term)
    before = digest(students)
    students.sync(*(student(n, city="قم") for n in range(1, 4)), student(20), campus="1110", term="4051")
    after = digest(students)
    spec = Spec(source="students", about="run-3", mode="undo", epoch=1, database=students.url, now=NOW)
    for step in range(1, 100):
        order = spec.model_copy(update={"run": f"undo-{step}"}).model_dump_json()
        child = subprocess.run(
            [sys.executable, "-c", KILLED, str(step), order],
            cwd=ROOT,
            capture_output=True,
            timeout=60,
            env={**os.environ},
        )
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL, child.stderr
        assert digest(students) == after
        assert ledger.verdict(students.url, f"undo-{step}") is None
    assert step > 6, "the steps were not met"
    assert digest(students) == before
    assert ledger.verdict(students.url, f"undo-{step}") is not None


def test_endless_names_do_not_hinder_the_diary(faculty: House) -> None:
    faculty.sync(member(1))
    before = digest(faculty)
    faculty.sync(member(1), member(2, "ی" * 4000, field="ک" * 4000))
    undo(faculty, "run-2", "undo-1")
    assert digest(faculty) == before
