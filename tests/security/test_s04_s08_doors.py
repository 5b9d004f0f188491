"""S04 strangers, S05 roles, S06 CSRF, S07 changes by GET, S08 foreign origins: over every route there is."""

import pytest
from sqlalchemy import func, select

from panel.auth.gate import OWN_BUSINESS, PUBLIC
from panel.models import ApiToken, AuditEntry, Campus, LoginAttempt, SyncRun, User
from tests.web import add_sync, bearer, csrf_token, routes, unsafe_methods

ADMIN_ONLY = ("/users/", "/tokens/", "/campuses/", "/audit/")


def counted(rows):
    with rows() as session:
        return [
            session.scalar(select(func.count()).select_from(model))
            for model in (User, ApiToken, Campus, SyncRun, AuditEntry, LoginAttempt)
        ]


def test_s04_a_stranger_opens_nothing_but_the_named_doors(app):
    seen = set()
    for address, rule in routes(app):
        if rule.endpoint in PUBLIC:
            seen.add(rule.endpoint)
            continue
        for method in (rule.methods or set()) - {"OPTIONS"}:
            answer = app.test_client().open(address, method=method)
            refused = answer.status_code == 401 or (
                answer.status_code == 302 and answer.location.startswith("/login")
            )
            assert refused, f"{method} {address} answered a stranger with {answer.status_code}"
    assert seen == set(PUBLIC), "a public door that is no route: take it off the list"


def test_s04_a_page_that_somebody_forgot_to_protect_is_closed(own_app):
    own_app.add_url_rule("/forgotten", "forgotten", lambda: "all the secrets")
    answer = own_app.test_client().get("/forgotten")
    assert answer.status_code == 302
    assert b"all the secrets" not in answer.data


def test_s04_a_stranger_does_not_learn_which_pages_there_are(client):
    assert client.get("/no/such/page").status_code == 302


def test_s05_a_viewer_changes_nothing(app, sara, rows):
    headers = {"X-CSRFToken": csrf_token(sara, "/account/")}
    before = counted(rows)
    for address, rule in routes(app):
        if rule.endpoint in PUBLIC | OWN_BUSINESS or rule.endpoint.startswith("api."):
            continue
        for method in unsafe_methods(rule):
            answer = sara.open(address, method=method, headers=headers)
            assert answer.status_code == 403, f"{method} {address}: {answer.status_code}"
    assert counted(rows) == before


def test_s05_an_operator_does_not_touch_people_tokens_campuses_and_the_trail(app, reza, rows):
    headers = {"X-CSRFToken": csrf_token(reza, "/account/")}
    before = counted(rows)
    for address, rule in routes(app):
        if not address.startswith(ADMIN_ONLY):
            continue
        for method in unsafe_methods(rule):
            answer = reza.open(address, method=method, headers=headers)
            assert answer.status_code == 403, f"{method} {address}: {answer.status_code}"
    assert counted(rows) == before


@pytest.mark.parametrize("address", ["/users/", "/tokens/", "/audit/", "/users/edit/?id=1", "/users/new/"])
def test_s05_lists_of_people_and_tokens_are_for_administrators(address, maryam, reza, sara):
    assert maryam.get(address).status_code == 200
    assert reza.get(address).status_code == 403
    assert sara.get(address).status_code == 403


def test_s05_a_token_of_a_viewer_starts_nothing(client, rows):
    add_sync(rows)
    answer = client.post("/api/v1/syncs/students/runs", headers=bearer(rows, "sara", "write"))
    assert answer.status_code == 403


def test_s06_no_change_without_the_forms_token(app, maryam, rows):
    add_sync(rows)
    before = counted(rows)
    for address, rule in routes(app):
        for method in unsafe_methods(rule):
            expected = 401 if rule.endpoint.startswith("api.") else 400
            answer = maryam.open(address, method=method)
            assert answer.status_code == expected, f"{method} {address}: {answer.status_code}"
    assert counted(rows) == before


def test_s06_a_token_of_another_session_does_not_pass(app, maryam, sara):
    answer = maryam.post("/logout", data={"csrf_token": csrf_token(sara, "/account/")})
    assert answer.status_code == 400
    assert maryam.get("/account/").status_code == 200


def test_s07_what_changes_something_is_not_asked_with_get(app, maryam):
    for address, rule in routes(app):
        if rule.methods and "GET" not in rule.methods:
            answer = maryam.get(address, headers={"Authorization": "Bearer none"})
            assert answer.status_code in (401, 404, 405), f"GET {address}: {answer.status_code}"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_s08_a_form_on_another_site_is_refused_even_with_the_right_token(maryam, headers):
    token = csrf_token(maryam, "/account/")
    answer = maryam.post("/logout", data={"csrf_token": token}, headers=headers)
    assert answer.status_code == 403
    assert maryam.get("/account/").status_code == 200


def test_s08_our_own_pages_pass(maryam):
    token = csrf_token(maryam, "/account/")
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert maryam.post("/logout", data={"csrf_token": token}, headers=headers).status_code == 302
