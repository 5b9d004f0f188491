"""S01 weak secret keys, S02 forged sessions, S03 default accounts."""

import dataclasses
import stat

import pytest
from flask.sessions import SecureCookieSessionInterface

from panel import create_app
from panel.config import ConfigError, load
from panel.db import writing
from panel.models import User
from panel.secret_key import SecretKeyError
from tests.web import csrf_token, person


@pytest.mark.parametrize("key", ["", "short", "changeme" * 5, "a" * 64])
def test_s01_a_weak_key_refuses_to_start(web_config, key):
    with pytest.raises(SecretKeyError):
        create_app(dataclasses.replace(web_config, secret_key=key))


def test_s01_a_short_key_in_the_environment_refuses_to_start_and_names_the_variable(tmp_path):
    with pytest.raises(ConfigError, match="PANEL_SECRET_KEY"):
        load({"PANEL_INSTANCE": str(tmp_path), "PANEL_SECRET_KEY": "short"})


def test_s01_the_first_start_makes_a_random_key_for_its_owner_alone(web_config):
    file = web_config.instance / "secret.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert web_config.secret_key in file.read_text()


def test_s02_a_session_signed_with_another_key_is_nobody(app, client, rows, monkeypatch):
    maryam = person(rows, "maryam")
    now = 4_000_000_000
    forged = {"_user_id": f"{maryam.id}.{maryam.session_version}", "began": now, "seen": now}
    monkeypatch.setattr(app, "secret_key", "the key of somebody else, long enough")
    cookie = SecureCookieSessionInterface().get_signing_serializer(app).dumps(forged)
    monkeypatch.undo()
    client.set_cookie("hamgam", cookie)
    assert client.get("/").status_code == 302


def test_s03_there_is_no_account_that_nobody_made(app, client, rows):
    with writing(rows) as session:
        session.query(User).delete()
    token = csrf_token(client)
    for password in ("admin", "password", ""):
        answer = client.post("/login", data={"username": "admin", "password": password, "csrf_token": token})
        assert answer.status_code == 401
