"""Without a mouse, and without eyes: where the focus is and stays, what is said; and nothing is asked for nobody."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.conftest import PATIENCE_MS, House, press_sync, row, wait_for_status

Open = Callable[..., Page]
# The outline of what has the focus, or of the label that stands for a box that is not seen.
OUTLINE = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const shown = at.matches(".sr-only") && at.nextElementSibling ? at.nextElementSibling : at;
  const style = getComputedStyle(shown);
  const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return { what: at.outerHTML.slice(0, 120), seen };
}"""


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def hide(page: Page, hidden: bool) -> None:
    """As if another window stood before this one, or no longer did."""
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


def let_time_pass(page: Page) -> None:
    """Minutes of the page's clock. Between them a question is answered, so that those before it are, too."""
    for _turn in range(4):
        page.clock.run_for(120_000)
        page.evaluate("fetch('/healthz').then(answer => answer.text())")


def note_questions(page: Page) -> list[str]:
    """What the page asks for by itself from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if request.resource_type == "fetch" and not request.url.endswith("/healthz"):
            asked.append(request.url)

    page.on("request", note)
    return asked


def test_the_first_tab_leads_past_the_menu(open_page: Open) -> None:
    page = open_page("fa")
    page.goto("/runs/")
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


@pytest.mark.parametrize(
    "path", ["/", "/syncs/students/settings", "/data/Students", "/calendar/", "/account/"]
)
def test_the_focus_is_seen_wherever_it_goes(open_told: Open, path: str) -> None:
    page = open_told("fa")
    page.goto(path)
    unseen, known = [], set()
    for _step in range(400):
        page.keyboard.press("Tab")
        at = page.evaluate(OUTLINE)
        if at is None:  # the last one was left: the browser's own bar has it now
            break
        known.add(at["what"])
        if not at["seen"]:
            unseen.append(at["what"])
    assert at is None
    assert len(known) > 10
    assert unseen == []


def test_a_question_keeps_the_focus_escape_says_no_and_gives_it_back(open_page: Open) -> None:
    page = open_page("fa")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.focus("#act-faculty")
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    for _step in range(5):
        outside = page.evaluate("document.activeElement.matches('body > :not(dialog) *')")
        assert not outside  # between the last and the first button the browser's own bar has it
        page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert focused(page) == "act-faculty"
    assert sent == []


def test_after_a_yes_the_focus_is_still_at_the_button_and_the_end_is_said(open_page: Open) -> None:
    page = open_page("en")
    page.focus("#act-faculty")
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    before = row(page, "faculty").get_attribute("data-run")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"[data-source=faculty]:not([data-run='{before}'])")
    assert focused(page) == "act-faculty"
    assert wait_for_status(page, "faculty", "success", "failed", "held") == "success"
    assert focused(page) == "act-faculty"
    expect(page.locator("#announce[aria-live=polite]")).to_contain_text("Faculty: Successful")


def test_a_region_that_is_drawn_anew_leaves_the_focus_where_it_was(open_page: Open) -> None:
    page = open_page("en")
    if row(page, "faculty").get_attribute("data-status") == "none":
        press_sync(page, "faculty")
        wait_for_status(page, "faculty", "success")

    def drawn(route: Route, html: Callable[[str], str]) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=html(answer.text()))

    link = page.locator("[data-source=faculty] .bars a").last
    address = link.get_attribute("href")
    link.focus()
    page.route("**/status/rows", lambda route: drawn(route, lambda html: html + "<i id='anew'></i>"))
    hide(page, False)  # who comes back is shown the newest state at once
    page.wait_for_selector("#anew", state="attached")
    assert page.evaluate("document.activeElement.getAttribute('href')") == address
    page.route("**/status/rows", lambda route: drawn(route, lambda _html: "<i id='empty'></i>"))
    hide(page, False)
    page.wait_for_selector("#empty", state="attached")
    assert focused(page) == "sources"  # not back at the top of the page


def test_a_table_that_is_too_wide_is_scrolled_by_keys(told_house: House, open_told: Open) -> None:
    page = open_told("en")
    page.goto(told_house.pages["quality-students"])
    wide = page.locator(".table-wrap:has(.matrix)")
    expect(wide).to_have_attribute("tabindex", "0")
    expect(wide).to_have_attribute("role", "region")
    expect(wide).to_have_attribute("aria-label", "By campus")
    wide.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.table-wrap:has(.matrix)').scrollLeft > 0")
    narrow = page.locator(".table-wrap:has(.kinds)")
    assert narrow.get_attribute("tabindex") is None  # nothing to scroll, nothing to stop at


def test_nothing_is_asked_while_nobody_looks(open_page: Open) -> None:
    page = open_page("fa")
    page.clock.install()
    page.goto("/")
    page.wait_for_load_state("networkidle")  # what charts are in sight have come
    asked = note_questions(page)
    hide(page, True)
    asked.clear()  # what the page asked before, for its charts
    let_time_pass(page)
    assert asked == []
    with page.expect_request("**/status/rows"):  # who comes back sees the newest state at once
        hide(page, False)
    with page.expect_request(
        "**/status/rows"
    ):  # a negative control: the same clock makes a page ask that is seen
        page.clock.run_for(30_000)


def test_nothing_is_asked_about_a_run_that_nobody_watches(open_page: Open) -> None:
    page = open_page("fa")
    press_sync(page, "students")
    wait_for_status(page, "students", "running")
    page.clock.install()
    page.goto(str(page.get_attribute("#state-students", "href")))
    expect(page.locator("#log")).to_be_visible()
    hide(page, True)
    let_time_pass(page)  # what was on its way is answered
    asked = note_questions(page)
    let_time_pass(page)
    assert asked == []
    with page.expect_request("**/live*"):
        hide(page, False)
    with page.expect_request("**/log?*", timeout=PATIENCE_MS):
        page.clock.run_for(5_000)
    page.clock.resume()
    page.goto("/")
    wait_for_status(page, "students", "success", "failed", "held")
