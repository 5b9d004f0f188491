"""«مشکل از کجاست؟»: what the buttons on the settings page and on a failed run's page answer, and to whom."""

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from panel import audit, probe
from panel.admin import fault_page
from panel.clock import utcnow
from panel.db import writing
from panel.models import AuditEntry, DataSync
from tests.panel.admin.conftest import read
from tests.panel.admin.test_run_pages import run_id
from tests.web import csrf_token

House = sessionmaker[Session]
HOST = "gateway.example.ac.ir"
NOES = {
    "dns": probe.ProbeResult(False, "E_CONNECT", {"reason": "dns", "host": HOST}),
    "refused": probe.ProbeResult(False, "E_CONNECT", {"reason": "refused", "host": HOST}, reached="name"),
    "expired": probe.ProbeResult(False, "E_CONNECT", {"reason": "tls_expired", "host": HOST}, reached="connection"),
    "page": probe.ProbeResult(False, "E_NOT_JSON", {"reason": "html"}, reached="answer"),
    "login": probe.ProbeResult(False, "E_AUTH", {"status": 401, "host": HOST}, reached="answer"),
    "pause": probe.ProbeResult(False, "E_UNAVAILABLE", {"reason": "pause", "seconds": 30}),
}  # fmt: skip


def press(client: FlaskClient, language: str = "en", **form: str) -> str:
    """The page that the button leads to where no script runs."""
    form["csrf_token"] = csrf_token(client, "/")
    answer = client.post(f"/syncs/students/check?lang={language}", data=form)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def press_quietly(client: FlaskClient) -> dict[str, object]:
    """What the script gets."""
    answer = client.post(
        "/syncs/students/check?lang=en",
        data={"csrf_token": csrf_token(client, "/")},
        headers={"X-Quiet": "1"},
    )
    told: dict[str, object] = answer.get_json()
    return told


def answers(monkeypatch: pytest.MonkeyPatch, answer: probe.ProbeResult) -> list[str]:
    """From now on the gateway answers so; the list of those who asked."""
    asked: list[str] = []
    monkeypatch.setattr(probe, "check", lambda source, values, config: asked.append(source) or answer)
    return asked


def steps(page: str) -> list[tuple[str, str]]:
    found = re.findall(r"<li><span class=\"badge s-(\w+)\">.*?<strong>(.*?)</strong>", page, re.S)
    return [(title, state) for state, title in found]


def test_an_administrator_sees_each_step_the_first_that_is_broken_and_whom_to_call(
    house: House, maryam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, NOES["expired"])
    page = press(maryam)
    assert steps(page) == [
        ("Our network", "success"), ("The gateway&#39;s name", "success"), ("Connection", "success"),
        ("Certificate", "failed"), ("Answer", "none"), ("Login", "none"),
    ]  # fmt: skip
    assert "The fault is at the gateway." in page and "Tell the gateway&#39;s support team." in page
    assert f"The certificate of the gateway {HOST} has expired" in page and "new certificate" in page
    persian = press(maryam, "fa")
    assert (
        "مشکل از درگاه است." in persian and "گواهی امنیتی درگاه" in persian and "Certificate" not in persian
    )


def test_where_nothing_could_be_asked_no_step_is_blamed(
    house: House, maryam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, NOES["pause"])
    page = press(maryam)
    assert steps(page) == []
    assert "It cannot be told now where the fault is." in page and "has asked for a pause" in page


def test_whoever_does_not_administer_hears_the_same_whatever_is_wrong(
    house: House, reza: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S31: a button is no way to look around in a network."""
    monkeypatch.setattr(fault_page, "A_MINUTE", 100)
    told = []
    for answer in NOES.values():
        answers(monkeypatch, answer)
        told.append(press_quietly(reza))
    with writing(house) as session:
        for sync in session.scalars(select(DataSync)):
            sync.secrets = None
    told.append(press_quietly(reza))
    assert all(one == told[0] for one in told)
    assert told[0]["ok"] is False and "cannot be reached, or does not accept us" in str(told[0]["message"])
    assert "badge" not in str(told[0]["html"])


def test_whoever_does_not_administer_hears_when_it_is_well(
    house: House, reza: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, probe.ProbeResult(True, message="1 of 98 campuses answers", reached="answer"))
    told = press_quietly(reza)
    assert (told["ok"], told["message"]) == (True, "The gateway accepts the address and the login.")


def test_whoever_only_looks_has_no_button_and_cannot_press_it(house: House, sara: FlaskClient) -> None:
    assert "Where is the fault?" not in read(sara, f"/runs/{run_id(house, 'failed')}")
    form = {"csrf_token": csrf_token(sara, "/")}
    assert sara.post("/syncs/students/check", data=form).status_code == 403


def test_pressing_again_and_again_leaves_the_gateway_alone(
    house: House, maryam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(monkeypatch, NOES["login"])
    for _ in range(fault_page.A_MINUTE):
        press_quietly(maryam)
    told = press_quietly(maryam)
    assert len(asked) == fault_page.A_MINUTE
    assert told["ok"] is False and "tested several times just now" in str(told["message"])
    with house() as session:
        tested = select(func.count()).where(AuditEntry.action == fault_page.ACTION)
        assert session.scalar(tested) == fault_page.A_MINUTE


def test_what_was_tested_long_ago_does_not_count(
    house: House, maryam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(monkeypatch, NOES["login"])
    with writing(house) as session:
        for _ in range(fault_page.A_MINUTE):
            audit.record(session, "maryam", fault_page.ACTION, "students").at = utcnow() - timedelta(
                minutes=2
            )
    press_quietly(maryam)
    assert len(asked) == 1


def test_the_page_of_a_failed_run_has_the_button_and_gets_its_reader_back(
    house: House, reza: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_id(house, "failed")
    page = read(reza, f"/runs/{run}")
    assert "Where is the fault?" in page and f'name="of_run" value="{run}"' in page
    assert "Where is the fault?" not in read(reza, f"/runs/{run_id(house, 'cancelled')}")
    answers(monkeypatch, NOES["page"])
    assert f'href="/runs/{run}"' in press(reza, of_run=str(run))
    assert 'href="/syncs/students/settings"' not in press(reza, of_run="javascript:alert(1)")
