"""The walk of a newcomer: from a bare `up` to a nightly schedule on a gateway of one's own, and the first sync."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import pages_of, started
from tests.browser.test_accessibility import violations
from tests.conftest import Gateway
from tools import walk

PAGES = ("gateway", "login", "test", "campuses", "first-term", "rehearsal", "schedule", "done")
# What the pages must say: in Persian with Persian digits, days by the Jalali calendar.
WORDS = {
    "fa": {
        "refused": "نام کاربری یا گذرواژه",
        "took": re.compile("درگاه در [۰-۹٬]+ هزارم ثانیه پاسخ داد"),
        "announced": re.compile("اعضای هیئت علمی: درگاه [۰-۹٬]+ رکورد اعلام می‌کند"),
        "parts": re.compile("[۰-۹]+ پردیس، هر کدام در [۰-۹]+ نیمسال"),
        "default": "۰۲:۳۰",
        "chosen": re.compile("شنبه ۱[۴۵][۰-۹]{2}/[۰-۹]{2}/[۰-۹]{2} ۰۳:۱۵"),
    },
    "en": {
        "refused": "user name or password",
        "took": re.compile("The gateway answered in [0-9,]+ millisecond"),
        "announced": re.compile("Faculty: the gateway announces [0-9,]+ records"),
        "parts": re.compile("[0-9]+ campuses in [0-9]+ terms each"),
        "default": "02:30",
        "chosen": re.compile(r"day .*03:15.*\(1[45]\d\d/\d\d/\d\d\)"),
    },
}


class Companion:
    """Looks at each place of the walk."""

    def __init__(self, page: Page, language: str) -> None:
        self.page, self.words = page, WORDS[language]
        self.seen: list[str] = []

    def __call__(self, place: str) -> None:
        self.seen.append(place)
        if place in PAGES:
            self._fits(place)
        getattr(self, f"_at_{place.replace('-', '_')}", lambda: None)()

    def _fits(self, step: str) -> None:
        """The page is this step's, survives a reload, fits its screen, and breaks no rule of accessibility."""
        page = self.page
        page.wait_for_url(re.compile(f"/first-steps/{step}$"))
        for _look in range(2):
            expect(page.locator("h1")).to_be_visible()
            if step != "done":
                expect(page.locator(f".steps a[aria-current=step][href$='/{step}']")).to_be_visible()
            page.reload()
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{step} is {wide} px too wide"
        assert violations(page) == []

    def _at_refused(self) -> None:
        expect(self.page.locator("#told")).to_contain_text(self.words["refused"])
        self.page.reload()
        expect(self.page.locator("#told.n-failed")).to_be_visible()

    def _at_accepted(self) -> None:
        expect(self.page.locator("#told")).to_contain_text(self.words["took"])
        self.page.reload()
        expect(self.page.locator("#told")).to_contain_text(self.words["announced"])

    def _at_first_term(self) -> None:
        parts = self.page.locator("#planned")
        expect(parts).to_contain_text(self.words["parts"])
        before = parts.inner_text()
        self.page.fill("[name=first_term]", "4041")
        expect(parts).not_to_have_text(before)
        expect(parts).to_contain_text(self.words["parts"])

    def _at_rehearsed(self) -> None:
        expect(self.page.locator("#rehearsed [data-count=read]")).to_be_visible()
        expect(self.page.locator(".steps li.done a[href$='/rehearsal']")).to_be_visible()
        expect(self.page.locator("main .alert")).to_have_count(0)
        self.page.reload()
        expect(self.page.locator("#rehearsed[data-status=success]")).to_be_visible()

    def _at_schedule(self) -> None:
        times = self.page.locator("#next-times li")
        expect(times).to_have_count(5)
        expect(times.first).to_contain_text(self.words["default"])

    def _at_done(self) -> None:
        for key in ("faculty", "students"):
            expect(self.page.locator(f"[data-source={key}]")).to_contain_text(self.words["chosen"])
        expect(self.page.locator(".steps li.done")).to_have_count(7)

    def _at_synced(self) -> None:
        expect(self.page.locator("#first-steps")).to_have_count(0)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("language", "width"), [("fa", 1280), ("en", 390)])
def test_a_newcomer_walks_from_a_bare_start_to_a_nightly_schedule(
    browser: Browser, tmp_path: Path, simulator: Callable[..., Gateway], language: str, width: int
) -> None:
    gateway = simulator(*walk.WORLD)
    with started(tmp_path / "instance", bare=True) as house:
        password = walk.password_in(tmp_path / "up.log")
        with pages_of(house, browser) as open_:
            # Unwatched: the browser itself complains while neither house answers.
            stranger = open_(language, width=width, signed_in=False).context.new_page()
            walk.leave_the_demonstration(stranger, password, lambda place: None)
            page = open_(language, width=width, signed_in=False)
            walk.sign_in(page, password)
            companion = Companion(page, language)
            walk.walk(page, gateway.url, companion)
            assert set(PAGES) <= set(companion.seen)
            for step in reversed(PAGES):  # its address is enough, in any order
                page.goto(f"/first-steps/{step}")
                expect(page.locator("h1")).to_be_visible()
            page.go_back()
            page.wait_for_url(re.compile(f"/first-steps/{PAGES[1]}$"))
