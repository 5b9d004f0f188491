"""Schema drift: a gateway begins to send a field, sends it otherwise, or sends it no more (DOMAIN.md 3, 15–17)."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fetchers.core import registry
from fetchers.core.clean import Code, Discovered, Integer
from fetchers.core.decide.undo import preview
from fetchers.core.errors import ConfigError
from fetchers.core.fetcher import Label
from fetchers.core.load.schema import REMEMBERED_LAYOUTS, REMEMBERED_STRANGERS, SchemaWatch
from fetchers.core.store import columns, discovered, reading, sql
from tests.fetchers.core.conftest import House, person
from tests.fetchers.core.test_holds import TERM, World, part, student, world
from tests.fetchers.core.test_undo import undo

__all__ = ["world"]


@pytest.fixture(autouse=True)
def one_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests hold the destination open through apsw, so a preview must read through it too, in this process."""
    monkeypatch.setattr("fetchers.core.decide.undo.look_into", sql.connect_to_read)


@pytest.fixture
def gateway(world: World, destination: str) -> World:
    """The same gateway and its forty students per campus, before a destination of each kind."""
    if destination != world.url:
        world.url = destination
        assert world.sync() == 0
    return world


def rows(world: World, statement: str) -> list[tuple[Any, ...]]:
    with closing(sql.connect(world.url)) as db:
        return [tuple(row) for row in db.execute(statement)]


def whole(world: World) -> list[list[tuple[Any, ...]]]:
    """All that a reader sees, and the books."""
    found = []
    with closing(sql.connect(world.url)) as db:
        for table in ("student_terms", "Students", "_hamgam_partitions", "_hamgam_changes", "_hamgam_ledger"):
            names = sorted(sql.columns_of(db, table))
            found.append(sorted(map(repr, db.execute(f"SELECT {sql.names(names)} FROM {sql.name(table)}"))))
    return found


def extended(number: int, **more: Any) -> dict[str, Any]:
    return {**student(number), **more}


def bring(world: World, campus: str, **more: Any) -> None:
    """From now on this campus's records have these fields too."""
    world.there[campus] = [{**record, **more} for record in world.there[campus]]


def history(world: World) -> list[tuple[str, str, str | None]]:
    found = rows(world, "SELECT kind, field, detail FROM _hamgam_schema ORDER BY id")
    return [(str(kind), str(field), detail) for kind, field, detail in found]


def logged(world: World) -> str:
    return " ".join(event["message"] for event in world.events if event["event"] == "log")


# -- a new field becomes a column -----------------------------------------------------------------------------


def test_a_new_field_is_a_column_with_its_values_in_the_very_run_that_brings_it(gateway: World) -> None:
    bring(gateway, "1210", mobile="۰۹۱۲")
    assert gateway.sync() == 0
    assert gateway.said()["counts"]["changed"] == len(gateway.there["1210"])
    assert "columns from now on: mobile" in logged(gateway)
    for table in ("student_terms", '"Students"'):
        found = dict(rows(gateway, f"SELECT mobile, count(*) FROM {table} GROUP BY mobile"))
        assert found == {None: len(gateway.there["1110"]), "۰۹۱۲": len(gateway.there["1210"])}
    assert history(gateway) == [("added", "mobile", "text")]
    # The parts that were done before are read anew once, by the longer rules; nothing of them changes.
    assert gateway.sync() == 0
    counts = gateway.said()["counts"]
    assert (counts["changed"], counts["added"], counts["gone"], counts["unchanged"]) == (0, 0, 0, 80)
    assert gateway.sync(mode="full") == 0
    assert gateway.said()["counts"]["changed"] == 0
    assert history(gateway) == [("added", "mobile", "text")]


def test_values_of_any_type_are_kept_as_text_and_reject_no_record(gateway: World) -> None:
    bring(
        gateway,
        "1110",
        flag=True,
        share=0.5,
        tags=["ب", 1],
        place={"b": 1, "a": "x"},
        count=12,
        note=" علي ",
        huge="x" * 9000,
        nothing=None,
    )
    assert gateway.sync() == 0
    assert gateway.said()["counts"]["rejected"] == 0
    names = ("flag", "share", "tags", "place", "count", "note", "nothing")
    found = rows(
        gateway, f"SELECT {sql.names(names)}, length(huge) FROM student_terms WHERE flag IS NOT NULL"
    )
    assert set(found) == {("true", "0.5", '["ب",1]', '{"a":"x","b":1}', "12", "علی", None, 4000)}
    assert {kind for _, _, kind in history(gateway)} >= {
        "boolean",
        "number",
        "list",
        "object",
        "text",
        "null",
    }
    flags = rows(gateway, "SELECT DISTINCT field, reason FROM _hamgam_rejected WHERE field != 'code_Markaz'")
    assert set(flags) == {("huge", "too_long")}
    # Another order of an object's keys is no change.
    bring(gateway, "1110", place={"a": "x", "b": 1})
    assert gateway.sync() == 0
    assert gateway.said()["counts"]["changed"] == 0


