"""Lists that are narrowed and saved, the diary of changes, and users, with a real browser."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import press_sync, row, sign_in, wait_for_status

Open = Callable[..., Page]
languages = pytest.mark.parametrize("language", ["fa", "en"])
NEW_PASSWORD = "quiet-river-77"
# How far what one reads moved by itself, as browsers measure it (CLS).
SHIFTS = """() => new Promise(done => {
  new PerformanceObserver(list => done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0)))
    .observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(0), 500);
})"""


def with_faculty(page: Page) -> None:
    """Be sure that the faculty is there."""
    page.goto("/")
    if row(page, "faculty").get_attribute("data-status") != "success":
        press_sync(page, "faculty")
        wait_for_status(page, "faculty", "success")


def save(page: Page, kind: str, path: Path) -> Path:
    """The list as a file, made and taken away as a person does it."""
    page.click("#files > summary")
    page.click(f"#files button[value={kind}]")
    page.wait_for_selector("#export-file")
    with page.expect_download() as waiting:
        page.click("#export-file")
    waiting.value.save_as(path)
    return path


@languages
def test_a_list_is_narrowed_by_a_facet_kept_by_its_address_and_saved_as_a_file(
    open_page: Open, tmp_path: Path, language: str
) -> None:
    page = open_page(language)
    with_faculty(page)
    page.goto("/data/faculty")
    whole = page.locator("#count").inner_text()
    box = page.locator("select[name^=f_]").first
    chosen = box.locator("option").nth(1).get_attribute("value")
    box.select_option(chosen)  # goes there by itself
    page.wait_for_url(f"**f_*={chosen}*")
    expect(page.locator("#count")).not_to_have_text(whole)
    narrowed = page.locator("#count").inner_text()
    page.reload()
    expect(page.locator("#count")).to_have_text(narrowed)
    people = page.locator("table.grid tbody tr td:first-child").all_inner_texts()

    with zipfile.ZipFile(save(page, "xlsx", tmp_path / "list.xlsx")) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert ('rightToLeft="1"' in sheet) is (language == "fa")
    page.go_back()
    page.wait_for_selector("#count")
    text = save(page, "csv", tmp_path / "list.csv").read_text(encoding="utf-8-sig")
    lines = list(csv.reader(io.StringIO(text)))
    assert len(lines) == sheet.count("<row ") > len(people) > 0, "both files have the list, and its headings"


@languages
def test_somebody_is_found_in_the_diary_of_changes(open_told: Open, language: str) -> None:
    page = open_told(language)
    page.goto("/changes/")
    name = page.locator("table.grid tbody tr bdi").first.inner_text()
    page.fill("#c-search", name)
    page.press("#c-search", "Enter")
    page.wait_for_url("**search=*")
    for found in page.locator("table.grid tbody tr").all():
        expect(found).to_contain_text(name.split()[-1])
    page.fill("#c-search", "nobody of this name")
    page.press("#c-search", "Enter")
    expect(page.locator(".empty")).to_be_visible()
    expect(page.locator("table.grid")).to_have_count(0)


@languages
def test_a_user_is_made_signs_in_and_can_only_look(open_page: Open, language: str) -> None:
    username = f"leila-{language}"
    page = open_page(language)
    page.goto("/users/new/")
    page.fill("[name=username]", username)
    page.fill("[name=password]", NEW_PASSWORD)
    page.fill("[name=again]", "another-river-78")
    page.select_option("[name=role]", "viewer")
    page.click("main form [type=submit]")
    expect(page.locator("main")).to_contain_text(
        "دو گذرواژه یکسان نیستند" if language == "fa" else "The two passwords are not the same"
    )
    page.fill("[name=password]", NEW_PASSWORD)
    page.fill("[name=again]", NEW_PASSWORD)
    page.click("main form [type=submit]")
    page.wait_for_url("**/users/**")
    expect(page.locator("main table")).to_contain_text(username)

    theirs = open_page(language, signed_in=False)
    sign_in(theirs, NEW_PASSWORD, username)
    expect(row(theirs, "faculty")).to_be_visible()
    expect(theirs.locator("#act-faculty")).to_have_count(0)
    assert theirs.request.get("/users/").status == 403


def test_a_list_on_a_phone_stays_where_it_is_when_the_script_comes_late(open_page: Open) -> None:
    page = open_page("fa", width=412)
    with_faculty(page)
    page.route("**/hamgam.js*", lambda route: (page.wait_for_timeout(700), route.continue_()))
    page.goto("/runs/")
    assert page.evaluate(SHIFTS) < 0.1  # of which one tells "good" from "needs improvement"
