"""axe-core finds nothing on any page: every rule, both languages, both themes, a desk and a phone, all three roles."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import House

Open = Callable[..., Page]
THEMES = ("light", "dark")
# The only rules that a theme can break; the others are asked once.
ABOUT_COLOURS = ("color-contrast", "link-in-text-block")
# Pages on which an operator or a viewer sees something else than an administrator.
BY_ROLE = (
    "status",
    "run-ended",
    "run-held",
    "timeline",
    "vanishing",
    "rehearsal",
    "diary",
    "person",
    "calendar",
    "quality-rows",
)
# Bootstrap's own parts, which Flask-Admin's stock pages are made of: we use few of them today.
STOCK = (Path(__file__).parent / "bootstrap_parts.html").read_text(encoding="utf-8")


def violations(page: Page, rules: tuple[str, ...] = (), within: str | None = None) -> list[str]:
    """What axe finds on the page as it stands, a line each; `rules`: these alone; `within`: what a selector names."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    found = Axe().run(page, context=within, options=options).response["violations"]
    return [f"{one['id']}: {node['target']} {node['html'][:200]}" for one in found for node in one["nodes"]]


def of_both_themes(page: Page) -> list[str]:
    """Every rule in the light theme, those about colours in the dark one too."""
    found = []
    for theme in THEMES:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        found += [f"{theme} {one}" for one in violations(page, ABOUT_COLOURS if theme == "dark" else ())]
    return found


@pytest.mark.timeout(1800)  # dozens of pages, a few seconds each where the machine is busy
@pytest.mark.parametrize(
    ("language", "width"),
    [
        ("fa", 1280),
        ("en", 390),
        pytest.param("fa", 390, marks=pytest.mark.slow),
        pytest.param("en", 1280, marks=pytest.mark.slow),
    ],
)
def test_no_page_breaks_a_rule(told_house: House, open_told: Open, language: str, width: int) -> None:
    page = open_told(language, width=width)
    found = {}
    for name, address in told_house.pages.items():
        if name == "no-such-page":
            continue
        page.goto(address)
        found[name] = of_both_themes(page)
    unwatched = page.context.new_page()  # the browser itself complains of a page that is not there
    unwatched.goto(told_house.pages["no-such-page"])
    found["no-such-page"] = of_both_themes(unwatched)
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(("username", "language", "width"), [("reza", "en", 390), ("sara", "fa", 1280)])
def test_no_page_breaks_a_rule_for_an_operator_and_a_viewer(
    told_house: House, open_told: Open, username: str, language: str, width: int
) -> None:
    page = open_told(language, width=width, username=username)
    found = {}
    for name in BY_ROLE:
        page.goto(told_house.pages[name])
        expect(page.locator("h1")).to_be_visible()
        found[name] = of_both_themes(page)
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("language", ["fa", "en"])
def test_signing_in_breaks_no_rule(open_told: Open, language: str) -> None:
    page = open_told(language, signed_in=False, width=390)
    page.goto("/login")
    found = of_both_themes(page)
    refused = page.context.new_page()  # unwatched: the browser itself complains of the answer 401
    refused.goto("/login")
    refused.fill("[name=username]", "maryam")
    refused.fill("[name=password]", "not-the-password")
    refused.click("main form button[type=submit]")
    expect(refused.locator(".alert")).to_be_visible()
    assert found + of_both_themes(refused) == []


@pytest.mark.parametrize("language", ["fa", "en"])
def test_what_opens_on_a_page_breaks_no_rule(open_told: Open, language: str) -> None:
    page = open_told(language, width=390)
    page.goto("/")
    page.click("[data-nav]")
    expect(page.locator("#mainnav")).to_be_visible()
    found = {"menu": of_both_themes(page)}
    page.click("#act-students")
    expect(page.locator("dialog[open]")).to_be_visible()
    found["question"] = of_both_themes(page)
    page.goto("/syncs/students/settings")
    page.check("[name=schedule_kind][value=calendar]")
    page.click("summary.legend")
    expect(page.locator(".in-detail")).to_be_visible()
    found["settings, all open"] = of_both_themes(page)
    page.click("#preview")
    expect(page.locator("#preview-rows")).to_be_visible()
    found["first page"] = of_both_themes(page)
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_bootstraps_own_parts_are_readable(open_told: Open, theme: str) -> None:
    page = open_told("en")
    page.goto("/account/")
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.evaluate("html => { document.querySelector('main .frame').innerHTML = html; }", STOCK)
    found = violations(page, ("color-contrast",))
    for one in page.locator(
        "main .btn, main a.page-link, main .dropdown-item, main .list-group-item-action"
    ).all():
        one.hover()
        found += violations(page, ("color-contrast",), "main :hover")
        one.focus()
        found += violations(page, ("color-contrast",), "main :focus")
    assert found == []


def test_axe_sees_what_it_is_asked_for(open_told: Open) -> None:
    """A negative control: a box without a name, and in the dark a text that is too weak."""
    page = open_told("fa")
    page.goto("/account/")
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.evaluate(
        "document.querySelector('main .frame').insertAdjacentHTML('beforeend', '<input id=nameless>')"
    )
    page.evaluate("document.documentElement.style.setProperty('--ink', '#4a5568')")
    assert any(one.startswith("label: ['#nameless']") for one in violations(page))
    assert any(one.startswith("color-contrast: ['h1']") for one in violations(page, ABOUT_COLOURS))
