"""Who may import whom: the rooms of the house stay apart, so that each can be read, run and tested alone."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("fetchers", "panel")
SOURCES = tuple(f"fetchers.{file.stem}" for file in (ROOT / "fetchers").glob("*.py") if file.stem[0] != "_")


@dataclass(frozen=True)
class Rule:
    """What the files of one room never import; `only`: all that they may, beside the standard library."""

    files: str  # a pattern of paths, whose * takes folders too
    never: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


def _rooms(*names: str) -> tuple[str, ...]:
    return tuple(f"fetchers.core.{name}" for name in names)


RULES = (
    Rule("fetchers/*", never=("panel", "flask", "semantic")),
    *(Rule(name.replace(".", "/") + ".py", only=("fetchers", "pydantic")) for name in SOURCES),
    *(Rule(name.replace(".", "/") + ".py", never=("fetchers.core.wire.http",)) for name in SOURCES),
    Rule("fetchers/core/*", never=("fetchers.golestan", *SOURCES)),
    Rule("fetchers/core/wire/*", never=_rooms("store", "load", "decide")),
    Rule("fetchers/core/store/*", never=_rooms("wire", "load", "decide")),
    Rule("fetchers/core/load/*", never=_rooms("decide")),
    # A simulator that shares code with what it tests would share its mistakes.
    Rule("fetchers/golestan/simulator/*", never=("fetchers.core", "httpx")),
    Rule("panel/models/*", only=("panel.models", "sqlalchemy")),
    Rule("panel/clock.py", only=("sqlalchemy",)),
    Rule(
        "panel/runs.py", never=("flask", "panel.engine", "panel.admin", "panel.api", "panel.cli", "fetchers")
    ),
    Rule("panel/engine/*", never=("flask", "panel.admin", "panel.api", "panel.cli", *SOURCES)),
    Rule("panel/admin/*", never=("panel.api", "panel.cli", *SOURCES)),
    Rule("panel/api/*", never=("panel.admin", "panel.cli", *SOURCES)),
    Rule("panel/cli/*", never=("panel.admin", "panel.api", *SOURCES)),
    # The processes that watch over the others need no page.
    Rule("panel/service/*", never=("flask", "panel.admin", "panel.api", "panel.cli", *SOURCES)),
)


def imported(source: str, path: str) -> Iterator[str]:
    """Every module that a file names in an import, wherever in it: `from a import b` gives a and a.b."""
    package = path.removesuffix("/__init__.py").removesuffix(".py").split("/")
    if not path.endswith("/__init__.py"):
        package.pop()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{name.name}" for name in node.names)


def inside(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}.")


def broken(source: str, path: str) -> list[str]:
    """The rules that a file breaks, each as a sentence."""
    found = []
    for rule in RULES:
        if not fnmatch(path, rule.files):
            continue
        for module in dict.fromkeys(imported(source, path)):
            if any(inside(module, room) for room in rule.never):
                found.append(f"{path} must not import {module}")
            known = module.split(".")[0] in sys.stdlib_module_names
            if rule.only and not known and not any(inside(module, room) for room in rule.only):
                found.append(f"{path} may import {', '.join(rule.only)}, not {module}")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_no_room_imports_what_it_must_not(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    names = [(file, file.relative_to(ROOT).as_posix()) for file in files]
    assert [line for file, path in names for line in broken(file.read_text(encoding="utf-8"), path)] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.files)
def test_every_rule_is_about_a_file_that_is_there(rule: Rule) -> None:
    files = (file.relative_to(ROOT).as_posix() for name in PACKAGES for file in (ROOT / name).rglob("*.py"))
    assert any(fnmatch(path, rule.files) for path in files)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("fetchers/faculty.py", "import httpx"),
        ("fetchers/faculty.py", "from fetchers.core.wire import http"),
        ("fetchers/golestan/client.py", "from panel.config import load"),
        ("fetchers/core/load/job.py", "from fetchers import students"),
        ("fetchers/core/wire/http.py", "def late():\n    import flask"),
        ("fetchers/golestan/simulator/wire.py", "from fetchers.core.clean import fold"),
        ("fetchers/core/wire/paging.py", "from fetchers.core.store import sql"),
        ("fetchers/core/store/diary.py", "from fetchers.core.load.compare import Row"),
        ("fetchers/core/load/job.py", "from fetchers.core.decide import holds"),
        ("panel/models/runs.py", "from panel import runs"),
        ("panel/models/runs.py", "from ..clock import utcnow"),
        ("panel/clock.py", "import panel.db"),
        ("panel/runs.py", "from panel.engine import lease"),
        ("panel/engine/worker.py", "from panel.admin.show import moment"),
        ("panel/engine/spec.py", "import fetchers.students"),
        ("panel/admin/status.py", "from panel.cli import house"),
        ("panel/api/runs.py", "from panel import admin"),
        ("panel/cli/runs.py", "from panel.api.door import caller"),
        ("panel/service/supervisor.py", "import flask.globals"),
    ],
)
def test_a_forbidden_import_is_found_wherever_it_hides(path: str, line: str) -> None:
    assert broken(line, path)
    assert not broken("import json", path)
