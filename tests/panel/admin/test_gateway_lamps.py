"""The gateways' lamps on the status page, and runs that wait for a gateway."""

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from panel import persian
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.models import SyncRun
from tests.panel import gateway_states as states
from tests.panel.admin.conftest import read

House = sessionmaker[Session]


def lamp(page: str) -> str:
    """The lamp's words, without markup."""
    found = re.search(r'<li class="gateway".*?</li>', page, re.S)
    assert found, "there is no lamp"
    return " ".join(re.sub(r"<[^>]+>", " ", found.group()).split())


def test_a_gateway_that_is_down_is_red_with_since_when_why_and_the_next_question(
    house: House, sara: FlaskClient, web_config: Config
) -> None:
    states.down(web_config)
    page = read(sara, "/")
    assert 'data-light="red"' in page and 's-failed"><svg' in page
    words = lamp(page)
    assert words.startswith(f"Down {states.ADDRESS} Faculty, Students since 5 minutes ago")
    assert "The gateway has a fault of its own (status 503)." in words
    at = persian.clock(utcnow() + timedelta(seconds=180), utcnow(), "en")
    assert re.search(r"one small question at a time; the next at \d\d:\d\d\.", words) and at[:2] in words


def test_in_persian_it_has_persian_words_and_digits(
    house: House, sara: FlaskClient, web_config: Config
) -> None:
    states.down(web_config)
    words = lamp(sara.get("/").get_data(as_text=True))
    assert "از کار افتاده" in words and "۵ دقیقه پیش" in words
    assert re.search(r"پرسش بعدی ساعت [۰-۹]{2}:[۰-۹]{2}\.", words)


def test_where_nobody_waits_the_next_question_comes_with_the_next_run(
    house: House, sara: FlaskClient, web_config: Config
) -> None:
    states.down(web_config, waits=False)
    assert "The next run begins with one small question." in lamp(read(sara, "/"))


@pytest.mark.parametrize(
    ("leave", "light", "words"),
    [
        (
            states.well,
            "green",
            ["Responding", "At most 4 requests a second and 4 at once", "Last answer: 2 minutes ago"],
        ),
        (states.slow, "amber", ["Answers slowly", "3.4 s to answer, usually 1.2 s", "50% of its pace"]),
        (states.paused, "amber", ["Asks for a pause", "Hamgam goes on at "]),
        (states.failing, "amber", ["Failing", "The last 4 requests failed."]),
    ],
)
def test_each_lamp_has_its_colour_and_its_words(  # type: ignore[no-untyped-def]
    house: House, sara: FlaskClient, web_config: Config, leave, light: str, words: list[str]
) -> None:
    leave(web_config)
    page = read(sara, "/")
    assert f'data-light="{light}"' in page
    for word in words:
        assert word in lamp(page)


def test_a_gateway_that_nobody_has_asked_says_so(house: House, sara: FlaskClient) -> None:
    assert lamp(read(sara, "/")).startswith("Not asked yet")


def test_the_page_that_asks_again_gets_the_lamp_too_and_says_it_aloud(
    house: House, sara: FlaskClient, web_config: Config
) -> None:
    states.down(web_config)
    answer = sara.get("/status/rows?lang=en")
    assert 'data-light="red"' in answer.get_data(as_text=True)
    assert "Down" in str(answer.headers)


def wait(house: House, reason: str, until: str) -> int:
    with writing(house) as session:
        run = session.scalar(select(SyncRun).where(SyncRun.status == "running"))
        assert run
        run.waiting = {"reason": reason, "until": until}
        return run.id


def test_a_run_that_waits_for_the_gateway_says_when_it_goes_on(house: House, sara: FlaskClient) -> None:
    until = utcnow() + timedelta(minutes=3, seconds=20)
    run = wait(house, "gateway", until.isoformat())
    at = persian.clock(until, utcnow(), "en")
    words = f"Waiting for the gateway; goes on at {at}, in 3 minutes."
    assert words in read(sara, "/")
    assert words in read(sara, f"/runs/{run}")
    persian_page = sara.get("/?lang=fa").get_data(as_text=True)
    assert f"ساعت {persian.digits(at, 'fa')} ادامه می‌یابد" in persian_page


@pytest.mark.parametrize("until", ["", "soon", "2026-11-22T09:00:00", "2020-01-01T00:00:00+00:00"])
def test_a_wait_without_an_end_ahead_shows_its_reason_alone(
    house: House, sara: FlaskClient, until: str
) -> None:
    wait(house, "turn", until)
    page = read(sara, "/")
    assert "Waiting for its turn at the gateway" in page and "goes on at" not in page


def test_a_moment_of_another_day_has_its_day() -> None:
    now = utcnow()
    assert len(persian.clock(now, now, "en")) == 5
    assert persian.clock(now + timedelta(days=2), now, "en") == persian.jalali_datetime(
        now + timedelta(days=2), "en"
    )
