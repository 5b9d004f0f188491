"""What people keep of the data browser's lists: their columns and their views, each their own."""

import re
from html import unescape
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel.admin import saved_views
from panel.db import writing
from panel.models import ColumnChoice, SavedView, User
from tests.panel.admin.conftest import read
from tests.web import csrf_token

House = sessionmaker[Session]


def heads(page: str) -> list[str]:
    """The headings of the list's columns."""
    row = page.split("<thead>")[1].split("</thead>")[0]
    return [unescape(re.sub("<[^>]*>", "", cell)).strip() for cell in re.findall("<th.*?</th>", row, re.S)][
        :-1
    ]


def post(client: FlaskClient, path: str, **form: object) -> str:
    """Send a form and follow; the page that comes."""
    data = {"csrf_token": csrf_token(client, "/data/faculty"), **form}
    answer = client.post(path, data=data, follow_redirects=True)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_data(as_text=True)


def test_columns_are_chosen_and_remembered_for_the_person_and_the_table(
    house: House, sara: FlaskClient, reza: FlaskClient
) -> None:
    usual = heads(read(sara, "/data/Students"))
    post(sara, "/data/Students/columns", column=["familyname", "sub_uniname", "course"])
    assert heads(read(sara, "/data/Students")) == ["Family name", "Field of study code", "Campus name"]
    assert heads(read(sara, "/data/Students?search=شریفی")) == [
        "Family name",
        "Field of study code",
        "Campus name",
    ]
    assert heads(read(reza, "/data/Students")) == usual
    assert "Student number" in heads(read(sara, "/data/student_terms"))
    post(sara, "/data/Students/columns", reset="1")
    assert heads(read(sara, "/data/Students")) == usual
    with house() as session:
        assert session.scalars(select(ColumnChoice)).all() == []


def test_the_form_keeps_what_the_list_was_narrowed_by(house: House, sara: FlaskClient) -> None:
    page = post(
        sara,
        "/data/Students/columns",
        column=["familyname"],
        search="شریفی",
        f_term="4042",
        sort="term",
        desc="1",
    )
    assert 'value="شریفی"' in page and 'option value="4042" selected' in page
    assert 'name="sort" value="term"' in page


def test_an_address_names_its_columns_for_whoever_opens_it(house: House, sara: FlaskClient) -> None:
    post(sara, "/data/Students/columns", column=["familyname"])
    page = read(sara, "/data/Students?columns=studentnum,term")
    assert heads(page) == ["Student number", "Term"]
    assert "columns=studentnum%2Cterm" in page.split("<thead>")[1], "links on the page keep them"
    assert heads(read(sara, "/data/Students")) == ["Family name"], "and nobody's own choice is changed by it"
    assert heads(read(sara, "/data/Students?columns=nothing,at-all")) == ["Family name"]


def test_personal_columns_are_offered_to_administrators_alone(
    house: House, sara: FlaskClient, maryam: FlaskClient
) -> None:
    assert 'value="mobile"' not in read(sara, "/data/faculty")
    assert "09121112233" not in read(sara, "/data/faculty?columns=family,mobile")
    post(sara, "/data/faculty/columns", column=["family", "mobile"])
    assert heads(read(sara, "/data/faculty")) == ["Family name"]
    assert 'value="mobile"' in read(maryam, "/data/faculty")
    assert "09121112233" in read(maryam, "/data/faculty?columns=family,mobile")


def test_who_is_no_administrator_any_more_sees_no_column_that_they_chose_as_one(
    house: House, maryam: FlaskClient
) -> None:
    post(maryam, "/data/faculty/columns", column=["family", "mobile"])
    assert heads(read(maryam, "/data/faculty")) == ["Family name", "Mobile"]
    with writing(house) as session:
        session.scalars(select(User).where(User.username == "maryam")).one().role = "viewer"
    page = read(maryam, "/data/faculty")
    assert heads(page) == ["Family name"] and "0912" not in page


def test_a_view_is_saved_shown_opened_and_removed(house: House, sara: FlaskClient) -> None:
    page = post(
        sara,
        "/data/Students/views",
        name="  دانشجویان   ۴۰۴۲ ",
        f_term="4042",
        sort="studentnum",
        columns="studentnum,term",
    )
    assert "دانشجویان ۴۰۴۲" in page
    page = read(sara, "/data/Students?lang=fa")
    found = re.search(r'<ul class="views">.*?href="([^"]+)"(.*?)>', page, re.S)
    assert found and "aria-current" not in found[2]
    address = unescape(found[1])
    opened = read(sara, address)
    assert heads(opened) == ["Student number", "Term"] and "شریفی" not in opened and "40011003" in opened
    assert re.search(r'<ul class="views">.*?aria-current="page"', opened, re.S)
    assert "views" not in read(sara, "/data/faculty").split('<div class="card">')[0]
    with house() as session:
        number = session.scalars(select(SavedView.id)).one()
    post(sara, f"/data/Students/views/{number}/remove")
    assert 'class="views"' not in read(sara, "/data/Students")


def test_saving_under_a_name_that_is_there_replaces_the_view(house: House, sara: FlaskClient) -> None:
    post(sara, "/data/Students/views", name="mine", f_term="4042")
    post(sara, "/data/Students/views", name="mine", f_term="4051")
    with house() as session:
        assert session.scalars(select(SavedView.query)).all() == ["f_term=4051"]


def test_views_are_of_one_person(house: House, sara: FlaskClient, reza: FlaskClient) -> None:
    post(sara, "/data/Students/views", name="mine", f_term="4042")
    assert "mine" not in read(reza, "/data/Students")
    with house() as session:
        number = session.scalars(select(SavedView.id)).one()
    page = post(reza, f"/data/Students/views/{number}/remove")
    assert "چنین نمایی دیگر نیست" in page
    post(sara, f"/data/faculty/views/{number}/remove")
    with house() as session:
        assert session.scalars(select(SavedView.name)).all() == ["mine"]


def test_a_view_without_a_name_or_beyond_the_limit_is_refused_in_words(
    house: House, sara: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_views, "MOST_VIEWS", 1)
    assert "ذخیره نشد" in post(sara, "/data/Students/views", name="   ")
    assert "ذخیره شد" in post(sara, "/data/Students/views", name="x" * 200)
    assert "ذخیره نشد" in post(sara, "/data/Students/views", name="second")
    with house() as session:
        assert session.scalars(select(SavedView.name)).all() == ["x" * 80]


def test_the_address_to_pass_on_is_whole(house: House, sara: FlaskClient) -> None:
    page = read(sara, f"/data/Students?search={quote('شریفی')}&f_term=4042")
    found = re.search(r'id="v-address"[^>]*value="([^"]+)"', page)
    assert found
    address = unescape(found[1])
    assert address.startswith("http://localhost/data/Students?search=%D8%B4") and "f_term=4042" in address
    assert "columns=studentnum%2Cfirstname" in address
