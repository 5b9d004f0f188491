"""The check of the documentation: it passes here, and notices each kind of trouble elsewhere."""

import re
import shutil
from pathlib import Path

import pytest

from tools import check_docs, docs_parts, docs_tests
from tools.check_docs import ROOT, problems


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The pages, and what they link to, in a folder where they may be spoilt."""
    for name in (
        "docs",
        "deploy",
        "panel",
        "fetchers",
        "static",
        "tests",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
    ):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_documentation_is_in_step_with_the_code() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("listed", "number", "file", "name"),
    [
        (docs_tests.NASTY, 18, "test_shapes.py", "test_18_a_silent_cap_loses_nothing"),
        (
            docs_tests.FAULTS,
            1,
            "test_f01_killed_while_staging.py",
            "test_f01_a_child_killed_while_it_stages_is_lost_and_the_next_attempt_goes_on",
        ),
    ],
)
def test_what_is_numbered_needs_its_test_and_its_line(
    copy: Path, listed: docs_tests.Numbered, number: int, file: str, name: str
) -> None:
    page, tests = copy / listed.page, copy / listed.tests / file
    where = f"{listed.page}: {listed.word} {number}"
    text, code = page.read_text(encoding="utf-8"), tests.read_text(encoding="utf-8")
    page.write_text(text.replace(name, f"{name}_but"), encoding="utf-8")
    assert docs_tests.problems(listed, check_docs.pages(copy), copy) == [
        f"{where} does not list {name}",
        f"{where}: there is no test {name}_but",
    ]
    page.write_text(text, encoding="utf-8")
    tests.write_text(code.replace(name, "test_nothing"), encoding="utf-8")
    assert f"{where}: there is no test {name}" in docs_tests.problems(listed, check_docs.pages(copy), copy)


def test_a_fault_whose_only_test_lives_elsewhere_needs_it_to_be_there(copy: Path) -> None:
    page, name = copy / docs_tests.FAULTS.page, "test_a_tick_that_finds_the_run_still_going_is_recorded"
    assert docs_tests.problems(docs_tests.FAULTS, check_docs.pages(copy), copy) == []
    page.write_text(page.read_text(encoding="utf-8").replace(name, f"{name}_too"), encoding="utf-8")
    assert f"docs/faults.md: there is no test {name}_too in test_schedule.py" in docs_tests.problems(
        docs_tests.FAULTS, check_docs.pages(copy), copy
    )


def spoil(root: Path, page: str, old: str, new: str) -> list[str]:
    """What the check says once a page says something else, apart from what it said before."""
    before = set(problems(root))
    text = (root / page).read_text(encoding="utf-8")
    assert old in text
    (root / page).write_text(text.replace(old, new, 1), encoding="utf-8")
    return sorted(set(problems(root)) - before)


@pytest.mark.parametrize(
    ("page", "old", "new", "said"),
    [
        ("docs/settings.md", "| `8000` |", "| `8001` |", "not current"),
        ("docs/cli.md", "<!-- generated: commands -->", "<!-- generated: comands -->", "generated part"),
        ("docs/index.md", "(tutorial.md)", "(tutorials.md)", "leads nowhere"),
        ("docs/settings.md", "(#environment)", "(#environments)", "no heading"),
        ("docs/index.md", "(operations.md)", "(deploy.md)", None),
        (
            "docs/operations.md",
            "`python -m panel doctor",
            "`python -m panel docter",
            "there is no command docter",
        ),
        ("docs/settings.md", "students --every 60", "students --evry 60", "there is no option --evry"),
        ("README.md", "$ make run", "$ make rum", "no `make rum`"),
        ("docs/fa/guide.md", "درگاه", "درگاهي", "Arabic"),
    ],
)
def test_a_spoilt_page_is_noticed(copy: Path, page: str, old: str, new: str, said: str | None) -> None:
    if page == "docs/settings.md" and old == "(#environment)":
        (copy / page).write_text((copy / page).read_text() + "\n[above](#environment)\n")
    if page == "docs/operations.md":
        (copy / page).write_text((copy / page).read_text() + "\n`python -m panel doctor`\n")
    found = spoil(copy, page, old, new)
    if said is None:
        assert found == []  # other pages lead there too: nothing is wrong
    else:
        assert any(said in problem for problem in found), found


def test_a_page_that_nobody_links_to_is_noticed(copy: Path) -> None:
    (copy / "docs" / "lonely.md").write_text("# Lonely\n\n[Home](../README.md)\n")
    assert "docs/lonely.md: no other page leads to it" in problems(copy)


def test_writing_mends_the_generated_parts(copy: Path) -> None:
    page = copy / "docs" / "operations.md"
    good = page.read_text(encoding="utf-8")
    page.write_text(re.sub(r"\| `E_AUTH` .*\n", "", good), encoding="utf-8")
    assert any("docs/operations.md" in problem for problem in problems(copy))
    assert check_docs.write(copy) == ["docs/operations.md"]
    assert page.read_text(encoding="utf-8") == good


def test_a_variable_that_nobody_explained_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        docs_parts, "VARIABLES", {name: "…" for name in docs_parts.VARIABLES if name != "PANEL_PORT"}
    )
    assert any("PANEL_PORT is not explained" in problem for problem in problems())


def test_an_error_that_nobody_explained_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    causes = {code: cause for code, cause in docs_parts.causes.CAUSES.items() if code != "E_PLAN"}
    monkeypatch.setattr(docs_parts.causes, "CAUSES", causes)
    assert any("E_PLAN is not explained" in problem for problem in problems())


def test_an_error_without_persian_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    strange = docs_parts.causes.Cause(("Something new happened.",), "", ("Look.",))
    monkeypatch.setattr(docs_parts.causes, "CAUSES", {**docs_parts.causes.CAUSES, "E_NEW": strange})
    assert any("no Persian for 'Something new happened.'" in problem for problem in problems())
