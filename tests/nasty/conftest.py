"""A scripted gateway, and a destination with old rows: 20 campuses of 30 students, 60 members of the faculty."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nasty.gateway import ScriptedGateway
from tests.nasty.place import CAMPUSES, Place, old_rows


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    made = ScriptedGateway()
    made.rows |= {campus: list(old_rows(campus)) for campus in CAMPUSES}
    yield made
    made.close()


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old rows, fetched once by real children; copied for each test."""
    folder = tmp_path_factory.mktemp("old")
    made = ScriptedGateway()
    made.rows |= {campus: list(old_rows(campus)) for campus in CAMPUSES}
    place = Place(folder, made, f"sqlite:///{folder / 'data.db'}")
    try:
        for source in ("faculty", "students"):
            assert place.sync(source, CAMPUSES).code == 0
    finally:
        place.close()
        made.close()
    return folder / "data.db"


@pytest.fixture
def place(tmp_path: Path, gateway: ScriptedGateway, loaded: Path) -> Iterator[Place]:
    """A destination with the old rows."""
    for path in loaded.parent.glob("data.db*"):
        shutil.copy(path, tmp_path / path.name)
    made = Place(tmp_path, gateway, f"sqlite:///{tmp_path / 'data.db'}")
    yield made
    made.close()


@pytest.fixture
def new_place(tmp_path: Path, gateway: ScriptedGateway) -> Iterator[Place]:
    """A destination that nothing was ever fetched into."""
    made = Place(tmp_path, gateway, f"sqlite:///{tmp_path / 'data.db'}")
    yield made
    made.close()
