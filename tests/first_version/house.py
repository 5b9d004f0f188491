"""That installation in a test: its configuration, and every row of its databases."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from panel.config import Config, load
from tests import first_version

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def old(tmp_path: Path) -> Config:
    """The installation, as the first complete version left it."""
    return configured(first_version.unpack(tmp_path))


def configured(instance: Path, **more: str) -> Config:
    """The configuration of an instance with that installation's key."""
    return load({"PANEL_INSTANCE": str(instance), "PANEL_SECRET_KEY": first_version.KEY, **more})


def rows(path: Path) -> Rows:
    """Every row of every table."""
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: [dict(row) for row in db.execute(f'SELECT * FROM "{name}"')] for name in names}
