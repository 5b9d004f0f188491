"""`python -m panel sync` against the simulator: the tables are the truth, field by field, or the missing is named.

Twenty seeds a profile at size small (`-m slow`); one at size tiny in the quick tests.
"""

from typing import Any

import pytest

from tests.acceptance.house import House, truth

KEYS = {
    "faculty": ("id",),
    "student_terms": ("codePardis", "term", "studentnum"),
    "Students": ("studentnum",),
}
SEEDS = [
    pytest.param("tiny", 101, id="tiny-101"),
    *(pytest.param("small", seed, id=f"small-{seed}", marks=pytest.mark.slow) for seed in range(1, 21)),
]


def prepared(house: House) -> House:
    """No engine: the command executes the run itself, as fast as the gateway goes, and once."""
    for key in ("faculty", "students"):
        done = house.cli("set", key, "requests_per_second=0", "retry_budget=20", "retries=0")
        assert done.returncode == 0, done.stderr
    return house


def stored(house: House, table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    columns = [row[1] for row in house.rows("faculty_data.db", f"PRAGMA table_info({table})")]
    extra = house.rows("faculty_data.db", "SELECT name FROM _hamgam_columns WHERE origin = 'discovered'")
    rows = (
        {name: value for name, value in zip(columns, row, strict=True) if (name,) not in extra}
        for row in house.rows("faculty_data.db", f"SELECT * FROM {table}")
    )
    return {tuple(row[key] for key in KEYS[table]): row for row in rows}


def wanted(house: House, table: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[key] for key in KEYS[table]): row for row in truth(house.gateway, table.lower())}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("profile", ["calm", "realistic"])
@pytest.mark.parametrize(("size", "seed"), SEEDS)
def test_the_tables_are_the_truth(build_house, profile, size, seed):
    house = prepared(build_house("--profile", profile, "--size", size, "--seed", str(seed)))
    for key in ("faculty", "students"):
        code, run = house.sync(key)
        assert (code, run["status"]) == (0, "success"), run
        counts = run["counts"]
        assert counts["read"] == sum(
            counts[word] for word in ("added", "changed", "unchanged", "rejected", "duplicates")
        )
    for table in KEYS:
        assert stored(house, table) == wanted(house, table), table


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("size", "seed"), SEEDS)
def test_a_hostile_gateway_leaves_no_wrong_row_and_no_gap_without_a_name(build_house, size, seed):
    options = ("--profile", "hostile", "--size", size, "--seed", str(seed), "--hang", "0.5")
    house = prepared(build_house(*options, "--outage-requests", "8"))
    code, run = house.sync("faculty")
    if code == 0:
        assert stored(house, "faculty") == wanted(house, "faculty")
    else:
        assert (code, run["status"], bool(run["error_code"])) == (1, "failed", True)
    code, run = house.sync("students")
    missing = {
        part
        for (part,) in house.rows(
            "panel.db", f"SELECT part FROM run_partitions WHERE run_id = {run['id']} AND state <> 'done'"
        )
    }
    there, want = stored(house, "student_terms"), wanted(house, "student_terms")
    assert (code == 0) == (not missing)
    assert code == 0 or (code, run["status"], run["error_code"] is not None) == (1, "failed", True)
    assert there == {key: row for key, row in want.items() if f"campus={key[0]},term={key[1]}" not in missing}
    if not missing:
        assert stored(house, "Students") == wanted(house, "Students")