def test_a_discovered_field_that_goes_is_empty_and_one_that_comes_late_in_a_part_is_stored(
    gateway: World,
) -> None:
    gateway.there["1110"][3:5] = [extended(3, mobile="1"), extended(4, mobile="2")]
    assert gateway.sync() == 0
    assert gateway.said()["counts"]["changed"] == 2
    gateway.there["1110"][3] = student(3)
    assert gateway.sync() == 0
    assert gateway.said()["counts"]["changed"] == 1
    assert rows(gateway, "SELECT studentnum FROM student_terms WHERE mobile IS NOT NULL") == [
        (student(4)["studentnum"],)
    ]


def test_the_destination_of_an_older_version_grows_too(gateway: World) -> None:
    with closing(sql.connect(gateway.url)) as db:
        db.execute("DROP TABLE _hamgam_columns")
        db.execute("DROP TABLE _hamgam_schema")
        declared = registry.load("students").fetcher.streams()  # type: ignore[union-attr]
        assert discovered.streams(db, declared) == declared
        assert discovered.columns(db, "student_terms") == {}
        assert discovered.history(db, ["student_terms"], 10) == []
    bring(gateway, "1110", mobile="1")
    assert gateway.sync() == 0
    assert rows(gateway, "SELECT count(mobile) FROM student_terms") == [(40,)]
    # When the declared ones came first, nobody wrote down.
    since = dict(rows(gateway, "SELECT name, since FROM _hamgam_columns"))
    assert since["firstname"] is None and since["mobile"] is not None


# -- with parts that wait -------------------------------------------------------------------------------------


def test_a_part_staged_before_the_field_came_is_published_with_it_empty(gateway: World) -> None:
    gateway.there["1110"] = gateway.there["1110"][2:]  # two leave: the part waits for the verdict
    bring(gateway, "1210", mobile="1")
    assert gateway.sync() == 0
    counts = gateway.said()["counts"]
    assert (counts["gone"], counts["changed"]) == (2, 40)
    assert rows(gateway, "SELECT count(*), count(mobile) FROM student_terms") == [(78, 40)]
    assert gateway.sync() == 0
    assert gateway.said()["counts"]["unchanged"] == 78


def test_a_hold_is_approved_after_the_field_came(gateway: World) -> None:
    gateway.there["1110"] = [{**record, "firstname": "نو"} for record in gateway.there["1110"][:10]]
    bring(gateway, "1210", mobile="1")
    assert gateway.sync() == 3
    held = gateway.last
    assert rows(gateway, "SELECT count(*), count(mobile) FROM student_terms") == [(80, 40)]
    assert gateway.approve(held) == 0
    assert rows(gateway, "SELECT count(*), count(mobile) FROM student_terms") == [(50, 40)]
    assert gateway.sync() == 0
    assert gateway.said()["counts"]["changed"] == 0


def test_a_run_that_brought_a_column_is_undone_and_the_next_one_brings_the_values_back(
    gateway: World,
) -> None:
    seen = "SELECT studentnum, firstname, mobile FROM student_terms ORDER BY 1"
    before = rows(gateway, seen.replace("mobile", "NULL"))
    bring(gateway, "1110", mobile="1", firstname="نو")
    assert gateway.sync() == 0
    drifted, after = gateway.last, rows(gateway, seen)
    shown = preview(gateway.url, "students", drifted)
    assert shown.counts.changed == 40
    assert set(shown.lines[0].before or {}) == {"firstname", "mobile"}
    house = House(gateway.url, registry.load("students").fetcher.streams()[0], ceiling=TERM)  # type: ignore[union-attr]
    try:
        assert undo(house, drifted, "undo-1")[-1]["event"] == "result"
        assert rows(gateway, seen) == before
        assert undo(house, "undo-1", "undo-2")[-1]["event"] == "result"
        assert rows(gateway, seen) == after
        assert undo(house, "undo-2", "undo-3")[-1]["event"] == "result"
    finally:
        house.db.close()
    assert gateway.sync() == 0
    assert rows(gateway, seen) == after


