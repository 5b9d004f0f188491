"""The first steps: each question with its errors, who may open them, the trail."""

import io
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.test import TestResponse

from panel import probe
from panel.clock import utcnow
from panel.config import Config, load
from panel.db import writing
from panel.models import AuditEntry, Campus, DataSync, SyncRun
from panel.settings import vault
from tests.panel.admin.conftest import read
from tests.web import PASSWORD as MARYAMS
from tests.web import csrf_token, sign_in

House = sessionmaker[Session]
STEPS = ("gateway", "login", "test", "campuses", "first-term", "rehearsal", "schedule")
GATEWAY, SECRET = "https://gateway.example.ac.ir", "not-a-real-password"
YES = probe.ProbeResult(
    True, message="The gateway accepted the address and the login.", reached="answer", took=0.0812
)
NO = probe.ProbeResult(False, "E_AUTH", {"status": 401, "host": "gateway.example.ac.ir"}, reached="answer")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[probe.ProbeResult]:
    """What the gateway says, one login after the other; and that its faculty has 1,243 records."""
    said: list[probe.ProbeResult] = []
    monkeypatch.setattr(probe, "check", lambda source, values, config: said.pop(0))
    seen = probe.ProbeResult(True, seen={"total": 1243, "parts": 1})
    monkeypatch.setattr(probe, "preview", lambda source, values, config: seen)
    return said


def tell(client: FlaskClient, step: str, **typed: object) -> TestResponse:
    data = {"csrf_token": csrf_token(client, "/"), **typed}
    return client.post(f"/first-steps/{step}?lang=en", data=data, content_type="multipart/form-data")


def sync(house: House, key: str = "students") -> DataSync:
    with house() as session:
        return session.scalars(select(DataSync).where(DataSync.key == key)).one()


def trail(house: House) -> list[tuple[str, str | None]]:
    with house() as session:
        found = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [(one.action, one.subject) for one in found if one.action != "login"]


def known(house: House, client: FlaskClient) -> None:
    """Address and login are told."""
    assert tell(client, "gateway", base_url=GATEWAY).status_code == 302
    assert tell(client, "login", username="registry", password=SECRET).status_code == 302


def done(page: str) -> list[str]:
    """The steps that a page shows as answered."""
    return re.findall(r'<li class="done"><a href="/first-steps/([a-z-]+)"', page)


def test_a_fresh_panel_points_to_the_first_steps_until_something_is_set_up(
    fresh: House, maryam: FlaskClient, reza: FlaskClient
) -> None:
    page = read(maryam, "/")
    assert 'href="/first-steps/"' in page and 'data-need="missing"' not in page, "the same fact, told twice"
    told = read(reza, "/")
    assert "An administrator sets it up" in told and 'href="/first-steps/"' not in told
    assert "گام‌های نخست" in read(maryam, "/?lang=fa")
    known(fresh, maryam)
    assert 'id="first-steps"' in read(maryam, "/"), "nothing has run and nothing will"
    tell(maryam, "schedule", **{"for.faculty": "1", "schedule_kind": "nightly", "night_at": "02:30"})
    assert 'id="first-steps"' not in read(maryam, "/")
    assert 'href="/first-steps/"' in read(maryam, "/account/"), "it is found later, too"
    assert 'href="/first-steps/"' not in read(reza, "/account/")


@pytest.mark.parametrize("step", ["", "done", "rehearsal/live", "first-term/parts", "schedule/next", *STEPS])
def test_only_administrators_open_them(
    fresh: House, reza: FlaskClient, sara: FlaskClient, client: FlaskClient, step: str
) -> None:
    for person in (reza, sara):
        assert person.get(f"/first-steps/{step}").status_code == 403
    assert client.get(f"/first-steps/{step}").status_code == 302


