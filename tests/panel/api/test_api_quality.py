"""What is odd in the data, by REST: counts, and notes that are masked as on the pages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from panel.config import Config
from tests.fetchers.core.conftest import House
from tests.web import add_sync, bearer

Rows = sessionmaker[Session]
BIRTH = "1404/12/30"


@pytest.fixture
def noted(rows: Rows, web_config: Config) -> Iterator[House]:
    path = Path(web_config.data_database_url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    fetcher = registry.load("students").fetcher
    assert fetcher is not None
    house = House(path, fetcher.streams()[0], ceiling="4051")
    people: list[dict[str, Any]] = [{"studentnum": str(n), "firstname": "نیلوفر"} for n in range(30)]
    people[1] |= {"birthdate": BIRTH, "code_Markaz": "1120"}
    house.sync(
        *people, {"studentnum": None, "fathername": "غلامحسین", "city": "قم"}, campus="1110", term="4051"
    )
    add_sync(rows, "students")
    yield house
    house.db.close()


def test_counts_by_kind_and_campus(client: FlaskClient, rows: Rows, noted: House) -> None:
    told: Any = client.get("/api/v1/syncs/students/quality", headers=bearer(rows, "sara", "read")).json
    assert (told["sync"], told["rows"], told["notes"], told["left_out"]) == ("students", 30, 2, 1)
    kinds = {kind["reason"]: kind for kind in told["kinds"]}
    assert kinds["bad_date"]["field"] == "birthdate" and kinds["bad_date"]["share"] == round(1 / 30, 6)
    assert kinds["no_key"]["kept"] is False and kinds["other_campus"]["mend"]
    assert told["campuses"] == [{"campus": "1110", "rows": 30, "notes": 3}]


def test_notes_are_masked_but_for_administrators(client: FlaskClient, rows: Rows, noted: House) -> None:
    address = "/api/v1/syncs/students/quality/notes"
    for who, sees in (("reza", False), ("maryam", True)):
        answer = client.get(address, headers=bearer(rows, who, "read"))
        told: Any = answer.json
        assert (BIRTH in answer.text, "غلامحسین" in json.dumps(told, ensure_ascii=False)) == (sees, sees)
        by_reason = {note["reason"]: note for note in told["notes"]}
        assert by_reason["no_key"]["record"]["city"] == "قم" and by_reason["no_key"]["value"] is None
        assert by_reason["other_campus"]["value"] == "1120" and told["total"] == 3
    told = client.get(f"{address}?kept=0&campus=1110", headers=bearer(rows, "reza", "read")).json
    assert [note["reason"] for note in told["notes"]] == ["no_key"]
    assert client.get("/api/v1/syncs/nobody/quality", headers=bearer(rows, "reza", "read")).status_code == 404
