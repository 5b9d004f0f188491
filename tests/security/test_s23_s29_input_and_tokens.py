"""S23 nonsense in addresses, S25 mass assignment, S26 read-only lists, S27–S29 API tokens, S38 size, S44 the trail."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import select

from panel.clock import utcnow
from panel.db import writing
from panel.models import ApiToken, AuditEntry, SyncRun, User
from tests.web import PASSWORD, add_sync, bearer, csrf_token, person, routes

NONSENSE = [
    {"page": str(10**20)},
    {"page": "-1", "page_size": str(10**20), "limit": str(10**30)},
    {"id": "abc"},
    {"id": "1,2"},
    {"id": str(10**20)},
    {"sort": "-1", "desc": "x"},
    {"sort": str(10**20)},
    {"flt9_9": "x", "flt": "y", "flt0_0": "z"},
    {"search": "%' OR 1=1 --"},
    {"search": "a\x00b"},
    {"q": "x" * 100_000, "search": "x" * 100_000},
    {"after": "x", "status": "nonsense", "sync": "nonsense"},
    {"lang": "xx"},
]


@pytest.mark.parametrize(
    "query", NONSENSE, ids=lambda query: next(iter(query)) + "=" + next(iter(query.values()))[:9]
)
def test_s23_nonsense_in_an_address_never_crashes(app, maryam, rows, query):
    headers = bearer(rows, "maryam")
    for address, rule in routes(app):
        if rule.methods and "GET" in rule.methods and not rule.endpoint.endswith("static"):
            api = rule.endpoint.startswith("api.")
            answer = maryam.get(address, query_string=query, headers=headers if api else {})
            assert answer.status_code < 500, f"{address} with {sorted(query)}: {answer.status_code}"


@pytest.mark.parametrize("run_id", ["0", str(10**20), "-1", "abc", "1%00"])
def test_s23_a_run_that_cannot_be_is_not_found(client, rows, run_id):
    for tail in ("", "/log", "/partitions"):
        answer = client.get(f"/api/v1/runs/{run_id}{tail}", headers=bearer(rows, "sara", "read"))
        assert answer.status_code in (400, 404)
        assert set(answer.json["error"]) == {"code", "message", "details"}


def test_s25_a_form_sets_only_the_fields_that_it_shows(maryam, rows):
    answer = maryam.post(
        "/users/new/",
        data={
            "username": "navid",
            "role": "viewer",
            "password": PASSWORD,
            "again": PASSWORD,
            "id": "77",
            "session_version": "99",
            "password_hash": "x",
            "active": "",
            "csrf_token": csrf_token(maryam, "/account/"),
        },
    )
    assert answer.status_code == 302
    navid = person(rows, "navid")
    assert (navid.id != 77, navid.session_version, navid.active) == (True, 1, True)
    assert navid.password_hash.startswith("$argon2id$")


@pytest.mark.parametrize("extra", [{"status": "success"}, {"epoch": 9}, {"triggered_by": "schedule"}])
def test_s25_the_api_refuses_fields_that_it_does_not_know(client, rows, extra):
    add_sync(rows)
    answer = client.post("/api/v1/syncs/students/runs", json=extra, headers=bearer(rows, "reza"))
    assert answer.status_code == 400
    with rows() as session:
        assert session.scalars(select(SyncRun)).all() == []


@pytest.mark.parametrize("address", ["/audit/new/", "/audit/edit/?id=1", "/audit/delete/", "/audit/action/"])
def test_s26_s44_the_trail_cannot_be_edited_even_by_an_administrator(maryam, rows, address):
    with writing(rows) as session:
        session.add(AuditEntry(at=utcnow(), actor="reza", action="login"))
    maryam.post(
        address,
        data={
            "id": "1",
            "rowid": "1",
            "action": "delete",
            "actor": "somebody else",
            "csrf_token": csrf_token(maryam, "/account/"),
        },
    )
    with rows() as session:
        assert {entry.actor for entry in session.scalars(select(AuditEntry))} == {"maryam", "reza"}
        assert session.query(AuditEntry).count() == 2


def test_s26_no_user_is_deleted_in_bulk(maryam, rows):
    data = {"rowid": ["2", "3"], "action": "delete", "csrf_token": csrf_token(maryam, "/account/")}
    maryam.post("/users/action/", data=data)
    maryam.post("/users/delete/", data={**data, "id": "3"})
    with rows() as session:
        assert session.query(User).count() == 3


def test_s27_a_token_is_kept_as_a_hash_alone(rows):
    secret = bearer(rows, "reza")["Authorization"].removeprefix("Bearer ")
    with rows() as session:
        token = session.scalars(select(ApiToken)).one()
    kept = " ".join(str(getattr(token, column.key)) for column in ApiToken.__table__.columns)
    assert secret not in kept
    assert token.sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert secret.startswith(token.prefix)
    assert len(secret) >= 43 + len("hamgam_")


def test_s27_the_page_shows_a_new_token_once(maryam, rows):
    answer = maryam.post(
        "/tokens/new/",
        data={
            "name": "night report",
            "owner": person(rows, "reza").id,
            "scope": "write",
            "lifetime": "90",
            "csrf_token": csrf_token(maryam, "/account/"),
        },
    )
    with rows() as session:
        token = session.scalars(select(ApiToken)).one()
    page = answer.get_data(as_text=True)
    secret = page[page.index(token.prefix) :].split("<")[0]
    assert hashlib.sha256(secret.encode()).hexdigest() == token.sha256
    assert secret not in maryam.get("/tokens/").get_data(as_text=True)
    assert answer.headers["Cache-Control"] == "no-store"


def test_s28_a_token_in_the_address_opens_nothing(client, rows):
    secret = bearer(rows, "reza")["Authorization"].removeprefix("Bearer ")
    for name in ("token", "access_token", "Authorization"):
        assert client.get("/api/v1/runs", query_string={name: secret}).status_code == 401


def test_s28_a_session_cookie_opens_no_door_of_the_api(app, maryam):
    for address, rule in routes(app):
        if rule.endpoint.startswith("api."):
            for method in (rule.methods or set()) - {"OPTIONS"}:
                assert maryam.open(address, method=method).status_code == 401


def test_s28_a_token_opens_no_page(client, rows):
    assert client.get("/users/", headers=bearer(rows, "maryam")).status_code == 302


def test_s29_a_token_that_reads_changes_nothing(client, rows):
    add_sync(rows)
    headers = bearer(rows, "reza", "read")
    assert client.get("/api/v1/syncs", headers=headers).status_code == 200
    assert client.post("/api/v1/syncs/students/runs", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "change",
    [{"revoked_at": utcnow() - timedelta(seconds=1)}, {"expires_at": utcnow() - timedelta(seconds=1)}],
    ids=["revoked", "expired"],
)
def test_s29_a_token_that_has_ended_opens_nothing(client, rows, change):
    assert client.get("/api/v1/syncs", headers=bearer(rows, "reza", **change)).status_code == 401


def test_s29_a_token_dies_with_its_user(client, rows):
    headers = bearer(rows, "reza")
    with writing(rows) as session:
        session.get(User, person(rows, "reza").id).active = False
    assert client.get("/api/v1/syncs", headers=headers).status_code == 401


def test_s29_a_revoked_token_stops_at_once(client, maryam, rows):
    headers = bearer(rows, "reza")
    assert client.get("/api/v1/syncs", headers=headers).status_code == 200
    maryam.post("/tokens/revoke/", data={"id": "1", "csrf_token": csrf_token(maryam, "/account/")})
    assert client.get("/api/v1/syncs", headers=headers).status_code == 401


def test_s38_a_body_that_is_too_large_is_refused(client, maryam, rows):
    large = b"x" * (3 * 1024 * 1024)
    headers = {**bearer(rows, "reza"), "Content-Type": "application/json"}
    assert client.post("/api/v1/syncs/students/runs", data=large, headers=headers).status_code == 413
    answer = maryam.post(
        "/campuses/import/", data=large, headers={"X-CSRFToken": csrf_token(maryam, "/account/")}
    )
    assert answer.status_code == 413


def test_s44_signing_in_and_out_is_in_the_trail(maryam, rows):
    maryam.post("/logout", data={"csrf_token": csrf_token(maryam, "/account/")})
    with rows() as session:
        assert [entry.action for entry in session.scalars(select(AuditEntry))] == ["login", "logout"]
