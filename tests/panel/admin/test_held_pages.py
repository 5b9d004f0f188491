"""A held run on the pages: it needs somebody, says who would vanish, and takes three answers."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, sessionmaker

from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.models import AuditEntry, RunPartition, SyncRun
from tests.panel import held_run
from tests.panel.admin.conftest import read
from tests.panel.admin.test_buttons import press
from tests.statements import listening
from tests.web import ON_BOTH

House = sessionmaker[Session]


@pytest.fixture
def held(house: House, web_config: Config) -> int:
    """The students are held, and nothing else of theirs runs."""
    with writing(house) as session:
        session.execute(update(SyncRun).where(SyncRun.status == "running").values(status="failed"))
        session.execute(update(SyncRun).where(SyncRun.status == "held").values(decision="superseded"))
    return held_run.stage(house, web_config, utcnow())


def row_of(page: str, key: str) -> str:
    found = re.search(rf'<tr id="source-{key}".*?</tr>', page, re.S)
    assert found
    return found.group(0)


def test_the_status_row_asks_for_a_decision_with_three_buttons(held: int, reza: FlaskClient) -> None:
    page = read(reza, "/")
    row = row_of(page, "students")
    assert "Needs approval" in row and f"/runs/{held}/held" in row
    for button in (f'id="approve-{held}"', f'id="reject-{held}"', f'id="again-{held}"'):
        assert button in row
    assert "Sources that need you" in page


def test_each_button_says_its_consequence_before_it_acts(held: int, reza: FlaskClient) -> None:
    row = row_of(read(reza, "/"), "students")
    assert "8,123 records leave the database of Students" in row
    assert "Nothing moves: the records stay in the database" in row
    assert "the gateway is asked for everything again" in row
    assert row.count("data-confirm=") == 4  # these, and the rehearsal


def test_who_only_looks_sees_the_list_and_no_button(held: int, sara: FlaskClient) -> None:
    assert "approve-" not in read(sara, "/") + read(sara, f"/runs/{held}") + read(sara, f"/runs/{held}/held")
    assert "کریمی" in read(sara, f"/runs/{held}/held")
    assert press(sara, f"/runs/{held}/approve").status_code == 403
    assert press(sara, f"/runs/{held}/reject").status_code == 403
    assert sara.get(f"/runs/{held}/held.csv").status_code == 403


def test_the_runs_page_leads_to_the_list_and_has_the_buttons(held: int, reza: FlaskClient) -> None:
    page = read(reza, f"/runs/{held}")
    assert f'href="/runs/{held}/held"' in page and f'id="approve-{held}"' in page
    assert "Look at who would vanish, then decide" in page


def test_what_was_read_and_is_held_back_is_counted(house: House, held: int, reza: FlaskClient) -> None:
    """A run counts what it has published; "0 records read" beside "1 of 3 would vanish" made people wonder."""
    with writing(house) as session:
        run = session.get(SyncRun, held)
        assert run
        run.read, run.partitions_held = 0, 1
        session.execute(delete(RunPartition).where(RunPartition.run_id == held))
        part = RunPartition(run_id=held, part=held_run.PART, position=0, state="held", counts={"read": 201})
        session.add(part)
    page = read(reza, f"/runs/{held}")
    figures = re.findall(r'data-count="(\w+)"><dt>[^<]+</dt><dd[^>]*>(?:<a[^>]*>)?([\d,]+)', page)
    assert (figures[0], figures[-1]) == (("read", "201"), ("held", "201"))
    assert read_in_the_list(reza, held) == "201"
    with writing(house) as session:
        session.execute(update(SyncRun).where(SyncRun.id == held).values(partitions_held=0))
    assert 'data-count="held"' not in read(reza, f"/runs/{held}")
    assert read_in_the_list(reza, held) == "0"


def read_in_the_list(client: FlaskClient, run: int) -> str:
    """What the list of runs says of how many records a run has read."""
    [line] = [row for row in read(client, "/runs/").split("<tr>") if f'href="/runs/{run}"' in row]
    return re.findall(r'data-label="Records read"><span[^>]*>([^<]*)<', line)[0]


def test_the_list_counts_what_is_held_back_by_one_statement(
    house: House, held: int, reza: FlaskClient
) -> None:
    """However many runs of the page are held."""

    def asked() -> int:
        with listening() as said:
            reza.get("/runs/")
        return sum("run_partitions" in statement for statement, _parameters in said)

    with writing(house) as session:
        session.execute(update(SyncRun).values(partitions_held=0))
        session.execute(update(SyncRun).where(SyncRun.id == held).values(partitions_held=1))
    assert asked() == 1
    with writing(house) as session:
        session.execute(update(SyncRun).values(partitions_held=1))
    assert asked() == 1


def test_the_way_to_the_list_is_there_once(held: int, reza: FlaskClient, sara: FlaskClient) -> None:
    for somebody in (reza, sara):
        assert read(somebody, f"/runs/{held}").count("Who would vanish") == 1


def test_one_held_part_has_no_total(held: int, reza: FlaskClient) -> None:
    page = read(reza, f"/runs/{held}/held")
    assert "held parts in all" not in page and "<tfoot>" not in page


@ON_BOTH
def test_the_list_shows_names_part_figures_and_who_moved(held: int, reza: FlaskClient) -> None:
    page = read(reza, f"/runs/{held}/held")
    names = re.findall(r"<bdi>(کریمی|محمدی|شریفی)</bdi>", page)
    assert names == ["کریمی", "محمدی"]  # who really leaves first; the third student stays
    parts = page.split('id="held-parts"')[1].split("</table>")[0]
    assert re.findall(r'<span class="val num">(\d+)</span>', parts)[:2] == ["3", "1"]
    assert page.count(">moved<") == 1 or "moved</span>" in page
    assert "2 in all" in page


@ON_BOTH
def test_the_list_is_searched_whatever_the_letters_and_filtered_by_part(held: int, reza: FlaskClient) -> None:
    found = read(reza, f"/runs/{held}/held?search=كريمي")
    assert "40011001" in found and "40011002" not in found
    assert "Nothing found for" in read(reza, f"/runs/{held}/held?search=nobody")
    assert "40011001" in read(reza, f"/runs/{held}/held?part={held_run.PART}")
    assert "40011001" in read(reza, f"/runs/{held}/held?page=99999999999999999999")


def test_accepting_starts_a_run_leads_to_it_and_is_audited(
    house: House, held: int, reza: FlaskClient
) -> None:
    answer = press(reza, f"/runs/{held}/approve").json
    assert answer["ok"]
    with house() as session:
        newest = session.scalars(select(SyncRun).order_by(SyncRun.id.desc())).first()
        assert newest and (newest.mode, newest.about_run_id, newest.requested_by) == ("approve", held, "reza")
        assert answer["go"] == f"/runs/{newest.id}"
        trail = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert trail and (trail.actor, trail.action, trail.subject) == ("reza", "hold_accepted", "students")
    assert f"publishes what run {held} held" in re.sub("<[^>]+>", "", read(reza, answer["go"]))


def test_keeping_the_old_data_ends_the_question(house: House, held: int, reza: FlaskClient) -> None:
    assert press(reza, f"/runs/{held}/reject").json["ok"]
    assert held_run.decided(house, held) == ("rejected", "reza")
    row = row_of(read(reza, "/"), "students")
    assert "Who would vanish" not in row and "approve-" not in row
    assert "Old data kept" in row and 'id="act-students"' in row
    page = read(reza, f"/runs/{held}")
    assert "Old data kept · by reza" in page
    second = press(reza, f"/runs/{held}/approve?lang=en").json
    assert (second["ok"], second["message"]) == (False, "It was decided already that the old data stay.")


@ON_BOTH
def test_the_list_is_saved_so_that_spreadsheets_read_it_and_execute_nothing(
    house: House, held: int, reza: FlaskClient, web_config: Config
) -> None:
    from fetchers.core.store import sql

    db = sql.connect(web_config.data_database_url)
    db.execute("UPDATE student_terms SET firstname = '=1+1' WHERE studentnum = '40011001'")
    db.close()
    answer = reza.get(f"/runs/{held}/held.csv?lang=en")
    text = answer.get_data().decode("utf-8-sig")
    assert answer.get_data().startswith(b"\xef\xbb\xbf")
    assert "attachment" in answer.headers["Content-Disposition"]
    lines = text.splitlines()
    assert len(lines) == 3 and lines[0].startswith("Student number,")
    assert "'=1+1" in lines[1] and ",moved" in lines[2]
    with house() as session:
        assert (
            session.scalars(select(AuditEntry.action).order_by(AuditEntry.id.desc())).first()
            == "hold_exported"
        )


@ON_BOTH
def test_personal_columns_of_the_list_are_for_administrators(
    held: int, reza: FlaskClient, maryam: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "fetchers.core.decide.holds.summary_columns", lambda stream: ("studentnum", "fathername")
    )
    assert "••••" in read(reza, f"/runs/{held}/held")
    assert "••••" not in read(maryam, f"/runs/{held}/held")


def test_a_run_without_a_hold_has_an_empty_list(house: House, sara: FlaskClient) -> None:
    with house() as session:
        run = session.scalar(select(SyncRun.id).where(SyncRun.status == "success"))
    assert "there is no list" in read(sara, f"/runs/{run}/held")
    assert sara.get("/runs/999999/held").status_code == 404
