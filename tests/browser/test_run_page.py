"""A run's page with a real browser: the map fills in while the run goes on, leads to its parts, and tells the story."""

import re
import sqlite3
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import PATIENCE_MS, House, order, press_sync, row, simulator, wait_for_status

Open = Callable[..., Page]
languages = pytest.mark.parametrize("language", ["fa", "en"])
WORDS = {
    "fa": {"failed": "ناموفق", "to do": "در نوبت", "changed": "maryam تنظیمات را تغییر داد"},
    "en": {"failed": "Failed", "to do": "To do", "changed": "maryam changed settings"},
}
# One part is refused outright: nothing is tried again, and the gateway is not taken for one that is down.
BAD = {"kind": "status", "status": 400, "endpoint": "students", "campus": "1310", "term": "4051"}
DONE = "() => document.querySelectorAll('.part-map td.d').length"


@pytest.fixture
def faults(house: House) -> Iterator[Callable[..., None]]:
    """Let the demonstration's gateway have a fault from now on; healed at the end."""
    address = f"{simulator(house)}/fault"

    def begin(**script: object) -> None:
        order(address, **script, times=None)

    yield begin
    urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=30).close()


def start(page: Page) -> str:
    """Start a sync of the students by hand; the address of its run."""
    page.goto("/")
    press_sync(page, "students")
    return f"/runs/{row(page, 'students').get_attribute('data-run')}"


def in_step(page: Page) -> None:
    """Let the students be in step: else the next run has less to do than a whole one."""
    if row(page, "students").get_attribute("data-status") != "success":
        start(page)
        assert wait_for_status(page, "students", "success", "failed", "held") == "success"


def stop(page: Page, run: str) -> None:
    """Cancel what a test has started, so that the next one finds nothing under way."""
    page.goto(run)
    button = page.locator("#run-act.btn-cancel")
    if button.count():
        button.click()
        page.click("dialog[open] [data-yes]")
        expect(page.locator("#run-act.btn-primary")).to_be_visible()


@languages
def test_the_map_fills_in_while_the_run_goes_on(open_page: Open, language: str) -> None:
    page = open_page(language)
    in_step(page)
    run = start(page)
    page.goto(run)
    page.evaluate("window.stillTheSamePage = true")
    expect(page.locator("#map")).to_be_visible()
    rows = page.locator(".part-map tbody tr").count()
    assert rows == 12 and page.locator(".part-map tbody tr th bdi").count() == rows
    terms = page.locator(".part-map thead th[data-column]").evaluate_all(
        "all => all.map(one => one.dataset.column)"
    )
    assert terms == sorted(terms, reverse=True)
    before = page.evaluate(DONE)
    page.wait_for_function(f"before => ({DONE})() > before", arg=before, timeout=PATIENCE_MS)
    expect(page.locator("#run h1 .badge.s-success")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".part-map td.p")).to_have_count(0)
    done = page.evaluate(DONE) + page.locator(".part-map td.r").count()
    assert done > before and done >= 36
    assert page.evaluate("window.stillTheSamePage") is True
    expect(page.locator("[data-letter=p]")).to_be_hidden()
    expect(page.locator("[data-letter=d]")).to_be_visible()


@languages
def test_a_failed_part_is_reached_from_the_map(
    open_page: Open, faults: Callable[..., None], language: str
) -> None:
    page = open_page(language, width=390)
    faults(**BAD)
    run = start(page)
    page.goto(run)
    failed = page.locator(".part-map td.f")
    expect(failed).to_have_count(1, timeout=PATIENCE_MS)
    box = page.locator(".map-wrap")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    failed.click()
    page.wait_for_url(f"**{run}?row=1310&column=4051#parts")
    listed = page.locator("#parts tbody tr")
    expect(listed).to_have_count(1)
    expect(listed.locator(".badge")).to_contain_text(WORDS[language]["failed"])
    expect(listed.locator(".line-error")).to_be_visible()
    expect(page.locator("#parts")).to_be_in_viewport()
    expect(box.locator("td[aria-current]")).to_have_class("f")
    stop(page, run)


def test_the_map_is_one_stop_of_the_tab_key_and_arrows_go_through_it(open_page: Open, house: House) -> None:
    page = open_page("fa")
    in_step(page)
    run = newest_success(house)
    page.goto(run)
    assert page.locator(".part-map [tabindex='0']").count() == 1
    page.locator(".part-map [tabindex='0']").focus()

    def at() -> list[int]:
        found = page.evaluate(
            "(at => [at.parentElement.sectionRowIndex, at.cellIndex, document.querySelectorAll("
            "\".part-map [tabindex='0']\").length])(document.activeElement)"
        )
        return list(found)

    assert at() == [0, 1, 1]
    for key, place in (
        ("ArrowLeft", [0, 2, 1]),  # on a page from the right, the next column is on the left
        ("ArrowDown", [1, 2, 1]),
        ("End", [1, 6, 1]),
        ("ArrowLeft", [1, 6, 1]),
        ("PageDown", [11, 6, 1]),
        ("Home", [11, 1, 1]),
        ("ArrowUp", [10, 1, 1]),
        ("ArrowRight", [10, 1, 1]),
    ):
        page.keyboard.press(key)
        assert at() == place, key
    told = page.evaluate("document.activeElement.title")
    assert "پردیس" in told and "انجام" in told
    row_key = page.evaluate("document.activeElement.parentElement.dataset.row")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"{run}\?row={row_key}&column=\d+#parts$"))
    expect(page.locator("#parts tbody tr")).to_have_count(1)


