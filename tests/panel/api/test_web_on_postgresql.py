"""The panel's doors with the control database on PostgreSQL: what SQLite forgives, it does not."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from panel.config import load
from panel.models import Base, SyncRun
from tests.web import PASSWORD, add_sync, bearer, csrf_token, routes

pytestmark = pytest.mark.postgres


@pytest.fixture
def web_config(tmp_path, postgres_database):
    return load({"PANEL_INSTANCE": str(tmp_path / "instance"), "PANEL_DATABASE_URL": postgres_database})


@pytest.fixture(autouse=True)
def emptied(rows):
    yield
    Base.metadata.drop_all(rows.kw["bind"])


def test_people_sign_in_and_wrong_passwords_are_counted(app, client, maryam):
    assert maryam.get("/users/").status_code == 200
    for _ in range(6):
        answer = client.post(
            "/login",
            data={"username": "reza", "password": "wrong-one-9", "csrf_token": csrf_token(client)},
        )
    assert answer.status_code == 429
    data = {"username": "reza", "password": PASSWORD, "csrf_token": csrf_token(client)}
    assert client.post("/login", data=data).status_code == 429


def test_ten_triggers_at_once_start_one_run(app, rows):
    add_sync(rows)
    headers = bearer(rows, "reza")
    together = threading.Barrier(10)

    def trigger(_number):
        client = app.test_client()
        together.wait(timeout=60)
        return client.post("/api/v1/syncs/students/runs", headers=headers).status_code

    with ThreadPoolExecutor(10) as pool:
        answers = sorted(pool.map(trigger, range(10)))
    assert answers == [200] * 9 + [202]
    with rows() as session:
        assert len(session.scalars(select(SyncRun)).all()) == 1


@pytest.mark.parametrize(
    "query",
    [{"search": "a\x00b"}, {"id": str(10**20)}, {"id": "abc"}, {"page": str(10**20), "after": "9" * 30}],
)
def test_nonsense_in_an_address_never_crashes(app, maryam, rows, query):
    headers = bearer(rows, "maryam")
    for address, rule in routes(app):
        if rule.methods and "GET" in rule.methods and not rule.endpoint.endswith("static"):
            api = rule.endpoint.startswith("api.")
            answer = maryam.get(address, query_string=query, headers=headers if api else {})
            assert answer.status_code < 500, f"{address} with {sorted(query)}: {answer.status_code}"


def test_a_nul_in_a_form_is_no_crash(maryam):
    for address, field in (("/users/new/", "username"), ("/campuses/new/", "name"), ("/account/", "present")):
        data = {
            "pardis_code": "1110",
            "username": "navid",
            "role": "viewer",
            "type": "",
            "password": PASSWORD,
            "again": PASSWORD,
            field: "a\x00b",
            "csrf_token": csrf_token(maryam, "/account/"),
        }
        assert maryam.post(address, data=data).status_code < 500
