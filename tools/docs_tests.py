"""Pages that list numbered things with their tests: no number without a test, no test without a line, no wrong line."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

LINK = re.compile(r"\[`(test_\w+)`\]\(([^)\s]+\.py)\)")


@dataclass(frozen=True)
class Numbered:
    """A list with a number for each thing, tests that carry the number in their names, and the page that lists them."""

    page: str
    tests: str  # the folder
    word: str
    numbers: tuple[int, ...]
    row: re.Pattern[str]
    test: re.Pattern[str]


NASTY = Numbered(
    page="docs/nasty-inputs.md",
    tests="tests/nasty",
    word="input",
    numbers=tuple(range(1, 31)),
    row=re.compile(r"\| (\d+) \|"),
    test=re.compile(r"test_(\d\d)_\w+"),
)
FAULTS = Numbered(
    page="docs/faults.md",
    tests="tests/faults",
    word="fault",
    numbers=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 41, 42, 43, 44, 45, 46, 47),
    row=re.compile(r"\| F(\d\d) \|"),
    test=re.compile(r"test_f(\d\d)_\w+"),
)


def problems(listed: Numbered, pages: dict[str, str], root: Path) -> list[str]:
    """What is wrong with one list. A line may name tests that live elsewhere too, by a link to their file."""
    found: list[str] = []
    lines: dict[int, set[str]] = {number: set() for number in listed.numbers}
    there: dict[int, set[str]] = {number: set() for number in listed.numbers}
    tested: set[int] = set()
    for path in sorted((root / listed.tests).glob("test_*.py")):
        for name in _tests_in(path):
            if named := listed.test.fullmatch(name):
                there.setdefault(int(named[1]), set()).add(name)
                tested.add(int(named[1]))
    for line in pages.get(listed.page, "").splitlines():
        row = listed.row.match(line)
        number = int(row[1]) if row else None
        for name, link in LINK.findall(line):
            path, named = (root / listed.page).parent / link, listed.test.fullmatch(name)
            if number is not None and named and int(named[1]) == number:
                lines.setdefault(number, set()).add(name)
            elif path.is_file():  # else the check of links tells of it
                if name not in _tests_in(path):
                    found.append(f"{listed.page}: there is no test {name} in {path.name}")
                elif number is not None:
                    tested.add(number)
    found += [
        f"{listed.page}: {listed.word} {number} has no test"
        for number in listed.numbers
        if number not in tested
    ]
    for number in sorted(lines.keys() | there.keys()):
        has, says = there.get(number, set()), lines.get(number, set())
        where = f"{listed.page}: {listed.word} {number}"
        found += [f"{where} does not list {name}" for name in sorted(has - says)]
        found += [f"{where}: there is no test {name}" for name in sorted(says - has)]
    return found


def _tests_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("test_")}
