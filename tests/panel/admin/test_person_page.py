"""A person's page: what is known now, term by term with what changed, the diary, and those who are gone."""

import re
from contextlib import closing
from html import unescape

import pytest
from flask.testing import FlaskClient

from fetchers.core.store import discovered, sql
from panel.config import Config
from tests.fetchers.core.conftest import House
from tests.panel.admin.conftest import read
from tests.panel.browse.conftest import TERMS_STREAM
from tests.web import ON_BOTH

pytestmark = ON_BOTH
NUMBER = "40011001"


def student(term: str, campus: str = "1110", **changes: object) -> dict[str, object]:
    return {
        "studentnum": NUMBER,
        "firstname": "نیلوفر",
        "familyname": "کریمی",
        "codvaziayat": "1",
        "vazeiyat": "مشغول به تحصیل",
        "grade": "3",
        "gradname": "کارشناسی پیوسته",
        "phonenum": "09120000001",
        "code_Markaz": campus,
        "term": term,
        **changes,
    }


@pytest.fixture
def told(web_config: Config) -> None:
    """Three terms: in the second one another course, in the third one another status, campus and telephone."""
    house = House(web_config.data_database_url, TERMS_STREAM, ceiling="4051")
    house.sync(student("4041"), campus="1110", term="4041")
    house.sync(student("4042", course_name="ریاضی"), campus="1110", term="4042")
    changed = student(
        "4051", "1210", codvaziayat="2", vazeiyat="فارغ‌التحصیل", phonenum="09120000002", course_name="ریاضی"
    )
    house.sync(changed, campus="1210", term="4051")
    house.sync({**student("4041"), "studentnum": "40011002", "firstname": "رضا"}, campus="1310", term="4041")
    house.sync(campus="1310", term="4041")
    house.db.close()


def story(page: str) -> list[str]:
    """The lines of the terms, as text."""
    lines = re.findall(r"<li[^>]*>(.*?)</li>", page.split('class="story"')[1].split("</ol>")[0], re.S)
    return [" ".join(unescape(re.sub("<[^>]*>", " ", line)).split()) for line in lines]


def test_the_terms_stand_one_after_the_other_with_what_changed_in_each(told: None, sara: FlaskClient) -> None:
    newest, middle, oldest = story(read(sara, f"/data/Students/row?studentnum={NUMBER}"))
    assert newest.startswith("Term 4051") and "Campus 1210" in newest and "Status فارغ‌التحصیل" in newest
    assert "Status: مشغول به تحصیل became فارغ‌التحصیل" in newest
    assert "Changed since Term 4042 :" in newest and "Changed since Term 4041 :" in middle
    assert "نسبت به نیمسال 4042 :" in story(read(sara, f"/data/Students/row?studentnum={NUMBER}&lang=fa"))[0]
    assert "Status code" not in newest, "the word says it"
    assert "Field of study: – became ریاضی" in middle and middle.startswith("Term 4042")
    assert "Their first row in the data." in oldest


def test_a_change_of_personal_data_is_shown_to_administrators_alone(
    told: None, sara: FlaskClient, maryam: FlaskClient
) -> None:
    assert "0912" not in read(sara, f"/data/Students/row?studentnum={NUMBER}")
    newest, *_ = story(read(maryam, f"/data/Students/row?studentnum={NUMBER}"))
    assert "Telephone: 09120000001 became 09120000002" in newest


def test_a_column_that_no_fetcher_declares_is_no_part_of_that_story(
    told: None, web_config: Config, maryam: FlaskClient
) -> None:
    with closing(sql.connect(web_config.data_database_url)) as db, db:
        discovered.add(db, TERMS_STREAM, {"lastUpdate": "number"}, "run")
        db.execute("UPDATE student_terms SET \"lastUpdate\" = '1' WHERE term = '4042'")
    page = read(maryam, f"/data/Students/row?studentnum={NUMBER}")
    assert "lastUpdate" in page and not any("lastUpdate" in line for line in story(page))


def test_what_people_ask_first_stands_on_top_and_empty_fields_in_one_line(
    told: None, sara: FlaskClient
) -> None:
    page = read(sara, f"/data/Students/row?studentnum={NUMBER}")
    facts = page.split('class="figures facts-of')[1].split("</dl>")[0]
    assert "4051" in facts and "فارغ‌التحصیل" in facts and "کارشناسی پیوسته" in facts
    assert "Empty: First name (Latin)," in page
    persian = read(sara, f"/data/Students/row?studentnum={NUMBER}&lang=fa")
    assert "مشخصات" in persian and "خالی: نام لاتین،" in persian


def test_the_row_of_one_term_marks_itself_among_the_others(told: None, sara: FlaskClient) -> None:
    page = read(sara, f"/data/student_terms/row?codePardis=1110&term=4042&studentnum={NUMBER}")
    marked = re.findall(r'<li aria-current="true">(.*?)</li>', page, re.S)
    assert len(marked) == 1 and "4042" in marked[0]


def test_somebody_who_is_gone_has_a_page_with_what_the_diary_knows(told: None, sara: FlaskClient) -> None:
    page = read(sara, "/data/Students/row?studentnum=40011002")
    assert 'id="gone"' in page and "Not in the data any more" in page
    assert "رضا" in page and 'data-kind="gone"' in page
    assert "sync-person" not in page
    read(sara, "/data/Students/row?studentnum=40099999", status=404)
    read(sara, "/data/student_terms/row?codePardis=1310&term=4041&studentnum=40011002", status=404)


def test_the_diary_leads_to_the_page_of_somebody_who_is_gone(told: None, sara: FlaskClient) -> None:
    page = read(sara, "/changes/?kind=gone")
    assert 'href="/data/Students/row?studentnum=40011002"' in page
