"""A rehearsal with a real browser: it writes nothing, shows what would change, and is done for real by one press."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import row

Open = Callable[..., Page]


@pytest.mark.parametrize(("language", "width"), [("fa", 390), ("en", 1280)])
def test_a_source_is_rehearsed_looked_at_and_synced(open_page: Open, language: str, width: int) -> None:
    page = open_page(language, width=width)
    page.goto("/")
    before = row(page, "faculty").get_attribute("data-run")
    page.click("#try-faculty")
    expect(page.locator("dialog[open]")).to_be_visible()
    page.click("dialog[open] [data-yes]")
    page.wait_for_url("**/runs/*")
    rehearsal = page.url.rsplit("/", 1)[1]
    expect(page.locator("#rehearsed")).to_be_visible()
    page.wait_for_selector("input[name=rehearsed]", state="attached")
    expect(page.locator(".badge").first).to_be_visible()
    shown = page.locator("[data-count=read] dd").inner_text()
    page.goto("/")
    assert row(page, "faculty").get_attribute("data-run") == before
    page.goto(f"/runs/{rehearsal}")
    page.click("#run-act")
    page.click("dialog[open] [data-yes]")
    page.wait_for_url(lambda url: "/runs/" in url and not url.endswith(f"/{rehearsal}"))
    expect(page.locator("#rehearsed")).to_have_count(0)
    page.wait_for_selector("#run h1 .badge.s-success")
    assert page.locator("[data-count=read] dd").inner_text() == shown


def test_the_first_page_is_previewed_from_the_settings(open_page: Open) -> None:
    page = open_page("fa", width=390)
    page.goto("/syncs/faculty/settings")
    page.click("#preview")
    expect(page.locator("#preview-rows tbody tr").first).to_be_visible()
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