def test_a_row_that_left_with_its_discovered_value_comes_back_with_it(gateway: World) -> None:
    bring(gateway, "1110", mobile="7")
    assert gateway.sync() == 0
    stays = gateway.there["1110"]
    gateway.there["1110"] = stays[1:]
    assert gateway.sync() == 0
    gone, run = student(0)["studentnum"], gateway.last
    assert rows(gateway, f"SELECT mobile FROM student_terms WHERE studentnum = '{gone}'") == []
    house = House(gateway.url, registry.load("students").fetcher.streams()[0], ceiling=TERM)  # type: ignore[union-attr]
    try:
        assert undo(house, run, "undo-1")[-1]["event"] == "result"
    finally:
        house.db.close()
    for table in ("student_terms", '"Students"'):
        assert rows(gateway, f"SELECT mobile FROM {table} WHERE studentnum = '{gone}'") == [("7",)]


# -- a rehearsal, and the other two answers -------------------------------------------------------------------


def test_a_dry_run_over_a_drift_writes_nothing_and_predicts_the_run(gateway: World) -> None:
    bring(gateway, "1110", mobile="1")
    bring(gateway, "1210", other="2")
    before = whole(gateway)
    assert gateway.sync(dry_run=True) == 0
    predicted = gateway.said()["counts"]
    assert "would become columns: mobile" in logged(gateway)
    assert whole(gateway) == before
    assert history(gateway) == []
    with closing(sql.connect(gateway.url)) as db:
        assert "mobile" not in sql.columns_of(db, "student_terms")
    assert gateway.sync() == 0
    assert gateway.said()["counts"] == predicted
    assert predicted["changed"] == 80


def test_a_dry_run_before_any_run_predicts_the_columns_too(world: World, tmp_path: Path) -> None:
    declared = dict.fromkeys(registry.load("students").fetcher.streams()[0].fields, "1")  # type: ignore[union-attr]
    for campus, records in world.there.items():
        world.there[campus] = [{**declared, **record} for record in records]
    bring(world, "1110", mobile="1")
    world.url = f"sqlite:///{tmp_path / 'none.db'}"
    assert world.sync(dry_run=True) == 0
    assert world.said()["counts"]["added"] == 80
    assert not (tmp_path / "none.db").exists()


def test_a_frozen_schema_refuses_the_part_and_keeps_the_old_rows(gateway: World) -> None:
    bring(gateway, "1110", mobile="1", firstname="نو")
    gateway.there["1210"].append(student(199))
    assert gateway.sync(new_fields="freeze") == 1
    error = next(event["error"] for event in gateway.events if event.get("state") == "failed")
    assert (error["code"], error["params"]["fields"]) == ("E_SCHEMA", ["mobile"])
    assert gateway.states() == {part("1110"): "failed", part("1210"): "done"}
    assert rows(gateway, "SELECT count(*) FROM student_terms WHERE firstname = 'نو'") == [(0,)]
    assert history(gateway) == [("refused", "mobile", part("1110"))]
    # Thawed, it is a column; frozen again, it is one of the known.
    assert gateway.sync() == 0
    assert gateway.sync(new_fields="freeze", mode="full") == 0
    assert [kind for kind, _, _ in history(gateway)] == ["refused", "added"]


def test_what_was_ignored_before_the_freeze_is_not_new(gateway: World) -> None:
    bring(gateway, "1110", mobile="1")
    assert gateway.sync(new_fields="ignore") == 0
    assert gateway.sync(new_fields="freeze", mode="full") == 0
    bring(gateway, "1110", mobile="1", other="1")
    assert gateway.sync(new_fields="freeze") == 1
    assert history(gateway)[-1][:2] == ("refused", "other")


def test_an_ignored_field_is_told_once_and_never_stored(gateway: World) -> None:
    for version in ("1", "2", "3"):
        bring(gateway, "1110", rowVersion=version)
        assert gateway.sync(new_fields="ignore") == 0
        assert gateway.said()["counts"]["changed"] == 0
        assert "not stored: rowVersion" in logged(gateway)
    assert history(gateway) == [("ignored", "rowVersion", "asked")]
    with closing(sql.connect(gateway.url)) as db:
        assert "rowVersion" not in sql.columns_of(db, "student_terms")


