"""The pages of letters to a gateway's support team."""

import re

from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from panel.config import Config
from panel.persian import digits
from tests.panel import gateway_states as states
from tests.panel.admin.conftest import read
from tests.panel.admin.example_house import PASSWORD
from tests.panel.admin.test_run_pages import run_id

House = sessionmaker[Session]
NAME = "Letter to gateway support"


def letters(page: str) -> list[tuple[str, str]]:
    """Language and text of each letter, in the page's order."""
    return re.findall(
        r'<textarea class="letter"[^>]* readonly [^>]*lang="(\w+)"[^>]*>(.*?)</textarea>', page, re.S
    )


def test_the_page_of_a_failed_run_leads_to_a_letter_in_both_languages(
    house: House, sara: FlaskClient
) -> None:
    run = run_id(house, "failed")
    assert f'href="/runs/{run}/letter"' in read(sara, f"/runs/{run}")
    (first, english), (second, persian) = letters(read(sara, f"/runs/{run}/letter"))
    assert (first, second) == ("en", "fa")
    assert "The gateway has a fault of its own." in english and "خود درگاه دچار خطا شده است." in persian
    for told, number in ((english, f"run {run}"), (persian, f"اجرای شمارهٔ {digits(run, 'fa')}")):
        assert "https://gateway.example.ac.ir" in told and number in told
        assert PASSWORD not in told and "hamgam\n" not in told
    assert [language for language, _ in letters(read(sara, f"/runs/{run}/letter?lang=fa"))] == ["fa", "en"]


def test_a_run_that_the_keeper_could_not_mend_has_none(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "cancelled")
    assert NAME not in read(sara, f"/runs/{run}")
    answer = sara.get(f"/runs/{run}/letter?lang=en", follow_redirects=True)
    assert "nothing in this that the gateway&#39;s support team could mend" in answer.get_data(as_text=True)
    assert sara.get("/runs/99999/letter").status_code == 404


def test_the_lamp_of_a_gateway_that_is_down_leads_to_a_letter(
    house: House, sara: FlaskClient, web_config: Config
) -> None:
    states.well(web_config)
    assert NAME not in read(sara, "/")
    states.down(web_config)
    found = re.search(r'href="(/gateways/letter\?of=[^"]+)"', read(sara, "/"))
    assert found
    (_, english), _ = letters(read(sara, found[1]))
    assert "12 requests in a row" in english and "status 503" in english
    assert sara.get("/gateways/letter?of=https://other.example").status_code == 404
    states.put(web_config, open_until=None, failures=0, cause=None)
    answer = sara.get(found[1] + "&lang=en", follow_redirects=True).get_data(as_text=True)
    assert "This gateway answers" in answer
