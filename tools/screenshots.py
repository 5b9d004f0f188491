"""Pictures of every page for the documentation: `make screens`, or `python -m tools.screenshots [NAME …]`.

Starts a demonstration of its own, lets it live through what pages have a face for (tools/every_page.py), and takes
each page at 1280 and 390 pixels, in both languages, light and dark, into docs/screens/: 50 pages, some 400 pictures,
ten minutes. NAME: these pages alone. Needs a Chromium; CHROMIUM names it where it is not in the PATH.
"""

import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tools.every_page import ROOT, Story

HOME = ROOT / "docs" / "screens"
USER, PASSWORD = "maryam", "orange-lamp-42"
HEIGHTS = {1280: 800, 390: 844}  # of the window, by its width
TALLEST = {1280: 1300, 390: 1700}  # the rest of a long list looks the same
LANGUAGES = ("fa", "en")
THEMES = {"light": "", "dark": "-dark"}


@contextmanager
def demonstration() -> Iterator[Story]:
    """`up --demo` in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GOLESTAN_")}
        environ = {
            **inherited,
            "PANEL_INSTANCE": folder,
            "PANEL_PORT": str(port),
            "PANEL_ADMIN_USERNAME": USER,
            "PANEL_ADMIN_PASSWORD": PASSWORD,
        }
        up = subprocess.Popen([sys.executable, "-m", "panel", "up", "--demo"], cwd=ROOT, env=environ)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_up(url)
            yield Story(url, environ)
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(60)


def wait_until_up(url: str) -> None:
    """Until the panel answers and its engine leads; SystemExit where it does not."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with suppress(OSError), urlopen(f"{url}/healthz", timeout=5) as answer:
            if b'"engine":"up"' in answer.read().replace(b" ", b""):
                return
        time.sleep(0.3)
    raise SystemExit("the demonstration did not start")


def keep(shot: bytes, path: Path) -> None:
    """Save a picture (PNG) with 256 colours: a page has not many more, and the file a third of the size."""
    colours = Image.open(io.BytesIO(shot)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    colours.save(path, optimize=True)


class Album:
    """One window in one language and width; `wanted`: names of pages, all where it is empty."""

    def __init__(self, browser: Browser, url: str, language: str, width: int, wanted: set[str]) -> None:
        self.language, self.width, self.wanted = language, width, wanted
        context = browser.new_context(
            viewport={"width": width, "height": HEIGHTS[width]}, base_url=url, device_scale_factor=1
        )
        context.add_cookies([{"name": "hamgam_locale", "value": language, "url": url}])
        self.page = context.new_page()
        self.page.set_default_timeout(120_000)

    def wants(self, name: str) -> bool:
        return not self.wanted or name in self.wanted

    def open(self, path: str) -> None:
        self.page.goto(path + ("&" if "?" in path else "?") + f"lang={self.language}")

    def sign_in(self) -> None:
        self.open("/login")
        self.take("sign-in")
        self.page.fill("[name=username]", USER)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("main form button[type=submit]")
        self.page.wait_for_url(lambda address: "/login" not in address)

    def take(self, name: str, *, whole: bool = True) -> None:
        """The page as it stands, light and dark; not `whole`: what the window shows."""
        if not self.wants(name):
            return
        self.page.evaluate("document.fonts.ready")
        for charts in self.page.locator("[data-charts]").all():  # they come once they are seen
            charts.scroll_into_view_if_needed()
            self.page.wait_for_function("charts => charts.dataset.drawn", arg=charts.element_handle())
        self.page.evaluate("scrollTo(0, 0)")
        height = HEIGHTS[self.width]
        if whole:
            height = min(self.page.evaluate("document.documentElement.scrollHeight"), TALLEST[self.width])
        for theme, suffix in THEMES.items():
            self.page.emulate_media(color_scheme=theme)
            shot = self.page.screenshot(
                full_page=whole,
                animations="disabled",  # else a button is caught on its way from one colour to the other
                clip={"x": 0, "y": 0, "width": self.width, "height": height},
            )
            keep(shot, HOME / f"{name}-{self.language}-{self.width}{suffix}.png")

    def take_what_moves(self) -> None:
        """What is seen only in the middle: the question, a running row, a run's page; what is asked for by a button."""
        self.open("/")
        self.page.click("#act-students")
        self.page.wait_for_selector("dialog[open]")
        self.take("question", whole=False)
        before = self.page.get_attribute("[data-source=students]", "data-run")
        self.page.click("dialog[open] [data-yes]")
        self.page.wait_for_selector(f"[data-source=students]:not([data-run='{before}'])")
        self.page.wait_for_selector("[data-source=students][data-status=running] progress[max]")
        self.take("status-running")
        self.open(str(self.page.get_attribute("#state-students", "href")))
        self.page.wait_for_selector("#run progress[max]")
        self.take("run-running")
        self.page.wait_for_selector("#run .badge.s-success, #run .badge.s-failed, #run .badge.s-held")
        self.open("/syncs/students/settings")
        self.page.click("#preview")
        self.page.wait_for_selector("#preview-rows")
        self.take("preview")


MOVING = {"question", "status-running", "run-running", "preview"}


def main(wanted: set[str]) -> int:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        print("there is no Chromium here; name one in CHROMIUM")
        return 2
    HOME.mkdir(parents=True, exist_ok=True)
    with demonstration() as story, sync_playwright() as playwright:
        pages = story.tell()
        unknown = wanted - set(pages) - MOVING - {"sign-in"}
        if unknown:
            print(
                f"there is no page {', '.join(sorted(unknown))}; there are {', '.join(sorted({*pages, *MOVING}))}"
            )
            return 2
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for language in LANGUAGES:
            for width in HEIGHTS:
                album = Album(browser, story.url, language, width, wanted)
                album.sign_in()
                for name, path in pages.items():
                    if album.wants(name):
                        album.open(path)
                        album.take(name)
                if not wanted or wanted & MOVING:
                    album.take_what_moves()
                album.page.context.close()
        browser.close()
    print(f"{len(list(HOME.glob('*.png')))} pictures in {HOME.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(set(sys.argv[1:])))
