"""After many rows the destination is told to look at its own sizes, or its plans go by a table that was empty."""

from pathlib import Path

import pytest

from tests.nasty.gateway import ScriptedGateway
from tests.nasty.place import CAMPUSES, Place, old_rows

pytestmark = pytest.mark.postgres

FEW_ARE_MANY = "from fetchers.core.load import job; job.MANY_NEW = 10"
TABLES = ("student_terms", "Students", "_hamgam_rejected", "_hamgam_search", "_hamgam_changes")


def looked_at(place: Place) -> set[str]:
    """Tables of which the server knows how many rows they have."""
    known = "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= 0"
    return {name for (name,) in place.rows(known)} & set(TABLES)


@pytest.fixture
def place(tmp_path: Path, postgres_destination: str) -> Place:
    gateway = ScriptedGateway()
    gateway.rows = {campus: old_rows(campus) for campus in CAMPUSES[:2]}
    return Place(tmp_path, gateway, postgres_destination)


def test_a_server_looks_at_its_sizes_after_many_rows_and_not_after_few(place: Place) -> None:
    try:
        assert place.sync(campuses=CAMPUSES[:1]).code == 0
        before = looked_at(place)
        assert place.sync(campuses=CAMPUSES[:2], before=FEW_ARE_MANY).code == 0
        assert looked_at(place) == set(TABLES)
        # Autovacuum may have been first; where it is off, nobody was.
        [(autovacuum,)] = place.rows("SHOW autovacuum")
        assert before == set() or autovacuum == "on"
    finally:
        place.close()
        place.gateway.close()
