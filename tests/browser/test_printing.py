"""On paper: black on white whatever the screen shows, nothing to press, nothing cut, right-to-left stays so."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import House

Open = Callable[..., Page]
A4_INSIDE = 703  # 210 mm less the margins of 12 mm, in CSS pixels
PRINTED = (
    "status",
    "run-ended",
    "run-held",
    "runs",
    "timeline",
    "diary",
    "vanishing",
    "report",
    "data-students",
    "data-terms",
    "quality-students",
    "person",
)
PRESSED = "button, .btn, .topbar, .foot, .strip, .toasts, dialog, .crumbs, .decide, [type=checkbox]"
NOT_BLACK = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const box = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !box.checkVisibility() || box.closest("script, .sr-only")) continue;
    if (getComputedStyle(box).color !== "rgb(0, 0, 0)") found.push("text: " + box.outerHTML.slice(0, 120));
    for (let up = box; up; up = up.parentElement) {
      const ground = getComputedStyle(up).backgroundColor;
      const blank = ["rgba(0, 0, 0, 0)", "rgb(255, 255, 255)"].includes(ground);
      if (!blank) found.push("ground: " + up.outerHTML.slice(0, 120));
    }
  }
  return found.slice(0, 5);
}"""
CUT = """() => [document.documentElement, ...document.querySelectorAll(".table-wrap, .log, .card")]
  .filter(box => box.scrollWidth > box.clientWidth + 1 || getComputedStyle(box).overflowX === "auto")
  .map(box => box.tagName + "." + box.className + " " + box.scrollWidth + " > " + box.clientWidth)"""


def visible(page: Page, selector: str) -> list[str]:
    return page.eval_on_selector_all(
        selector, "all => all.filter(one => one.checkVisibility()).map(one => one.outerHTML.slice(0, 120))"
    )


def on_paper(page: Page) -> None:
    page.set_viewport_size({"width": A4_INSIDE, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")


def wrong_on_paper(page: Page, direction: str) -> list[str]:
    """What a person who prints the page would be annoyed by."""
    wrong = [f"to press: {one}" for one in visible(page, PRESSED)]
    wrong += [str(one) for one in page.evaluate(NOT_BLACK)]
    wrong += [f"cut: {one}" for one in page.evaluate(CUT)]
    if page.evaluate("getComputedStyle(document.body).direction") != direction:
        wrong.append("the direction")
    heads = page.eval_on_selector_all("thead", "all => all.map(one => getComputedStyle(one).display)")
    # So it stands on every sheet.
    return wrong + [f"head: {one}" for one in heads if one != "table-header-group"]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("language", "direction"), [("fa", "rtl"), ("en", "ltr")])
def test_pages_are_printed_black_on_white_and_whole(
    told_house: House, open_told: Open, language: str, direction: str
) -> None:
    page = open_told(language, color_scheme="dark")
    on_paper(page)
    found = {}
    for name in PRINTED:
        page.goto(told_house.pages[name])
        expect(page.locator("h1")).to_be_visible()
        found[name] = wrong_on_paper(page, direction)
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_a_screen_is_no_paper(told_house: House, open_told: Open) -> None:
    """A negative control: on a dark and narrow screen each kind of wrong is found."""
    page = open_told("fa", color_scheme="dark")
    page.goto(told_house.pages["quality-students"])
    page.set_viewport_size({"width": A4_INSIDE, "height": 1000})
    wrong = wrong_on_paper(page, "ltr")
    for kind in ("to press:", "text:", "ground:", "cut:", "the direction", "head:"):
        assert any(one.startswith(kind) for one in wrong), kind


def test_paper_has_the_moment_itself_and_the_filters_in_force(told_house: House, open_told: Open) -> None:
    page = open_told("fa")
    page.goto("/runs/?source=faculty")
    on_paper(page)
    moment = page.locator("time.moment").first
    shown = moment.evaluate("one => getComputedStyle(one, '::after').content")
    assert shown.strip('"') == moment.get_attribute("data-exact")
    assert moment.evaluate("one => getComputedStyle(one).fontSize") == "0px"  # "2 hours ago"
    expect(page.locator("#r-source")).to_be_visible()
    expect(page.locator("#r-status")).to_be_hidden()
    page.goto("/runs/")
    expect(page.locator(".filters-bar")).to_be_hidden()


def test_a_long_list_becomes_several_sheets(told_house: House, open_told: Open) -> None:
    page = open_told("fa", color_scheme="dark")
    page.goto(told_house.pages["diary"])
    sheets = re.findall(rb"/Type\s*/Page\b(?!s)", page.pdf(format="A4"))
    assert len(sheets) >= 2
