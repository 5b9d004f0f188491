"""Light and dark, as the device says or as the person chose."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import sign_in

Open = Callable[..., Page]
LIGHT, DARK = "rgb(243, 245, 249)", "rgb(15, 20, 28)"


def ground(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_a_stranger_has_the_colours_of_the_device(open_page: Open) -> None:
    page = open_page("fa", signed_in=False, color_scheme="dark")
    page.goto("/login")
    assert ground(page) == DARK
    page.emulate_media(color_scheme="light")
    assert ground(page) == LIGHT


def test_what_one_chooses_in_the_top_bar_stays_on_every_device(open_page: Open) -> None:
    page = open_page("fa", color_scheme="light", reduced_motion="reduce")
    try:
        page.goto("/runs/")
        expect(page.locator(".to-light")).to_be_hidden()
        page.click(".to-dark")
        page.wait_for_url("**/runs/")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert ground(page) == DARK
        expect(page.locator(".to-dark")).to_be_hidden()
        expect(page.locator(".to-light")).to_be_visible()
        elsewhere = open_page("en", width=390, color_scheme="light", signed_in=False)
        elsewhere.goto("/login")
        assert ground(elsewhere) == LIGHT
        sign_in(elsewhere)
        assert ground(elsewhere) == DARK
        page.click(".to-light")
        expect(page.locator("html")).to_have_attribute("data-theme", "light")
        page.emulate_media(color_scheme="dark")
        assert ground(page) == LIGHT
    finally:
        page.goto("/account/")
        page.select_option("#theme", "auto")
        page.click("form[action$='/theme'] .btn-quiet")
        expect(page.locator("html")).to_have_attribute("data-theme", "auto")
    assert ground(page) == DARK


def test_no_script_is_needed_for_the_right_colours(open_page: Open) -> None:
    """So there is no moment in which they are wrong."""
    page = open_page("fa", signed_in=False, color_scheme="dark", java_script_enabled=False)
    page.goto("/login")
    dark = page.locator("link[href*='dark.css']")
    expect(dark).to_have_attribute("media", "screen and (prefers-color-scheme: dark)")
    assert page.locator("head link[href*='dark.css']").count() == 1
    # Scripts of the test itself still run, those of the page do not.
    assert page.evaluate("document.documentElement.classList.contains('js')") is False
    assert ground(page) == DARK
