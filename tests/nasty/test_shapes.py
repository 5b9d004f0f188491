"""DOMAIN.md part 3, rows 14 to 21: records of another shape, and pages that do not make a whole."""

import json
from typing import Any

from tests.fetchers.raw_server import Line, RawServer, Request, Turn, answer
from tests.nasty.gateway import ScriptedGateway, data, member, question, student
from tests.nasty.place import CAMPUSES, OLD_ROWS, Place, old_rows
from tests.nasty.test_answers import DONE, failed

NEW = "new1"  # a campus without old rows


# -- what stands in data ------------------------------------------------------------------------------------


def test_14_what_is_no_list_of_records_fails_its_part(place: Place) -> None:
    bodies: dict[str, Any] = {
        "missing": {"isSuccess": True},
        "null": {"data": None},
        "empty object": {"data": {}},
        "string": {"data": "[]"},
        "number": {"data": 0},
    }
    tried = place.try_each({case: [answer(body)] for case, body in bodies.items()})
    assert tried.outcome.code == 1
    assert tried.states() == dict.fromkeys(bodies, failed("E_ENVELOPE"))
    assert tried.touched() == set()


def test_14_an_empty_list_is_empty_and_one_object_is_one_row_and_told(
    new_place: Place, gateway: ScriptedGateway
) -> None:
    alone = json.dumps({"data": student(1, NEW)}).encode()
    gateway.scripts = {NEW: [answer(alone), answer({"data": []})], "new2": [answer({"data": []})]}
    outcome = new_place.sync(campuses=[NEW, "new2"])
    assert (outcome.code, outcome.states()) == (0, {NEW: DONE, "new2": DONE})
    assert list(new_place.students(NEW)) == ["40311200001"]
    assert outcome.count("new2", "read") == 0
    assert new_place.value("SELECT rows FROM _hamgam_partitions WHERE part = 'campus=new2,term=4051'") == 0
    flags = [line for line in outcome.log.splitlines() if "one object came instead of a list" in line]
    assert len(flags) == 1 and NEW in flags[0]


def test_14_what_is_no_object_among_the_records_is_quarantined(
    place: Place, gateway: ScriptedGateway
) -> None:
    strange = [b"null", b"[]", b"[[1]]", b"12", b'"text"', b"true"]
    gateway.rows[CAMPUSES[0]] = [*old_rows(CAMPUSES[0]), *strange]
    outcome = place.sync(campuses=CAMPUSES[:1])
    assert (outcome.code, outcome.states()) == (0, {CAMPUSES[0]: DONE})
    assert outcome.last["counts"] == {
        "read": OLD_ROWS + 6, "added": 0, "changed": 0, "unchanged": OLD_ROWS,
        "gone": 0, "rejected": 6, "duplicates": 0,
    }  # fmt: skip
    assert len(place.students(CAMPUSES[0])) == OLD_ROWS
    notes = place.rows("SELECT reason, kept, raw FROM _hamgam_rejected WHERE kept = 0")
    assert sorted(notes) == sorted(("not_an_object", 0, text.decode()) for text in strange)


# -- keys ---------------------------------------------------------------------------------------------------


def renamed(campus: str, how_many: int = OLD_ROWS, **names: str) -> list[Any]:
    """The old rows; the first so many with other names for some keys ("": without the key)."""

    def change(row: dict[str, Any]) -> dict[str, Any]:
        return {names.get(key, key): value for key, value in row.items() if names.get(key, key)}

    rows = old_rows(campus)
    return [change(row) if place < how_many else row for place, row in enumerate(rows)]


def test_15_another_case_of_a_key_is_the_same_key(place: Place, gateway: ScriptedGateway) -> None:
    before = place.table("student_terms")
    gateway.rows[CAMPUSES[0]] = renamed(
        CAMPUSES[0], studentnum="StudentNum", code_Markaz="code_markaz", sex="SEX"
    )
    gateway.rows[CAMPUSES[1]] = renamed(CAMPUSES[1], firstname="FirstName", provinceCode="ProvinceCode")
    outcome = place.sync(campuses=CAMPUSES[:2])
    assert outcome.code == 0
    assert (outcome.last["counts"]["unchanged"], outcome.last["counts"]["changed"]) == (2 * OLD_ROWS, 0)
    assert place.table("student_terms") == before


