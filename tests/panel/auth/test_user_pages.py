"""The pages about users, campuses and one's own account."""

import ast
import io
import re

import pytest
from sqlalchemy import select

from panel import ROOT
from panel.admin.audit import ACTION_WORDS
from panel.db import writing
from panel.models import AuditEntry, Campus, User
from tests.web import PASSWORD, csrf_token, person, sign_in


def post(client, address, **data):
    return client.post(address, data={**data, "csrf_token": csrf_token(client, "/account/")})


def new_user(client, username="navid", role="operator", password=PASSWORD, again=PASSWORD):
    return post(client, "/users/new/", username=username, role=role, password=password, again=again)


def test_maryam_adds_an_operator_who_can_sign_in(app, maryam, rows):
    assert new_user(maryam).status_code == 302
    assert person(rows, "navid").role == "operator"
    sign_in(app.test_client(), "navid")


@pytest.mark.parametrize(
    "wrong",
    [
        {"username": "maryam"},
        {"username": "na vid"},
        {"username": ""},
        {"password": "short-1", "again": "short-1"},
        {"password": "password1", "again": "password1"},
        {"password": "navid-2026-x", "again": "navid-2026-x"},
        {"again": "something-else-1"},
        {"role": "owner"},
    ],
    ids=str,
)
def test_a_user_that_cannot_be_is_not_added_and_the_form_stays(maryam, rows, wrong):
    answer = new_user(maryam, **wrong)
    assert answer.status_code == 200
    assert 'role="alert"' in answer.get_data(as_text=True)
    with rows() as session:
        assert session.query(User).count() == 3


def test_the_last_administrator_cannot_be_disabled_or_demoted(maryam, rows):
    own = f"/users/edit/?id={person(rows, 'maryam').id}"
    post(maryam, own, role="admin")
    post(maryam, own, role="viewer", active="y")
    assert (person(rows, "maryam").role, person(rows, "maryam").active) == ("admin", True)


def test_with_a_second_administrator_the_first_may_go(maryam, rows):
    new_user(maryam, role="admin")
    post(maryam, f"/users/edit/?id={person(rows, 'maryam').id}", role="viewer", active="y")
    assert person(rows, "maryam").role == "viewer"
    assert maryam.get("/users/").status_code == 403, "the new role counts at once"


def test_a_user_who_never_signed_in_and_a_token_without_end_are_called_so(maryam, rows):
    page = maryam.get("/users/?lang=en").get_data(as_text=True)
    assert "3 users" in page and page.count('<span class="val">never</span>') == 2
    owner = person(rows, "maryam").id
    for lifetime in ("90", "never"):
        post(maryam, "/tokens/new/", name=f"for {lifetime}", owner=owner, scope="read", lifetime=lifetime)
    page = maryam.get("/tokens/?lang=en").get_data(as_text=True)
    assert "2 tokens" in page and page.count('<span class="val">no end</span>') == 1
    assert page.count('<span class="val">never</span>') == 2, "used"


def test_a_disabled_user_is_out_at_once(maryam, reza, rows):
    post(maryam, f"/users/edit/?id={person(rows, 'reza').id}", role="operator")
    assert reza.get("/account/").status_code == 302
    with rows() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "user_changed")).one()
    assert entry.details["changed"] == ["active"]


def test_a_password_that_an_administrator_sets_ends_the_users_sessions(app, maryam, reza, rows):
    address = f"/users/edit/?id={person(rows, 'reza').id}"
    post(maryam, address, role="operator", active="y", password="violet-train-7", again="violet-train-7")
    assert reza.get("/account/").status_code == 302
    sign_in(app.test_client(), "reza", "violet-train-7")


def test_no_page_and_no_entry_holds_a_password(maryam, rows):
    new_user(maryam)
    pages = [
        maryam.get(f"/users/edit/?id={person(rows, 'navid').id}"),
        maryam.get("/users/"),
        maryam.get("/audit/"),
    ]
    stored = person(rows, "navid").password_hash
    for page in pages:
        assert PASSWORD not in page.get_data(as_text=True)
        assert stored not in page.get_data(as_text=True)


def test_one_changes_the_own_password_only_with_the_present_one(app, sara):
    answer = post(sara, "/account/", present="wrong-one-9", password="violet-train-7", again="violet-train-7")
    assert answer.status_code == 200
    sign_in(app.test_client(), "sara", PASSWORD)


def test_a_language_is_remembered_with_the_person(app, sara, rows):
    assert 'lang="fa"' in sara.get("/account/").get_data(as_text=True)
    post(sara, "/locale", locale="en", next="/account/")
    assert '<html lang="en" dir="ltr" ' in sara.get("/account/").get_data(as_text=True)
    assert person(rows, "sara").locale == "en"
    elsewhere = sign_in(app.test_client(), "sara")
    assert '<html lang="en" dir="ltr" ' in elsewhere.get("/account/").get_data(as_text=True)


def test_a_stranger_chooses_the_language_of_the_sign_in_page(client):
    assert '<html lang="fa" dir="rtl" ' in client.get("/login").get_data(as_text=True)
    client.post("/locale", data={"locale": "en", "next": "/login", "csrf_token": csrf_token(client)})
    assert '<html lang="en" dir="ltr" ' in client.get("/login").get_data(as_text=True)
    client.post("/locale", data={"locale": "xx", "csrf_token": csrf_token(client)})
    assert '<html lang="en" dir="ltr" ' in client.get("/login").get_data(as_text=True)


