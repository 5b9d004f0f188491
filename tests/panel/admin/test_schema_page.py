"""The page «ساختار داده»: columns and history, for destinations old and new; discovered values are masked."""

import re
from contextlib import closing
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from fetchers.core.fetcher import Stream
from fetchers.core.store import columns, discovered, sql
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.models import DataSync, SyncRun
from panel.persian import jalali_datetime
from tests.panel.admin.conftest import read
from tests.panel.admin.test_settings_page import save, sync
from tests.panel.admin.test_status import row

House = sessionmaker[Session]
PAGE = "/syncs/faculty/schema"


def faculty() -> Stream:
    fetcher = registry.load("faculty").fetcher
    assert fetcher is not None
    return fetcher.streams()[0]


@pytest.fixture
def drifted(house: House, web_config: Config) -> House:
    """The gateway began to send a field, sent one that is none, and lost another for a while."""
    with house() as session:
        run = str(session.scalar(select(SyncRun.uuid).order_by(SyncRun.id)))
    with closing(sql.connect(web_config.data_database_url)) as db:
        with db:
            discovered.add(db, faculty(), {"hireDate": "number"}, run)
            discovered.tell(
                db,
                "faculty",
                run,
                [
                    ("ignored", "ستون", "name"),
                    ("renamed", "email", "campus=1110,term=4051 (mail)"),
                    ("returned", "email", None),
                ],
            )
            discovered.see(db, "faculty", run, ["id", "name", "hireDate"])
        [stream] = columns.prepare(db, [faculty()])
        assert "hireDate" in stream.columns
        db.execute("UPDATE faculty SET \"hireDate\" = 'canary-1399' WHERE id = 1")
    return house


def test_the_page_lists_columns_and_history(drifted: House, sara: FlaskClient) -> None:
    page = read(sara, PAGE)
    line = re.search(r'<tr data-column="hireDate">.*?</tr>', page, re.S)
    assert line and "discovered" in line.group() and "number, kept as text" in line.group()
    told = re.search(r'<tr data-column="name">.*?</tr>', page, re.S)
    assert told and "declared" in told.group() and "First name" in told.group()
    assert re.findall(r'data-kind="(\w+)"', page) == ["returned", "renamed", "ignored", "added"]
    assert "It cannot be the name of a column." in page and "campus 1110" in page and "(mail)" in page
    assert 'href="/runs/' in page


def test_it_speaks_persian_with_jalali_dates(drifted: House, sara: FlaskClient) -> None:
    page = read(sara, PAGE + "?lang=fa")
    assert "ساختار دادهٔ" in page and "پیداشده" in page
    assert jalali_datetime(utcnow(), "fa")[:10] in page


def test_a_destination_of_an_older_version_and_none_at_all_have_a_page(
    house: House, web_config: Config, sara: FlaskClient
) -> None:
    with closing(sql.connect(web_config.data_database_url)) as db:
        db.execute("DROP TABLE _hamgam_columns")
        db.execute("DROP TABLE _hamgam_schema")
    page = read(sara, PAGE)
    assert "always sent the same fields" in page and 'data-column="family"' in page
    assert "کیانی" in read(sara, "/data/faculty/row?id=1")
    sql.path_of(web_config.data_database_url).unlink()
    assert "always sent the same fields" in read(sara, PAGE)


def test_a_source_that_is_none_has_no_page(house: House, sara: FlaskClient) -> None:
    read(sara, "/syncs/nothing/schema", status=404)


def test_a_discovered_value_is_shown_to_administrators_alone(
    drifted: House, sara: FlaskClient, reza: FlaskClient, maryam: FlaskClient
) -> None:
    for client in (sara, reza):
        page = read(client, "/data/faculty/row?id=1")
        assert "hireDate" in page and "canary-1399" not in page
    assert "canary-1399" in read(maryam, "/data/faculty/row?id=1")


def test_the_diary_masks_it_too(
    drifted: House, web_config: Config, sara: FlaskClient, maryam: FlaskClient
) -> None:
    with closing(sql.connect(web_config.data_database_url)) as db:
        db.execute(
            "INSERT INTO _hamgam_changes (run, stream, part, key, kind, before, after, at) VALUES"
            """ ('x', 'faculty', '', '1', 'changed', '{"hireDate": null}', '{"hireDate": "canary-1399"}',"""
            " '2026-11-22T09:00:00.000+00:00')"
        )
    assert "canary-1399" not in read(sara, "/changes/")
    assert "canary-1399" in read(maryam, "/changes/")


def test_the_status_page_tells_the_news_for_some_days(house: House, sara: FlaskClient) -> None:
    for days, told in ((1, True), (8, False)):
        with writing(house) as session:
            one = session.scalar(select(DataSync).where(DataSync.key == "faculty"))
            assert one
            heard = (utcnow() - timedelta(days=days)).isoformat()
            one.schema_news = {"run": 1, "at": heard, "news": [{"kind": "added", "fields": ["hireDate"]}]}
        line = row(read(sara, "/"), "faculty")
        assert ("hireDate" in line) is told
        assert ("New field from the gateway: " in line) is told
        assert (f'href="{PAGE}"' in line) is told


def test_what_becomes_of_new_fields_is_set_on_the_form(house: House, maryam: FlaskClient) -> None:
    page = read(maryam, "/syncs/students/settings")
    assert 'name="new_fields"' in page and 'href="/syncs/students/schema"' in page
    assert save(maryam, new_fields="freeze").status_code == 302
    assert sync(house).new_fields == "freeze"
    answer = save(maryam, new_fields="whatever")
    assert answer.status_code == 422
    assert "This must be one of" in answer.get_data(as_text=True)
    assert sync(house).new_fields == "freeze"
    assert "is refused" in read(maryam, "/syncs/students/schema")
