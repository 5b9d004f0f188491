"""The tutorial, run as a reader would: every command, and what the page says that it prints."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Example, examples

PAGE = "docs/tutorial.md"
END = "=== end of a command: "
# What may differ from one run to the next: durations, numbers of runs, moments, the port, the password.
VARYING = (
    (re.compile(r"\b\d+\.\d s\b"), "# s"),
    (re.compile(r"\brun \d+\b"), "run #"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b"), "a moment"),
    (re.compile(r"(http://127\.0\.0\.1):\d+"), r"\1:#"),
    (re.compile(r"(Password\s+)\S+"), r"\1#"),
)


@pytest.fixture
def terminal(tmp_path: Path, free_port: int) -> dict[str, str]:
    """The environment of a reader's terminals: `python` is ours, and the instance is in a temporary folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": path,
        "PANEL_INSTANCE": str(tmp_path / "house"),
        "PANEL_PORT": str(free_port),
    }


@pytest.fixture
def up(terminal: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """What `make run` starts, running; the file with what it prints."""
    said = tmp_path / "up.txt"
    with said.open("w") as out, (tmp_path / "up.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "panel", "up"],
            cwd=ROOT,
            env=terminal,
            stdout=out,
            stderr=log,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 120
            while "Ctrl-C stops it." not in said.read_text():
                assert process.poll() is None, (tmp_path / "up.log").read_text()[-2000:]
                assert time.monotonic() < deadline, "it does not say that it is ready"
                time.sleep(0.1)
            yield said
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def constant(line: str) -> str:
    for pattern, mark in VARYING:
        line = pattern.sub(mark, line)
    return line.strip()


def missing(shown: list[str], printed: str) -> list[str]:
    """Lines of the page that were not printed, in this order. A line that ends in … may go on."""
    lines = iter([constant(line) for line in printed.splitlines()])
    absent = []
    for line in map(constant, shown):
        start = line.removesuffix("…").rstrip()
        if not any(real == line or (line != start and real.startswith(start)) for real in lines):
            absent.append(line)
    return absent


def run_all(shell: list[Example], terminal: dict[str, str]) -> list[str]:
    """What each command prints; all in one shell, as in one terminal."""
    script = "\n".join(f"{one.command}\necho '{END}'" for one in shell)
    house = terminal["PANEL_INSTANCE"]
    ended = subprocess.run(
        ["bash", "-c", script.replace("instance/demo", f"{house}/demo")],
        cwd=ROOT,
        env=terminal,
        capture_output=True,
        text=True,
        timeout=240,
    )
    pieces = ended.stdout.split(f"{END}\n")
    assert len(pieces) == len(shell) + 1, f"{ended.stdout}\n{ended.stderr}"
    return pieces[:-1]


def test_every_command_of_the_tutorial_prints_what_the_page_shows(
    up: Path, terminal: dict[str, str], require_services: Callable[[str], None]
) -> None:
    if shutil.which("curl") is None:
        require_services("there is no curl here")
    first, *others = examples(PAGE)
    assert first.command == "make run"
    assert "-m panel up" in (ROOT / "Makefile").read_text().split("\nrun:")[1].splitlines()[1]
    assert missing(first.shown, up.read_text()) == []

    # `python` on the PATH is the one that runs this test, wherever its environment is.
    shell = [one for one in others if one.command != ". .venv/bin/activate"]
    assert len(shell) == len(others) - 1
    for example, printed in zip(shell, run_all(shell, terminal), strict=True):
        assert missing(example.shown, printed) == [], f"$ {example.command}\n{printed}"


def test_a_line_that_was_not_printed_is_noticed() -> None:
    page = ["faculty: success in 1.9 s (run 2): 401 read, 400 added"]
    assert missing(page, "faculty: success in 7.4 s (run 31): 401 read, 400 added\n") == []
    assert missing(page, "faculty: success in 7.4 s (run 31): 401 read, 399 added\n") != []
    assert missing(["added 3", "gone 2"], "gone 2\nadded 3\n") == ["gone 2"]