@pytest.mark.parametrize("step", [*STEPS, "begin", "leave"])
def test_only_administrators_answer_them(fresh: House, reza: FlaskClient, step: str) -> None:
    assert tell(reza, step, base_url=GATEWAY).status_code in (403, 405)
    assert sync(fresh).settings == {} and trail(fresh) == []


@pytest.mark.parametrize("language", ["fa", "en"])
@pytest.mark.parametrize("step", ["", *STEPS, "done"])
def test_each_has_an_address_of_its_own_and_can_be_opened_before_anything_is_said(
    fresh: House, maryam: FlaskClient, step: str, language: str
) -> None:
    page = read(maryam, f"/first-steps/{step}?lang={language}")
    for other in STEPS:
        assert f'href="/first-steps/{other}"' in page
    if language == "fa" and step in STEPS:
        place = "۱۲۳۴۵۶۷"[STEPS.index(step)]
        assert f"گام {place} از ۷" in page


def test_the_address_is_asked_once_for_all_sources_of_the_gateway(fresh: House, maryam: FlaskClient) -> None:
    assert "Asked once, used for: Faculty, Students." in read(maryam, "/first-steps/gateway")
    answer = tell(maryam, "gateway", base_url=GATEWAY)
    assert answer.headers["Location"] == "/first-steps/login"
    assert [sync(fresh, key).settings for key in ("faculty", "students")] == [{"base_url": GATEWAY}] * 2
    assert trail(fresh) == [("settings_changed", "faculty")]
    assert GATEWAY in read(maryam, "/syncs/students/settings"), "it is the setting of the form"


@pytest.mark.parametrize(
    ("typed", "words"), [("", "This is needed."), ("gateway.example", "This does not have the right form.")]
)
def test_an_address_that_cannot_be_is_refused_and_stays_in_its_box(
    fresh: House, maryam: FlaskClient, typed: str, words: str
) -> None:
    answer = tell(maryam, "gateway", base_url=typed)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and words in page and f'value="{typed}"' in page
    assert sync(fresh).settings == {} and trail(fresh) == []


def test_the_login_is_sealed_for_all_sources_and_never_shown(
    fresh: House, maryam: FlaskClient, web_config: Config
) -> None:
    known(fresh, maryam)
    for key in ("faculty", "students"):
        assert vault(web_config).open(sync(fresh, key).secrets) == {"password": SECRET}
    page = read(maryam, "/first-steps/login")
    assert SECRET not in page and 'value="registry"' in page
    assert tell(maryam, "login", username="other", password="--------").status_code == 302
    assert vault(web_config).open(sync(fresh).secrets) == {"password": SECRET}, "left as it was"


def test_a_login_without_a_password_is_not_saved(fresh: House, maryam: FlaskClient) -> None:
    answer = tell(maryam, "login", username="registry", password="")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and page.count("This is needed.") == 1 and 'value="registry"' in page
    assert sync(fresh).settings == {}


