"""DOMAIN.md part 3, rows 22 to 29: values as people and old systems write them, on SQLite and on PostgreSQL.

One child per source loads them all, a campus for each row of the table; the tests look at what is stored.
"""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg import sql as pg

from fetchers.core.clean import fold
from panel.config import Config, load
from tests.nasty.gateway import FACULTY, ScriptedGateway, member, national_code, student
from tests.nasty.place import Outcome, Place
from tests.web import app, maryam, rows, sara, sign_in

__all__ = ["app", "maryam", "rows", "sara", "sign_in"]

ZWNJ = "\u200c"

# As it comes -> as it is stored (DOMAIN.md 1.4).
LETTERS = {
    "علي": "علی",
    "موسى": "موسی",
    "كاظم": "کاظم",
    "ﻛﺮﻣﺎن": "کرمان",
    "محمـــد": "محمد",
    "علي\u00a0رضا": "علی رضا",
    "\u200fزهرا\u200e\u202c": "زهرا",
    f"می{ZWNJ}{ZWNJ}ناب{ZWNJ}": f"می{ZWNJ}ناب",
    f"آموزش{ZWNJ}ابتدايي": f"آموزش{ZWNJ}ابتدایی",
    "ليلا   ": "لیلا",
    "  نگار \t آذر ": "نگار آذر",
    "خانۀ": "خانۀ",
    "مؤمن": "مؤمن",
}
PROVINCES = {
    "سيستان وبلوچستان": "سیستان و بلوچستان",
    "سیستان و بلوچستان": "سیستان و بلوچستان",
    "چهارمحال بختياري": "چهارمحال و بختیاری",
    "كهگيلويه وبويراحمد": "کهگیلویه و بویراحمد",
    "آذربايجان شرقي  ": "آذربایجان شرقی",
    "دانشگاه فرهنگیان استان كرمانشاه": "کرمانشاه",
    "كرمانشاه": "کرمانشاه",
    "كرمان": "کرمان",
    "کرمانشاهی": None,
    "نزدیک کرمان": None,
    "ناکجاآباد": None,
}
# field, as it comes, as it is stored, flag
DIGITS: list[tuple[str, Any, Any, str | None]] = [
    ("course", "۱۱۰۱", "1101", None),
    ("course", "١١٠١", "1101", None),
    ("course", "01101", "01101", None),
    ("course", "²", None, "bad_code"),
    ("course", "11²", None, "bad_code"),
    ("phonenum", "۰۹۱۲۰۰۰۰۰۰۱", "09120000001", None),
    ("phonenum", "+98 912 000 0002", "09120000002", None),
    ("phonenum", "9120000003", "09120000003", None),
    ("phonenum", "0912-000-0004", "09120000004", None),
    ("phonenum", "09120000005 - 09350000005", "09120000005 - 09350000005", "two_numbers"),
]
MARKUP: list[tuple[str, Any, Any, str | None]] = [
    ("address", "رضا&nbsp;نژاد", "رضا نژاد", None),
    ("address", "&#1593;&#1604;&#1610;", "علی", None),
    ("address", "&amp;amp;", "&amp;", None),
    ("address", "ادبیات<BR>فارسی", "ادبیات فارسی", None),
    ("address", "<script>alert(1)</script>کوچه", "alert(1)کوچه", None),
    ("address", '=HYPERLINK("http://x.invalid")', '=HYPERLINK("http://x.invalid")', None),
    ("address", "+CMD|' /C calc'!A0", "+CMD|' /C calc'!A0", None),
    ("address", "نشانی " * 2000, None, "too_long"),
    ("address", "abc\u202edef\u2066g", "abcdefg", None),
]
NOTHING = ["", " ", "-", "NULL", "0", "//", "نامشخص", "0000000000"]
DATES: list[tuple[str, Any, Any, str | None]] = [
    ("degsdate", written, day, flag)
    for written, day, flag in [
        ("1402/7/1", "1402/07/01", None),
        ("۱۴۰۲/۰۷/۰۱", "1402/07/01", None),
        ("1402-07-01", "1402/07/01", None),
        ("14020701", "1402/07/01", None),
        ("1402/07/01 10:20", "1402/07/01", None),
        ("404/06/03", "1404/06/03", "year3"),
        ("99/01/15", "1399/01/15", "year2"),
        ("02/07/01", "1402/07/01", "year2"),
        ("01/07/1402", "1402/07/01", "dayfirst"),
        ("۰۱/۰۷/۱۴۰۳", "1403/07/01", "dayfirst"),
        ("2003-09-23T00:00:00", "1382/07/01", "gregorian"),
        ("1403/12/30", "1403/12/30", None),
        ("1404/12/30", None, "bad_date"),
        ("1402/12/30", None, "bad_date"),
        ("1402/07/31", None, "bad_date"),
        ("1402/00/00", None, "bad_date"),
        ("1249/05/05", None, "bad_date"),
        ("//", None, None),
    ]
] + [("birthdate", "1300/01/01", None, "placeholder_date"), ("birthdate", "1384/12/29", "1384/12/29", None)]
NATIONAL: list[tuple[str, Any, Any, str | None]] = [
    ("nationalcode", None, None, None),
    ("nationalcode", "12345679", "0012345679", "padded"),
    ("nationalcode", "098765434", "0098765434", "padded"),
    ("nationalcode", 1234560, None, None),
    ("nationalcode", "9991000071", "9991000071", "bad_checksum"),
    ("nationalcode", "1111111111", "1111111111", "repeated"),
    ("nationalcode", "999100007012", "999100007012", "odd_format"),
]
CASES = {"r24": DIGITS, "r25": MARKUP, "r27": DATES}


