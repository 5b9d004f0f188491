"""The walk of a newcomer through the first steps: `python -m tools.walk` takes the pictures of docs/first-steps.md.

It starts what `make run` starts, in a folder of its own, leaves the demonstration, and answers the questions before a
simulated gateway. The browser test walks the same way (tests/browser/test_newcomer.py).
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from playwright.sync_api import Page, sync_playwright

from tools.every_page import ROOT
from tools.screenshots import HOME, keep, wait_until_up

NAME, PASSWORD = "registry", "gate-77"  # of the simulated gateway: they open nothing else
WORLD = ("--size", "tiny", "--seed", "3", "--latency", "60", "--username", NAME, "--password", PASSWORD)
WIDTH, HEIGHT = 1280, 760
# Which places of the walk are shown.
SHOWN = {
    "en": ("demonstration", "home", "gateway", "refused", "accepted", "rehearsed", "schedule", "done"),
    "fa": ("gateway", "accepted", "schedule", "done"),
}
PATIENCE_MS = 120_000


def sign_in(page: Page, password: str) -> None:
    """Into the house that answers now."""
    page.goto("/login")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", password)
    page.click("main form button[type=submit]")
    page.wait_for_url(lambda address: "/login" not in address)


def leave_the_demonstration(page: Page, password: str, at: Callable[[str], None]) -> None:
    """By the link on every page of it, and the button behind the link; until the real house asks to sign in."""
    sign_in(page, password)
    page.click(".strip-demo a")
    at("demonstration")
    page.click("#leave")
    page.click("dialog[open] [data-yes]")
    page.wait_for_selector("[data-arrive]")
    page.wait_for_url(lambda address: "/login" in address, timeout=PATIENCE_MS)


def walk(page: Page, gateway: str, at: Callable[[str], None]) -> None:
    """From the empty panel to the first sync, with one wrong password on the way. at: told each place."""
    page.goto("/")
    at("home")
    page.click("#first-steps a")
    at("start")
    page.click("#go-on")
    at("gateway")
    page.fill("[name=base_url]", gateway)
    page.click("#go-on")
    at("login")
    _log_in(page, "not-the-password")
    at("test")
    page.click("#test")
    page.wait_for_selector("#told.n-failed")
    at("refused")
    page.click("#told a[href$='/login']")
    _log_in(page, PASSWORD)
    page.click("#test")
    page.wait_for_selector("#told.n-success")
    at("accepted")
    page.click("#go-on")
    at("campuses")
    places = told(gateway, "campuses")
    page.fill("#f-campuses", "\n".join(f"{one['pardis_code']}\t{one['name']}" for one in places))
    page.click("#go-on")
    at("first-term")
    page.fill("[name=first_term]", told(gateway, "terms")[0])
    page.click("#go-on")
    at("rehearsal")
    page.click("#try")
    page.wait_for_selector("#rehearsed[data-status=success]", timeout=PATIENCE_MS)
    at("rehearsed")
    page.click("#go-on")
    at("schedule")
    page.fill("[name=night_at]", "03:15")
    page.click("#go-on")
    at("done")
    page.click("#begin")
    page.wait_for_url(re.compile(r"/$"))
    for key in ("faculty", "students"):
        page.wait_for_selector(f"[data-source={key}][data-status=success]", timeout=PATIENCE_MS)
    at("synced")


def _log_in(page: Page, password: str) -> None:
    page.fill("[name=username]", NAME)
    page.fill("[name=password]", password)
    page.click("#go-on")
    page.wait_for_selector("#test")


def told(gateway: str, what: str) -> Any:
    """What the simulated gateway tells of its world: campuses, terms."""
    with build_opener(ProxyHandler({})).open(f"{gateway}/__sim__/{what}", timeout=30) as answer:
        return json.load(answer)


@contextmanager
def bare_start() -> Iterator[tuple[str, str]]:
    """What `make run` starts where nobody has set up anything: its address, and the password that it says."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("GOLESTAN_", "PANEL_"))
        }
        environ = {
            **inherited, "PANEL_ENV_FILE": os.devnull, "PANEL_INSTANCE": folder, "PANEL_PORT": str(port),
        }  # fmt: skip
        said = Path(folder) / "up.log"
        with said.open("wb") as log:
            up = subprocess.Popen([sys.executable, "-m", "panel", "up"], cwd=ROOT, env=environ, stdout=log)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_up(url)
            yield url, password_in(said)
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(60)


def password_in(said: Path) -> str:
    """The password that `up` says once, by what it has said; it greets a moment after the panel answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := re.findall(r"Password +(\S+)", said.read_text()):
            return str(found[0])
        time.sleep(0.1)
    raise SystemExit(f"no password was said: {said.read_text()}")


@contextmanager
def gateway_of_ones_own() -> Iterator[str]:
    """The address of a simulated gateway that no demonstration knows."""
    command = [sys.executable, "-m", "fetchers.golestan.simulator", "--port", "0", *WORLD]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def main() -> int:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        print("there is no Chromium here; name one in CHROMIUM")
        return 2
    HOME.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for language, shown in SHOWN.items():
            with bare_start() as (url, password), gateway_of_ones_own() as gateway:
                context = browser.new_context(
                    viewport={"width": WIDTH, "height": HEIGHT}, base_url=url, color_scheme="light"
                )
                context.add_cookies([{"name": "hamgam_locale", "value": language, "url": url}])
                page = context.new_page()
                at = _photographer(page, language, shown)
                leave_the_demonstration(page, password, at)
                sign_in(page, password)
                walk(page, gateway, at)
                context.close()
        browser.close()
    return 0


def _photographer(page: Page, language: str, shown: tuple[str, ...]) -> Callable[[str], None]:
    def at(place: str) -> None:
        if place in shown:
            page.wait_for_load_state("networkidle")
            page.evaluate("document.fonts.ready")
            shot = page.screenshot(full_page=True, animations="disabled")
            keep(shot, HOME / f"walk-{place}-{language}.png")

    return at


if __name__ == "__main__":
    sys.exit(main())