def test_15_a_required_key_that_is_gone_fails_the_part_and_the_old_rows_stay(place: Place) -> None:
    def pages(rows: list[Any]) -> list[Turn]:
        return [answer(data(rows, totalCount=OLD_ROWS)), answer(data([], totalCount=OLD_ROWS))]

    number = dict(zip(("gone", "misspelt", "7 % gone", "name renamed", "3 % gone"), CAMPUSES, strict=False))
    cases = {
        "gone": pages(renamed(number["gone"], studentnum="")),
        "misspelt": pages(renamed(number["misspelt"], studentnum="student_num")),
        "7 % gone": pages(renamed(number["7 % gone"], 2, studentnum="")),
        "name renamed": pages(renamed(number["name renamed"], familyname="lastname")),
        "3 % gone": pages(renamed(number["3 % gone"], 1, studentnum="")),
    }
    tried = place.try_each(cases)
    assert tried.outcome.code in (1, 3)
    states = tried.states()
    assert states.pop("3 % gone") == DONE
    assert states == dict.fromkeys(states, failed("E_SCHEMA"))
    assert tried.error("gone")["params"]["fields"] == ["studentnum"]
    assert tried.error("name renamed")["params"]["fields"] == ["familyname"]
    assert tried.touched() == {"3 % gone"}
    assert place.notes(number["3 % gone"]) == {(None, "studentnum", "no_key", 0)}


def test_15_keys_that_nobody_knows_lose_no_row_and_are_told_once(
    place: Place, gateway: ScriptedGateway
) -> None:
    for campus in CAMPUSES[:3]:
        gateway.rows[campus] = [{**row, "shoeSize": "43"} for row in old_rows(campus)]
    before = place.table("student_terms")
    outcome = place.sync(campuses=CAMPUSES[:3])
    assert outcome.code == 0
    assert (outcome.last["counts"]["added"], outcome.last["counts"]["gone"]) == (0, 0)
    assert sum("shoeSize" in line for line in outcome.log.splitlines()) == 1
    after = place.table("student_terms")
    assert [{name: row[name] for name in before[0]} for row in after] == before


# -- values that JSON can say -------------------------------------------------------------------------------


def spoilt(campus: str, number: int, key: str, text: str) -> bytes:
    """A student with one value as raw JSON text."""
    row = json.dumps(student(number, campus, **{key: "@@"}), ensure_ascii=False)
    return row.replace('"@@"', text).encode()


def test_16_numbers_that_json_has_not_fail_the_page(place: Place) -> None:
    cases = {
        word: [answer(data([*old_rows(campus), spoilt(campus, 77, "city", word)]))]
        for word, campus in zip(("NaN", "Infinity", "-Infinity"), CAMPUSES, strict=False)
    }
    tried = place.try_each(cases)
    assert tried.outcome.code == 1
    assert tried.states() == dict.fromkeys(cases, failed("E_NOT_JSON"))
    assert tried.touched() == set()


