"""Settings and the data browser, with a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import press_sync, row, wait_for_status

Open = Callable[..., Page]
languages = pytest.mark.parametrize("language", ["fa", "en"])
PAGES = (
    "/",
    "/runs/",
    "/data/faculty",
    "/syncs/students/settings",
    "/campuses/",
    "/calendar/",
    "/users/",
    "/tokens/",
    "/audit/",
)


@languages
def test_the_connection_test_says_what_the_gateway_said(open_page: Open, language: str) -> None:
    page = open_page(language)
    page.goto("/syncs/faculty/settings")
    page.click("form[data-check] button")
    expect(page.locator("#check-result")).to_have_class("notice n-success")
    expect(page.locator("#check-result .way .s-success")).to_have_count(5)
    expect(page.locator("form[data-check] button")).to_be_enabled()


def test_chosen_parts_can_be_asked_for_once_something_is_ticked(open_told: Open) -> None:
    page = open_told("en")
    page.goto("/syncs/students/parts")
    button = page.locator("#choose .btn-primary")
    expect(button).to_be_disabled()
    expect(button).to_have_accessible_description(
        re.compile("Nothing is chosen yet: tick a campus or a term")
    )
    page.locator("#pick-term input").first.check()
    expect(button).to_be_enabled()
    expect(page.locator("#chosen")).to_contain_text("parts will be fetched")
    page.locator("#pick-term input").first.uncheck()
    expect(button).to_be_disabled()


def test_a_schedule_shows_its_next_times_before_it_is_saved(open_page: Open) -> None:
    page = open_page("fa")
    page.goto("/syncs/students/settings")
    page.check("[name=schedule_kind][value=cron]")
    page.fill("[name=cron]", "30 2 * * *")
    expect(page.locator("#next-times li")).to_have_count(5)
    expect(page.locator("#next-times")).to_contain_text("۰۲:۳۰")
    page.fill("[name=cron]", "30 25 * * *")
    expect(page.locator("#next-times")).not_to_contain_text("۰۲:۳۰")


@pytest.mark.parametrize("width", [1280, 390])
def test_a_schedule_by_the_calendar_is_put_together_and_shown_as_one_types(
    open_page: Open, width: int
) -> None:
    page = open_page("fa", width=width)
    page.goto("/syncs/students/settings")
    expect(page.locator(".in-detail")).to_be_hidden()
    page.check("[name=schedule_kind][value=calendar]")
    expect(page.locator(".in-detail")).to_be_visible()
    page.select_option("[name=cal_on]", "dates")
    page.fill("[name=cal_dates]", "12/آخر")
    page.locator("[name=cal_at]").press_sequentially("0230")
    expect(page.locator("#next-times .wrong")).to_contain_text("۰۲۳۰")
    page.fill("[name=cal_at]", "۰۲:۳۰")
    expect(page.locator("#next-times li")).to_have_count(5)
    expect(page.locator("#next-times li").first).to_contain_text("/۱۲/")
    # Only what the choice needs is there, and nothing sticks out of a phone.
    expect(page.locator(".only-week")).to_be_hidden()
    expect(page.locator(".only-cron")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_an_interval_is_saved_and_shown_in_the_row(open_page: Open) -> None:
    page = open_page("fa")
    for kind in ("interval", "off"):
        page.goto("/syncs/students/settings")
        page.check(f"[name=schedule_kind][value={kind}]")
        if kind == "interval":
            page.fill("[name=interval_minutes]", "720")
        page.click("main form.card .formbar button")
        expect(page.locator(".alert-success")).to_be_visible()
        page.goto("/")
        words = "ساعت دیگر" if kind == "interval" else "فقط دستی"
        expect(row(page, "students")).to_contain_text(words)


def test_a_person_is_found_with_arabic_letters(open_page: Open) -> None:
    page = open_page("fa")
    if row(page, "faculty").get_attribute("data-status") != "success":
        press_sync(page, "faculty")
        wait_for_status(page, "faculty", "success")
    page.goto("/data/faculty?search=علی")
    persian = page.locator("table.grid tbody tr").count()
    assert persian > 0
    page.fill("#d-search", "علي")
    page.press("#d-search", "Enter")
    expect(page.locator("table.grid tbody tr")).to_have_count(persian)
    page.locator("table.grid tbody a").first.click()
    expect(page.locator("table.kv")).to_be_visible()


@languages
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_its_screen(open_page: Open, language: str, width: int) -> None:
    """And, by the fixture: no console error, no breach of the content policy, no foreign host."""
    page = open_page(language, width=width)
    for path in PAGES:
        page.goto(path)
        too_wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert too_wide <= 0, f"{path} is {too_wide} px too wide at {width} px"
        direction = page.evaluate("getComputedStyle(document.body).direction")
        assert direction == ("rtl" if language == "fa" else "ltr")


def test_the_menu_opens_on_a_phone(open_page: Open) -> None:
    page = open_page("fa", width=390)
    link = page.locator("#mainnav a[href='/runs/']")
    expect(link).to_be_hidden()
    page.click("[data-nav]")
    expect(link).to_be_visible()
    link.click()
    page.wait_for_url("**/runs/")


def test_the_language_is_changed_with_one_click(open_page: Open) -> None:
    page = open_page("fa")
    page.click("button[name=locale]")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.click("button[name=locale]")
    expect(page.locator("html")).to_have_attribute("lang", "fa")


def test_the_watch_of_these_tests_sees_a_breach(open_page: Open, house) -> None:  # type: ignore[no-untyped-def]
    """A negative control: what the fixture forbids is really seen."""
    from tests.browser.conftest import Watch

    watch = Watch(house.url)
    page = open_page("en")
    other = page.context.new_page()
    other.on("console", watch.console)
    other.on("request", watch.request)
    other.goto("/")
    other.evaluate("document.body.setAttribute('onclick', 'window.x = 1')")
    other.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/x.png\">')")
    other.wait_for_function("() => document.images.length > 0")
    expect(other.locator("img")).to_be_attached()
    assert any("Content Security Policy" in one for one in watch.complaints), watch.complaints