def filled(campus: str, first: int, cases: list[tuple[str, Any, Any, str | None]]) -> list[Any]:
    return [student(first + n, campus, **{case[0]: case[1]}) for n, case in enumerate(cases)]


def fill(gateway: ScriptedGateway) -> None:
    """What the gateway has: a campus for each row of the table, and the faculty."""
    gateway.rows |= {
        "r22": [student(22_000 + n, "r22", firstname=name) for n, name in enumerate(LETTERS)]
        + [
            student(22_100 + n, "r22", city=city)
            for n, city in enumerate(("كردستان ", "کردستان", " كردستان"))
        ],
        "r23": [student(23_000 + n, "r23", province=name) for n, name in enumerate(PROVINCES)],
        "r24": filled("r24", 24_000, DIGITS)
        + [student(24_100, "r24", studentnum="۴۰۳۱۱۲۳۴۵۰۱")]
        + [student(24_200 + n, "r24") for n in range(30)]
        + [student(24_300, "r24", studentnum="4031123450²")],
        "r25": filled("r25", 25_000, MARKUP)
        + [student(25_100, "r25", firstname="<img src=x onerror=alert(2)>", familyname='5 < 6 & "7"')],
        "r26": [student(26_000, "r26", codvaziayat="0", course="0", provinceCode=0)],
        "r27": filled("r27", 27_000, DATES),
        "r29": [
            student(29_000, "r29", code_Markaz="s29", city="two"),
            student(29_001, "r29", firstname="نیلوفر"),
            student(29_002, "r29", firstname="نیلوفر"),
            student(29_002, "r29", firstname="نسرین"),
        ],
        "s29": [
            student(29_000, "s29", code_Markaz="s29", city="three"),
            student(29_001, "s29", firstname="شهلا"),
        ],
        "r29,4043": [student(29_000, "r29", code_Markaz="r29", city="one", term="4043")],
    }
    gateway.rows |= {f"{campus},4043": [] for campus in ("r22", "r23", "r24", "r25", "r26", "r27", "s29")}
    gateway.rows[FACULTY] = [
        *[
            member(n + 1, nationalcode=nothing, personelid=nothing, email=nothing, mobile=nothing, sex=0)
            for n, nothing in enumerate(NOTHING * 7)
            if n < 50
        ],
        *[member(100 + n, nationalcode=case[1]) for n, case in enumerate(NATIONAL)],
        # Row 29: one person under two ids; a row that clashes with two others by its unique-looking fields.
        member(201, nationalcode=national_code(300)),
        member(202, nationalcode=national_code(300)),
        member(203, nationalcode=national_code(301), personelid="77"),
        member(204, nationalcode=national_code(302), personelid="78"),
        member(205, nationalcode=national_code(301), personelid="78"),
        member(206, scope="دانشگاه فرهنگیان استان كرمانشاه"),
    ]


STUDENTS = ["r22", "r23", "r24", "r25", "r26", "r27", "r29", "s29"]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty destination of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('values') / 'data.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    name = f"hamgam_nasty_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(pg.SQL("CREATE DATABASE {}").format(pg.Identifier(name)))
    yield f"{server.rpartition('/')[0].replace('postgresql://', 'postgresql+psycopg://')}/{name}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(pg.SQL("DROP DATABASE {} WITH (FORCE)").format(pg.Identifier(name)))