def test_a_column_that_is_ignored_from_now_on_keeps_its_values_and_makes_no_noise(gateway: World) -> None:
    bring(gateway, "1110", rowVersion="1")
    assert gateway.sync() == 0
    bring(gateway, "1110", rowVersion="2")
    assert gateway.sync(new_fields="ignore") == 0
    assert gateway.said()["counts"]["changed"] == 0
    assert rows(gateway, 'SELECT max("rowVersion") FROM student_terms') == [("1",)]
    assert gateway.sync() == 0  # the column counts again
    assert gateway.said()["counts"]["changed"] == 40
    assert [kind for kind, _, _ in history(gateway)] == ["added", "ignored", "returned"]


# -- hostile keys ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "شماره ملی", "1st", "a b", 'x"; DROP TABLE student_terms; --', "", "a" * 64, "_hamgam_x", "_HAMGAM",
        "rowid", "CTID", "xmin", "\x00",
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_a_column_is_none(gateway: World, key: str) -> None:
    bring(gateway, "1110", **{key: "1", "firstname": "نو"})
    assert gateway.sync() == 0
    assert rows(gateway, "SELECT count(*) FROM student_terms WHERE firstname = 'نو'") == [(40,)]
    [(kind, _field, why)] = history(gateway)
    assert (kind, why) == ("ignored", "name")


def test_two_keys_that_differ_by_case_alone_are_one_column(gateway: World) -> None:
    bring(gateway, "1110", lastUpdate="1", LASTUPDATE="2")
    bring(gateway, "1210", LastUpdate="3")
    assert gateway.sync() == 0
    with closing(sql.connect(gateway.url)) as db:
        [column] = [name for name in sql.columns_of(db, "student_terms") if name.casefold() == "lastupdate"]
    assert rows(gateway, f"SELECT count({sql.name(column)}) FROM student_terms") == [(80,)]


def test_a_column_that_somebody_made_by_hand_is_left_alone_unless_it_fits(gateway: World) -> None:
    with closing(sql.connect(gateway.url)) as db:
        db.execute("ALTER TABLE student_terms ADD COLUMN score INTEGER")
        db.execute("ALTER TABLE student_terms ADD COLUMN remark TEXT")
    bring(gateway, "1110", score="x", remark="y", Remark2="z")
    assert gateway.sync() == 0
    assert history(gateway) == [
        ("added", "Remark2", "text"), ("added", "remark", "text"), ("ignored", "score", "taken"),
    ]  # fmt: skip
    assert rows(gateway, "SELECT count(score), count(remark) FROM student_terms") == [(0, 40)]


def test_a_key_of_its_own_in_every_record_grows_nothing(gateway: World) -> None:
    for turn in range(3):
        gateway.there["1110"] = [extended(n, **{f"k{turn}x{n}y{m}": 1 for m in range(10)}) for n in range(40)]
        assert gateway.sync() == 0
        assert gateway.said()["counts"]["changed"] == 0
    with closing(sql.connect(gateway.url)) as db:
        assert not [name for name in sql.columns_of(db, "student_terms") if name.startswith("k")]
    assert len(history(gateway)) <= discovered.MOST_IGNORED
    assert {why for _, _, why in history(gateway)} == {"once"}


def test_no_more_than_fifty_columns_are_ever_made(gateway: World) -> None:
    bring(gateway, "1110", **{f"more{n:02}": "1" for n in range(60)})
    bring(gateway, "1210", **{f"else{n:02}": "1" for n in range(60)})
    assert gateway.sync() == 0
    found = history(gateway)
    assert [kind for kind, _, _ in found].count("added") == discovered.MOST_COLUMNS
    assert {why for kind, _, why in found if kind == "ignored"} == {"many"}
    assert gateway.sync(mode="full") == 0
    assert gateway.said()["counts"]["changed"] == 0
    assert history(gateway) == found


def test_the_watch_forgets_what_a_hostile_gateway_sends(people: House) -> None:
    from fetchers.core.clean import compile_row
    from fetchers.core.clean.rows import by_keys

    watch = SchemaWatch(people.stream, compile_row(people.stream.fields), ("id",), ())
    for n in range(2000):
        records = [{**person(n), f"key{n}": 1, "often": 1}]
        watch.note(records, by_keys(records))
    assert len(watch.strangers) <= REMEMBERED_STRANGERS
    assert len(watch._layouts) <= REMEMBERED_LAYOUTS
    assert watch.strangers["often"] == 2000


