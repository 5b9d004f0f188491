"""S09 fixation, S10 replayed cookies, S11 idle and old sessions, S12 the cookie's flags."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from panel.db import writing
from panel.models import User
from tests.web import PASSWORD, csrf_token, person, sign_in

MORNING = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def cookie(client, name="hamgam"):
    found = client.get_cookie(name)
    return found.value if found else None


def replay(app, value):
    thief = app.test_client()
    thief.set_cookie("hamgam", value)
    return thief.get("/account/").status_code


def test_s09_signing_in_leaves_nothing_of_the_strangers_session(app, client):
    token = csrf_token(client)
    before = cookie(client)
    sign_in(client, "maryam")
    assert cookie(client) != before
    with client.session_transaction() as session:
        assert "sid" in session
    # The form token that an attacker might have planted before is worth nothing now.
    assert client.post("/logout", data={"csrf_token": token}).status_code == 400


def test_s10_a_copied_cookie_dies_with_signing_out(app, maryam):
    copied = cookie(maryam)
    assert replay(app, copied) == 200
    maryam.post("/logout", data={"csrf_token": csrf_token(maryam, "/account/")})
    assert replay(app, copied) == 302


def test_s10_a_copied_cookie_dies_with_a_new_password(app, maryam):
    copied = cookie(maryam)
    answer = maryam.post(
        "/account/",
        data={
            "present": PASSWORD,
            "password": "violet-train-7",
            "again": "violet-train-7",
            "csrf_token": csrf_token(maryam, "/account/"),
        },
    )
    assert answer.status_code == 302
    assert replay(app, copied) == 302
    assert maryam.get("/account/").status_code == 200, "whoever changed it stays signed in"
    sign_in(app.test_client(), "maryam", "violet-train-7")


@pytest.mark.parametrize("change", [{"active": False}, {"session_version": 2}])
def test_s10_a_cookie_dies_with_its_user_or_their_sessions(app, reza, rows, change):
    copied = cookie(reza)
    with writing(rows) as session:
        user = session.get(User, person(rows, "reza").id)
        for name, value in change.items():
            setattr(user, name, value)
    assert replay(app, copied) == 302


def test_s11_half_an_hour_without_a_person_ends_the_session(app):
    with time_machine.travel(MORNING, tick=False) as clock:
        sara = sign_in(app.test_client(), "sara")
        clock.shift(timedelta(minutes=29))
        assert sara.get("/account/").status_code == 200
        clock.shift(timedelta(minutes=29))
        assert sara.get("/account/").status_code == 200
        clock.shift(timedelta(minutes=30))
        assert sara.get("/account/").status_code == 302


def test_s11_a_page_that_refreshes_itself_does_not_keep_the_session_alive(app):
    script = {"X-Requested-With": "fetch"}
    with time_machine.travel(MORNING, tick=False) as clock:
        sara = sign_in(app.test_client(), "sara")
        for _ in range(5):
            clock.shift(timedelta(minutes=5))
            assert sara.get("/account/", headers=script).status_code == 200
        clock.shift(timedelta(minutes=5))
        assert sara.get("/account/", headers=script).status_code == 401


def test_s11_twelve_hours_end_every_session(app):
    with time_machine.travel(MORNING, tick=False) as clock:
        sara = sign_in(app.test_client(), "sara")
        for _ in range(35):
            clock.shift(timedelta(minutes=20))
            assert sara.get("/account/").status_code == 200
        clock.shift(timedelta(minutes=20))
        assert sara.get("/account/").status_code == 302


def test_s12_the_cookie_is_not_for_scripts_nor_for_other_sites(client):
    answer = client.get("/login")
    (header,) = answer.headers.getlist("Set-Cookie")
    assert header.startswith("hamgam=")
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header
    assert "Domain=" not in header


def test_s12_over_https_the_cookie_is_pinned_to_this_host(client):
    answer = client.get("/login", base_url="https://localhost")
    (header,) = answer.headers.getlist("Set-Cookie")
    assert header.startswith("__Host-hamgam=")
    assert "Secure" in header
    assert "Path=/" in header
