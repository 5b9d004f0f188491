"""Undo in a whole installation: a day is taken back by command and by click, and comes again only when asked."""

import hashlib
import json
from typing import Any

import pytest

from tests.acceptance.house import House, ask, until
from tests.acceptance.store import ON_BOTH, ON_BOTH_IN_TIME

TABLES = ("faculty", "student_terms", "Students")
DAY = {"added": 10, "changed": 7, "gone": 5, "stream": "students", "campus": "1110", "term": "4051"}


def digest(house: House) -> str:
    """Of everything in the data tables and in what their search looks into."""
    found = hashlib.sha256()
    for table in (*TABLES, "_hamgam_search"):
        rows = sorted(map(repr, house.data.rows(f'SELECT * FROM "{table}"')))
        found.update(f"{table}{rows}".encode())
    return found.hexdigest()


def counts(run: dict[str, Any]) -> tuple[int, int, int]:
    return run["counts"]["added"], run["counts"]["changed"], run["counts"]["gone"]


def undo(house: House, run: int, *words: str) -> tuple[int, dict[str, Any]]:
    done = house.cli("undo", str(run), "--json", *words)
    assert done.stdout.strip(), done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@ON_BOTH_IN_TIME
def test_a_day_is_taken_back_by_command_without_asking_the_gateway(build_house, database) -> None:
    house = build_house("--size", "tiny", database=database)
    for key in ("faculty", "students"):
        assert house.sync(key)[0] == 0
    before = digest(house)
    ask(f"{house.gateway.url}/__sim__/delta", DAY)
    code, day = house.sync("students")
    assert (code, counts(day)) == (0, (10, 7, 5))
    after = digest(house)
    asked = len(ask(f"{house.gateway.url}/__sim__/requests"))
    house.environ["GOLESTAN_PASSWORD"] = ""  # nor does it need a login

    code, seen = undo(house, day["id"], "--preview")
    assert (code, counts(seen), seen["left"]) == (0, (5, 7, 10), 0)
    assert digest(house) == after
    code, run = undo(house, day["id"])
    assert (code, run["status"], run["mode"], counts(run)) == (0, "success", "undo", (5, 7, 10))
    assert digest(house) == before
    assert len(ask(f"{house.gateway.url}/__sim__/requests")) == asked

    # Once is enough; the undo itself can be undone.
    assert house.cli("undo", str(day["id"])).returncode == 2
    assert counts(undo(house, run["id"])[1]) == (10, 7, 5)
    assert digest(house) == after
    assert counts(undo(house, day["id"])[1]) == (5, 7, 10)

    # The next ordinary sync brings back what the gateway still says.
    house.environ["GOLESTAN_PASSWORD"] = house.gateway.password
    code, again = house.sync("students")
    assert (code, counts(again)) == (0, (10, 7, 5))
    assert digest(house) == after
    code, quiet = house.sync("students")
    assert (code, counts(quiet)) == (0, (0, 0, 0))


