"""Whatever is killed in mid-run: no process is left, no part half-published, the status true, the rest asked for."""

import signal
import sqlite3

import pytest

from tests.acceptance.house import House, truth, until

SLOW = ("--size", "tiny", "--latency", "700", "--seed", "5")


def begin(house: House) -> tuple[str, int]:
    """Ask for a students run; come back when some parts are published and others are not."""
    token = house.token()
    run = house.api(token, "syncs/students/runs", {})["run"]
    until(lambda: 2 <= len(published(house)) <= 9, "some parts to be published", 120)
    return token, run["id"]


def published(house: House) -> list[tuple[str, ...]]:
    if not (house.instance / "faculty_data.db").exists():
        return []
    try:
        return house.rows("faculty_data.db", "SELECT part FROM _hamgam_ledger WHERE kind = 'part'")
    except sqlite3.OperationalError:
        return []


def assert_parts_are_whole(house: House) -> None:
    """Each part has all of its rows or none, and the ledger says which."""
    wanted: dict[str, int] = {}
    for row in truth(house.gateway, "student_terms"):
        part = f"campus={row['codePardis']},term={row['term']}"
        wanted[part] = wanted.get(part, 0) + 1
    there = dict(
        house.rows(
            "faculty_data.db",
            "SELECT 'campus=' || codePardis || ',term=' || term, count(*) FROM student_terms GROUP BY 1",
        )
    )
    ledger = {part for (part,) in published(house)}
    for part, rows in there.items():
        assert rows == wanted[part], part
    assert {part for part in ledger if wanted.get(part)} == set(there)
    assert house.rows("faculty_data.db", "PRAGMA integrity_check") == [("ok",)]


def assert_all_is_there(house: House) -> None:
    want = {
        (row["codePardis"], row["term"], row["studentnum"]) for row in truth(house.gateway, "student_terms")
    }
    got = set(house.rows("faculty_data.db", "SELECT codePardis, term, studentnum FROM student_terms"))
    assert got == want


@pytest.mark.parametrize(
    "victim",
    ["engine", pytest.param("child", marks=pytest.mark.slow), pytest.param("up", marks=pytest.mark.slow)],
)
def test_after_kill_9_in_mid_run_the_rest_is_fetched_and_nothing_twice(build_house, victim):
    house = build_house(*SLOW).up()
    _, run_id = begin(house)
    before, asked_before = set(published(house)), len(house.asked_parts())
    process = {
        "child": house.child,
        "engine": house.engine,
        "up": lambda: house.processes("panel up")[0],
    }[victim]()
    process.send_signal(signal.SIGKILL)
    if victim == "child":
        # One run, two attempts: the first is written down as lost. The retry waits its minute; a person would not.
        until(lambda: house.run_status(run_id) == "pending", "the lost attempt to be seen", 30)
        assert_parts_are_whole(house)
        assert house.rows("panel.db", "SELECT error_code FROM run_attempts WHERE number = 1") == [("E_LOST",)]
        house.down()
        assert house.processes() == []
        set_retry_now(house)
        house.up()
    elif victim == "engine":
        until(
            lambda: house.child() is None or process.pid not in [p.pid for p in house.processes()],
            "its end",
            30,
        )
        # `up` starts another engine; it takes the lease over when that of the dead one ends.
    else:
        until(lambda: not house.processes(), "every process of this installation to be gone", 60)
        assert_parts_are_whole(house)
        house.up_process.wait(10)
        house.up()
    until(lambda: house.run_status(run_id) == "success", "the same run to succeed", 150)
    assert_all_is_there(house)
    asked_since = {f"campus={campus},term={term}" for campus, term in house.asked_parts()[asked_before:]}
    assert not asked_since & {part for (part,) in before}, "published before the kill, and asked for again"
    house.down()
    assert house.processes() == []


def set_retry_now(house: House) -> None:
    connection = sqlite3.connect(house.instance / "panel.db", timeout=30)
    with connection:
        connection.execute("UPDATE sync_runs SET not_before = '2000-01-01 00:00:00' WHERE status = 'pending'")
    connection.close()


def test_a_cancelled_run_ends_within_twenty_seconds_and_keeps_what_it_published(build_house):
    house = build_house(*SLOW).up()
    token, run_id = begin(house)
    before = set(published(house))
    house.api(token, f"runs/{run_id}/cancel", {})
    until(lambda: house.child() is None, "the child to be gone", 20)
    until(lambda: house.run_status(run_id) == "cancelled", "the run to be cancelled", 20)
    assert before <= set(published(house))
    assert_parts_are_whole(house)
    assert house.rows("panel.db", "SELECT status FROM data_syncs WHERE key = 'students'") == [("cancelled",)]
    # The next run goes on where this one stopped.
    asked = len(house.asked_parts())
    done = set(published(house))
    code, run = house.sync("students")
    assert (code, run["status"]) == (0, "success")
    assert_all_is_there(house)
    again = {f"campus={campus},term={term}" for campus, term in house.asked_parts()[asked:]}
    assert not again & {part for (part,) in done}


@pytest.mark.slow
def test_up_ends_everything_in_order(build_house):
    house = build_house(*SLOW).up()
    _, run_id = begin(house)
    house.up_process.terminate()
    assert house.up_process.wait(60) == 0
    assert house.processes() == []
    assert house.run_status(run_id) == "pending"
    assert_parts_are_whole(house)