def test_what_the_environment_says_is_shown_and_gone_past(
    fresh: House, app: Flask, web_config: Config, maryam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = load({"PANEL_INSTANCE": str(web_config.instance), "GOLESTAN_BASE_URL": "https://set.example"})
    monkeypatch.setitem(app.extensions, "hamgam_config", told)
    page = read(maryam, "/first-steps/gateway")
    assert "readonly" in page and "GOLESTAN_BASE_URL" in page and done(page) == ["gateway"]
    assert tell(maryam, "gateway", base_url="https://typed.example").headers["Location"].endswith("/login")
    assert sync(fresh).settings == {}


def test_the_test_needs_address_and_login(fresh: House, maryam: FlaskClient, answers: list) -> None:
    assert "Address and login come first" in read(maryam, "/first-steps/test")
    assert tell(maryam, "test").status_code == 302
    assert trail(fresh) == [], "nobody was asked"


def test_what_the_gateway_said_is_still_there_after_a_reload_and_in_the_other_language(
    fresh: House, maryam: FlaskClient, answers: list[probe.ProbeResult]
) -> None:
    known(fresh, maryam)
    answers.append(YES)
    assert tell(maryam, "test").headers["Location"] == "/first-steps/test"
    for _look in range(2):
        page = read(maryam, "/first-steps/test")
        assert "answered in 81 milliseconds" in page
        assert "Faculty: the gateway announces 1,243 records." in page
        assert "Students" not in page.split('id="told"')[1], "of its many parts nobody has asked"
        assert page.count("s-success") == 6 and "test" in done(page)
    assert "۸۱ هزارم ثانیه" in read(maryam, "/first-steps/test?lang=fa")
    assert ("connection_tested", "faculty") in trail(fresh)


def test_a_test_that_fails_says_what_is_broken_and_whom_to_call(
    fresh: House, maryam: FlaskClient, answers: list[probe.ProbeResult]
) -> None:
    known(fresh, maryam)
    answers.append(NO)
    tell(maryam, "test")
    page = read(maryam, "/first-steps/test")
    assert "The fault is in the settings here." in page and "user name or password" in page
    assert 'href="/first-steps/login"' in page.split('id="told"')[1]
    assert "test" not in done(page)


MOVED = probe.ProbeResult(False, "E_REDIRECT", {"location": "https://new.example"}, reached="connection")
DOWN = probe.ProbeResult(False, "E_CONNECT", {"reason": "refused"}, reached="name")


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (NO, ("Choose “Change the login” below", "در پایین «تغییر نام کاربری و گذرواژه» را بزنید")),
        (MOVED, ("Choose “Change the address” below", "در پایین «تغییر نشانی» را بزنید")),
        (DOWN, ("tell the gateway", "به پشتیبانی درگاه خبر دهید")),
    ],
)
def test_a_test_that_fails_names_what_there_is_on_its_page(
    fresh: House,
    maryam: FlaskClient,
    answers: list[probe.ProbeResult],
    answer: probe.ProbeResult,
    advice: tuple[str, str],
) -> None:
    known(fresh, maryam)
    answers.append(answer)
    tell(maryam, "test")
    for language, words in zip(("en", "fa"), advice, strict=True):
        told = (
            read(maryam, f"/first-steps/test?lang={language}").split('id="told"')[1].split('class="card')[0]
        )
        assert words in told
        assert "Test connection" not in told and "«آزمایش اتصال»" not in told
        assert "An administrator of this panel" not in told, "that is who is reading"


def test_a_test_counts_until_address_or_login_change(
    fresh: House, maryam: FlaskClient, answers: list[probe.ProbeResult]
) -> None:
    known(fresh, maryam)
    answers.append(YES)
    tell(maryam, "test")
    assert tell(maryam, "first-term", first_term="4041").status_code == 302
    assert "test" in done(read(maryam, "/first-steps/test"))
    tell(maryam, "login", username="registry", password="another-secret")
    page = read(maryam, "/first-steps/test")
    assert "test" not in done(page) and 'id="told"' not in page


def test_the_session_of_who_tested_holds_no_secret(
    fresh: House, app: Flask, maryam: FlaskClient, answers: list[probe.ProbeResult]
) -> None:
    known(fresh, maryam)
    answers.append(YES)
    tell(maryam, "test")
    with maryam.session_transaction() as kept:
        assert kept["first_steps_test"]["took"] == YES.took
        assert SECRET not in str(dict(kept))


def test_a_gateway_is_not_asked_again_and_again(
    fresh: House, maryam: FlaskClient, answers: list[probe.ProbeResult]
) -> None:
    known(fresh, maryam)
    answers.extend([NO] * 6)
    for _press in range(7):
        tell(maryam, "test")
    assert answers == [], "the seventh was not asked"
    assert "several times just now" in read(maryam, "/first-steps/test")


