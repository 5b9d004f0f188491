"""The first path of a person: sign in, press the button, watch it end, cancel, read why something failed."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    PATIENCE_MS,
    House,
    order,
    press_sync,
    row,
    sign_in,
    simulator,
    wait_for_status,
)

WORDS = {
    "fa": {
        "sync": "همگام‌سازی",
        "cancel": "لغو",
        "success": "موفق",
        "cancelled": "لغوشده",
        "safe": "داده‌های شما امن است",
    },
    "en": {
        "sync": "Sync",
        "cancel": "Cancel",
        "success": "Successful",
        "cancelled": "Cancelled",
        "safe": "Your data are safe",
    },
}
Open = Callable[..., Page]
USUAL_LATENCY = 200  # as panel/service/demo.py starts it
languages = pytest.mark.parametrize("language", ["fa", "en"])


@languages
def test_a_wrong_password_says_so_and_the_right_one_opens_the_status_table(
    open_page: Open, language: str
) -> None:
    page = open_page(language, signed_in=False)
    page.goto("/login")
    expect(page.locator("html")).to_have_attribute("dir", "rtl" if language == "fa" else "ltr")
    sign_in(page)
    expect(page.locator("h1")).to_be_visible()
    expect(row(page, "faculty")).to_be_visible()


@languages
def test_the_button_asks_first_and_no_changes_nothing(open_page: Open, language: str) -> None:
    page = open_page(language)
    before = row(page, "faculty").get_attribute("data-status")
    page.click("#act-faculty")
    dialog = page.locator("dialog[open]")
    expect(dialog).to_be_visible()
    expect(dialog.locator("[data-text]")).not_to_be_empty()
    page.click("dialog[open] [data-no]")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("Escape")
    assert row(page, "faculty").get_attribute("data-status") == before


@languages
def test_a_sync_is_watched_to_its_end_without_a_reload(open_page: Open, language: str) -> None:
    page = open_page(language)
    page.evaluate("window.stillTheSamePage = true")
    press_sync(page, "faculty")
    assert wait_for_status(page, "faculty", "success", "failed", "held") == "success"
    expect(row(page, "faculty").locator(".badge")).to_contain_text(WORDS[language]["success"])
    expect(row(page, "faculty").locator(".count")).to_have_text(re.compile(r"[\d۰-۹]"))
    assert page.evaluate("window.stillTheSamePage") is True
    expect(page.locator("#act-faculty")).to_contain_text(WORDS[language]["sync"])


def test_a_double_click_and_the_way_back_ask_for_one_run(open_page: Open, house: House) -> None:
    page = open_page("en")
    before = runs(house)
    page.dblclick("#act-faculty")
    page.dblclick("dialog[open] [data-yes]")
    assert wait_for_status(page, "faculty", "running", "success", "failed", "held")
    page.goto("/runs/")
    page.go_back()
    assert wait_for_status(page, "faculty", "success", "failed", "held") == "success"
    page.reload()
    expect(row(page, "faculty")).to_be_visible()
    assert runs(house) == before + 1


def runs(house: House) -> int:
    with closing(sqlite3.connect(house.instance / "demo" / "panel.db", timeout=30)) as db:
        return int(db.execute("SELECT count(*) FROM sync_runs").fetchone()[0])


@pytest.fixture
def latency(house: House) -> Iterator[Callable[[int], None]]:
    """Let the demonstration's gateway take so many milliseconds for each answer; as many as before at the end.

    What an earlier run has finished need not be asked for again: a run may be over before a page has seen it run.
    """
    address = f"{simulator(house)}/options"
    yield lambda milliseconds: order(address, latency=milliseconds)
    order(address, latency=USUAL_LATENCY)


def test_sync_becomes_cancel_and_cancel_ends_the_run(open_page: Open, latency: Callable[[int], None]) -> None:
    page = open_page("fa")
    latency(3_000)
    press_sync(page, "students")
    wait_for_status(page, "students", "running")
    button = page.locator("#act-students")
    expect(button).to_contain_text(WORDS["fa"]["cancel"])
    button.click()
    expect(page.locator("dialog[open]")).to_be_visible()
    page.click("dialog[open] [data-yes]")
    assert wait_for_status(page, "students", "cancelled", "success") == "cancelled"
    expect(row(page, "students").locator(".badge")).to_contain_text(WORDS["fa"]["cancelled"])
    expect(page.locator("#act-students")).to_contain_text(WORDS["fa"]["sync"])


def test_the_run_page_moves_by_itself_to_the_end(open_page: Open, latency: Callable[[int], None]) -> None:
    page = open_page("en")
    latency(3_000)
    press_sync(page, "students")
    wait_for_status(page, "students", "running")
    page.click("#state-students")
    page.wait_for_url("**/runs/*")
    expect(page.locator("#run progress")).to_be_visible()
    latency(USUAL_LATENCY)
    page.wait_for_function(
        "() => Number(document.querySelector('[data-count=read] dd')?.textContent.replace(/,/g, '') || 0) > 0",
        timeout=PATIENCE_MS,
    )
    expect(page.locator("#run h1 .badge")).to_contain_text("Successful", timeout=PATIENCE_MS)
    expect(page.locator("#parts")).to_be_visible()
    expect(page.locator("#run-act")).to_contain_text("Run again")


@languages
def test_a_refused_login_says_what_happened_that_the_data_are_safe_and_what_to_do(
    open_page: Open, language: str
) -> None:
    page = open_page(language)
    save_password(page, "not-the-password")
    try:
        page.goto("/")
        press_sync(page, "faculty")
        assert wait_for_status(page, "faculty", "failed", "success") == "failed"
        expect(row(page, "faculty").locator(".state .line-error")).to_be_visible()
        page.click("[data-source=faculty] .state .line-error a")
        notice = page.locator("#run .notice")
        expect(notice).to_contain_text(WORDS[language]["safe"])
        expect(notice).to_contain_text("E_AUTH")
        assert "not-the-password" not in page.content()
    finally:
        save_password(page, "simulator")


def test_a_failed_run_says_whose_fault_it_is_and_has_a_letter_ready(open_page: Open) -> None:
    page = open_page("fa", width=390)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    save_password(page, "not-the-password")
    try:
        page.goto("/")
        press_sync(page, "faculty")
        wait_for_status(page, "faculty", "failed")
        page.click("[data-source=faculty] .state .line-error a")
        page.click("#run-whose")
        expect(page.locator("#check-result .way .s-success")).to_have_count(4)
        expect(page.locator("#check-result .way .s-failed + div strong")).to_have_text("ورود")
        expect(page.locator("#check-result h2")).to_have_text("مشکل از تنظیمات اینجاست.")
        page.click("#run-letter")
        page.click("[data-copy=letter-fa]")
        expect(page.locator(".toast-line")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("موضوع: ") and copied == page.input_value("#letter-fa")
        assert "/Login" in copied and "not-the-password" not in copied
    finally:
        save_password(page, "simulator")


def save_password(page: Page, password: str) -> None:
    page.goto("/syncs/faculty/settings")
    assert page.input_value("[name=password]") == "--------"
    page.fill("[name=password]", password)
    page.click("main form.card .formbar button")
    expect(page.locator(".alert-success")).to_be_visible()
