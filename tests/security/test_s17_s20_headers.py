"""S17 host names, S18 scripts in data, S19 content policy, S20 headers of every answer."""

import dataclasses
import re

import pytest

from panel import create_app
from panel.clock import utcnow
from panel.db import writing
from panel.models import AuditEntry, Campus, User
from tests.web import QUICK_HASH, routes, sign_in

EVIL = "\"><script>alert('x')</script><img src=x onerror=alert(1)>"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"])
def test_s17_another_hosts_name_is_refused(client, host):
    assert client.get("/login", headers={"Host": host}).status_code == 400
    assert client.get("/healthz", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"])
def test_s17_our_own_names_are_taken(client, host):
    assert client.get("/login", headers={"Host": host}).status_code == 200


def test_s17_a_panel_on_every_address_takes_every_name(web_config, rows):
    client = create_app(dataclasses.replace(web_config, host="0.0.0.0")).test_client()
    assert client.get("/login", headers={"Host": "panel.example.ac.ir"}).status_code == 200


def test_s17_names_behind_a_proxy_are_named_in_the_settings(web_config, rows):
    config = dataclasses.replace(web_config, trusted_hosts=("panel.example.ac.ir",))
    client = create_app(config).test_client()
    assert client.get("/login", headers={"Host": "panel.example.ac.ir"}).status_code == 200
    assert client.get("/login", headers={"Host": "evil.example"}).status_code == 400


def test_s17_behind_one_proxy_the_last_entry_counts_and_no_other(web_config, rows):
    config = dataclasses.replace(web_config, trusted_hosts=("panel.example.ac.ir",), proxies=1)
    client = create_app(config).test_client()
    headers = {
        "X-Forwarded-For": "6.6.6.6, 10.0.0.5",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "panel.example.ac.ir",
    }
    page = client.get("/login", headers=headers)
    assert "__Host-hamgam=" in page.headers["Set-Cookie"]
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.get_data(as_text=True)).group(1)
    client.post(
        "/login",
        data={"username": "maryam", "password": "wrong-one-9", "csrf_token": token},
        headers={**headers, "Cookie": page.headers["Set-Cookie"].split(";")[0]},
    )
    with rows() as session:
        assert [entry.address for entry in session.query(AuditEntry)] == ["10.0.0.5"]


def test_s17_a_forged_forwarding_header_changes_nothing(app, client, rows):
    headers = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    answer = client.get("/runs/", headers=headers)
    assert answer.location.startswith("/login")
    assert "Strict-Transport-Security" not in answer.headers
    client.post("/login", data={"username": "maryam"}, headers=headers)
    with rows() as session:
        assert session.query(AuditEntry).filter(AuditEntry.address == "6.6.6.6").count() == 0


def test_s18_names_that_hold_html_are_shown_as_text(maryam, rows):
    with writing(rows) as session:
        session.add(Campus(pardis_code="1110", name=EVIL))
        session.add(
            User(username="x", full_name=EVIL, password_hash=QUICK_HASH, role="viewer", created_at=utcnow())
        )
        session.add(
            AuditEntry(at=utcnow(), actor=EVIL[:150], action=EVIL[:64], subject=EVIL, details={"a": EVIL})
        )
    for address in ("/campuses/", "/campuses/edit/?id=1", "/users/", "/users/edit/?id=4", "/audit/"):
        page = maryam.get(address).get_data(as_text=True)
        assert "alert(" in page, address
        assert "<script>alert" not in page
        assert "<img" not in page
    page = maryam.get("/campuses/", query_string={"search": EVIL}).get_data(as_text=True)
    assert "<script>alert" not in page


def pages(app, client):
    for address, rule in routes(app):
        if rule.methods and "GET" in rule.methods and not rule.endpoint.startswith(("static", "api.")):
            answer = client.get(address)
            if answer.mimetype == "text/html":
                yield address, answer


def test_s19_no_page_needs_inline_handlers_or_styles(app, maryam):
    looked_at = 0
    for address, answer in pages(app, maryam):
        page = answer.get_data(as_text=True)
        looked_at += 1
        assert not re.search(r"<[^>]+\son[a-z]+\s*=", page), f"{address} has an inline handler"
        assert not re.search(r"<[^>]+\sstyle\s*=", page), f"{address} has an inline style"
        assert "javascript:" not in page, address
        nonce = re.search(r"'nonce-([^']+)'", answer.headers["Content-Security-Policy"]).group(1)
        for tag in re.findall(r"<(?:script|style)\b[^>]*>", page):
            assert f'nonce="{nonce}"' in tag, f"{address}: {tag}"
    assert looked_at >= 8


def test_s19_each_answer_has_a_nonce_of_its_own(client):
    policies = {client.get("/login").headers["Content-Security-Policy"] for _ in range(3)}
    assert len(policies) == 3
    for policy in policies:
        for rule in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"):
            assert rule in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("address", "status"),
    [("/login", 200), ("/", 302), ("/api/v1/runs", 401), ("/static/nothing.css", 404), ("/crash", 500)],
)
def test_s20_every_answer_has_the_headers(own_app, address, status):
    def crash():
        raise RuntimeError("the secret of the crash")

    own_app.add_url_rule("/crash", "health.healthz2", crash)
    own_app.view_functions["auth.set_locale"] = crash
    if address == "/crash":
        from panel.auth import gate

        own_app.view_functions["health.healthz"] = crash
        address = "/healthz"
        assert "health.healthz" in gate.PUBLIC
    answer = own_app.test_client().get(address, base_url="https://localhost")
    assert answer.status_code == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    if "/static/" not in address:
        assert answer.headers["Cache-Control"] == "no-store"
    assert b"the secret of the crash" not in answer.data


def test_s20_hsts_is_not_promised_over_plain_http(client):
    assert "Strict-Transport-Security" not in client.get("/login").headers


def test_s41_a_crash_shows_a_number_and_no_traceback(own_app, caplog):
    def crash(*_args, **_kwargs):
        raise RuntimeError("the secret of the crash")

    own_app.view_functions["account.index"] = crash
    answer = sign_in(own_app.test_client(), "maryam").get("/account/")
    page = answer.get_data(as_text=True)
    number = re.search(r"<code[^>]*>([0-9a-f]{8})</code>", page).group(1)
    assert answer.status_code == 500
    assert "Traceback" not in page
    assert "the secret of the crash" not in page
    assert number in caplog.text
    assert "the secret of the crash" in caplog.text
    assert own_app.debug is False