def test_campuses_are_typed_as_people_have_them(fresh: House, maryam: FlaskClient) -> None:
    typed = "کد\tنام پردیس\n۱۱۱۰ پردیس شمال\n1120\tپردیس جنوب\n\n1130, 1140\n1150"
    answer = tell(maryam, "campuses", campuses=typed)
    assert answer.headers["Location"] == "/first-steps/first-term"
    with fresh() as session:
        found = session.scalars(select(Campus).order_by(Campus.pardis_code))
        assert [(one.pardis_code, one.name) for one in found] == [
            ("1110", "پردیس شمال"),
            ("1120", "پردیس جنوب"),
            ("1130", None),
            ("1140", None),
            ("1150", None),
        ]
    assert ("campuses_imported", None) in trail(fresh)
    page = read(maryam, "/first-steps/campuses")
    assert "5 campuses are on the list." in page and "پردیس جنوب" in page and "campuses" in done(page)
    assert '<span class="num">1110</span>' in read(maryam, "/first-steps/campuses?lang=fa"), "a code is Latin"
    assert tell(maryam, "campuses", campuses="").status_code == 302, "nothing more is no mistake"


def test_campuses_come_from_a_file_too(fresh: House, maryam: FlaskClient) -> None:
    file = (io.BytesIO("pardis_code,name\n1110,پردیس شمال\n".encode()), "campuses.csv")
    assert tell(maryam, "campuses", campuses="", file=file).status_code == 302
    with fresh() as session:
        assert session.scalars(select(Campus.name)).all() == ["پردیس شمال"]
    excel = (io.BytesIO("پرديس".encode("cp1256")), "campuses.csv")
    refused = tell(maryam, "campuses", campuses="", file=excel)
    assert refused.status_code == 422 and "not UTF-8" in refused.get_data(as_text=True)


@pytest.mark.parametrize(
    ("typed", "words"), [("", "Type at least one code"), ("شمال", "is not a campus code; left out")]
)
def test_a_list_without_a_code_is_refused(fresh: House, maryam: FlaskClient, typed: str, words: str) -> None:
    answer = tell(maryam, "campuses", campuses=typed)
    assert answer.status_code == 422 and words in answer.get_data(as_text=True)
    assert trail(fresh) == []


def test_a_line_that_is_no_campus_is_named_and_the_others_are_taken(
    fresh: House, maryam: FlaskClient
) -> None:
    answer = tell(maryam, "campuses", campuses="1110 North\nنام پردیس\n1110 again")
    assert answer.headers["Location"] == "/first-steps/campuses", "to see what was left out"
    page = read(maryam, "/first-steps/campuses")
    assert "Line 2" in page and "Line 3: 1110 is there twice" in page and "1 campus is on the list." in page


def test_the_first_term_is_said_even_where_the_default_is_meant(fresh: House, maryam: FlaskClient) -> None:
    page = read(maryam, "/first-steps/first-term")
    assert 'value="4001"' in page and "first-term" not in done(page)
    assert tell(maryam, "first-term", first_term="۴۰۰۱").headers["Location"] == "/first-steps/rehearsal"
    assert sync(fresh).settings == {"first_term": "4001"}
    assert "first-term" in done(read(maryam, "/first-steps/first-term"))
    wrong = tell(maryam, "first-term", first_term="1404")
    assert wrong.status_code == 422 and 'value="1404"' in wrong.get_data(as_text=True)
    assert sync(fresh).settings == {"first_term": "4001"}


def test_how_many_parts_come_of_a_term_is_told_while_it_is_typed(fresh: House, maryam: FlaskClient) -> None:
    assert "when there are campuses" in read(maryam, "/first-steps/first-term/parts?first_term=4051")
    known(fresh, maryam)
    tell(maryam, "campuses", campuses="1110\n1120")
    few = read(maryam, "/first-steps/first-term/parts?first_term=4051")
    many = read(maryam, "/first-steps/first-term/parts?first_term=4001")
    parts = [int(re.findall(r"(\d+) parts", told)[0]) for told in (few, many)]
    assert "2 campuses" in few and parts[0] < parts[1]
    assert "settings must be completed" in read(maryam, "/first-steps/first-term/parts?first_term=nonsense")
    assert sync(fresh).settings.get("first_term") is None, "typing changes nothing"


