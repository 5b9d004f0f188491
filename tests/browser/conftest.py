"""A real Chromium before real processes: the demonstration, started by `python -m panel up --demo`.

A page of these tests fails by itself when the browser's console shows an error, when the content policy is
broken, or when anything but the panel is asked.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from tests.conftest import ROOT
from tools.every_page import Story

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
USER, PASSWORD = "maryam", "orange-lamp-42"
PATIENCE_MS = 60_000
STARTS_WITHIN = 90.0
expect.set_options(timeout=PATIENCE_MS)  # no test depends on speed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them are the browser's, and come first: one worker is at them from the start, and makes their houses.

    The same walk in English is slow: `make test` has it in Persian.
    """
    here = Path(__file__).parent
    items.sort(key=lambda item: here not in item.path.parents)
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            call = getattr(item, "callspec", None)
            if call is not None and call.params.get("language") == "en":
                item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], require_services: Callable[[str], None]
) -> dict[str, Any]:
    if not CHROMIUM:
        require_services("there is no Chromium here; name one in CHROMIUM")
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ["--no-sandbox"]}


@dataclass(frozen=True)
class House:
    """A running demonstration; where it has lived through `Story.tell`, the address of every page."""

    url: str
    instance: Path
    process: subprocess.Popen[bytes]
    pages: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The whole product, as a newcomer starts it, in an instance of its own."""
    with started(tmp_path_factory.mktemp("browser") / "instance") as house:
        yield house


@pytest.fixture(scope="session")
def told_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Another one, with something on every page; who asks for it changes nothing there."""
    with started(tmp_path_factory.mktemp("told") / "instance") as house:
        environ = {"PANEL_INSTANCE": str(house.instance), "PANEL_ADMIN_PASSWORD": PASSWORD}
        house.pages.update(Story(house.url, environ).tell())
        yield house


def simulator(house: House) -> str:
    """Where the demonstration's gateway takes orders: `…/__sim__`."""
    [panel] = house.instance.rglob("panel.db")
    with closing(sqlite3.connect(f"file:{panel}?mode=ro", uri=True)) as db:
        settings = db.execute("SELECT settings FROM data_syncs WHERE key = 'students'").fetchone()[0]
    return f"{json.loads(settings)['base_url']}/__sim__"


def order(address: str, **told: object) -> None:
    """Tell the simulator something."""
    body = json.dumps(told).encode()
    urllib.request.urlopen(urllib.request.Request(address, data=body), timeout=30).close()


@contextmanager
def started(instance: Path, *, bare: bool = False) -> Iterator[House]:
    """`up --demo`, until it answers and the engine leads; ended on leaving. bare: `up`, with no word from anybody."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    administrator = {} if bare else {"PANEL_ADMIN_USERNAME": USER, "PANEL_ADMIN_PASSWORD": PASSWORD}
    environ = {**os.environ, "PANEL_INSTANCE": str(instance), "PANEL_PORT": str(port), **administrator}
    log = instance.parent / "up.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "panel", "up", *([] if bare else ["--demo"])],
            cwd=ROOT,
            env=environ,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(url, process, log)
        yield House(url, instance, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def _wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the panel answers and the engine leads."""
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"`up` ended: {log.read_text(errors='replace')[-3000:]}")
        with suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
            if b'"engine":"up"' in answer.read().replace(b" ", b""):
                return
        time.sleep(0.2)
    pytest.fail(f"the panel was not up in {STARTS_WITHIN:.0f} s: {log.read_text(errors='replace')[-3000:]}")


@dataclass
class Watch:
    """What the browser complained about, and whom it asked."""

    house: str
    complaints: list[str] = field(default_factory=list)

    def console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console {message.type}: {message.text}")

    def error(self, error: Any) -> None:
        self.complaints.append(f"script error: {error}")

    def request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.house).netloc:
            self.complaints.append(f"asked a foreign host: {request.url}")


@pytest.fixture
def open_page(house: House, browser: Browser) -> Iterator[Callable[..., Page]]:
    """`open_page("fa", width=390)`: a signed-in page in that language; complaints fail the test at its end."""
    with pages_of(house, browser) as open_:
        yield open_


@pytest.fixture
def open_told(told_house: House, browser: Browser) -> Iterator[Callable[..., Page]]:
    """The same of the house in which everything has happened."""
    with pages_of(told_house, browser) as open_:
        yield open_


@contextmanager
def pages_of(house: House, browser: Browser) -> Iterator[Callable[..., Page]]:
    contexts: list[BrowserContext] = []
    watch = Watch(house.url)

    def open_(
        language: str = "fa", *, width: int = 1280, signed_in: bool = True, username: str = USER, **more: Any
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 860}, base_url=house.url, **more)
        context.add_cookies([{"name": "hamgam_locale", "value": language, "url": house.url}])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", watch.console)
        page.on("pageerror", watch.error)
        page.on("request", watch.request)
        if signed_in:
            sign_in(page, username=username)
            if (
                page.locator("html").get_attribute("lang") != language
            ):  # somebody's own choice outlives a cookie
                if not page.is_visible("button[name=locale]"):  # on a phone it is in the menu
                    page.click("[data-nav]")
                page.click("button[name=locale]")
                expect(page.locator("html")).to_have_attribute("lang", language)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert watch.complaints == []


def sign_in(page: Page, password: str = PASSWORD, username: str = USER) -> None:
    page.goto("/login")
    page.fill("[name=username]", username)
    page.fill("[name=password]", password)
    page.click("main form button[type=submit]")
    page.wait_for_url(lambda url: not url.endswith("/login"))


def row(page: Page, key: str) -> Any:
    """The row of a source in the status table."""
    return page.locator(f"[data-source={key}]")


def press_sync(page: Page, key: str) -> None:
    """The button, and the yes of the dialog that asks; until the row shows the new run."""
    before = row(page, key).get_attribute("data-run")
    page.click(f"#act-{key}")
    expect(page.locator("dialog[open]")).to_be_visible()
    page.click("dialog[open] [data-yes]")
    page.wait_for_selector(f"[data-source={key}]:not([data-run='{before}'])")


def wait_for_status(page: Page, key: str, *statuses: str) -> str:
    """Until the row, by itself, shows one of these statuses."""
    wanted = ", ".join(f"[data-source={key}][data-status={status}]" for status in statuses)
    page.wait_for_selector(wanted, timeout=PATIENCE_MS)
    return str(row(page, key).get_attribute("data-status"))
