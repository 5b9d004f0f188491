"""The settings form: made from the fetcher's declaration, secrets write-only, schedules checked."""

import re
from datetime import timedelta
from typing import Literal

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from fetchers.core.fetcher import Fetcher, HttpSettings, Label, Setting
from fetchers.core.registry import Listing
from panel import create_app, probe
from panel.clock import utcnow
from panel.config import Config, load
from panel.db import writing
from panel.models import AuditEntry, DataSync
from panel.settings import MASK, vault
from tests.panel.admin.conftest import read
from tests.panel.admin.example_house import PASSWORD
from tests.web import csrf_token, sign_in

House = sessionmaker[Session]
PAGE = "/syncs/students/settings"


def sync(house: House, key: str = "students") -> DataSync:
    with house() as session:
        found = session.scalar(select(DataSync).where(DataSync.key == key))
        assert found
        return found


def filled(page: str) -> dict[str, str]:
    """What a browser would send back from the form as it stands."""
    form = page.split('class="card" novalidate>')[1]
    values = {}
    for field in re.findall(r"<input [^>]*>", form):
        attrs = dict(re.findall(r'(\w[\w-]*)="([^"]*)"', field))
        if attrs.get("type") in ("radio", "checkbox") and " checked" not in field:
            continue
        if "name" in attrs:
            values[attrs["name"]] = attrs.get("value", "")
    return values


def save(client: FlaskClient, **typed: str):  # type: ignore[no-untyped-def]
    values = filled(read(client, PAGE))
    values.update(typed, csrf_token=csrf_token(client, "/"))
    return client.post(PAGE + "?lang=en", data=values)


def test_every_declared_setting_has_a_field_with_its_label(house: House, maryam: FlaskClient) -> None:
    page = read(maryam, PAGE)
    for name in ("base_url", "username", "password", "first_term", "connections", "requests_per_second"):
        assert f'name="{name}"' in page
    assert 'name="campuses"' not in page and 'href="/campuses/"' in page, "campuses have a page of their own"
    assert "نخستین نیمسال" in read(maryam, PAGE + "?lang=fa")


def test_the_password_is_never_on_the_page_and_leaving_it_keeps_it(
    house: House, maryam: FlaskClient, web_config: Config
) -> None:
    page = read(maryam, PAGE)
    assert PASSWORD not in page and f'value="{MASK}"' in page
    assert save(maryam, first_term="4021").status_code == 302
    kept = sync(house)
    assert kept.settings["first_term"] == "4021"
    assert vault(web_config).open(kept.secrets) == {"password": PASSWORD}


def test_a_new_password_is_sealed_for_every_source_of_the_gateway_and_not_in_the_trail(
    house: House, maryam: FlaskClient, web_config: Config
) -> None:
    assert save(maryam, password="another-secret-9").status_code == 302
    for key in ("students", "faculty"):
        assert vault(web_config).open(sync(house, key).secrets) == {"password": "another-secret-9"}
    with house() as session:
        trail = [str(entry.details) for entry in session.scalars(select(AuditEntry))]
    assert any("password" in line for line in trail)
    assert not any("another-secret-9" in line for line in trail)


def test_saving_an_untouched_form_changes_nothing(house: House, maryam: FlaskClient) -> None:
    before = sync(house)
    assert save(maryam).status_code == 302
    after = sync(house)
    assert (after.settings, after.schedule_kind, after.timeout_seconds) == (
        before.settings,
        before.schedule_kind,
        before.timeout_seconds,
    )


def test_nothing_is_saved_where_one_value_is_wrong_and_what_was_typed_stays(
    house: House, maryam: FlaskClient
) -> None:
    answer = save(maryam, first_term="1400", retries="99", base_url="https://other.example")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and "Nothing was saved yet" in page
    assert 'value="1400"' in page and 'value="99"' in page and "This must be at most 20." in page
    assert sync(house).settings["base_url"] == "https://gateway.example.ac.ir"


def test_digits_may_be_typed_in_persian(house: House, maryam: FlaskClient) -> None:
    assert save(maryam, retries="۳", schedule_kind="interval", interval_minutes="۹۰").status_code == 302
    saved = sync(house)
    assert (saved.retries, saved.interval_minutes) == (3, 90)