def ready(house: House, client: FlaskClient) -> None:
    """Everything is told that a run needs."""
    known(house, client)
    tell(client, "campuses", campuses="1110 North\n1120 South")


def newest(house: House) -> SyncRun:
    with house() as session:
        return session.scalars(select(SyncRun).order_by(SyncRun.id.desc())).first() or SyncRun()


def test_one_part_is_rehearsed_and_nothing_else(fresh: House, maryam: FlaskClient) -> None:
    ready(fresh, maryam)
    page = read(maryam, "/first-steps/rehearsal")
    assert re.search(r'<option value="1110" selected>1110 North', page)
    [term] = re.findall(r'<select [^>]*name="students.term".*?<option value="(\d+)" selected', page, re.S)
    answer = tell(
        maryam, "rehearsal", source="students", **{"students.campus": "1120", "students.term": term}
    )
    assert answer.headers["Location"] == "/first-steps/rehearsal"
    page = read(maryam, "/first-steps/rehearsal")
    assert 'data-status="pending"' in page and 'class="alert' not in page, (
        "the run itself says that it begins"
    )
    run = newest(fresh)
    assert run.dry_run and run.partitions_wanted == [{"campus": "1120", "term": term}]
    assert trail(fresh)[-1] == ("rehearsal_requested", "students")
    live = maryam.get("/first-steps/rehearsal/live?lang=en")
    assert 'data-status="pending"' in live.text
    assert live.headers["X-Announce"] == "Waiting", "who hears the page is told one word, not its letters"
    assert 'id="steps"' in live.text and "rehearsal" not in done(live.text)
    with writing(fresh) as session:
        run = session.scalars(select(SyncRun)).one()
        run.status, run.started_at, run.finished_at = "success", utcnow(), utcnow()
    live = maryam.get("/first-steps/rehearsal/live?lang=en")
    assert "rehearsal" in done(live.text), "its step is ticked without a reload"


def test_a_source_without_parts_is_rehearsed_as_a_whole(fresh: House, maryam: FlaskClient) -> None:
    ready(fresh, maryam)
    tell(maryam, "rehearsal", source="faculty")
    run = newest(fresh)
    assert run.dry_run and run.partitions_wanted is None and run.sync_id == sync(fresh, "faculty").id


@pytest.mark.parametrize("typed", [{}, {"source": "nonsense"}, {"source": "students"}])
def test_a_rehearsal_of_nothing_is_refused(fresh: House, maryam: FlaskClient, typed: dict[str, str]) -> None:
    ready(fresh, maryam)
    assert tell(maryam, "rehearsal", **typed).status_code == 302
    assert newest(fresh).id is None


def test_nothing_is_rehearsed_before_it_can_be(fresh: House, maryam: FlaskClient) -> None:
    page = read(maryam, "/first-steps/rehearsal")
    assert "The settings must be completed first." in page and 'id="try"' not in page
    known(fresh, maryam)
    page = read(maryam, "/first-steps/rehearsal")
    assert 'value="faculty"' in page and 'value="students"' not in page, "students wait for their campuses"


def test_how_a_rehearsal_ended_is_told_with_its_counts(
    fresh: House, maryam: FlaskClient, web_config: Config
) -> None:
    ready(fresh, maryam)
    tell(maryam, "rehearsal", source="faculty")
    with writing(fresh) as session:
        run = session.scalars(select(SyncRun)).one()
        run.status, run.read, run.added = "success", 1243, 1243
        run.started_at = run.finished_at = utcnow()
        run.duration_seconds = 2.0
    page = read(maryam, "/first-steps/rehearsal")
    told = page.split('id="rehearsed"')[1]
    assert "nothing was written" in told and "1,243" in told and 'href="/first-steps/schedule"' in told
    assert {"rehearsal", "first-term", "test"} <= set(done(page)), "a run that succeeded proves the login"
    page = read(maryam, "/first-steps/test")
    assert 'id="proved"' in page and 'id="go-on"' in page and "Go on without a test" not in page


