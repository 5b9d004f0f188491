"""Picking campuses and terms on a page, and syncing one person from theirs."""

from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from fetchers.core.store import sql
from panel import parts
from panel.config import Config
from panel.db import writing
from panel.models import AuditEntry, Campus, DataSync, SyncRun
from tests.panel.admin.conftest import read
from tests.panel.admin.test_buttons import press
from tests.web import csrf_token

House = sessionmaker[Session]
PAGE = "/syncs/students/parts"
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture
def quiet(house: House) -> House:
    """Two campuses since 4041, and no run that is active."""
    with writing(house) as session:
        session.add(Campus(pardis_code="1210", name="پردیس جنوب", active=True))
        sync = session.scalar(select(DataSync).where(DataSync.key == "students"))
        assert sync
        sync.settings = {**sync.settings, "first_term": "4041"}
        for run in session.scalars(select(SyncRun).where(SyncRun.status.in_(("running", "pending")))):
            session.delete(run)
    return house


def newest(house: House) -> SyncRun:
    with house() as session:
        run = session.scalars(select(SyncRun).order_by(SyncRun.id.desc())).first()
        assert run
        return run


def of_person(house: House, config: Config, number: str) -> set[tuple[str, str]]:
    with house() as session:
        sync = session.scalar(select(DataSync).where(DataSync.key == "students"))
        assert sync
        found = parts.of_person(sync, number, session, config, NOW)
    assert len(found) == len({tuple(one.items()) for one in found})
    return {(one["campus"], one["term"]) for one in found}


def test_the_page_lists_campuses_by_name_and_terms_newest_first(quiet: House, reza: FlaskClient) -> None:
    page = read(reza, PAGE)
    assert "پردیس جنوب" in page and 'value="1210"' in page
    terms = [
        place for term in ("4051", "4043", "4042", "4041") if (place := page.find(f'value="{term}"')) > 0
    ]
    assert len(terms) == 4 and terms == sorted(terms)
    assert "closed" in page[page.find('value="4041"') :]
    assert f'href="{PAGE}"' in read(reza, "/")
    assert "/syncs/faculty/parts" not in read(reza, "/")


def test_ticking_tells_how_many_parts_that_is(quiet: House, reza: FlaskClient) -> None:
    assert "Nothing is chosen yet" in read(reza, f"{PAGE}/chosen")
    both = read(reza, f"{PAGE}/chosen?campus=1110&campus=1210&term=4041")
    assert both.startswith("2 of ")
    assert read(reza, f"{PAGE}/chosen?term=4041") == both, "no campus ticked: all of them"
    assert read(reza, f"{PAGE}/chosen?campus=9999").startswith("Nothing is chosen")


def test_a_press_starts_a_run_of_exactly_these_parts_and_is_written_down(
    quiet: House, reza: FlaskClient
) -> None:
    before = newest(quiet).id
    answer = reza.post(
        PAGE,
        data={"csrf_token": csrf_token(reza, "/"), "campus": "1210", "term": ["4041", "4051"]},
    )
    run = newest(quiet)
    assert (answer.status_code, answer.location) == (302, f"/runs/{run.id}")
    assert run.id > before
    assert run.partitions_wanted == [{"campus": "1210", "term": "4051"}, {"campus": "1210", "term": "4041"}]
    with quiet() as session:
        trail = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert trail and (trail.actor, trail.action) == ("reza", "run_requested")
        assert trail.details == {"run": run.id, "parts": 2}


def test_nothing_ticked_starts_nothing(quiet: House, reza: FlaskClient) -> None:
    before = newest(quiet).id
    answer = press(reza, f"{PAGE}?lang=en")
    assert not answer.json["ok"] and "Nothing is chosen" in answer.json["message"]
    assert newest(quiet).id == before


def test_a_source_without_parts_and_one_without_settings_say_so(quiet: House, reza: FlaskClient) -> None:
    assert "fetched as one whole" in read(reza, "/syncs/faculty/parts")
    with writing(quiet) as session:
        sync = session.scalar(select(DataSync).where(DataSync.key == "students"))
        assert sync
        sync.secrets = None
    assert "settings must be completed" in read(reza, PAGE)


def test_a_viewer_chooses_nothing(quiet: House, sara: FlaskClient) -> None:
    assert sara.get(PAGE).status_code == 403
    assert sara.get(f"{PAGE}/chosen").status_code == 403
    assert press(sara, PAGE).status_code == 403
    assert press(sara, "/syncs/students/person", number="40011001").status_code == 403
    assert "sync-person" not in read(sara, "/data/Students/row?studentnum=40011001")


# -- one person ---------------------------------------------------------------------------------------------


def test_a_person_is_asked_for_where_they_are_and_in_the_open_terms_there(
    quiet: House, web_config: Config
) -> None:
    everywhere = {("1110", term) for term in ("4051", "4043", "4042")}
    assert of_person(quiet, web_config, "40011003") == everywhere
    assert of_person(quiet, web_config, " ۴۰۰۱۱۰۰۳ ") == everywhere


def test_a_person_is_asked_for_where_the_diary_says_they_were(quiet: House, web_config: Config) -> None:
    students = registry.load("students").fetcher
    assert students
    (stream,) = students.streams()
    db = sql.connect(web_config.data_database_url)
    db.execute(
        "INSERT INTO _hamgam_changes (run, stream, part, key, kind, at) VALUES ('r', ?, ?, ?, 'gone', '2026')",
        (stream.name, "campus=1210,term=4041", "40011099"),
    )
    db.close()
    found = of_person(quiet, web_config, "40011099")
    assert found == {("1210", term) for term in ("4051", "4043", "4042", "4041")}


@pytest.mark.parametrize("number", ["40311234501", "", "' OR 1=1 --"])
def test_a_number_that_is_nowhere_is_said_in_stable_words(
    quiet: House, web_config: Config, number: str
) -> None:
    with pytest.raises(
        parts.CannotChoose, match=r"Nobody with the number .* is stored, and the change diary"
    ):
        of_person(quiet, web_config, number)


def test_a_person_of_a_campus_that_is_no_longer_fetched_is_told_as_such(
    quiet: House, web_config: Config
) -> None:
    with writing(quiet) as session:
        for campus in session.scalars(select(Campus).where(Campus.pardis_code == "1110")):
            campus.active = False
    with pytest.raises(parts.CannotChoose, match="no longer fetched"):
        of_person(quiet, web_config, "40011003")


def test_the_button_on_a_persons_page_syncs_them(quiet: House, reza: FlaskClient) -> None:
    assert "sync-person" in read(reza, "/data/Students/row?studentnum=40011003")
    assert "sync-person" not in read(reza, "/data/faculty/row?id=1")
    answer = press(reza, "/syncs/students/person?lang=en", number="40011003")
    assert answer.json["ok"], answer.json
    run = newest(quiet)
    assert answer.json["go"] == f"/runs/{run.id}"
    assert run.partitions_wanted and all(one["campus"] == "1110" for one in run.partitions_wanted)
    nobody = press(reza, "/syncs/students/person?lang=en", number="1")
    assert not nobody.json["ok"] and "Nobody with the number 1 is stored" in nobody.json["message"]
