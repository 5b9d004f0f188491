"""Schedules by the calendar on the settings page, and the calendar's own page."""

import io
import re
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core.clean import to_gregorian, to_jalali
from panel import holidays
from panel.clock import utcnow
from panel.db import writing
from panel.engine import windows
from panel.engine.windows import Typed
from panel.models import AuditEntry, CalendarSpan, DataSync, SkippedTick
from panel.zones import TEHRAN
from tests.panel.admin.conftest import read
from tests.panel.admin.test_settings_page import PAGE, filled, save, sync
from tests.web import csrf_token

House = sessionmaker[Session]
NEXT = "/syncs/students/next"


def rules(house: House) -> windows.Rules:
    row = sync(house)
    assert row.schedule_kind == "calendar" and row.calendar_rules and row.next_run_at
    return windows.from_json(row.calendar_rules)


def checked(page: str) -> str:
    found = re.search(r'name="schedule_kind" value="(\w+)" checked', page)
    assert found
    return found[1]


def list_registration(house: House, days_ahead: int = 3) -> None:
    first = utcnow().astimezone(TEHRAN).date() + timedelta(days=days_ahead)
    line = holidays.Line("registration", first, first + timedelta(days=6))
    with writing(house) as session:
        holidays.write(session, [line], keep=True)


def test_ready_made_schedules_are_saved_and_recognised_again(house: House, maryam: FlaskClient) -> None:
    assert save(maryam, schedule_kind="nightly", night_at="۰۱:۴۵").status_code == 302
    assert rules(house) == windows.read(Typed(at="01:45"))
    page = read(maryam, PAGE)
    assert checked(page) == "nightly" and 'name="night_at" value="01:45"' in page

    typed = {"schedule_kind": "registration", "often_minutes": "20", "often_at": "03:00"}
    assert save(maryam, **typed).status_code == 302
    assert rules(house) == windows.read(Typed(at="03:00", registration="20"))
    page = read(maryam, PAGE)
    assert checked(page) == "registration" and 'name="often_minutes" value="20"' in page


def test_every_box_of_the_details_is_saved_and_shown_again(house: House, maryam: FlaskClient) -> None:
    typed = {
        "schedule_kind": "calendar",
        "cal_at": "03:00, 14:30",
        "cal_on": "week",
        "cal_busy": "10",
        "cal_busy_on": "working",
        "cal_weeks": "terms",
        "cal_before": "7",
        "cal_after": "30",
        "cal_quiet_from": "22:00",
        "cal_quiet_to": "01:00",
    }
    values = filled(read(maryam, PAGE))
    for day in ("sat", "sun", "mon", "tue", "wed", "thu", "fri"):
        values.pop(f"cal_{day}", None)
    del values["cal_holidays"]
    values.update(typed, cal_thu="1", cal_fri="1", csrf_token=csrf_token(maryam, "/"))
    assert maryam.post(PAGE, data=values).status_code == 302
    expected = Typed(
        at="03:00 14:30",
        on="thu,fri",
        registration="10",
        registration_on="working",
        weeks="7,30",
        quiet_from="22:00",
        quiet_to="01:00",
        holidays=True,
    )
    assert rules(house) == windows.read(expected)
    page = read(maryam, PAGE)
    assert checked(page) == "calendar"
    for box in ('cal_at" value="03:00, 14:30"', 'cal_before" value="7"', 'cal_quiet_to" value="01:00"'):
        assert box in page
    assert 'name="cal_thu" value="1" checked' in page and 'name="cal_sat" value="1">' in page
    assert 'value="terms" selected' in page and 'value="week" selected' in page
    assert 'name="cal_holidays" value="1">' in page
    # What is shown is what is saved: sending it back changes nothing.
    before = sync(house)
    values = filled(page) | {"cal_on": "week", "cal_weeks": "terms", "cal_busy_on": "working"}
    assert maryam.post(PAGE, data=values | {"csrf_token": csrf_token(maryam, "/")}).status_code == 302
    after = sync(house)
    assert (after.calendar_rules, after.next_run_at) == (before.calendar_rules, before.next_run_at)
    with house() as session:
        actions = [entry.action for entry in session.scalars(select(AuditEntry))]
    assert actions.count("schedule_changed") == 1


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"schedule_kind": "nightly", "night_at": ""}, "Give a time of the day"),
        ({"schedule_kind": "nightly", "night_at": "26:00"}, "is not a time"),
        ({"schedule_kind": "registration", "often_minutes": "", "often_at": "02:30"}, "1 to 1440"),
        ({"schedule_kind": "calendar", "cal_at": "", "cal_minutes": ""}, "Give a time of the day"),
        (
            {"schedule_kind": "calendar", "cal_at": "02:30", "cal_on": "dates", "cal_dates": ""},
            "at least one",
        ),
        (
            {"schedule_kind": "calendar", "cal_at": "02:30", "cal_quiet_from": "22:00"},
            "a beginning and an end",
        ),
        ({"schedule_kind": "calendar", "cal_busy": "15"}, "lists no registration weeks"),
        ({"schedule_kind": "off", "paused_until": "1390/01/01"}, "in the future"),
        ({"schedule_kind": "off", "paused_until": "soon"}, "is not a moment"),
    ],
)
def test_what_cannot_be_is_said_while_it_is_typed_and_when_it_is_saved(
    house: House, maryam: FlaskClient, typed: dict[str, str], words: str
) -> None:
    assert words in maryam.get(NEXT, query_string={**typed, "lang": "en"}).get_data(as_text=True)
    answer = save(maryam, **typed)
    assert answer.status_code == 422 and words in answer.get_data(as_text=True)
    assert sync(house).schedule_kind == "off" and sync(house).paused_until is None


