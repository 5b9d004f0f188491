"""A real child before a real gateway that begins to send a field, renames one, and comes to its senses."""

import urllib.request

from tests.acceptance.children import KEYS, Plane, wanted
from tests.acceptance.house import ask
from tests.conftest import Gateway

CAMPUS = "1120"


def says(gateway: Gateway, change: str, campus: str = CAMPUS) -> None:
    """From now on this campus's records have another shape: "+new" or "old=new"."""
    quiet(gateway)
    fault = {"endpoint": "students", "campus": campus, "kind": "rename", "change": change, "times": None}
    ask(f"{gateway.url}/__sim__/fault", fault)


def quiet(gateway: Gateway) -> None:
    address = f"{gateway.url}/__sim__/fault"
    urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=30).close()


def history(house: Plane) -> list[tuple[str, str]]:
    return [
        (str(kind), str(field))
        for kind, field in house.rows("SELECT kind, field FROM _hamgam_schema ORDER BY id")
    ]


def is_the_truth(house: Plane, gateway: Gateway) -> bool:
    return all(house.table(table) == wanted(gateway, table) for table in ("student_terms", "Students"))


def test_a_gateway_that_changes_its_records_loses_nobody_a_row(plane, simulator):
    gateway = simulator("--size", "tiny", "--seed", "11")
    house: Plane = plane()
    assert house.sync(gateway, "students").code == 0
    everybody = house.table("student_terms")
    of_campus = sum(key[0] == CAMPUS for key in everybody)
    assert set(KEYS) >= {"student_terms"} and of_campus > 20

    # A new field: a column in this very run; the truth stays the truth.
    says(gateway, "+lastUpdate")
    outcome = house.sync(gateway, "students", mode="full")
    assert (outcome.code, outcome.counts["changed"], outcome.stderr) == (0, of_campus, "")
    assert [event["fields"] for event in outcome.events if event["event"] == "drift"] == [["lastUpdate"]]
    found = house.rows("SELECT codePardis = ?, lastUpdate, count(*) FROM student_terms GROUP BY 1, 2", CAMPUS)
    assert sorted(found) == [(0, None, len(everybody) - of_campus), (1, "1", of_campus)]
    assert is_the_truth(house, gateway)
    outcome = house.sync(gateway, "students", mode="full")
    assert (outcome.code, outcome.counts["changed"]) == (0, 0)

    # A renamed one: every part of that campus is refused, the others go on, and the old rows stay.
    before = house.table("student_terms")
    says(gateway, "familyname=lastname")
    outcome = house.sync(gateway, "students", mode="full")
    assert (outcome.code, outcome.last["error"]["params"]["codes"]) == (1, ["E_SCHEMA"])
    assert {part.split(",")[0] for part in outcome.parts("failed")} == {f"campus={CAMPUS}"}
    assert house.table("student_terms") == before

    # Frozen, a second new field is refused as well.
    says(gateway, "+another")
    outcome = house.sync(gateway, "students", mode="full", new_fields="freeze")
    assert (outcome.code, outcome.last["error"]["params"]["codes"]) == (1, ["E_SCHEMA"])
    assert house.table("student_terms") == before

    quiet(gateway)
    outcome = house.sync(gateway, "students", mode="full")
    assert outcome.code == 0
    assert is_the_truth(house, gateway)
    assert history(house) == [
        ("added", "lastUpdate"), ("renamed", "familyname"), ("refused", "another"), ("returned", "familyname"),
    ]  # fmt: skip
