"""DOMAIN.md part 3, row 30: what was there and does not come is asked for again, kept, and put before a person."""

from tests.fetchers.raw_server import answer
from tests.nasty.gateway import FACULTY, ScriptedGateway, data, student
from tests.nasty.place import CAMPUSES, OLD_ROWS, Place
from tests.nasty.test_answers import DONE, failed

HELD = ("held", "E_SHRUNK")
BIG = ["big1", "big2"]  # campuses of 1,200
EMPTY = answer(data([], totalCount=0))


def load_big(place: Place) -> None:
    place.gateway.rows |= {
        campus: [student((n + 5) * 10_000 + i, campus) for i in range(1200)] for n, campus in enumerate(BIG)
    }
    outcome = place.sync(campuses=BIG)
    assert (outcome.code, outcome.last["counts"]["added"]) == (0, 2400)


def test_30_a_campus_that_comes_to_nothing_or_loses_much_is_asked_again_and_held(
    place: Place, gateway: ScriptedGateway
) -> None:
    load_big(place)
    before = {campus: place.picture(campus) for campus in [*BIG, CAMPUSES[1]]}
    whole = gateway.rows["big2"]
    gateway.scripts = {"big1": [EMPTY]}
    gateway.rows["big2"] = whole[:480]
    outcome = place.sync(campuses=[*BIG, CAMPUSES[1], "opened"])
    assert (outcome.code, outcome.last["event"], outcome.error["code"]) == (3, "held", "E_SHRUNK")
    assert outcome.states() == {"big1": HELD, "big2": HELD, CAMPUSES[1]: DONE, "opened": DONE}
    assert outcome.error["params"]["gone"] == 1200 + 720
    assert "asked for once more" in outcome.log
    assert gateway.times_asked("big1") >= 6, "three times before nothing is believed, and all of it once more"
    assert {campus: place.picture(campus) for campus in before} == before, "the old rows, byte for byte"
    # What waits for the person is there, and an honest answer of the next day needs nobody.
    assert list((place.folder / "staging").glob("*"))
    gateway.scripts, gateway.rows["big2"] = {}, whole
    assert place.sync(campuses=BIG).code == 0
    assert {campus: place.picture(campus) for campus in before} == before


def test_30_one_bad_answer_among_good_ones_troubles_nobody(place: Place, gateway: ScriptedGateway) -> None:
    tried = place.try_each({"once": [EMPTY, EMPTY, EMPTY, None], "good": [None]})
    assert (tried.outcome.code, tried.states()) == (0, {"once": DONE, "good": DONE})
    assert tried.touched() == set()


def test_30_a_whole_source_that_comes_empty_is_held(place: Place, gateway: ScriptedGateway) -> None:
    before = place.picture()
    gateway.scripts = {campus: [EMPTY] for campus in [*CAMPUSES, FACULTY]}
    outcome = place.sync(campuses=CAMPUSES)
    assert (outcome.code, set(outcome.states().values())) == (3, {HELD})
    assert outcome.error["params"]["gone"] == len(CAMPUSES) * OLD_ROWS
    outcome = place.sync("faculty")
    assert (outcome.code, outcome.states()) == (3, {"": HELD})
    assert place.picture() == before


def test_30_an_unknown_campus_fails_alone_and_a_future_term_is_plainly_empty(
    place: Place, gateway: ScriptedGateway
) -> None:
    before = place.picture(CAMPUSES[0])
    unknown = {"title": "Unknown campus.", "status": 400}
    gateway.scripts = {"x400": [answer(unknown, 400)], "x404": [answer(unknown, 404)], "x200": [EMPTY]}
    outcome = place.sync(campuses=[CAMPUSES[0], "x400", "x404", "x200"], settings={"retry_budget": 600})
    assert (outcome.code, outcome.error["code"]) == (1, "E_PARTIAL")
    assert outcome.states() == {
        CAMPUSES[0]: DONE, "x400": failed("E_GATEWAY"), "x404": failed("E_GATEWAY"), "x200": DONE,
    }  # fmt: skip
    assert [gateway.times_asked(campus) for campus in ("x400", "x404")] == [1, 1]
    assert not outcome.error["retryable"]
    assert place.picture(CAMPUSES[0]) == before


def test_30_a_term_that_has_not_begun_is_plainly_empty(new_place: Place, gateway: ScriptedGateway) -> None:
    campus = CAMPUSES[0]
    gateway.rows |= {f"{campus},4043": [student(1, campus, term="4043")], f"{campus},4051": []}
    # Three weeks before the term begins, it is asked for already.
    outcome = new_place.sync(campuses=[campus], first_term="4043", now="2026-09-01T09:00:00+00:00")
    assert (outcome.code, outcome.last["event"]) == (0, "result")
    assert outcome.last["partitions"] == {"planned": 2, "done": 2, "failed": 0, "held": 0}
    assert new_place.rows("SELECT part, rows FROM _hamgam_partitions ORDER BY part") == [
        (f"campus={campus},term=4043", 1),
        (f"campus={campus},term=4051", 0),
    ]