def test_the_next_five_times_come_as_one_types(house: House, maryam: FlaskClient) -> None:
    typed = {
        "schedule_kind": "calendar",
        "cal_at": "02:30",
        "cal_on": "dates",
        "cal_dates": "12/آخر",
        "cal_holidays": "1",
    }
    page = maryam.get(NEXT, query_string={**typed, "lang": "fa"}).get_data(as_text=True)
    found = re.findall(r'<li class="num">(\S+) (\d{4}/\d\d/\d\d) (\d\d:\d\d)</li>', page)
    assert len(found) == 5
    assert {day[4:8] for _, day, _ in found} == {"/۱۲/"} and {at for _, _, at in found} == {"۰۲:۳۰"}
    assert "هیچ تعطیلی‌ای در تقویم نیست" in page
    page = maryam.get(NEXT, query_string={**typed, "lang": "en"}).get_data(as_text=True)
    assert len(re.findall(r"\w+day \d{4}-\d\d-\d\d 02:30 \(\d{4}/12/(?:29|30)\)", page)) == 5
    assert sync(house).schedule_kind == "off"


def test_registration_weeks_are_seen_in_the_next_times(house: House, maryam: FlaskClient) -> None:
    typed = {"schedule_kind": "registration", "often_minutes": "15", "often_at": "02:30", "lang": "en"}
    assert "No registration weeks are listed" in maryam.get(NEXT, query_string=typed).get_data(as_text=True)
    list_registration(house, days_ahead=0)
    page = maryam.get(NEXT, query_string=typed).get_data(as_text=True)
    assert "No registration weeks" not in page
    minutes = [int(text) for text in re.findall(r"\d\d:(\d\d) \(", page)]
    assert len(minutes) == 5 and {minute % 15 for minute in minutes} == {0}


def test_a_pause_is_typed_shown_and_lifted(house: House, maryam: FlaskClient) -> None:
    save(maryam, schedule_kind="interval", interval_minutes="60")
    until = (utcnow() + timedelta(days=3)).replace(minute=0, second=0, microsecond=0)
    text = f"{until.astimezone(TEHRAN):%Y-%m-%d %H:%M}"
    assert save(maryam, paused_until=text).status_code == 302
    assert sync(house).paused_until == until
    page = read(maryam, PAGE)
    assert f'name="paused_until" value="{text}"' in page
    shown = re.search(r'<li class="num">\w+ (\S+ \S+)', page)
    assert shown
    first = datetime.strptime(shown[1], "%Y-%m-%d %H:%M").replace(tzinfo=TEHRAN)
    assert until <= first < until + timedelta(hours=1), "the next times are those after the pause"
    # The students are running in this house; the row says all the same that their schedule rests.
    assert f"Paused until {text}." in read(maryam, "/")
    token = csrf_token(maryam, "/")
    maryam.post("/syncs/students/resume", data={"csrf_token": token})
    assert sync(house).paused_until is None
    with house() as session:
        done = [entry.action for entry in session.scalars(select(AuditEntry))]
    assert done.count("sync_paused") == 1 and done.count("sync_resumed") == 1
    assert "until:" in read(maryam, "/audit/")


def test_turns_without_a_run_are_listed_with_their_reason(house: House, maryam: FlaskClient) -> None:
    now = utcnow()
    with writing(house) as session:
        key = session.scalars(select(DataSync.id).where(DataSync.key == "students")).one()
        session.add(
            SkippedTick(sync_id=key, due_at=now - timedelta(hours=1), reason="still_running", run_id=4)
        )
        session.add(SkippedTick(sync_id=key, due_at=now - timedelta(hours=2), reason="backing_off"))
    page = read(maryam, PAGE)
    assert "the run before it was still going" in page and 'href="/runs/4"' in page
    assert "tried less often" in page