def test_a_number_in_a_key_is_told_to_nobody(gateway: World) -> None:
    bring(gateway, "1110", **{"0084575948": "1"})
    assert gateway.sync() == 0
    assert history(gateway) == [("ignored", "…", "name")]
    assert "0084575948" not in json.dumps(gateway.events)


# -- lost, renamed, another type, null: the part is refused ---------------------------------------------------


def other_type(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "familyname": {"text": record["familyname"]}}


def renamed(record: dict[str, Any]) -> dict[str, Any]:
    return {("lastname" if key == "familyname" else key): value for key, value in record.items()}


def lost(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "familyname"}


def null_key(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "studentnum": None}


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        (other_type, "type", "familyname"),
        (renamed, "renamed", "familyname"),
        (lost, "lost", "familyname"),
        (null_key, "null", "studentnum"),
    ],
)
def test_a_part_that_lost_a_field_is_refused_and_its_old_rows_stay(
    gateway: World, change: Any, kind: str, field: str
) -> None:
    right = gateway.there["1110"]
    every = 'SELECT * FROM student_terms ORDER BY "codePardis", studentnum'
    old = rows(gateway, every)
    gateway.there["1110"] = [change({**record, "firstname": "نو"}) for record in right]
    for _ in range(2):
        assert gateway.sync() == 1
        error = next(event["error"] for event in gateway.events if event.get("state") == "failed")
        assert (error["code"], error["params"]["fields"]) == ("E_SCHEMA", [field])
        assert rows(gateway, every) == old
    [(told, of, detail)] = history(gateway)  # the second time says nothing new
    assert (told, of) == (kind, field)
    assert detail == (f"{part('1110')} (lastname)" if kind == "renamed" else part("1110"))
    gateway.there["1110"] = right
    assert gateway.sync(mode="full") == 0
    assert [kind for kind, _, _ in history(gateway)] == [kind, "returned"]


def test_numbers_for_text_are_no_drift(gateway: World) -> None:
    gateway.there["1110"] = [
        {**record, "studentnum": int(record["studentnum"]), "code_Markaz": 1110}
        for record in gateway.there["1110"]
    ]
    assert gateway.sync() == 0
    assert gateway.said()["counts"]["unchanged"] == 80
    assert history(gateway) == []


# -- what a fetcher declares later ----------------------------------------------------------------------------


def declare(house: House, name: str, field: Any) -> Any:
    from dataclasses import replace

    return replace(house.stream, fields={**house.stream.fields, name: field})


def test_a_discovered_column_that_a_fetcher_declares_is_the_fetchers(people: House) -> None:
    with people.db:
        discovered.add(people.db, people.stream, {"Mobile": "text", "other": "text"}, "run-0")
    [longer] = columns.prepare(people.db, [people.stream])
    assert list(longer.fields) == [*people.stream.fields, "Mobile", "other"]
    assert all(field.personal for field in longer.fields.values() if isinstance(field, Discovered))
    declared = declare(people, "mobile", Code(Label("تلفن", "Telephone")))
    [now] = columns.prepare(people.db, [declared])
    assert list(now.fields) == [*people.stream.fields, "mobile", "other"]
    assert {"mobile", "other"} <= sql.columns_of(people.db, "people")
    with pytest.raises(ConfigError):
        columns.prepare(people.db, [declare(people, "other", Integer(Label("o", "o")))])


def test_a_page_reads_columns_and_history_through_pythons_own_sqlite(world: World) -> None:
    bring(world, "1110", mobile="1")
    assert world.sync() == 0
    db = reading.look_into(world.url)
    assert db is not None
    try:
        assert discovered.columns(db, "student_terms")["mobile"].origin == "discovered"
        [event] = discovered.history(db, ["student_terms"], 10)
        assert (event.kind, event.field) == ("added", "mobile")
        with pytest.raises(sqlite3.Error):
            discovered.see(db, "student_terms", "x", ["y"])
    finally:
        db.close()


def test_a_former_engine_makes_no_column(world: World) -> None:
    with closing(sql.connect(world.url)) as db:
        db.execute("UPDATE _hamgam_fence SET epoch = 9")
    bring(world, "1110", mobile="1")
    assert world.sync(epoch=8) == 1
    assert world.said()["error"]["code"] == "E_FENCED"
    with closing(sql.connect(world.url)) as db:
        assert "mobile" not in sql.columns_of(db, "student_terms")