@pytest.fixture(scope="module")
def place(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A destination with all of it in: both children ended well, and said nothing on stderr."""
    gateway = ScriptedGateway()
    fill(gateway)
    made = Place(tmp_path_factory.mktemp("values"), gateway, url)
    try:
        for outcome in (made.sync("students", STUDENTS, first_term="4043"), made.sync("faculty")):
            assert (outcome.code, outcome.stderr) == (0, ""), outcome.last
            _no_person_in(outcome)
        yield made
    finally:
        made.close()
        gateway.close()


def _no_person_in(outcome: Outcome) -> None:
    said = json.dumps(outcome.events, ensure_ascii=False)
    for code in ("0012345679", "12345679", "9991000071", "999100007012", "0912000000"):
        assert code not in said


@pytest.fixture
def web_config(tmp_path: Any, url: str) -> Config:
    """A panel in front of this destination."""
    return load({"PANEL_INSTANCE": str(tmp_path / "instance"), "DATA_DATABASE_URL": url})


def stored(place: Place, campus: str, first: int, column: str, many: int) -> list[Any]:
    rows = place.students(campus)
    return [rows[f"403112{first + n:05d}"][column] for n in range(many)]


def check(place: Place, campus: str, first: int, cases: list[tuple[str, Any, Any, str | None]]) -> None:
    """Every value of a row of the table is stored as its outcome says, with its flag and no other."""
    rows, flags = place.students(campus), place.notes(campus)
    for n, (column, written, expected, flag) in enumerate(cases):
        number = f"403112{first + n:05d}"
        if flag != "too_long":
            assert rows[number][column] == expected, written
        found = {(field, reason) for key, field, reason, kept in flags if key == number and kept}
        assert found == ({(column, flag)} if flag else set()), written


def test_22_letters_are_stored_clean(place: Place) -> None:
    assert stored(place, "r22", 22_000, "firstname", len(LETTERS)) == list(LETTERS.values())
    cities = place.rows("SELECT DISTINCT city FROM student_terms WHERE city LIKE '%ردستان%'")
    assert cities == [("کردستان",)], "one group"
    assert place.notes("r22") == set()


@pytest.mark.parametrize("typed", ["علی رضا", "علي رضا", "عليرضا ", "رضا علی"])
def test_22_a_search_finds_both_spellings(place: Place, sara: FlaskClient, typed: str) -> None:
    page = sara.get("/data/Students", query_string={"search": typed, "lang": "en"}).get_data(as_text=True)
    assert ("40311222005" in page) == (fold(typed) != fold("عليرضا"))
    assert "40311222001" not in page


def test_22_a_second_sync_in_another_dress_changes_nothing(place: Place) -> None:
    dirty = place.gateway.rows["r22"]
    before = place.table("student_terms")
    names = list(LETTERS.values())
    place.gateway.rows["r22"] = [
        {**row, "firstname": names[n] if n < len(names) else row["firstname"], "city": row["city"].strip()}  # type: ignore[dict-item]
        for n, row in enumerate(dirty)
    ]
    try:
        outcome = place.sync("students", ["r22"])
    finally:
        place.gateway.rows["r22"] = dirty
    assert (outcome.code, outcome.last["counts"]["changed"], outcome.last["counts"]["added"]) == (0, 0, 0)
    assert outcome.last["counts"]["unchanged"] == len(dirty)
    assert place.table("student_terms") == before


def test_23_a_province_is_found_whole_or_not_at_all(place: Place) -> None:
    assert stored(place, "r23", 23_000, "province", len(PROVINCES)) == list(PROVINCES.values())
    unknown = {
        (f"403112{23_000 + n:05d}", "province", "unknown_province", 1)
        for n, name in enumerate(PROVINCES.values())
        if name is None
    }
    assert place.notes("r23") == unknown
    assert place.rows("SELECT scope FROM faculty WHERE id = 206") == [("دانشگاه فرهنگیان استان کرمانشاه",)]


def test_24_digits_of_any_script_are_codes_and_what_is_none_is_refused(place: Place) -> None:
    check(place, "r24", 24_000, DIGITS)
    assert "40311234501" in place.students("r24")
    rejected = place.rows("SELECT field, reason FROM _hamgam_rejected WHERE kept = 0")
    assert rejected == [("studentnum", "bad_key")]


def test_25_markup_is_taken_out_once_and_nothing_is_lost(place: Place) -> None:
    check(place, "r25", 25_000, MARKUP)
    [(long,)] = place.rows("SELECT address FROM student_terms WHERE studentnum = '40311225007'")
    assert len(long) <= 4000 and long.startswith("نشانی نشانی")
    assert place.students("r25")["40311225100"]["firstname"] is None


def test_25_it_is_escaped_where_it_is_shown(place: Place, sara: FlaskClient) -> None:
    page = sara.get("/data/Students", query_string={"search": "40311225100", "lang": "en"}).get_data(
        as_text=True
    )
    assert "5 &lt; 6 &amp; &#34;7&#34;" in page
    assert "5 < 6" not in page and "onerror" not in page


def test_26_what_stands_for_nothing_is_nothing_and_drops_no_row(place: Place) -> None:
    found = place.rows("SELECT nationalcode, personelid, email, mobile, sex FROM faculty WHERE id <= 50")
    assert found == [(None, None, None, None, 0)] * 50
    [row] = place.students("r26").values()
    assert (row["codvaziayat"], row["course"], row["provinceCode"]) == ("0", "0", 0), "a real code or count"


def test_27_dates_are_read_exactly_and_a_bad_one_costs_no_row(place: Place) -> None:
    check(place, "r27", 27_000, DATES)
    raw = place.rows(
        "SELECT raw FROM _hamgam_rejected WHERE reason IN ('bad_date', 'placeholder_date') ORDER BY raw"
    )
    bad = sorted(written for _, written, day, flag in DATES if day is None and flag)
    assert [text for (text,) in raw] == bad, "the raw value is kept"


def test_28_a_wrong_national_code_is_kept_flagged_and_masked(
    place: Place, sara: FlaskClient, maryam: FlaskClient
) -> None:
    found = dict(place.rows("SELECT id, nationalcode FROM faculty WHERE id >= 100 AND id < 200"))
    flags = {key: reason for key, field, reason, kept in place.notes() if field == "nationalcode" and kept}
    for n, (_, written, expected, flag) in enumerate(NATIONAL):
        if written != 1234560:
            assert found[100 + n] == expected, written
        if flag:
            assert flags[str(100 + n)] == flag, written
    assert len(found) == len(NATIONAL), "no row is lost"
    for number, code in found.items():
        if code is not None:
            page = sara.get(f"/data/faculty/row?id={number}&lang=en").get_data(as_text=True)
            assert code not in page and "••" in page
            assert code in maryam.get(f"/data/faculty/row?id={number}&lang=en").get_data(as_text=True)


def test_29_the_history_keeps_each_and_the_newest_stands(place: Place) -> None:
    history = place.rows(
        'SELECT "codePardis", term, city FROM student_terms WHERE studentnum = ? ORDER BY term, "codePardis"',
        "40311229000",
    )
    assert history == [("r29", "4043", "one"), ("r29", "4051", "two"), ("s29", "4051", "three")]
    current = place.rows(
        'SELECT "codePardis", term, city FROM "Students" WHERE studentnum = ?', "40311229000"
    )
    assert current == [("s29", "4051", "three")], "of one term the campus that the row itself names"


def test_29_two_names_under_one_number_are_an_issue(place: Place) -> None:
    notes = place.notes("r29") | place.notes("s29")
    named = {key for key, _, reason, _ in notes if reason == "two_names"}
    assert named == {"40311229001", "40311229002"}, "over two campuses, and within one"
    assert place.value("SELECT count(*) FROM student_terms WHERE studentnum = '40311229001'") == 2


def test_29_a_clash_of_two_deletes_no_third(place: Place) -> None:
    assert place.rows("SELECT id, personelid FROM faculty WHERE id > 202 AND id < 206 ORDER BY id") == [
        (203, "77"),
        (204, "78"),
        (205, "78"),
    ]
    twice = {key for key, _, reason, _ in place.notes() if reason == "two_ids"}
    assert {"201", "202"} <= twice, "one person under two ids"


def test_29_an_id_that_is_used_again_is_a_change_and_the_diary_has_the_old_person(place: Place) -> None:
    before = place.gateway.rows[FACULTY]
    place.gateway.rows[FACULTY] = [
        {**row, "name": "نگین", "nationalcode": national_code(400)} if row["id"] == 206 else row  # type: ignore[call-overload,dict-item]
        for row in before
    ]
    try:
        outcome = place.sync("faculty")
    finally:
        place.gateway.rows[FACULTY] = before
    counts = outcome.last["counts"]
    assert (outcome.code, counts["changed"], counts["added"], counts["gone"]) == (0, 1, 0, 0)
    [(was, now)] = place.rows(
        "SELECT before, after FROM _hamgam_changes WHERE stream = 'faculty' AND kind = 'changed'"
    )
    assert json.loads(was) == {"name": "علی", "nationalcode": national_code(206)}
    assert json.loads(now) == {"name": "نگین", "nationalcode": national_code(400)}
