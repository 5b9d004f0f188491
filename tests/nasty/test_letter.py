"""A letter about a gateway that repeats whatever it was told: nothing of it goes on to anybody else."""

from datetime import UTC, datetime

import pytest

from panel import letter
from tests.fetchers.raw_server import answer
from tests.nasty.gateway import PASSWORD, PERSON, TOKEN, USERNAME
from tests.nasty.place import CAMPUSES, Place

NUMBER, CODE = "40311200000", "0012345679"
ECHO = f"user {USERNAME} pass {PASSWORD} token {TOKEN}-1 student {NUMBER} code {CODE}"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (answer({"title": ECHO, "traceId": "00-ab-00"}, 400), "E_GATEWAY"),
        (answer({"isSuccess": False, "message": ECHO, "data": [{"fathername": PERSON}]}), "E_ENVELOPE"),
        (answer(f"<html><title>{ECHO}</title>{PERSON} {NUMBER}</html>"), "E_NOT_JSON"),
        (answer(ECHO, 503, "X-Request-Id: 7f3a-99"), "E_SERVER"),
    ],
)
def test_nothing_that_a_gateway_repeats_goes_into_a_letter(place: Place, sent: bytes, code: str) -> None:
    campus = CAMPUSES[0]
    place.gateway.scripts = {campus: [sent]}
    error = place.sync(campuses=[campus], settings={"retry_budget": 0}).error
    assert error["code"] == code
    facts = letter.Facts(
        origin="https://gateway.example.ac.ir", path=error["params"]["path"], sources=("students",),
        code=code, params=error["params"], at=datetime(2026, 11, 22, 9, tzinfo=UTC), run=7, part=f"campus={campus}",
    )  # fmt: skip
    for language in letter.LANGUAGES:
        told = letter.write(facts, language)
        for canary in (PASSWORD, TOKEN, PERSON, NUMBER, CODE, f"user {USERNAME}"):
            assert canary not in told, f"{canary!r} is in\n{told}"
        assert "/API/Golestan/Students_2" in told
        if code in ("E_GATEWAY", "E_SERVER"):
            assert ("00-ab-00" if code == "E_GATEWAY" else "7f3a-99") in told
