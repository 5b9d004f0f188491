"""quality: it counts what is odd, and prints nobody's data."""

import json
from pathlib import Path

from click.testing import CliRunner, Result
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from panel.cli import main
from panel.config import Config
from tests.fetchers.core.conftest import House

BIRTH = "1404/12/30"


def type_(instance: Config, *words: str) -> Result:
    environ = {"PANEL_INSTANCE": str(instance.instance), "COLUMNS": "200"}
    return CliRunner().invoke(main, words, env=environ)


def test_it_counts_by_source_and_prints_no_value(control_db: sessionmaker[Session], instance: Config) -> None:
    assert "Nothing odd was found" in type_(instance, "quality").stdout
    fetcher = registry.load("students").fetcher
    assert fetcher is not None
    path = Path(instance.data_database_url.removeprefix("sqlite:///"))
    house = House(path, fetcher.streams()[0], ceiling="4051")
    people = [{"studentnum": str(n), "firstname": "نیلوفر"} for n in range(30)]
    people[1]["birthdate"] = BIRTH
    house.sync(*people, {"studentnum": None, "city": "قم"}, campus="1110", term="4051")
    house.db.close()
    asked = type_(instance, "quality", "students", "--json")
    assert asked.exit_code == 0, asked.output
    told = json.loads(asked.stdout)
    assert (told["sync"], told["notes"], told["left_out"]) == ("students", 1, 1)
    assert [one["sync"] for one in json.loads(type_(instance, "quality", "--json").stdout)] == [
        "faculty",
        "students",
    ]
    everything = type_(instance, "quality")
    assert (
        "birthdate" in everything.stdout
        and "rejected" in everything.stdout
        and BIRTH not in everything.stdout
    )
    assert type_(instance, "quality", "nobody").exit_code == 2