def test_16_a_value_of_the_wrong_type_is_quarantined_and_a_broken_letter_is_flagged(
    place: Place, gateway: ScriptedGateway
) -> None:
    campus = CAMPUSES[0]
    wrong = {
        "1e10": spoilt(campus, 50, "city", "1e10"),
        "1.5": spoilt(campus, 51, "course", "1.5"),
        "true": spoilt(campus, 52, "firstname", "true"),
        "list": spoilt(campus, 53, "firstname", '["a"]'),
        "40 digits": spoilt(campus, 54, "firstname", "9" * 40),
        "float key": spoilt(campus, 55, "studentnum", "4.5"),
        "40-digit code": spoilt(campus, 56, "provinceCode", "9" * 40),
    }
    kept = {
        "NUL": spoilt(campus, 60, "firstname", r'"a\u0000b"'),
        "surrogate": spoilt(campus, 61, "firstname", r'"a\ud83db"'),
        "twice": spoilt(campus, 62, "firstname", '"الف","firstname":"ب"'),
        "twice the same": spoilt(campus, 63, "firstname", '"الف","firstname":"الف"'),
    }
    gateway.rows[campus] = [*old_rows(campus), *wrong.values(), *kept.values()]
    outcome = place.sync(campuses=[campus])
    assert (outcome.code, outcome.stderr) == (0, ""), outcome.last["error"]
    counts = outcome.last["counts"]
    assert (counts["read"], counts["added"], counts["rejected"]) == (OLD_ROWS + 11, 4, 7)
    rows = place.students(campus)
    assert rows["40311200060"]["firstname"] == "ab"
    assert rows["40311200061"]["firstname"] == "a\ufffdb"
    assert rows["40311200062"]["firstname"] in ("الف", "ب")
    assert place.notes(campus) == {
        (None, "city", "wrong_type", 0),
        (None, "course", "wrong_type", 0),
        (None, "firstname", "wrong_type", 0),
        (None, "studentnum", "wrong_type", 0),
        (None, "provinceCode", "wrong_type", 0),
        ("40311200061", "firstname", "surrogate", 1),
        ("40311200062", "firstname", "double_key", 1),
    }
    raw = {text for (text,) in place.rows("SELECT raw FROM _hamgam_rejected WHERE kept = 0")}
    assert raw == {text.decode() for text in wrong.values()}, "each is kept whole, to be mended at the source"


def test_17_numbers_for_text_are_the_same_codes(place: Place, gateway: ScriptedGateway) -> None:
    campus = CAMPUSES[0]
    before = place.table("student_terms")
    gateway.rows[campus] = [
        {
            **row,
            "studentnum": int(row["studentnum"]),
            "course": int(row["course"]),
            "term": int(row["term"]),
            "sub_num": 1810,
            "provinceCode": "8",
        }
        for row in old_rows(campus)
    ]
    outcome = place.sync(campuses=[campus])
    assert (outcome.code, outcome.last["counts"]["unchanged"]) == (0, OLD_ROWS)
    assert place.table("student_terms") == before
    assert place.value("SELECT DISTINCT provinceCode FROM student_terms WHERE codePardis = ?", campus) == 8

    gateway.rows[""] = [
        member(1, id="1", nationalcode=12345679, code_Markaz=1810, personelid=90000001, professorCode=100001),
        *[member(n) for n in range(2, 61)],
    ]
    outcome = place.sync("faculty")
    assert (outcome.code, outcome.last["counts"]["changed"], outcome.last["counts"]["unchanged"]) == (
        0,
        1,
        59,
    )
    found = place.rows("SELECT nationalcode, code_Markaz, personelid FROM faculty WHERE id = 1")
    assert found == [("0012345679", "1810", "90000001")]
    assert place.notes() == {("1", "nationalcode", "padded", 1)}


# -- pages --------------------------------------------------------------------------------------------------


def window(rows: list[Any], page: int, size: int, shift: int = 0) -> list[Any]:
    start = max(0, (page - 1) * size + shift)
    return rows[start : start + size]


def test_18_a_silent_cap_loses_nothing(place: Place, gateway: ScriptedGateway) -> None:
    rows = {name: [student(n, name) for n in range(1234)] for name in ("quiet", "announced")}

    def capped(server: RawServer, request: Request, line: Line) -> bytes:
        asked = question(request)
        page = window(rows[asked.part], asked.page, min(asked.size, 500))
        return answer(data(page, **({"totalCount": 1234} if asked.part == "announced" else {})))

    gateway.scripts = {name: [capped] for name in rows}
    outcome = place.sync(campuses=list(rows))
    assert (outcome.code, outcome.states()) == (0, dict.fromkeys(rows, DONE))
    for name in rows:
        assert outcome.count(name, "added") == 1234
        assert len(place.students(name)) == 1234
        assert gateway.times_asked(name) <= 6


def test_19_a_page_number_that_is_ignored_ends_and_fails(place: Place) -> None:
    same = {
        "the same page": [answer(data([student(n, "c00") for n in range(100)]))],
        "with a total": [answer(data([student(n, "c01") for n in range(100)], totalCount=300))],
    }
    tried = place.try_each(same)
    assert tried.outcome.code == 1
    assert tried.states() == dict.fromkeys(same, failed("E_PAGING"))
    assert {tried.error(case)["params"]["reason"] for case in same} == {"repeats"}
    assert max(tried.asked(case) for case in same) <= 20, "no endless loop"
    assert tried.touched() == set()


