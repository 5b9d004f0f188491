"""A held run with a real browser: it asks for a decision, shows who would vanish, and takes an answer."""

import urllib.request
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House, order, press_sync, row, simulator, wait_for_status

Open = Callable[..., Page]


@pytest.fixture
def bad_day(house: House) -> Iterator[Callable[[], None]]:
    """Let the demonstration's gateway answer the question for the faculty with half a list; healed at the end."""
    address = f"{simulator(house)}/fault"

    def begin() -> None:
        order(address, kind="half", endpoint="faculty", times=None)

    yield begin
    urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=30).close()


def held_run(page: Page, bad_day: Callable[[], None]) -> tuple[str, str]:
    """A hold of the faculty, on the status page: its run, and how many records there were before."""
    page.goto("/")
    press_sync(page, "faculty")
    wait_for_status(page, "faculty", "success")
    before = row(page, "faculty").locator(".count").inner_text()
    bad_day()
    press_sync(page, "faculty")
    wait_for_status(page, "faculty", "held")
    return str(row(page, "faculty").get_attribute("data-run")), before


@pytest.mark.parametrize("language", ["fa", "en"])
def test_a_hold_is_looked_at_and_the_old_data_are_kept(
    open_page: Open, bad_day: Callable[[], None], language: str
) -> None:
    page = open_page(language)
    held, _ = held_run(page, bad_day)
    expect(page.locator(f"#decide-{held} button")).to_have_count(3)
    row(page, "faculty").locator("a[href$='/held']").click()
    page.wait_for_url(f"**/runs/{held}/held")
    expect(page.locator("#vanishing tbody tr").first).to_be_visible()
    everybody = page.locator("#vanishing tbody tr").count()
    name = page.locator("#vanishing tbody tr").first.locator("bdi").nth(1).inner_text()
    page.fill("#h-search", name)
    page.press("#h-search", "Enter")
    expect(page.locator("#vanishing tbody tr").first).to_contain_text(name)
    assert page.locator("#vanishing tbody tr").count() < everybody
    page.click(f"#reject-{held}")
    expect(page.locator("dialog[open]")).to_be_visible()
    page.click("dialog[open] [data-yes]")
    page.wait_for_url(f"**/runs/{held}")
    page.goto("/")
    expect(page.locator(f"#decide-{held}")).to_have_count(0)
    expect(page.locator("#act-faculty")).to_be_visible()


@pytest.mark.parametrize("language", ["fa", "en"])
def test_a_loss_is_accepted_once_and_undone(
    open_page: Open, bad_day: Callable[[], None], language: str
) -> None:
    page = open_page(language)
    held, everybody = held_run(page, bad_day)
    page.click(f"#approve-{held}")
    expect(page.locator("dialog[open]")).to_be_visible()
    page.click("dialog[open] [data-yes]")
    page.wait_for_url("**/runs/*")  # of the acceptance
    page.goto("/")
    page.wait_for_selector(f"[data-source=faculty][data-status=success]:not([data-run='{held}'])")
    expect(row(page, "faculty").locator(".count")).not_to_have_text(everybody)
    accepted = row(page, "faculty").get_attribute("data-run")

    page.goto(f"/runs/{accepted}")
    page.click("#run-undo")
    page.wait_for_url(f"**/runs/{accepted}/undo")
    expect(page.locator("[data-count=added] dd")).not_to_have_text(
        page.locator("[data-count=left] dd").inner_text()
    )
    page.click("#undo-act")
    page.wait_for_url(lambda url: not url.endswith("/undo"))
    page.goto("/")
    page.wait_for_selector(f"[data-source=faculty][data-status=success]:not([data-run='{accepted}'])")
    expect(row(page, "faculty").locator(".count")).to_have_text(everybody)
    page.click("#resume-faculty")  # an undo pauses it: the demonstration goes on
    expect(page.locator("#resume-faculty")).to_have_count(0)