def test_persian_boxes_show_persian_digits_but_for_codes_and_saving_them_as_they_are_changes_nothing(
    house: House, maryam: FlaskClient
) -> None:
    save(maryam, schedule_kind="interval", interval_minutes="90", cron="30 2 * * *")
    before = sync(house)
    values = filled(read(maryam, PAGE + "?lang=fa"))
    assert values["interval_minutes"] == "۹۰" and values["night_at"] == "۰۲:۳۰" and values["retries"] == "۲"
    assert values["first_term"] == "4001"
    answer = maryam.post(PAGE + "?lang=fa", data={**values, "csrf_token": csrf_token(maryam, "/")})
    after = sync(house)
    assert answer.status_code == 302 and after.settings == before.settings
    assert (after.retries, after.interval_minutes) == (before.retries, 90)


def test_a_schedule_is_planned_at_once(house: House, maryam: FlaskClient) -> None:
    assert save(maryam, schedule_kind="interval", interval_minutes="90").status_code == 302
    planned = sync(house)
    assert planned.next_run_at
    assert timedelta(minutes=89) < planned.next_run_at - utcnow() <= timedelta(minutes=90)
    assert save(maryam, schedule_kind="off").status_code == 302
    assert sync(house).next_run_at is None


@pytest.mark.parametrize(
    "typed",
    [
        {"schedule_kind": "cron", "cron": "every day"},
        {"schedule_kind": "cron", "cron": "0 0 31 2 *"},
        {"schedule_kind": "interval", "interval_minutes": "0"},
        {"schedule_kind": "interval", "interval_minutes": ""},
        {"schedule_kind": "interval", "interval_minutes": "-5"},
        {"schedule_kind": "interval", "interval_minutes": "abc"},
        {"schedule_kind": "sometimes"},
    ],
)
def test_a_schedule_that_cannot_be_is_refused(
    house: House, maryam: FlaskClient, typed: dict[str, str]
) -> None:
    assert save(maryam, **typed).status_code == 422
    assert sync(house).schedule_kind == "off"


def test_the_next_times_are_shown_while_a_schedule_is_typed(house: House, maryam: FlaskClient) -> None:
    page = read(maryam, "/syncs/students/next?schedule_kind=cron&cron=30+2+*+*+*")
    assert page.count("02:30") == 5
    assert "cannot be read" in read(maryam, "/syncs/students/next?schedule_kind=cron&cron=99+2+*+*+*")
    assert sync(house).schedule_kind == "off"


def test_what_the_environment_sets_is_shown_as_such_and_cannot_be_typed_over(
    house: House, web_config: Config
) -> None:
    told = {"PANEL_INSTANCE": str(web_config.instance), "GOLESTAN_BASE_URL": "https://set.example"}
    client = sign_in(create_app(load(told)).test_client(), "maryam")
    page = read(client, PAGE)
    box = re.search(r'<input [^>]*name="base_url"[^>]*>', page)
    assert box and "readonly" in box.group() and "https://set.example" in box.group()
    assert "GOLESTAN_BASE_URL" in page
    assert save(client, base_url="https://typed.example").status_code == 302
    assert sync(house).settings["base_url"] == "https://gateway.example.ac.ir"


@pytest.mark.parametrize(
    ("answer", "ok", "words"),
    [
        (probe.ProbeResult(True, message="1 of 1 campuses answers"), True, "1 of 1 campuses answers"),
        (
            probe.ProbeResult(False, "E_AUTH", {"status": 401}, reached="answer"),
            False,
            "user name or password",
        ),
    ],
)
def test_the_connection_test_says_what_the_gateway_said(
    house: House,
    maryam: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    answer: probe.ProbeResult,
    ok: bool,
    words: str,
) -> None:
    asked = []
    monkeypatch.setattr(probe, "check", lambda source, values, config: asked.append(values) or answer)
    told = maryam.post(
        "/syncs/students/check?lang=en",
        data={"csrf_token": csrf_token(maryam, "/")},
        headers={"X-Quiet": "1"},
    ).json
    assert told["ok"] is ok and words in told["html"]
    assert asked[0]["password"] == PASSWORD