@pytest.mark.slow
@ON_BOTH
def test_what_somebody_changed_by_hand_since_is_left_and_told(build_house, database) -> None:
    """Of ten added, seven changed and five gone, five were touched since; four of them cannot be taken back."""
    house = build_house("--size", "tiny", database=database)
    assert house.sync("students")[0] == 0
    before = house.data.table("student_terms")
    ask(f"{house.gateway.url}/__sim__/delta", DAY)
    code, day = house.sync("students")
    assert (code, counts(day)) == (0, (10, 7, 5))
    after = house.data.table("student_terms")
    added, gone = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    changed = sorted(key for key in after.keys() & before.keys() if after[key] != before[key])
    field = next(name for name, value in after[changed[0]].items() if before[changed[0]][name] != value)

    where = '"codePardis" = ? AND term = ? AND studentnum = ?'
    edits = [
        (f"UPDATE student_terms SET city = ? WHERE {where}", ("یزد", *added[0])),
        (f"DELETE FROM student_terms WHERE {where}", added[1]),
        (f"UPDATE student_terms SET {field} = ? WHERE {where}", ("by hand", *changed[0])),
        (f"UPDATE student_terms SET city = ? WHERE {where}", ("یزد", *changed[1])),  # no field of that run
        ('INSERT INTO student_terms ("codePardis", term, studentnum) VALUES (?, ?, ?)', gone[0]),
    ]
    for statement, values in edits:
        assert house.data.write(statement, *values) == 1
    by_hand = house.data.table("student_terms")

    code, seen = undo(house, day["id"], "--preview")
    assert (code, counts(seen), seen["left"]) == (0, (4, 6, 8), 4)
    said = house.cli("undo", str(day["id"]), "--preview").stdout
    assert "remove 8 rows, bring back 4, put back fields of 6, and leave 4 that were changed since" in said
    assert house.data.table("student_terms") == by_hand
    code, run = undo(house, day["id"])
    assert (code, run["status"], counts(run)) == (0, "success", (4, 6, 8))

    left = house.data.rows("SELECT key, after FROM _hamgam_changes WHERE kind = 'left'")
    assert {(key, json.loads(after)["why"]) for key, after in left} == {
        (added[0][2], "changed"),
        (added[1][2], "missing"),
        (changed[0][2], "changed"),
        (gone[0][2], "there"),
    }
    wanted = before | {key: by_hand[key] for key in (added[0], changed[0], gone[0])}
    wanted[changed[1]] = {**before[changed[1]], "city": "یزد"}
    assert house.data.table("student_terms") == wanted


@pytest.mark.slow
@ON_BOTH
def test_an_undo_by_click_pauses_the_schedule_until_somebody_resumes_it(build_house, database) -> None:
    house = build_house("--size", "tiny", database=database).up()
    token = house.token()
    assert house.sync("faculty")[0] == 0
    before = digest_of_faculty(house)
    ask(f"{house.gateway.url}/__sim__/delta", {"added": 3, "changed": 2, "gone": 1, "stream": "faculty"})
    day = house.sync("faculty")[1]
    assert counts(day) == (3, 2, 1)
    browser = house.browser()
    browser.post(f"/runs/{day['id']}/undo")
    undoing = until(lambda: newest(house, "faculty", day["id"]), "the undo to end")
    assert undoing == "success"
    assert digest_of_faculty(house) == before
    assert house.api(token, "syncs/faculty")["paused"] == "undo"

    # It is due at once, and is skipped.
    house.cli("schedule", "students", "--off")
    with_a_due_time(house)
    until(
        lambda: house.rows("panel.db", "SELECT reason FROM skipped_ticks WHERE reason = 'paused'"),
        "a tick that is skipped",
    )
    assert digest_of_faculty(house) == before
    browser.post("/syncs/faculty/resume")
    assert house.api(token, "syncs/faculty")["paused"] is None
    with_a_due_time(house)
    until(lambda: digest_of_faculty(house) != before, "the schedule to bring the changes back")
    assert house.rows("panel.db", "SELECT actor FROM audit_entries WHERE action = 'sync_resumed'") == [
        ("maryam",)
    ]


def digest_of_faculty(house: House) -> str:
    rows = sorted(map(repr, house.data.rows("SELECT * FROM faculty")))
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def newest(house: House, key: str, after: int) -> str | None:
    """How the newest run ended, if there is one after that and it has ended."""
    found = house.rows(
        "panel.db",
        "SELECT r.status FROM sync_runs r JOIN data_syncs s ON s.id = r.sync_id"
        f" WHERE s.key = '{key}' AND r.id > {int(after)} AND r.finished_at IS NOT NULL ORDER BY r.id DESC LIMIT 1",
    )
    return None if not found else str(found[0][0])


def with_a_due_time(house: House) -> None:
    """Let the schedule of faculty come due now, whatever the clock says; as time would."""
    import sqlite3

    connection = sqlite3.connect(house.instance / "panel.db", timeout=30)
    with connection:
        connection.execute(
            "UPDATE data_syncs SET schedule_kind = 'interval', interval_minutes = 60,"
            " next_run_at = datetime('now', '-1 minute') || '.000000' WHERE key = 'faculty'"
        )
    connection.close()