def newest_success(house: House) -> str:
    [panel] = house.instance.rglob("panel.db")
    with closing(sqlite3.connect(f"file:{panel}?mode=ro", uri=True)) as db:
        found = db.execute(
            "SELECT max(r.id) FROM sync_runs r JOIN data_syncs s ON s.id = r.sync_id"
            " WHERE s.key = 'students' AND r.status = 'success' AND r.partitions_planned > 1"
        ).fetchone()[0]
    return f"/runs/{found}"


def test_what_is_drawn_anew_leaves_focus_and_scrolling_of_the_map_alone(
    open_page: Open, house: House
) -> None:
    page = open_page("fa", width=390)
    in_step(page)
    page.goto(newest_success(house))
    page.evaluate("document.querySelector('.map-wrap').scrollLeft = -40")
    cell = page.locator(".part-map tbody tr").nth(3).locator("td").nth(3)
    cell.evaluate("one => { one.tabIndex = 0; one.focus({ preventScroll: true }); }")
    scrolled = page.evaluate("document.querySelector('.map-wrap').scrollLeft")
    assert scrolled < 0
    was = cell.get_attribute("class")

    def all_failed(route: Route) -> None:
        answer = route.fetch()
        told = re.sub(
            r'data-states="([^"]*)"',
            lambda found: 'data-states="' + re.sub(r"\w", "f", found[1]) + '"',
            answer.text(),
        )
        route.fulfill(response=answer, body=told)

    page.route("**/live*", all_failed)
    page.evaluate(
        "document.dispatchEvent(new Event('visibilitychange'))"
    )  # who comes back sees the newest at once
    page.wait_for_function("() => document.querySelectorAll('.part-map td.f').length > 50")
    assert was != "f" and cell.get_attribute("class") == "f"
    assert cell.get_attribute("title") == WORDS["fa"]["failed"]
    assert cell.evaluate("one => one === document.activeElement")
    assert page.evaluate("document.querySelector('.map-wrap').scrollLeft") == scrolled


@languages
def test_the_log_is_followed_searched_and_downloaded(
    open_page: Open, faults: Callable[..., None], language: str, tmp_path: Path
) -> None:
    page = open_page(language)
    faults(**BAD)
    run = start(page)
    page.goto(run)
    lines = page.locator("#log > div[class^=l-]")
    expect(page.locator("#log-follow")).to_be_checked()
    page.wait_for_function(
        "() => document.querySelector('#log').textContent.includes('1310')", timeout=PATIENCE_MS
    )
    every = lines.count()
    page.fill("#log-search", "1310")
    page.press("#log-search", "Enter")
    page.wait_for_url(f"**{run}?log=1310#log-card")
    found = lines.all_inner_texts()
    assert 0 < len(found) < every + 1 and all("1310" in line for line in found)
    with page.expect_download() as download:
        page.click("#log-file")
    assert download.value.suggested_filename == f"run-{run.rsplit('/', 1)[1]}.log"
    saved = tmp_path / "run.log"
    download.value.save_as(saved)
    text = saved.read_text(encoding="utf-8")
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \w+ ", text, re.ASCII) and "1310" in text
    stop(page, run)


@languages
def test_the_timeline_shows_who_changed_a_setting_between_two_runs(open_page: Open, language: str) -> None:
    page = open_page(language)
    page.goto("/")
    numbers = []
    for wait in ("61", "60"):
        press_sync(page, "faculty")
        assert wait_for_status(page, "faculty", "success", "failed", "held") == "success"
        numbers.append(str(row(page, "faculty").get_attribute("data-run")))
        page.goto("/syncs/faculty/settings")
        opened = page.locator("[name=retry_wait_seconds]")
        opened.evaluate("one => { const fold = one.closest('details'); if (fold) fold.open = true; }")
        opened.fill(wait)
        page.click("main form .formbar .btn-primary")
        expect(page.locator(".alert-success")).to_be_visible()
        page.goto("/")
    page.goto(f"/runs/{numbers[1]}")
    page.locator("#timeline .card-lead a").click()
    page.wait_for_url("**/timeline/?source=faculty")
    told = [" ".join(one.split()) for one in page.locator(".event").all_inner_texts()]
    later = next(n for n, one in enumerate(told) if digits(f" {numbers[1]} ") in digits(f" {one} "))
    assert WORDS[language]["changed"] in told[later - 1] and WORDS[language]["changed"] in told[later + 1]
    assert digits(f" {numbers[0]} ") in digits(f" {told[later + 2]} ")
    page.select_option("#t-kind", "changes")
    page.wait_for_url("**kind=changes**")
    expect(page.locator(".event").first).to_contain_text(WORDS[language]["changed"])
    assert page.locator(".event .badge").count() == 0


def digits(text: str) -> str:
    return text.translate(str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789"))


def test_a_button_that_cannot_be_pressed_is_described_by_its_reason(open_page: Open) -> None:
    page = open_page("en")
    run = start(page)
    page.goto(run)
    page.click("#run-act")
    expect(page.locator("dialog[open] [data-text]")).to_contain_text("Finished parts stay published")
    page.click("dialog[open] [data-yes]")
    ended = page.locator("#run-act.btn-primary")
    reason = page.locator("#run-cannot")
    expect(reason.or_(ended).first).to_be_visible()  # a child may be gone before anybody reads it
    expect(ended).to_be_visible(timeout=PATIENCE_MS)
    ended.click()
    expect(page.locator("dialog[open] [data-text]")).to_contain_text("brings the database in step")
    page.click("dialog[open] [data-no]")