def linked_dark(page):
    """On which media a page is dark; None for never."""
    found = re.search(r'<link rel="stylesheet" href="/static/dark.css[^"]*" media="([^"]*)">', page)
    return found[1] if found else None


def test_colours_are_remembered_with_the_person_and_are_in_the_page_itself(app, sara, rows):
    page = sara.get("/account/").get_data(as_text=True)
    assert 'data-theme="auto"' in page
    assert linked_dark(page) == "screen and (prefers-color-scheme: dark)"
    post(sara, "/theme", theme="dark", next="/account/")
    assert person(rows, "sara").theme == "dark"
    page = sign_in(app.test_client(), "sara").get("/account/").get_data(as_text=True)
    assert 'data-theme="dark"' in page
    assert '<meta name="color-scheme" content="dark">' in page
    assert linked_dark(page) == "screen"
    sara = sign_in(app.test_client(), "sara")
    post(sara, "/theme", theme="light", next="/account/")
    page = sara.get("/account/").get_data(as_text=True)
    assert 'data-theme="light"' in page
    assert linked_dark(page) is None
    post(sara, "/theme", theme="auto", next="/account/")
    assert person(rows, "sara").theme is None


def test_colours_that_there_are_not_change_nothing(sara, rows):
    post(sara, "/theme", theme="dark")
    post(sara, "/theme", theme="violet")
    assert person(rows, "sara").theme == "dark"


def test_a_stranger_has_the_colours_of_the_device_and_may_choose_none(client):
    page = client.get("/login").get_data(as_text=True)
    assert linked_dark(page) == "screen and (prefers-color-scheme: dark)"
    assert "/theme" not in page
    answer = client.post("/theme", data={"theme": "dark", "csrf_token": csrf_token(client)})
    assert answer.status_code == 401


def test_a_campus_is_added_with_its_code_cleaned(maryam, rows):
    post(maryam, "/campuses/new/", pardis_code=" ۱۱۱۰", name="پردیس  مرکزی", type="1", active="y")
    with rows() as session:
        campus = session.scalars(select(Campus)).one()
    assert (campus.pardis_code, campus.name, campus.type, campus.active) == ("1110", "پردیس مرکزی", 1, True)
    again = post(maryam, "/campuses/new/", pardis_code="1110", active="y")
    assert again.status_code == 200


def test_codes_of_a_campus_have_latin_digits_on_persian_pages_too(maryam, rows):
    with writing(rows) as session:
        session.add(Campus(pardis_code="1110", name="مرکزی", province_code=8))
    page = maryam.get("/campuses/?lang=fa").get_data(as_text=True)
    assert "1110" in page and "۱۱۱۰" not in page and ">8<" in page
    title = maryam.get("/campuses/edit/?id=1&lang=fa").get_data(as_text=True)
    assert '<h1>ویرایش پردیس <bdi class="muted">1110</bdi></h1>' in title
    assert re.search(r'<input[^>]* name="province_code"[^>]* type="text"', title), (
        "others take no Persian digit"
    )
    post(maryam, "/campuses/edit/?id=1", name="مرکزی", province_code="۲۱", type="", active="y")
    with rows() as session:
        assert session.get(Campus, 1).province_code == 21


def test_a_campus_is_switched_off_and_stays_listed(maryam, sara, rows):
    with writing(rows) as session:
        session.add(Campus(pardis_code="1110", name="مرکزی"))
    post(maryam, "/campuses/edit/?id=1", name="مرکزی", type="")
    with rows() as session:
        assert session.get(Campus, 1).active is False
    assert "مرکزی" in sara.get("/campuses/").get_data(as_text=True)
    assert "/campuses/new/" not in sara.get("/campuses/").get_data(as_text=True)


@pytest.mark.parametrize("search", ["كرمان", "کرمان", "۱۲۱۰", "1210"])
def test_campuses_are_found_however_they_are_typed(maryam, rows, search):
    with writing(rows) as session:
        session.add(Campus(pardis_code="1110", name="تهران"))
        session.add(Campus(pardis_code="1210", name="کرمان"))
    page = maryam.get("/campuses/", query_string={"search": search}).get_data(as_text=True)
    assert "کرمان" in page
    assert "تهران" not in page


def test_campuses_are_imported_from_a_file(maryam, rows):
    file = (io.BytesIO("pardis_code,name\n1110,مرکزی\n1210,کرمان\n".encode()), "list.csv")
    post(maryam, "/campuses/import/", file=file)
    with rows() as session:
        assert {campus.pardis_code for campus in session.scalars(select(Campus))} == {"1110", "1210"}


def test_a_file_that_is_no_list_changes_nothing_and_says_why(maryam, rows):
    answer = post(maryam, "/campuses/import/", file=(io.BytesIO(b"\x89PNG\r\n"), "list.csv"))
    assert answer.status_code == 302
    assert 'class="alert alert-danger"' in maryam.get("/campuses/").get_data(as_text=True)
    with rows() as session:
        assert session.scalars(select(Campus)).all() == []


def test_everything_that_the_trail_tells_has_words():
    """The actions are read from the source: a new one without words is found here, not by Maryam."""
    told = set()
    for file in (ROOT / "panel").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "audit.record":
                named = [word.value for word in node.keywords if word.arg == "action"]
                action = named[0] if named else node.args[2]
                told |= {leaf.value for leaf in ast.walk(action) if isinstance(leaf, ast.Constant)}
    assert "login" in told
    assert {word for word in told if isinstance(word, str)} <= set(ACTION_WORDS)
