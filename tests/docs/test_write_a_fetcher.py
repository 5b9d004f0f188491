"""The example of docs/write-a-fetcher.md, cut out of the page and used as the page says."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT, blocks, examples

PAGE = "docs/write-a-fetcher.md"
KEY = "phone_book"
TREE = ("fetchers", "panel", "templates", "static")


class Copy:
    """A copy of the product with the example's file in it, and commands that run there."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "copy"
        for name in TREE:
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "wsgi.py", self.root)
        self.environ = {
            **os.environ,
            "PANEL_INSTANCE": str(folder / "instance"),
            "PYTHONPATH": "",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def python(self, *arguments: str, given: str = "", code: int = 0) -> str:
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=self.environ,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ended.returncode == code, f"{arguments}: {ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def panel(self, *arguments: str, given: str = "", code: int = 0) -> str:
        return self.python("-m", "panel", *arguments, given=given, code=code)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def example() -> str:
    """The example's file: the first Python block of the page."""
    return blocks(PAGE, "python")[0]


def test_the_example_is_listed_set_and_synced_with_no_other_file_edited(
    copy: Copy, tmp_path: Path, simulator: Callable[..., Any]
) -> None:
    copy.panel("status")  # before: the sources that there are
    (copy.root / "fetchers" / f"{KEY}.py").write_text(example(), encoding="utf-8")

    assert KEY in copy.panel("status")
    assert "path=/API/Golestan/Faculty" in copy.panel("set", KEY)

    gateway = simulator("--size", "tiny", "--seed", "5")
    copy.panel(
        "set",
        KEY,
        f"base_url={gateway.url}",
        f"username={gateway.username}",
        "password=-",
        given=gateway.password,
    )
    run = json.loads(copy.panel("sync", KEY, "--json").splitlines()[-1])
    assert run["status"] == "success", run
    with sqlite3.connect(tmp_path / "instance" / "faculty_data.db") as data:
        rows, named = data.execute(f"SELECT count(*), count(family) FROM {KEY}").fetchone()
        columns = [column[1] for column in data.execute(f"PRAGMA table_info({KEY})")]
    data.close()
    assert rows == named == run["counts"]["added"] > 0
    assert columns[:5] == ["id", "name", "family", "mobile", "code_Markaz"]
    assert "professorCode" in columns[5:], "what the gateway sends besides is kept too"

    # By hand, with no panel.
    settings = {"base_url": gateway.url, "username": gateway.username, "password": gateway.password}
    (copy.root / "settings.json").write_text(json.dumps(settings))
    by_hand = next(one.command for one in examples(PAGE) if "-m fetchers" in one.command)
    copy.python(*by_hand.removeprefix("python ").split())
    with sqlite3.connect(copy.root / "try.db") as data:
        assert data.execute(f"SELECT count(*) FROM {KEY}").fetchone()[0] == rows
    data.close()


def test_the_commands_of_the_page_name_the_example(copy: Copy) -> None:
    said = [one.command for one in examples(PAGE) if one.command.startswith("python -m panel --demo")]
    (copy.root / "fetchers" / f"{KEY}.py").write_text(example(), encoding="utf-8")
    assert [line.split()[4:] for line in said] == [["status"], ["set", KEY], ["sync", KEY]]
    for line in said[:2]:
        copy.python(*line.removeprefix("python ").split())


def test_a_broken_file_is_listed_with_its_error_and_harms_no_other(copy: Copy) -> None:
    (copy.root / "fetchers" / f"{KEY}.py").write_text("import nothing_of_this_name\n", encoding="utf-8")
    assert {KEY, "faculty", "students"} <= set(copy.panel("status").split())
    ended = json.loads(copy.panel("sync", KEY, "--json", code=1).splitlines()[-1])
    assert ended["error_code"] == "E_FETCHER"
    assert "nothing_of_this_name" in ended["error_message"]
    assert "base_url" in copy.panel("set", "faculty")
