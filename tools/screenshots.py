"""Pictures of every page for the documentation: `python -m tools.screenshots`.

Starts a demonstration of its own, syncs it, and takes each page at 1280 and 390 pixels in both languages into
docs/screens/. Needs a Chromium; CHROMIUM names it where it is not in the PATH.
"""

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

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "docs" / "screens"
USER, PASSWORD = "maryam", "orange-lamp-42"
WIDTHS = (1280, 390)
TALLEST = {1280: 1300, 390: 1700}  # the rest of a long list looks the same
LANGUAGES = ("fa", "en")
PAGES = {
    "status": "/",
    "runs": "/runs/",
    "data-faculty": "/data/faculty",
    "data-students": "/data/Students",
    "data-search": "/data/Students?search=علي",
    "quality": "/quality/",
    "settings": "/syncs/students/settings",
    "campuses": "/campuses/",
    "calendar": "/calendar/",
    "users": "/users/",
    "new-user": "/users/new/",
    "tokens": "/tokens/",
    "audit": "/audit/",
    "account": "/account/",
}


@contextmanager
def demonstration() -> Iterator[str]:
    """`up --demo` in a folder of its own; yields its address."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GOLESTAN_")}
        environ |= {
            "PANEL_INSTANCE": folder,
            "PANEL_PORT": str(port),
            "PANEL_ADMIN_USERNAME": USER,
            "PANEL_ADMIN_PASSWORD": PASSWORD,
        }
        up = subprocess.Popen([sys.executable, "-m", "panel", "up", "--demo"], cwd=ROOT, env=environ)
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_until_up(url)
            yield url
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(60)


def _wait_until_up(url: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with suppress(OSError), urlopen(f"{url}/healthz", timeout=5) as answer:
            if b'"engine":"up"' in answer.read().replace(b" ", b""):
                return
        time.sleep(0.3)
    raise SystemExit("the demonstration did not start")


def signed_in(browser: Browser, url: str, language: str, width: int, shots: bool = False) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 800 if width > 600 else 844}, base_url=url, device_scale_factor=1
    )
    context.add_cookies([{"name": "hamgam_locale", "value": language, "url": url}])
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"/login?lang={language}")
    if shots:
        take(page, "sign-in", language, width)
    page.fill("[name=username]", USER)
    page.fill("[name=password]", PASSWORD)
    page.click("main form button[type=submit]")
    page.wait_for_url(lambda address: "/login" not in address)
    return page


def take(page: Page, name: str, language: str, width: int) -> None:
    page.evaluate("document.fonts.ready")
    height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST[width])
    page.screenshot(
        path=HOME / f"{name}-{language}-{width}.png",
        full_page=True,
        clip={"x": 0, "y": 0, "width": width, "height": height},
    )


def press(page: Page, key: str) -> None:
    before = page.get_attribute(f"[data-source={key}]", "data-run")
    page.click(f"#act-{key}")
    page.click("dialog[open] [data-yes]")
    page.wait_for_selector(f"[data-source={key}]:not([data-run='{before}'])")


def ended(page: Page, key: str) -> None:
    page.wait_for_selector(
        ", ".join(f"[data-source={key}][data-status={s}]" for s in ("success", "failed", "cancelled", "held"))
    )


def set_password(page: Page, password: str) -> None:
    page.goto("/syncs/faculty/settings")
    page.fill("[name=password]", password)
    page.click("main form.card .formbar button")
    page.wait_for_selector(".alert-success")


def history(page: Page) -> None:
    """Something to look at: two successes, a refused login, a schedule."""
    for key in ("faculty", "students"):
        page.goto("/")
        press(page, key)
        ended(page, key)
    set_password(page, "not-the-password")
    page.goto("/")
    press(page, "faculty")
    ended(page, "faculty")
    set_password(page, "simulator")
    page.goto("/syncs/students/settings")
    page.check("[name=schedule_kind][value=interval]")
    page.fill("[name=interval_minutes]", "720")
    page.click("main form.card .formbar button")
    page.wait_for_selector(".alert-success")


def moving(page: Page, language: str, width: int) -> None:
    """What is seen only in the middle: the question, a running row, a run's page."""
    page.goto(f"/?lang={language}")
    page.click("#act-students")
    page.wait_for_selector("dialog[open]")
    page.screenshot(path=HOME / f"question-{language}-{width}.png")
    page.click("dialog[open] [data-no]")
    press(page, "students")
    page.wait_for_selector("[data-source=students][data-status=running] progress[max]")
    take(page, "status-running", language, width)
    run = page.get_attribute("#state-students", "href")
    page.goto(f"{run}?lang={language}")
    page.wait_for_selector("#run progress[max]")
    take(page, "run-running", language, width)
    page.wait_for_selector("#run .badge.s-success, #run .badge.s-failed, #run .badge.s-held")
    take(page, "run-ended", language, width)


def main() -> int:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        print("there is no Chromium here; name one in CHROMIUM")
        return 2
    HOME.mkdir(parents=True, exist_ok=True)
    with demonstration() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        first = signed_in(browser, url, "fa", 1280)
        history(first)
        first.goto("/runs/?source=faculty&status=failed")
        failed = first.get_attribute("table.grid tbody a", "href")
        for language in LANGUAGES:
            for width in WIDTHS:
                page = signed_in(browser, url, language, width, shots=True)
                moving(page, language, width)
                for name, path in {**PAGES, "run-failed": str(failed)}.items():
                    page.goto(path + ("&" if "?" in path else "?") + f"lang={language}")
                    take(page, name, language, width)
                page.context.close()
        browser.close()
    print(f"{len(list(HOME.glob('*.png')))} pictures in {HOME.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