SEEN = {
    "stream": "student_terms", "part": "campus=1110,term=4051", "columns": ["codePardis", "studentnum", "fathername"],
    "rows": [["1110", "40011009", "حسن"]], "read": 900, "total": 2300, "parts": 98, "tried": 2, "rejected": 1,
    "duplicates": 0, "odd": [{"reason": "bad_date", "field": "birthdate", "times": 3}], "unknown": ["shoe_size"],
    "empty": ["email"],
}  # fmt: skip


def test_the_first_page_is_shown_and_written_into_the_trail(
    house: House, maryam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = probe.ProbeResult(True, seen=SEEN)
    monkeypatch.setattr(probe, "preview", lambda source, values, config: answer)
    form = {"csrf_token": csrf_token(maryam, "/")}
    page = maryam.post("/syncs/students/preview?lang=en", data=form).get_data(as_text=True)
    for words in (
        "40011009",
        "حسن",
        "2,300",
        "shoe_size",
        "E-mail",
        "part number 2 of the plan",
        "Date of birth",
    ):
        assert words in page, words
    with house() as session:
        trail = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert trail and (trail.actor, trail.action) == ("maryam", "first_page_previewed")


def test_a_preview_that_fails_says_why_in_plain_words(
    house: House, maryam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = probe.ProbeResult(False, "E_AUTH", {"status": 401})
    monkeypatch.setattr(probe, "preview", lambda source, values, config: answer)
    form = {"csrf_token": csrf_token(maryam, "/")}
    page = maryam.post("/syncs/students/preview?lang=en", data=form).get_data(as_text=True)
    assert "There is no first page to show" in page and "user name or password" in page


def test_only_an_administrator_previews(house: House, reza: FlaskClient) -> None:
    form = {"csrf_token": csrf_token(reza, "/")}
    assert reza.post("/syncs/students/preview", data=form).status_code == 403


class RoomsSettings(HttpSettings):
    address: str = Setting("", title=Label("نشانی", "Address"), max_length=50)
    key: SecretStr = Setting(SecretStr(""), title=Label("کلید", "Key"))
    kind: Literal["a", "b"] = Setting("a", title=Label("نوع", "Kind"))
    empty_ones: bool = Setting(True, title=Label("خالی‌ها هم", "Empty ones too"))
    floors: int = Setting(3, title=Label("طبقه‌ها", "Floors"), ge=1, le=9)


class Rooms(Fetcher):
    label = Label("اتاق‌ها", "Rooms")
    Settings = RoomsSettings


def test_a_third_fetcher_gets_its_form_with_nothing_else_edited(
    house: House, maryam: FlaskClient, web_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_file = registry.load
    monkeypatch.setattr(
        registry, "load", lambda key: Listing("rooms", Rooms) if key == "rooms" else load_file(key)
    )
    now = utcnow()
    with writing(house) as session:
        session.add(DataSync(key="rooms", fetcher="rooms", settings={}, created_at=now, updated_at=now))
    path = "/syncs/rooms/settings"
    page = read(maryam, path)
    assert "Empty ones too" in page and '<option value="b">b</option>' in page
    assert re.search(r'name="floors" type="text" inputmode="decimal" value="3"', page)
    typed = {
        **filled(page),
        "key": "a-secret-of-rooms",
        "kind": "b",
        "floors": "7",
        "csrf_token": csrf_token(maryam, "/"),
    }
    del typed["empty_ones"]
    assert maryam.post(path, data=typed).status_code == 302
    saved = sync(house, "rooms")
    assert saved.settings == {"kind": "b", "floors": 7, "empty_ones": False}
    assert vault(web_config).open(saved.secrets) == {"key": "a-secret-of-rooms"}
    assert "a-secret-of-rooms" not in read(maryam, path)
    assert "اتاق‌ها" in read(maryam, "/?lang=fa")


def test_the_connection_is_not_tested_with_a_missing_login(house: House, maryam: FlaskClient) -> None:
    with writing(house) as session:
        found = session.scalar(select(DataSync).where(DataSync.key == "students"))
        assert found
        found.secrets = None
    told = maryam.post(
        "/syncs/students/check?lang=en",
        data={"csrf_token": csrf_token(maryam, "/")},
        headers={"X-Quiet": "1"},
    ).json
    assert told["ok"] is False and "This is needed." in told["message"]
