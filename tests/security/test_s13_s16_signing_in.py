"""S13 guessing, S14 user enumeration, S15 password storage, S16 redirects to elsewhere."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask_babel import force_locale
from sqlalchemy import func, select

from panel import create_app
from panel.auth import passwords
from panel.models import AuditEntry, LoginAttempt
from tests.web import PASSWORD, QUICK_HASH, csrf_token, person

MORNING = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def attempt(app, username, password="wrong-one-9", address="10.0.0.1", **more):
    client = app.test_client()
    return client.post(
        "/login",
        data={"username": username, "password": password, "csrf_token": csrf_token(client), **more},
        environ_overrides={"REMOTE_ADDR": address},
    )


def test_s13_wrong_passwords_for_one_name_wait_longer_and_longer(app):
    with time_machine.travel(MORNING, tick=False) as clock:
        waits = []
        for _ in range(20):
            answer = attempt(app, "maryam")
            if answer.status_code == 429:
                waits.append(int(answer.headers["Retry-After"]))
                clock.shift(timedelta(seconds=waits[-1]))
        assert waits == sorted(waits)
        assert waits[0] == 1
        assert max(waits) <= 60
        assert len(waits) >= 5


def test_s13_nobody_is_locked_out_for_good(app):
    with time_machine.travel(MORNING, tick=False) as clock:
        for _ in range(30):
            attempt(app, "maryam", address="10.0.0.2")
        assert attempt(app, "maryam", PASSWORD).status_code == 429
        clock.shift(timedelta(minutes=1))
        assert attempt(app, "maryam", PASSWORD).status_code == 302


def test_s13_refused_attempts_do_not_stretch_the_wait(app, rows):
    with time_machine.travel(MORNING, tick=False):
        answers = [attempt(app, "maryam").status_code for _ in range(20)]
        with rows() as session:
            noted = session.scalar(select(func.count()).select_from(LoginAttempt))
        assert noted == answers.count(401) == 5


def test_s13_many_names_from_one_address_are_slowed_down_too(app):
    with time_machine.travel(MORNING, tick=False):
        answers = [attempt(app, f"name{number}").status_code for number in range(40)]
        assert 429 in answers
        assert attempt(app, "reza", PASSWORD, address="10.0.0.9").status_code == 302


def test_s13_all_workers_count_together(app, web_config):
    other = create_app(web_config)
    try:
        with time_machine.travel(MORNING, tick=False):
            answers = [attempt([app, other][number % 2], "maryam").status_code for number in range(6)]
        assert answers == [401] * 5 + [429]
    finally:
        from panel.extensions import db

        with other.app_context():
            db.engine.dispose()


def test_s13_failed_attempts_are_in_the_trail(app, rows):
    attempt(app, "maryam", address="10.0.0.7")
    with rows() as session:
        entry = session.scalars(select(AuditEntry)).one()
    assert (entry.actor, entry.action, entry.address) == ("maryam", "login_failed", "10.0.0.7")


def test_s13_a_password_typed_into_the_names_box_is_kept_nowhere(app, rows):
    attempt(app, "violet-train-7")
    with rows() as session:
        kept = str([row.actor for row in session.scalars(select(AuditEntry))])
        kept += str([row.username for row in session.scalars(select(LoginAttempt))])
    assert "violet" not in kept


def test_s14_a_wrong_password_and_an_unknown_name_answer_alike(app):
    known, unknown = attempt(app, "maryam"), attempt(app, "nobody")
    assert known.status_code == unknown.status_code == 401
    page = [answer.get_data(as_text=True) for answer in (known, unknown)]
    with app.test_request_context(), force_locale("fa"):
        from flask_babel import gettext

        sentence = gettext("The user name or the password is not right.")
    assert sentence in page[0]
    assert sentence in page[1]


@pytest.mark.parametrize("username", ["nobody", "maryam"])
def test_s14_an_unknown_name_costs_the_same_work(app, monkeypatch, username):
    hashed = []

    class Counting:
        def verify(self, stored, password):
            hashed.append(password)
            raise passwords.VerificationError

    monkeypatch.setattr(passwords, "_hasher", Counting())
    attempt(app, username)
    assert hashed == ["wrong-one-9"]


def test_s14_a_disabled_user_is_told_nothing_more(app, rows):
    from panel.db import writing
    from panel.models import User

    with writing(rows) as session:
        session.get(User, person(rows, "sara").id).active = False
    assert attempt(app, "sara", PASSWORD).status_code == 401


def test_s15_passwords_are_kept_as_argon2id_at_their_full_cost():
    assert passwords.hash_password("violet-train-7").startswith("$argon2id$v=19$m=32768,t=3,p=1$")


def test_s15_a_cheaper_hash_of_former_times_is_made_anew_at_the_next_sign_in(own_app, rows):
    assert person(rows, "maryam").password_hash == QUICK_HASH
    assert attempt(own_app, "maryam", PASSWORD).status_code == 302
    assert person(rows, "maryam").password_hash.startswith("$argon2id$v=19$m=32768,t=3,p=1$")


@pytest.mark.parametrize(
    "password",
    [
        "password1",
        "P@ssw0rd!",
        "12345678",
        "qwerty123",
        "1qaz2wsx",
        "Golestan1402",
        "11111111",
        "09121234567",
    ],
)
def test_s15_what_others_would_try_first_is_refused(app, password):
    with app.test_request_context():
        assert passwords.check_password_rules(password)


@pytest.mark.parametrize(
    "password",
    [
        "orange-lamp-42",
        "correct horse battery",
        "توت‌فرنگی سبز",
        " ".join(f"lantern{n}" for n in range(70, 90)),
    ],
)
def test_s15_long_and_uncommon_ones_are_taken_and_not_cut(app, password):
    with app.test_request_context():
        assert passwords.check_password_rules(password, "maryam") == []
    stored = passwords.hash_password(password)
    assert passwords.verify_password(stored, password)
    assert not passwords.verify_password(stored, password[:-1])


def test_s15_the_password_is_not_the_name(app):
    with app.test_request_context():
        assert passwords.check_password_rules("maryam-2026-x", "maryam")


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "\t//evil.example"]
    + [
        "/\t/evil.example",
        "\\\\evil.example",
        "http:evil.example",
        "/\n/evil.example",
        "///evil.example",
        "",
    ],
)
def test_s16_after_signing_in_nobody_is_sent_elsewhere(app, target):
    assert attempt(app, "maryam", PASSWORD, next=target).location == "/"


def test_s16_a_page_of_ours_is_found_again(app):
    assert attempt(app, "maryam", PASSWORD, next="/users/?page=2").location == "/users/?page=2"
