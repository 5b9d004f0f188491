"""The world of the simulator, its dirt and its changes."""

import json
from collections import Counter
from datetime import date

import pytest

from fetchers.golestan.simulator import calendar, faculty, students
from fetchers.golestan.simulator.campuses import even

from .conftest import rows


@pytest.mark.parametrize(
    ("day", "term"),
    [
        ("2025-09-22", "4033"),
        ("2025-09-23", "4041"),
        ("2026-01-21", "4042"),
        ("2026-03-21", "4042"),
        ("2026-06-22", "4043"),
        ("2026-09-22", "4043"),
        ("2026-09-23", "4051"),
        ("2026-11-22", "4051"),
    ],
)
def test_a_day_lies_in_the_term_of_the_academic_year(day, term):
    assert calendar.term_of(date.fromisoformat(day)) == term


def test_the_leap_day_of_1403_exists():
    assert calendar.to_jalali(date(2025, 3, 20)) == (1403, 12, 30)
    assert calendar.to_gregorian(1403, 12, 30) == date(2025, 3, 20)


def test_without_dirt_the_wire_shows_the_truth(inside):
    sim = inside(dirt=0, size="small", page_cap=0)
    for campus, term in sim.units():
        truth = sim.look(f"truth/student_terms?campus={campus}&term={term}")
        seen = [{"codePardis": campus, **row} for row in rows(sim.students(campus, term))]
        assert seen == truth
    assert rows(sim.faculty()) == sim.look("truth/faculty")


def test_rows_have_the_columns_of_the_destination(inside):
    sim = inside()
    assert list(sim.look("truth/faculty")[0]) == list(faculty.KEYS)
    assert set(sim.look("truth/student_terms")[0]) == set(students.COLUMNS)
    assert len(faculty.KEYS) == 21
    assert len(students.KEYS) == 28


def test_dirt_is_plenty_and_leaves_every_key_readable(inside):
    sim = inside(size="small", page_cap=0)
    texts = Counter()
    for campus, term in sim.units():
        truth = {row["studentnum"] for row in sim.look(f"truth/student_terms?campus={campus}&term={term}")}
        digits = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
        for row in rows(sim.students(campus, term)):
            key = str(row["studentnum"]).translate(digits).strip()
            assert key in truth or row["studentnum"] in (None, "", "-", "نامشخص", "۴۰۳²")
            texts.update(sign for sign in "يكـ\u00a0\u200f" if sign in json.dumps(row, ensure_ascii=False))
    assert min(texts.values()) > 0
    assert len(texts) == 5


def test_nobody_in_it_is_real(inside):
    for row in inside(size="small").look("truth/faculty"):
        assert row["email"] is None or row["email"].endswith(".invalid")
        assert row["nationalcode"] is None or row["nationalcode"].lstrip("0").startswith("999")


def test_sizes_are_as_promised(inside):
    tiny, small = inside(), inside(size="small")
    assert (len(tiny.look("campuses")), tiny.look("terms")) == (4, ["4042", "4043", "4051"])
    assert (len(small.look("campuses")), len(small.look("terms"))) == (12, 6)
    full = inside(size="full")
    assert len(full.look("campuses")) == 98
    assert full.look("terms")[0] == "4001"
    assert len(full.look("terms")) == 16
    assert Counter(c["type"] for c in full.look("campuses")) == {1: 64, 2: 34}


def test_the_odd_campuses_are_there(inside):
    sim = inside(size="small", page_cap=0)
    sizes = {
        unit: len(rows(sim.students(*unit)))
        for unit in ((c, t) for c in sim.gateway.world.by_code for t in sim.look("terms"))
    }
    assert sizes["1110", "4051"] > 0
    assert not any(sizes["2010", term] for term in sim.look("terms"))
    assert sizes["1410", "4032"] and not sizes["1410", "4051"]
    assert not sizes["1510", "4032"] and sizes["1510", "4051"]
    names = {c["pardis_code"]: c["name"] for c in sim.look("campuses")}
    assert names["1110"] != names["1120"]
    assert names["1110"] == names["1120"].replace("ي", "ی")


@pytest.mark.parametrize(("wanted", "parts"), [(1000, 50), (1003, 7), (97, 97), (5000, 101)])
def test_a_benchmark_has_exactly_the_rows_and_parts_asked_for(inside, wanted, parts):
    sim = inside(rows=wanted, parts=parts)
    units = Counter((row["codePardis"], row["term"]) for row in sim.look("truth/student_terms"))
    assert sum(units.values()) == wanted
    assert len(units) == parts
    assert max(units.values()) - min(units.values()) <= 1


def test_benchmarks_of_many_parts_stay_within_sixteen_terms():
    plan = even(100_000, 1000, "4051")
    assert len(plan.campuses) * 16 >= 1000
    assert len({c.code for c in plan.campuses}) == len(plan.campuses)


def test_a_student_has_one_campus_in_a_term_but_for_the_odd_ones(inside):
    def crowd(share):
        units = Counter(
            (r["studentnum"], r["term"])
            for r in inside(size="small", two_campus=share).look("truth/student_terms")
        )
        return sum(1 for n in units.values() if n > 1)

    assert crowd(0) == 0
    assert crowd(0.05) > 20


def test_some_students_change_their_campus(inside):
    homes = {}
    for row in inside(size="small", two_campus=0).look("truth/student_terms"):
        homes.setdefault(row["studentnum"], set()).add(row["codePardis"])
    movers = sum(1 for campuses in homes.values() if len(campuses) > 1)
    assert 10 < movers < len(homes) * 0.04