def test_a_rehearsal_that_failed_says_why_in_plain_words(fresh: House, maryam: FlaskClient) -> None:
    ready(fresh, maryam)
    tell(maryam, "rehearsal", source="faculty")
    with writing(fresh) as session:
        run = session.scalars(select(SyncRun)).one()
        run.status, run.error_code, run.error_params = "failed", "E_AUTH", {"status": 401}
        run.started_at = run.finished_at = utcnow()
    told = read(maryam, "/first-steps/rehearsal").split('id="rehearsed"')[1]
    assert "user name or password" in told and "This was a rehearsal: nothing was written." in told
    assert "rehearsal" not in done(read(maryam, "/first-steps/rehearsal"))


def test_a_part_that_the_gateway_does_not_know_points_to_the_code_of_its_campus(
    fresh: House, maryam: FlaskClient
) -> None:
    ready(fresh, maryam)
    tell(maryam, "rehearsal", source="faculty")
    for parts, pointed in (([{"campus": "1120", "term": "4051"}], True), (None, False)):
        with writing(fresh) as session:
            run = session.scalars(select(SyncRun)).one()
            run.status, run.error_code, run.error_params = "failed", "E_GATEWAY", {"status": 404}
            run.partitions_wanted = parts
        told = read(maryam, "/first-steps/rehearsal").split('id="rehearsed"')[1]
        assert ("code of this campus may be wrong" in told) is pointed


def test_one_schedule_is_given_to_the_sources_that_are_ticked(fresh: House, maryam: FlaskClient) -> None:
    page = read(maryam, "/first-steps/schedule")
    assert re.search(r'value="nightly" checked', page), "what most want is offered"
    assert page.split('id="next-times"')[1].count("02:30") == 5
    assert sync(fresh).schedule_kind == "off", "looking changes nothing"
    typed = {"schedule_kind": "nightly", "night_at": "۰۳:۱۵"}
    answer = tell(maryam, "schedule", **typed, **{"for.faculty": "1", "for.students": "1"})
    assert answer.headers["Location"] == "/first-steps/done"
    for key in ("faculty", "students"):
        assert sync(fresh, key).schedule_kind == "calendar" and sync(fresh, key).next_run_at
        assert ("schedule_changed", key) in trail(fresh)
    assert read(maryam, "/first-steps/done").count("03:15") == 6
    assert read(maryam, "/first-steps/done?lang=fa").count("۰۳:۱۵") == 6
    tell(maryam, "schedule", schedule_kind="off", **{"for.faculty": "1"})
    again = read(maryam, "/first-steps/schedule")
    ticked = re.findall(r'name="for\.(\w+)" value="1" checked', again)
    assert ticked == ["students"], "to save what is shown changes no other source"
    tell(maryam, "schedule", schedule_kind="nightly", night_at="04:45", **{"for.faculty": "1"})
    again = read(maryam, "/first-steps/schedule")
    ticked = re.findall(r'name="for\.(\w+)" value="1" checked', again)
    assert ticked == ["faculty"] and 'value="04:45"' in again, "nor where each has a schedule of its own"
    tell(maryam, "schedule", schedule_kind="off", **{"for.faculty": "1"})
    assert [sync(fresh, key).schedule_kind for key in ("faculty", "students")] == ["off", "calendar"]


