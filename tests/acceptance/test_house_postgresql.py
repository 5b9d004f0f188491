"""The same installation with both of its databases on PostgreSQL."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.acceptance.house import ask, truth, until

pytestmark = pytest.mark.postgres


@pytest.fixture
def connection(postgres_destination: str) -> Iterator[psycopg.Connection]:
    address = postgres_destination.replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True, row_factory=dict_row) as opened:
        opened.execute("CREATE SCHEMA control")
        yield opened
        opened.execute("DROP SCHEMA control CASCADE")


def rows(connection, table, *keys):
    found = connection.execute(f'SELECT * FROM "{table}"').fetchall()
    return {tuple(row[key] for key in keys): row for row in found}


def wanted(house, table, *keys):
    return {tuple(row[key] for key in keys): row for row in truth(house.gateway, table.lower())}


@pytest.mark.slow
def test_the_tables_on_postgresql_are_the_truth_and_stay_it(build_house, postgres_destination, connection):
    house = build_house("--profile", "realistic", "--size", "tiny", "--seed", "11")
    address = postgres_destination.replace("+psycopg", "")
    house.environ["DATA_DATABASE_URL"] = address
    house.environ["PANEL_DATABASE_URL"] = f"{address}?options=-csearch_path%3Dcontrol"
    for key in ("faculty", "students"):
        code, run = house.sync(key)
        assert (code, run["status"]) == (0, "success"), run
    for _ in range(2):
        assert rows(connection, "faculty", "id") == wanted(house, "faculty", "id")
        keys = ("codePardis", "term", "studentnum")
        assert rows(connection, "student_terms", *keys) == wanted(house, "student_terms", *keys)
        assert rows(connection, "Students", "studentnum") == wanted(house, "Students", "studentnum")
        ask(f"{house.gateway.url}/__sim__/delta", {"added": 6, "changed": 5, "gone": 3, "stream": "students"})
        code, run = house.sync("students")
        assert code == 0, run
        counts = run["counts"]
        assert (counts["added"], counts["changed"], counts["gone"]) == (6, 5, 3)
    lines = connection.execute(
        "SELECT kind, before, after FROM _hamgam_changes WHERE kind = 'changed'"
    ).fetchall()
    assert len(lines) == 10
    assert all(json.loads(line["before"]).keys() == json.loads(line["after"]).keys() for line in lines)


def test_the_panel_shows_what_is_on_postgresql(build_house, postgres_destination, connection):
    house = build_house("--size", "tiny")
    address = postgres_destination.replace("+psycopg", "")
    house.environ["DATA_DATABASE_URL"] = address
    house.environ["PANEL_DATABASE_URL"] = f"{address}?options=-csearch_path%3Dcontrol"
    house.up()
    assert house.sync("faculty")[0] == 0
    maryam = house.browser()
    somebody = truth(house.gateway, "faculty")[0]
    assert somebody["family"] in maryam.page(f"/data/faculty?search={quote(somebody['family'])}")
    for path in ("/", "/runs/", "/changes/", "/data/faculty?search=" + "ABC"):
        assert maryam.open(path).status == 200
    until(house.healthy, "an engine that leads on PostgreSQL", 20)


@pytest.mark.slow
def test_a_house_that_moves_goes_on_where_it_was(build_house, postgres_destination, connection):
    """After `move` the next sync finds everything unchanged, and the last run can still be undone."""
    house = build_house("--profile", "realistic", "--size", "tiny", "--seed", "11")
    assert house.sync("students")[0] == 0
    before = wanted(house, "Students", "studentnum")
    ask(f"{house.gateway.url}/__sim__/delta", {"added": 6, "changed": 5, "gone": 3, "stream": "students"})
    code, last = house.sync("students")
    assert (code, last["counts"]["gone"]) == (0, 3)

    address = postgres_destination.replace("+psycopg", "")
    panel = f"{address}?options=-csearch_path%3Dcontrol"
    done = house.cli("move", "--data", address, "--panel", panel)
    assert done.returncode == 0, done.stderr
    house.environ |= dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert house.environ["PANEL_DATABASE_URL"] == panel

    code, run = house.sync("students")
    counts = run["counts"]
    assert (code, run["id"]) == (0, last["id"] + 1), run
    assert counts["unchanged"] == counts["read"] - counts["rejected"] - counts["duplicates"] > 0
    assert rows(connection, "Students", "studentnum") == wanted(house, "Students", "studentnum")
    undone = house.cli("undo", str(last["id"]), "--json")
    assert undone.returncode == 0, undone.stderr
    assert rows(connection, "Students", "studentnum") == before
