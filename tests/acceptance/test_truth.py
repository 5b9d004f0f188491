"""The child against the simulator: tables equal the truth field by field, or each missing part has a name."""

import pytest

from tests.acceptance.children import KEYS, wanted

SEEDS = [
    *(pytest.param("tiny", seed, id=f"tiny-{seed}") for seed in (201,)),
    *(pytest.param("small", seed, id=f"small-{seed}", marks=pytest.mark.slow) for seed in range(21, 41)),
]

PATIENCE = {"retry_budget": 6}


def adds_up(counts):
    return counts["read"] == sum(
        counts[word] for word in ("added", "changed", "unchanged", "rejected", "duplicates")
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("profile", ["calm", "realistic"])
@pytest.mark.parametrize(("size", "seed"), SEEDS)
def test_a_child_leaves_the_truth(plane, simulator, profile, size, seed):
    gateway = simulator(
        "--profile", profile, "--size", size, "--seed", str(seed), "--hang", "0.3", "--outage-requests", "4"
    )
    house = plane()
    for source in ("faculty", "students"):
        outcome = house.sync(gateway, source)
        assert (outcome.code, outcome.stderr) == (0, ""), outcome.last
        assert outcome.last["event"] == "result"
        assert adds_up(outcome.counts)
        assert outcome.parts("failed", "held", "staged") == set()
    for table in KEYS:
        assert house.table(table) == wanted(gateway, table), table
    assert outcome.last["records"]["Students"] == len(house.table("Students"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("size", "seed"), SEEDS)
def test_a_hostile_gateway_gets_no_wrong_row_stored_and_each_gap_has_a_name(plane, simulator, size, seed):
    options = ("--profile", "hostile", "--size", size, "--seed", str(seed))
    gateway = simulator(*options, "--hang", "0.3", "--outage-requests", "5")
    house = plane()
    outcome = house.sync(gateway, "faculty", settings=PATIENCE)
    if outcome.code == 0:
        assert house.table("faculty") == wanted(gateway, "faculty")
    else:
        assert outcome.last["error"]["code"] != "E_INTERNAL"
        assert house.table("faculty") == {}
    outcome = house.sync(gateway, "students", settings=PATIENCE)
    assert outcome.stderr == ""
    missing = outcome.parts("failed", "held", "staged")
    want = wanted(gateway, "student_terms")
    assert (outcome.code == 0) == (not missing)
    if missing:
        error = outcome.last["error"]
        assert (outcome.code, error["code"]) == (1, "E_PARTIAL"), error
        assert error["params"]["failed"] == len(missing)
        assert set(error["params"]["parts"]) <= missing
        assert len(error["params"]["parts"]) == min(20, len(missing))
        assert set(error["params"]["codes"]).isdisjoint({"E_INTERNAL", "E_FETCHER", "E_STORAGE"})
    assert house.table("student_terms") == {
        key: row for key, row in want.items() if f"campus={key[0]},term={key[1]}" not in missing
    }
    if not missing:
        assert house.table("Students") == wanted(gateway, "Students")


def test_the_oracle_sees_a_single_wrong_letter(plane, simulator):
    # The negative control: one field of one row differs, and the comparison says so.
    gateway = simulator("--size", "tiny", "--seed", "7")
    house = plane()
    assert house.sync(gateway, "faculty").code == 0
    there = house.table("faculty")
    next(iter(there.values()))["family"] += "ی"
    assert there != wanted(gateway, "faculty")