def test_20_rows_that_move_between_pages(place: Place, gateway: ScriptedGateway) -> None:
    rows = {
        campus: [*old_rows(campus), *(student(first + n, campus) for n in range(270))]
        for campus, first in zip(CAMPUSES, (10_000, 20_000), strict=False)
    }
    readings: dict[str, int] = {}

    def moving(server: RawServer, request: Request, line: Line) -> bytes:
        asked = question(request)
        readings[asked.part] = readings.get(asked.part, 0) + (asked.page == 1)
        always = asked.part == CAMPUSES[1]
        # While it is read, a row slips in at the front: the later pages begin one row too early.
        shift = -readings[asked.part] if asked.page > 1 and (always or readings[asked.part] == 1) else 0
        page = window(rows[asked.part], asked.page, min(asked.size, 100), shift)
        return answer(data(page, totalCount=300))

    tried = place.try_each({"once": [moving], "always": [moving]})
    assert tried.outcome.code == 1
    assert tried.states() == {"once": DONE, "always": failed("E_PAGING")}
    assert tried.touched() == {"once"}
    assert (tried.outcome.error["code"], tried.outcome.error["params"]["failed"]) == ("E_PARTIAL", 1)
    assert len(place.students(tried.campuses["once"])) == 300
    assert readings[CAMPUSES[0]] >= 2, "read whole once more"


def test_21_rows_decide_and_not_what_is_announced(place: Place, gateway: ScriptedGateway) -> None:
    announced: dict[str, list[Any]] = {
        "none": [0], "many": [999], "text": ["3"], "negative": [-1], "changing": [1, 7, 2, 40],
    }  # fmt: skip
    names = [
        f"{key}{word}" for key in ("pages", "count") for word in announced if (key, word) != ("count", "many")
    ]
    rows = {name: [student(n, name) for n in range(130)] for name in [*names, "hole"]}

    def lying(server: RawServer, request: Request, line: Line) -> bytes:
        asked = question(request)
        page = window(rows[asked.part], asked.page, min(asked.size, 33))
        if asked.part == "hole" and asked.page == 2 and gateway.times_asked("hole") == 2:
            return answer(data([]))
        lies = announced.get(asked.part[5:], [130])
        lie = lies[(asked.page - 1) % len(lies)]
        beside = {"totalPages": lie} if asked.part.startswith("pages") else {"totalCount": lie}
        return answer(data(page, **({} if asked.part == "hole" else beside)))

    gateway.scripts = {name: [lying] for name in rows}
    outcome = place.sync(campuses=list(rows))
    assert (outcome.code, outcome.states()) == (0, dict.fromkeys(rows, DONE))
    assert {name: len(place.students(name)) for name in rows} == dict.fromkeys(rows, 130)


def test_21_more_rows_announced_than_ever_come_is_no_whole(place: Place) -> None:
    def promising(server: RawServer, request: Request, line: Line) -> bytes:
        page = window(old_rows("c00"), question(request).page, question(request).size)
        return answer(data(page, totalCount=999))

    tried = place.try_each({"many": [promising]})
    assert (tried.outcome.code, tried.states()) == (1, {"many": failed("E_PAGING")})
    params = tried.error("many")["params"]
    assert (params["got"], params["announced"]) == (OLD_ROWS, 999)
    assert tried.touched() == set()


def test_21_pages_without_end_end(place: Place) -> None:
    def endless(server: RawServer, request: Request, line: Line) -> bytes:
        page = question(request).page
        return answer(data([student(page * 100 + n, "c00") for n in range(10)]))

    tried = place.try_each(
        {"endless": [endless]}, before="import fetchers.core.wire.paging as paging; paging.MAX_PAGES = 20"
    )
    assert (tried.outcome.code, tried.states()) == (1, {"endless": failed("E_PAGING")})
    assert tried.error("endless")["params"]["reason"] == "endless"
    assert tried.asked("endless") == 20
    assert tried.touched() == set()