def test_the_status_page_warns_before_the_list_of_holidays_ends(house: House, maryam: FlaskClient) -> None:
    assert 'data-need="calendar"' not in read(maryam, "/")
    save(maryam, schedule_kind="nightly", night_at="02:30")
    page = read(maryam, "/")
    assert 'data-need="calendar"' in page and "synced on holidays too: Students." in page
    far = utcnow().date() + timedelta(days=90)
    with writing(house) as session:
        holidays.write(session, [holidays.Line("holiday", far, far)], keep=True)
    assert 'data-need="calendar"' not in read(maryam, "/")


def test_a_schedule_that_has_run_out_is_seen_in_its_row(house: House, maryam: FlaskClient) -> None:
    with writing(house) as session:
        faculty = session.scalars(select(DataSync).where(DataSync.key == "faculty")).one()
        faculty.schedule_kind, faculty.next_run_at = "calendar", None
        faculty.calendar_rules = windows.read(Typed(registration="15")).to_json()
    assert "Does not come due any more" in read(maryam, "/")


# -- the calendar's page -----------------------------------------------------------------------------------


def post(client: FlaskClient, path: str, **form: object) -> str:
    form["csrf_token"] = csrf_token(client, "/")
    answer = client.post(f"/calendar/{path}?lang=en", data=form, follow_redirects=True)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def spans(house: House) -> list[CalendarSpan]:
    with house() as session:
        return list(session.scalars(select(CalendarSpan).order_by(CalendarSpan.first)))


def test_a_file_is_imported_and_its_bad_lines_are_told(house: House, maryam: FlaskClient) -> None:
    save(maryam, schedule_kind="nightly", night_at="02:30")
    planned = sync(house).next_run_at
    assert planned
    day = planned.astimezone(TEHRAN).date()
    text = f"{to_jalali(day)},میلاد & ولادت\n1404/12/30,none\n1405/06/15,1405/06/20,ثبت‌نام\n"
    page = post(maryam, "import", file=(io.BytesIO(text.encode()), "days.csv"))
    assert "2 added, 0 removed" in page and "Line 2: The Jalali calendar has no day 1404/12/30." in page
    assert [span.kind for span in spans(house)] in (["registration", "holiday"], ["holiday", "registration"])
    page = read(maryam, f"/calendar/?year={to_jalali(day).year}")
    assert "میلاد &amp; ولادت" in page
    moved = sync(house).next_run_at
    assert moved and moved > planned, "what was planned on the new holiday has moved"
    assert "imported a calendar" in read(maryam, "/audit/")


@pytest.mark.parametrize(("content", "words"), [(b"", "it is empty"), (b"1404/12/30", "no day in this file")])
def test_a_file_without_days_is_refused(
    house: House, maryam: FlaskClient, content: bytes, words: str
) -> None:
    assert words in post(maryam, "import", file=(io.BytesIO(content), "days.csv"))
    assert "Choose a file first" in post(maryam, "import")
    assert spans(house) == []


def test_days_are_added_and_removed_by_hand(house: House, maryam: FlaskClient) -> None:
    typed = {"kind": "registration", "first": "۱۴۰۵/۰۶/۱۵", "last": "1405/06/20", "name": "نیمسال نخست"}
    assert "Added." in post(maryam, "add", **typed)
    [span] = spans(house)
    assert (span.kind, span.first, span.last) == (
        "registration",
        to_gregorian(1405, 6, 15),
        to_gregorian(1405, 6, 20),
    )
    assert "on the calendar already" in post(maryam, "add", **typed)
    assert "no day 1404/12/30" in post(maryam, "add", kind="holiday", first="1404/12/30")
    assert "An entry is" in post(maryam, "add", kind="party", first="1405/01/01")
    assert "Removed." in post(maryam, f"{span.id}/remove")
    assert spans(house) == []


def test_working_days_and_clock_are_chosen(house: House, maryam: FlaskClient) -> None:
    assert "Saved." in post(maryam, "settings", day_sat="1", day_thu="1", zone="Europe/Berlin")
    with house() as session:
        calendar = holidays.calendar(session)
    assert calendar.working_days == {"sat", "thu"} and calendar.zone.key == "Europe/Berlin"
    page = read(maryam, PAGE)
    assert "Working days: Saturday, Thursday." in page and "Europe/Berlin" in page
    assert "no time zone “Mars”" in post(maryam, "settings", day_sat="1", zone="Mars")
    assert "at least one working day" in post(maryam, "settings", zone="Asia/Tehran")
    with house() as session:
        assert holidays.calendar(session).zone.key == "Europe/Berlin"


def test_others_see_the_calendar_and_change_nothing(house: House, reza: FlaskClient) -> None:
    post_to = ("settings", "add", "import", "1/remove")
    assert "Working days:" in read(reza, "/calendar/") and "Import" not in read(reza, "/calendar/")
    form = {"csrf_token": csrf_token(reza, "/")}
    assert {reza.post(f"/calendar/{path}", data=form).status_code for path in post_to} == {403}
    assert reza.get(NEXT).status_code == 403