def test_the_latest_row_of_a_student_is_the_newest_then_the_own_campus_then_the_lowest(inside):
    sim = inside(size="small", two_campus=0.05)
    best = {}
    for row in sim.look("truth/student_terms"):
        rank = (-int(row["term"]), row["codePardis"] != row["code_Markaz"], row["codePardis"])
        if row["studentnum"] not in best or rank < best[row["studentnum"]][0]:
            best[row["studentnum"]] = (rank, row)
    latest = {row["studentnum"]: row for row in sim.look("truth/students")}
    assert latest == {key: row for key, (_, row) in best.items()}
    assert any(row["codePardis"] > row["code_Markaz"] for row in latest.values())


def test_counts_tell_what_the_wire_carries(inside):
    sim = inside(size="small", page_cap=0, dirt=3)
    counts = sim.look("truth/counts")
    wire = sum(len(rows(sim.students(*unit))) for unit in sim.units())
    assert (
        wire
        == counts["student_terms"]
        + counts["rejected"]["student_terms"]
        + counts["duplicates"]["student_terms"]
    )
    assert counts["rejected"]["student_terms"] and counts["duplicates"]["student_terms"]
    assert counts["student_terms"] == len(sim.look("truth/student_terms"))
    assert counts["students"] == len(sim.look("truth/students"))
    assert counts["faculty"] == len(sim.look("truth/faculty")) == 400


def _by_key(sim):
    return {(r["codePardis"], r["term"], r["studentnum"]): r for r in sim.look("truth/student_terms")}


def test_a_delta_changes_exactly_the_rows_that_it_names(inside):
    sim = inside(size="small")
    before = _by_key(sim)
    told = sim.tell("delta", {"added": 7, "changed": 11, "gone": 5})["changes"]
    after = _by_key(sim)
    assert len(after.keys() - before.keys()) == 7
    assert len(before.keys() - after.keys()) == 5
    changed = {key for key in before.keys() & after.keys() if before[key] != after[key]}
    assert len(changed) == 11
    for one in told:
        key = tuple(one["key"][name] for name in ("codePardis", "term", "studentnum"))
        if one["kind"] == "changed":
            assert (before[key][one["field"]], after[key][one["field"]]) == (one["before"], one["after"])
            assert {n for n in before[key] if before[key][n] != after[key][n]} == {one["field"]}
        else:
            assert (key in after) == (one["kind"] == "added")
    assert len({one["key"]["codePardis"] for one in told}) > 5


def test_deltas_pile_up_and_reach_the_wire(inside):
    sim = inside(dirt=0, page_cap=0)
    for _ in range(5):
        sim.tell("delta", {"added": 3, "changed": 9, "gone": 4, "campus": "1110", "term": "4051"})
    truth = sim.look("truth/student_terms?campus=1110&term=4051")
    assert [{"codePardis": "1110", **row} for row in rows(sim.students("1110", "4051"))] == truth
    assert sim.tell("delta", {"changed": 10**6})["error"].startswith("the delta wants")


def test_a_delta_of_the_faculty(inside):
    sim = inside()
    before = {row["id"]: row for row in sim.look("truth/faculty")}
    sim.tell("delta", {"added": 2, "changed": 3, "gone": 1, "stream": "faculty"})
    after = {row["id"]: row for row in sim.look("truth/faculty")}
    assert (len(after.keys() - before.keys()), len(before.keys() - after.keys())) == (2, 1)
    assert sum(1 for key in before.keys() & after.keys() if before[key] != after[key]) == 3


@pytest.mark.parametrize("variant", ["key_order", "arabic", "padding", "record_order"])
def test_another_dress_is_not_another_truth(inside, variant):
    sim = inside(size="small", page_cap=0)
    truth, plain = sim.look("truth/students"), sim.students("1110", "4051").body
    sim.tell("delta", {"variant": variant})
    dressed = sim.students("1110", "4051")
    assert dressed.body != plain
    assert len(rows(dressed)) == len(json.loads(plain)["data"])
    assert sim.look("truth/students") == truth
    sim.tell("delta", {"variant": None})
    assert sim.students("1110", "4051").body == plain


def test_a_new_term_begins_with_the_clock(inside):
    sim = inside(page_cap=0)
    assert rows(sim.students("1110", "4052")) == []
    sim.tell("clock", {"today": "2027-02-01"})
    assert sim.look("terms") == ["4042", "4043", "4051", "4052"]
    assert len(rows(sim.students("1110", "4052"))) > 20
    assert rows(sim.students("1110", "4041")) == []


def test_reset_undoes_everything(inside):
    sim = inside()
    before = sim.look("truth/counts")
    sim.tell("delta", {"added": 5})
    sim.tell("fault", {"kind": "empty", "times": None})
    sim.tell("profile", {"profile": "hostile", "seed": 9})
    sim.tell("reset")
    sim.token = sim.gateway.tokens.issue("hamgam", "simulator")
    assert sim.look("truth/counts") == before
    assert sim.look("fault") == []
    assert sim.look("profile")["profile"] == "calm"


def test_a_national_code_of_an_added_member_has_ten_digits_too():
    from fetchers.golestan.simulator.faculty import national_code

    codes = {
        national_code(member, roll) for member in (0, 7, 9_999, 50_005, 99_999) for roll in range(0, 6000, 7)
    }
    assert {len(code) for code in codes if code is not None} == {10}
