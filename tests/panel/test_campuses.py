"""Reading lists of campuses as people and Excel write them."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel import campuses
from panel.db import writing
from panel.models import Campus


def test_dirty_codes_are_cleaned_and_a_bad_line_drops_no_other() -> None:
    reading = campuses.read_csv(
        "pardis_code,name,province_code,type\r\n"
        "1110 ,پردیس  نمونه,8,1\r\n"
        "۱۲۱۰,,۹,2\r\n"
        "\u200f1310,نام,x,\r\n"
        ",بی‌کد,1,1\r\n"
        "1110,دوباره,8,1\r\n"
        "\r\n"
        "1410\r\n".encode("utf-8-sig")
    )
    assert reading.lines == [
        campuses.Line("1110", "پردیس نمونه", 8, 1),
        campuses.Line("1210", None, 9, 2),
        campuses.Line("1310", "نام", None, None),
        campuses.Line("1410"),
    ]
    assert [str(problem).split(":")[0] for problem in reading.problems] == ["line 4", "line 5", "line 6"]


def test_semicolons_of_excel_and_a_missing_header_are_understood() -> None:
    assert campuses.read_csv(b"pardis_code;name;type\n1110;A;1\n").lines == [
        campuses.Line("1110", "A", None, 1)
    ]
    assert campuses.read_csv(b"1110,A,8,1\n").lines == [campuses.Line("1110", "A", 8, 1)]


@pytest.mark.parametrize("content", [b"", b"name,type\nA,1\n", "کد\n1110\n".encode("cp1256")])
def test_what_is_no_list_is_refused_as_a_whole(content: bytes) -> None:
    with pytest.raises(campuses.CampusFileError):
        campuses.read_csv(content)


def test_writing_adds_and_updates_and_leaves_the_rest(control_db: sessionmaker[Session]) -> None:
    with writing(control_db) as session:
        session.add_all(
            [
                Campus(pardis_code="1", name="one", active=True),
                Campus(pardis_code="2", name="two", active=False),
                Campus(pardis_code="3", name="three", active=True),
            ]
        )
    lines = [campuses.Line("1"), campuses.Line("2", "TWO"), campuses.Line("4", "four")]
    with writing(control_db) as session:
        assert campuses.write(session, lines) == campuses.Written(1, 1, 1, 0)
    with writing(control_db) as session:
        assert campuses.write(session, lines, only_these=True) == campuses.Written(0, 0, 3, 1)
        kept = session.scalars(select(Campus).order_by(Campus.pardis_code))
        assert [(campus.name, campus.active) for campus in kept] == [
            ("one", True),
            ("TWO", True),
            ("three", False),
            ("four", True),
        ]
