"""The home page with a real browser: what needs a person comes and goes by itself, and the charts are drawn."""

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker

from panel.clock import utcnow
from panel.db import open_engine, writing
from panel.models import DataSync, SyncRun
from tests import past_runs
from tests.browser.conftest import House, pages_of, started

Open = Callable[..., Page]
Rows = sessionmaker[Session]
languages = pytest.mark.parametrize("language", ["fa", "en"])
CALM = {"fa": "همهٔ منبع‌ها همگام‌اند.", "en": "All sources are in step."}
ENGINE = {"fa": "موتور خاموش است", "en": "Engine is down"}
# Of the pixels of a canvas: how many are not empty, and of how many colours.
INK = """canvas => {
  const seen = new Set(), data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let inked = 0;
  for (let at = 0; at < data.length; at += 4) if (data[at + 3]) { inked += 1; seen.add(data.slice(at, at + 3).join()); }
  return { share: inked / (data.length / 4), colours: seen.size };
}"""
SOON = 30_000  # milliseconds: what is no run is seen when the page draws itself anew, each fifteen seconds


@pytest.fixture(scope="module")
def old_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A demonstration of its own, with months behind it."""
    with started(tmp_path_factory.mktemp("home") / "instance") as house:
        with writing(rows_of(house)) as session:
            syncs = {sync.key: sync for sync in session.scalars(select(DataSync))}
            past_runs.add(session, syncs["faculty"], utcnow(), 170, records=1240, seconds=40)
            past_runs.add(session, syncs["students"], utcnow(), 12, a_day=2, records=81_234, seconds=900)
        yield house


@pytest.fixture
def open_home(old_house: House, browser: Browser) -> Iterator[Open]:
    with pages_of(old_house, browser) as open_:
        yield open_


def rows_of(house: House) -> Rows:
    return sessionmaker(open_engine(f"sqlite:///{house.instance}/demo/panel.db"), expire_on_commit=False)


@contextlib.contextmanager
def ends(house: House, key: str, status: str, at: datetime, **columns: Any) -> Iterator[int]:
    """While this lasts, the newest run of a source has ended so; its number."""
    rows = rows_of(house)
    with writing(rows) as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == key)).one()
        before = sync.last_run_id, sync.status, sync.error_code
        run = SyncRun(
            uuid=str(uuid4()), sync_id=sync.id, status=status, triggered_by="schedule", requested_at=at, not_before=at,
            started_at=at, finished_at=at, duration_seconds=33.0, **columns,
        )  # fmt: skip
        session.add(run)
        session.flush()
        sync.last_run_id, sync.status, sync.error_code = run.id, status, run.error_code
        number = run.id
    try:
        yield number
    finally:
        with writing(rows) as session:
            sync = session.scalars(select(DataSync).where(DataSync.key == key)).one()
            sync.last_run_id, sync.status, sync.error_code = before
            session.flush()
            session.execute(delete(SyncRun).where(SyncRun.id == number))


def set_(house: House, key: str, **columns: Any) -> None:
    with writing(rows_of(house)) as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == key)).one()
        for name, value in columns.items():
            setattr(sync, name, value)


def need(page: Page, kind: str) -> Locator:
    return page.locator(f".needs [data-need={kind}]")


def calm(page: Page, language: str) -> None:
    expect(page.locator(".needs .badge")).to_have_text(CALM[language], timeout=SOON)


@languages
def test_what_needs_a_person_comes_and_goes_without_a_reload(
    open_home: Open, old_house: House, language: str
) -> None:
    page = open_home(language)
    calm(page, language)
    page.evaluate("window.stillTheSamePage = true")
    now = utcnow()
    shrunk = {"error_code": "E_SHRUNK", "error_params": {"gone": 8123, "before": 81_234}}
    with ends(old_house, "students", "held", now - timedelta(hours=2), **shrunk) as held:
        expect(need(page, "held")).to_be_visible(timeout=SOON)
        expect(need(page, "held").locator("a")).to_have_attribute("href", f"/runs/{held}/held")
        refused = {"error_code": "E_AUTH", "error_params": {"host": "x", "status": 401}}
        with ends(old_house, "faculty", "failed", now - timedelta(minutes=12), **refused) as failed:
            expect(need(page, "failed").locator("a")).to_have_attribute(
                "href", f"/runs/{failed}", timeout=SOON
            )
            kinds = [one.get_attribute("data-need") for one in page.locator(".needs [data-need]").all()]
            assert kinds == ["held", "failed"], "the more urgent first"
            if language == "fa":
                assert not re.search(r"[A-Za-z0-9]", page.locator(".needs").inner_text())
        expect(need(page, "failed")).to_have_count(0, timeout=SOON)
    calm(page, language)
    set_(old_house, "faculty", fresh_hours=1, data_as_of=now - timedelta(hours=9))
    try:
        expect(need(page, "stale")).to_be_visible(timeout=SOON)
        need(page, "stale").locator("a").click()
        assert page.url.endswith("#source-faculty")
    finally:
        set_(old_house, "faculty", fresh_hours=0, data_as_of=now - timedelta(hours=1))
    calm(page, language)
    assert page.evaluate("window.stillTheSamePage") is True


def test_a_run_that_somebody_else_starts_is_seen_within_two_seconds_while_nothing_moved(
    open_home: Open, old_house: House
) -> None:
    page = open_home("en")
    calm(page, "en")
    looks: list[int] = []
    page.on("response", lambda answer: looks.append(answer.status) if "/status/rows" in answer.url else None)
    page.wait_for_timeout(5000)
    assert looks.count(204) >= 2 and 200 not in looks[:2], (
        "while nothing moves it only asks whether something does"
    )
    with ends(old_house, "faculty", "failed", utcnow(), error_code="E_AUTH") as failed:
        page.wait_for_selector(f"[data-source=faculty][data-run='{failed}']", timeout=10_000)


@languages
def test_an_engine_that_goes_down_is_told_once_and_no_longer_when_it_is_up(
    open_home: Open, old_house: House, language: str
) -> None:
    page = open_home(language)
    calm(page, language)
    [database] = old_house.instance.rglob("panel.db")
    stop = """CREATE TRIGGER no_lease BEFORE UPDATE ON engine_lease WHEN NEW.until_boottime > 1
              BEGIN SELECT RAISE(IGNORE); END"""
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as db:
        db.execute("UPDATE engine_lease SET until_boottime = 0")
        db.execute(stop)
        db.commit()
        try:
            expect(need(page, "engine")).to_contain_text(ENGINE[language], timeout=SOON)
            expect(page.locator("#announce")).to_contain_text(ENGINE[language])
            expect(page.locator("#engine-down")).to_have_count(0)
        finally:
            db.execute("DROP TRIGGER no_lease")
            db.commit()
    expect(need(page, "engine")).to_have_count(0, timeout=SOON)


@languages
def test_the_charts_are_drawn_and_a_table_says_the_same(
    open_home: Open, old_house: House, language: str
) -> None:
    page = open_home(language)
    page.goto("/sources/faculty")
    page.wait_for_selector("[data-charts][data-drawn]")
    canvases = page.locator(".chart canvas")
    expect(canvases).to_have_count(2)
    for canvas in canvases.all():
        ink = canvas.evaluate(INK)
        assert ink["share"] > 0.05 and ink["colours"] >= 3, ink
    months = page.locator("#months tbody tr")
    assert months.count() >= 6
    newest = page.locator("#months tbody tr").first.locator("td").nth(2).inner_text()
    told = page.locator(".chart-told").first
    expect(told).to_contain_text(newest)
    chart = page.locator("[data-chart=records] .u-over")
    box = chart.bounding_box()
    assert box
    before = told.inner_text()
    # The oldest day stands where reading begins.
    page.mouse.move(box["x"] + (box["width"] - 3 if language == "fa" else 3), box["y"] + 20)
    expect(told).not_to_have_text(before)
    expect(told).to_contain_text("۱٬۲۴" if language == "fa" else "1,24")
    page.mouse.move(1, 1)
    if language == "fa":
        assert not re.search(r"[A-Za-z0-9]", page.locator(".charts").inner_text())


def test_an_empty_canvas_would_be_seen(open_home: Open) -> None:
    """A negative control."""
    page = open_home("en")
    page.evaluate("document.body.append(document.createElement('canvas'))")
    assert page.locator("body > canvas").evaluate(INK) == {"share": 0, "colours": 0}


def test_charts_follow_the_theme_the_window_and_print_as_a_table(open_home: Open) -> None:
    page = open_home("en")
    page.goto("/sources/faculty")
    page.wait_for_selector("[data-charts][data-drawn]")
    canvas = page.locator(".chart canvas").first
    shot = "canvas => canvas.toDataURL()"
    light, wide = canvas.evaluate(shot), canvas.evaluate("canvas => canvas.clientWidth")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "([canvas, old]) => document.querySelector('.chart canvas').toDataURL() !== old", arg=[0, light]
    )
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function("wide => document.querySelector('.chart canvas').clientWidth < wide", arg=wide)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.emulate_media(media="print", color_scheme="light")
    expect(page.locator(".charts-card")).to_be_hidden()
    expect(page.locator("#months")).to_be_visible()


@languages
def test_a_small_house_has_its_charts_at_home_once_they_are_seen(
    open_home: Open, old_house: House, language: str
) -> None:
    page = open_home(language)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": 1280, "height": 300})
    page.goto("/")
    calm(page, language)
    assert not [url for url in asked if "/trend" in url or "uPlot.iife" in url], (
        "nobody has seen their place yet"
    )
    height = page.evaluate("document.documentElement.scrollHeight")
    page.locator("[data-charts='/sources/students/trend']").scroll_into_view_if_needed()
    page.wait_for_selector("[data-of=students][data-drawn]")
    page.wait_for_selector("[data-of=faculty][data-drawn]")
    assert page.evaluate("document.documentElement.scrollHeight") == height, "their place was kept"
    for canvas in page.locator(".trends canvas").all():
        assert canvas.evaluate(INK)["share"] > 0.05
    asked.clear()
    now = utcnow()
    with ends(old_house, "faculty", "success", now, records=1600) as run:
        page.wait_for_selector(f"[data-source=faculty][data-run='{run}']")
        expect(page.locator("#records-faculty .chart-told")).to_contain_text(
            "۱٬۶۰۰" if language == "fa" else "1,600", timeout=SOON
        )
    assert not [url for url in asked if "students/trend" in url], "the others are as they were"


def test_the_count_and_the_strip_lead_to_the_charts(open_home: Open) -> None:
    page = open_home("fa")
    page.click("[data-source=faculty] a.count")
    page.wait_for_url("**/sources/faculty#records-faculty")
    expect(page.locator("h1")).to_contain_text("اعضای هیئت علمی")
