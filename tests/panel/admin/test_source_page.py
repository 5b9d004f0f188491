"""The page of a source: charts, and the same as a table; what the charts draw."""

import json
import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel.admin import source_page, status
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.models import DataSync
from panel.report import Month
from panel.trend import Point, Trend
from tests import past_runs
from tests.panel.admin.conftest import read
from tests.panel.admin.test_many_sources import add_sources

Rows = sessionmaker[Session]


@pytest.fixture
def past(rows: Rows, web_config: Config) -> Rows:
    """A source with a hundred days behind it, and one that was never synced."""
    add_sources(rows, web_config, 1, 1)
    now = utcnow()
    with writing(rows) as session:
        sync = session.scalars(select(DataSync)).one()
        past_runs.add(session, sync, now, 100, a_day=2, records=5000, seconds=200.0)
        session.add(DataSync(key="new", fetcher="faculty", settings={}, created_at=now, updated_at=now))
    return rows


def told(client: FlaskClient, language: str) -> dict:  # type: ignore[type-arg]
    answer = client.get(f"/sources/campus-001/trend?lang={language}")
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    return json.loads(answer.data)  # type: ignore[no-any-return]


def test_the_page_has_the_charts_and_the_same_as_a_table_by_months(past: Rows, sara: FlaskClient) -> None:
    page = read(sara, "/sources/campus-001")
    assert page.count('data-chart="') == 2 and 'role="img" aria-label="Chart: how many records' in page
    months = re.findall(r'<tr data-month="([\d-]+)">', page)
    assert months[0] == str(Month.of(utcnow())) and 4 <= len(months) <= 5
    first = page.split('<tr data-month="')[1]
    assert "5,199" in first and "min" in first
    assert "charts.js" in page and "uPlot.min.css" in page


def test_in_persian_months_and_digits_are_persian_in_the_table_and_in_what_is_drawn(
    past: Rows, sara: FlaskClient
) -> None:
    page = read(sara, "/sources/campus-001?lang=fa")
    table = page.split('id="months"')[1].split("</table>")[0]
    assert "۵٬۱۹۹" in table and not re.search(r">[^<]*[A-Za-z0-9][^<]*<", table)
    drawn = told(sara, "fa")
    read_ = json.dumps(
        [drawn["labels"], drawn["marks"], [chart["unit"] for chart in drawn["charts"].values()]],
        ensure_ascii=False,
    )
    shown = re.sub(r'"x": \d+|"text"', "", read_)
    assert not re.search(r"[A-Za-z0-9]", shown), shown
    assert drawn["charts"]["records"]["series"][0]["told"][-1] == "۵٬۱۹۹"
    assert drawn["charts"]["durations"]["unit"] == "دقیقه"


def test_in_english_the_months_are_jalali_ones_by_name_and_days_gregorian(
    past: Rows, sara: FlaskClient
) -> None:
    drawn = told(sara, "en")
    assert re.fullmatch(r"\d+ [A-Z][a-z]{2} \d{4}", drawn["labels"][-1])
    names = [mark["text"] for mark in drawn["marks"]]
    assert names and set(" ".join(names).split()) & {
        "Mehr",
        "Aban",
        "Azar",
        "Dey",
        "Farvardin",
        "Tir",
        "Bahman",
    }
    assert {series["name"] for series in drawn["charts"]["durations"]["series"]} == {"Average", "Longest"}


def test_every_series_has_a_value_and_words_for_each_moment(past: Rows, sara: FlaskClient) -> None:
    drawn = told(sara, "en")
    many = len(drawn["x"])
    assert many == len(drawn["labels"]) >= 100 and drawn["x"] == sorted(set(drawn["x"]))
    for chart in drawn["charts"].values():
        for series in chart["series"]:
            assert len(series["values"]) == len(series["told"]) == many


@pytest.mark.parametrize(
    ("longest", "unit", "value"),
    [(170.0, "seconds", 170.0), (600.0, "minutes", 10.0), (20_000.0, "hours", 5.56)],
)
def test_durations_are_drawn_in_a_unit_that_fits(
    past: Rows, sara: FlaskClient, longest: float, unit: str, value: float
) -> None:
    points = [Point(utcnow(), 7, 1, longest, longest)]
    with sara.application.test_request_context("/?lang=en"):
        chart = source_page.drawn(Trend(points, by_day=False))["charts"]["durations"]
    assert (chart["unit"], chart["series"][0]["values"]) == (unit, [value])
    assert [series["name"] for series in chart["series"]] == ["Duration"]


def test_a_source_that_was_never_synced_says_so_and_loads_no_chart(past: Rows, sara: FlaskClient) -> None:
    page = read(sara, "/sources/new")
    assert "The table of months begins with the first sync that succeeds." in page
    assert "charts.js" not in page and "data-chart" not in page
    assert json.loads(sara.get("/sources/new/trend").data)["x"] == []


def test_one_sync_alone_is_a_line_of_the_table_and_no_chart(
    past: Rows, sara: FlaskClient, web_config: Config
) -> None:
    with writing(past) as session:
        new = session.scalars(select(DataSync).where(DataSync.key == "new")).one()
        past_runs.add(session, new, utcnow(), 1, records=700, seconds=9.0)
    page = read(sara, "/sources/new")
    assert "The charts begin with the second sync that succeeds." in page and 'id="months"' in page
    assert "charts.js" not in page and "data-chart" not in page
    assert 'data-charts="/sources/new/trend"' not in read(sara, "/")
    with writing(past) as session:
        new = session.scalars(select(DataSync).where(DataSync.key == "new")).one()
        past_runs.add(session, new, utcnow(), 2, records=700, seconds=9.0)
    page = read(sara, "/sources/new")
    assert page.count('data-chart="') == 2 and "charts.js" in page
    page = read(sara, "/")
    assert 'data-charts="/sources/new/trend"' in page
    assert '<a class="small as-table" href="/sources/new#months" aria-label="Faculty as a table">' in page


def test_there_is_no_page_of_a_source_that_there_is_not(past: Rows, sara: FlaskClient) -> None:
    read(sara, "/sources/nowhere", status=404)
    assert sara.get("/sources/nowhere/trend").status_code == 404


def test_the_home_page_of_a_small_house_has_a_place_for_charts_and_a_large_one_has_none(
    past: Rows, sara: FlaskClient, web_config: Config
) -> None:
    page = read(sara, "/")
    assert page.count('data-charts="/sources/campus-001/trend"') == 1
    assert 'data-charts="/sources/new/trend"' not in page, "nothing to draw yet"
    assert 'href="/sources/campus-001#records-campus-001"' in page
    assert 'href="/sources/campus-001#durations-campus-001"' in page
    add_sources(past, web_config, 2, status.MOST_CHARTS + 1)
    page = read(sara, "/")
    assert "data-charts" not in page and "charts.js" not in page and "uPlot" not in page
