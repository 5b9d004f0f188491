"""Two copies of SQLite in one process undo each other's locks: the web process reads destinations with one alone."""

import ast
from pathlib import Path

import apsw
import pytest

from fetchers.core.decide import holds, undo
from fetchers.core.errors import CannotUndo
from fetchers.core.store import ledger, sql

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def destination(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A destination with its books, in a process that may not open it through apsw from now on."""
    path = tmp_path / "faculty_data.db"
    url = f"sqlite:///{path}"
    ledger.raise_fence(url, 1)

    class Watched(apsw.Connection):
        def __init__(self, name: str, *args: object, **options: object) -> None:
            assert Path(name) != path, "the destination was opened through apsw"
            super().__init__(name, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(apsw, "Connection", Watched)
    return url


def test_the_watch_sees_an_opening_through_apsw(destination: str) -> None:
    with pytest.raises(AssertionError, match="through apsw"):
        sql.connect(destination)


def test_what_the_pages_ask_of_a_destination_goes_through_pythons_own_sqlite(
    destination: str, tmp_path: Path
) -> None:
    with pytest.raises(CannotUndo):
        undo.preview(destination, "faculty", "no such run")
    assert holds.vanishing(tmp_path, "faculty", "no such run", destination).total == 0


def test_no_web_module_opens_a_destination_itself() -> None:
    """The pages and the API may ask only for what `fetchers.core.store.reading` opens."""
    opening = {"connect", "connect_to_read", "destination_epoch", "raise_fence", "verdict"}
    for folder in ("admin", "api", "web"):
        for path in (ROOT / "panel" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module in (
                    "fetchers.core",
                    "fetchers.core.store.sql",
                ):
                    names = {alias.name for alias in node.names}
                    assert not names & {"sql", "ledger", *opening}, f"{path.name}: {names}"