def test_every_ticked_source_is_named_where_holidays_are_missing(fresh: House, maryam: FlaskClient) -> None:
    page = read(maryam, "/first-steps/schedule")
    assert 'data-preview="/first-steps/schedule/next"' in page
    assert "synced on holidays too: Faculty, Students. Import the holidays file." in page
    typed = {"schedule_kind": "nightly", "night_at": "02:30", "cal_holidays": "1"}
    for keys, named in (({}, []), ({"for.students": "1"}, ["Students"]), ({"for.faculty": "1"}, ["Faculty"])):
        told = maryam.get("/first-steps/schedule/next", query_string={"lang": "en", **typed, **keys}).text
        assert told.count("02:30") == 5
        assert re.findall(r"holidays too: (.*?)\.", told) == named
        assert ('href="/calendar/"' in told) is bool(named)
    assert sync(fresh).schedule_kind == "off", "typing changes nothing"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"schedule_kind": "nightly", "night_at": "25:00", "for.faculty": "1"}, "25:00"),
        ({"schedule_kind": "nightly", "night_at": "02:30"}, "Tick at least one source."),
        ({"schedule_kind": "interval", "interval_minutes": "", "for.faculty": "1"}, "minute"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_for_all(
    fresh: House, maryam: FlaskClient, typed: dict[str, str], words: str
) -> None:
    answer = tell(maryam, "schedule", **typed)
    assert answer.status_code == 422
    [wrong] = re.findall(r'<span class="wrong" role="alert">([^<]*)', answer.get_data(as_text=True))
    assert words in wrong
    assert sync(fresh, "faculty").schedule_kind == "off" and trail(fresh) == []


def test_a_pause_outlives_a_new_schedule(fresh: House, maryam: FlaskClient) -> None:
    until = utcnow().replace(year=utcnow().year + 1, second=0, microsecond=0)
    with writing(fresh) as session:
        session.scalars(select(DataSync).where(DataSync.key == "faculty")).one().paused_until = until
    typed = {"schedule_kind": "nightly", "night_at": "02:30", "for.faculty": "1", "for.students": "1"}
    assert tell(maryam, "schedule", **typed).status_code == 302
    assert sync(fresh, "faculty").paused_until == until and sync(fresh).paused_until is None


def test_the_last_page_says_what_is_open_and_what_will_run(fresh: House, maryam: FlaskClient) -> None:
    page = read(maryam, "/first-steps/done")
    assert "Nearly done" in page and "Still open:" in page and 'id="begin"' not in page
    known(fresh, maryam)
    page = read(maryam, "/first-steps/done")
    assert "There is no campus on the list yet." in page and 'id="begin"' in page
    for place in ("/data/", "/changes/", "/calendar/", "/users/"):
        assert f'<dt><a href="{place}">' in page


def test_the_first_sync_is_started_for_every_source_that_is_ready(fresh: House, maryam: FlaskClient) -> None:
    assert tell(maryam, "begin").headers["Location"] == "/first-steps/done"
    known(fresh, maryam)
    assert tell(maryam, "begin").headers["Location"] == "/"
    with fresh() as session:
        [run] = session.scalars(select(SyncRun))
        assert (run.status, run.dry_run, run.triggered_by) == ("pending", False, "panel")
        assert run.sync_id == sync(fresh, "faculty").id, "students wait for their campuses"
    assert trail(fresh)[-1] == ("run_requested", "faculty")


def test_they_can_be_left_and_taken_up_where_one_stopped(
    fresh: House, maryam: FlaskClient, app: Flask
) -> None:
    assert "Begin" in read(maryam, "/first-steps/")
    known(fresh, maryam)
    tell(maryam, "campuses", campuses="1110")
    another_day = sign_in(app.test_client(), "maryam", MARYAMS)
    page = read(another_day, "/first-steps/")
    assert re.search(r'id="go-on" href="/first-steps/test"', page)
    assert GATEWAY in page and "registry" in page and "1 campus<" in page


def test_a_house_without_a_gateway_source_has_no_such_steps(rows: House, maryam: FlaskClient) -> None:
    page = read(maryam, "/first-steps/")
    assert 'href="/first-steps/gateway"' not in page
    for step in ("gateway", "login", "test", "first-term", "schedule"):
        assert maryam.get(f"/first-steps/{step}").status_code == 404
