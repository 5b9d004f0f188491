"""A destination with some hundred student terms in it, on each database, loaded as a run loads them."""

import random
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from fetchers.faculty import Faculty
from fetchers.students import Students
from panel.destination import let_go
from tests.fetchers.core.conftest import House, destination

__all__ = ["destination"]

TERMS_STREAM = Students.student_terms.stream  # type: ignore[attr-defined]
FACULTY_STREAM = Faculty.faculty.stream  # type: ignore[attr-defined]
CAMPUSES, PERIODS = ("1110", "1120", "1210", "2310"), ("4033", "4041", "4042", "4051")
FAMILIES = ("آذری", "احمدی", "پارسا", "چمنی", "ژاله", "کریمی", "گلستانی", "مؤمنی", "یزدی", "علی‌پور", None)
FIRST = ("آرش", "سارا", "مریم", "رضا", "علی")
STATUSES = {"1": ("مشغول به تحصیل", "در حال تحصیل"), "2": ("فارغ‌التحصیل",), "9": (None,), None: (None,)}


def student(dice: random.Random, number: int, campus: str, term: str) -> dict[str, Any]:
    one = random.Random(number)
    status = dice.choice(["1", "1", "1", "2", "9", None])
    year, month = one.choice((1402, 1403, 1404)), one.randint(1, 12)
    return {
        "studentnum": f"4{number:07}",
        "firstname": one.choice(FIRST),
        "familyname": one.choice(FAMILIES),
        "code_Markaz": campus,
        "codvaziayat": status,
        "vazeiyat": dice.choice(STATUSES[status]),
        "grade": one.choice(["1", "3", "3", "4"]),
        "gradname": "کارشناسی",
        "degsdate": f"{year}/{month:02}/{one.randint(1, 29):02}" if number % 7 else None,
        "provinceCode": one.choice([1, 8, 20, None]),
        "course_name": one.choice(["ریاضی", "فیزیک", "آموزش ابتدایی"]),
        "term": term,
    }


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A destination of each kind with four campuses in four terms, and thirty members of the faculty: to be read."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('browse') / 'data.db'}"
        fill(url)
        yield url
        let_go()
        return
    server = request.getfixturevalue("postgres_server")
    name = f"hamgam_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as administrator:
        administrator.execute(f'CREATE DATABASE "{name}"')
        try:
            url = make_url(server).set(drivername="postgresql+psycopg", database=name)
            fill(url.render_as_string(hide_password=False))
            yield url.render_as_string(hide_password=False)
            let_go()
        finally:
            administrator.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def to_spoil(destination: str) -> Iterator[str]:
    """The same, for one test alone."""
    fill(destination)
    yield destination
    let_go()


def fill(destination: str) -> None:
    dice = random.Random(7)
    house = House(destination, TERMS_STREAM, ceiling="4042")
    for campus_number, campus in enumerate(CAMPUSES):
        for term_number, term in enumerate(PERIODS):
            own = [
                number
                for number in range(campus_number * 50, campus_number * 50 + 34)
                if (number + term_number) % 4
            ]
            house.sync(*(student(dice, number, campus, term) for number in own), campus=campus, term=term)
    house.db.close()
    people = House(destination, FACULTY_STREAM)
    people.sync(
        *(
            {"id": number, "name": FIRST[number % 5], "family": FAMILIES[number % 11], "code_Markaz": "1110",
             "markaz": "پردیس نمونه", "nationalcode": f"999100{number:04}"}
            for number in range(1, 31)
        )
    )  # fmt: skip
    people.db.close()
