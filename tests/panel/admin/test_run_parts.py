"""The map of a run's parts on its page, and the list below it."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session, sessionmaker

from panel.db import writing
from panel.models import Campus, RunPartition, SyncRun
from tests.panel.admin.conftest import read
from tests.panel.admin.test_run_pages import run_id
from tests.statements import listening, plans

House = sessionmaker[Session]
LARGE_PAGE = 200_000  # bytes, without fonts


def plan(house: House, run: int, parts: list[tuple[str, str]]) -> None:
    """Let a run have these parts."""
    with writing(house) as session:
        session.execute(delete(RunPartition).where(RunPartition.run_id == run))
        session.execute(
            insert(RunPartition),
            [
                {"run_id": run, "part": part, "position": position, "state": state}
                for position, (part, state) in enumerate(parts)
            ],
        )


def map_of(page: str) -> str:
    return page.split('id="run-map"')[1].split("</section>")[0]


def states(page: str) -> str:
    [found] = re.findall(r'data-states="([^"]*)"', page)
    return str(found)


def rows_of(page: str) -> dict[str, str]:
    """Each row's address, and the letters of its cells; a dot where there is none."""
    return {
        key: "".join(
            letter or "." for letter in re.findall(r"<td(?: aria-current=true)?(?: class=(\w))?", cells)
        )
        for key, cells in re.findall(r'<tr data-row="([^"]*)">(.*?)</tr>', map_of(page), re.S)
    }


def test_the_map_has_a_row_for_a_campus_and_a_column_for_a_term_newest_first(
    house: House, sara: FlaskClient
) -> None:
    page = read(sara, f"/runs/{run_id(house, 'running')}")
    terms = re.findall(r'data-column="(\d+)"', map_of(page))
    assert terms == sorted(terms, reverse=True) and len(terms) == 10
    assert rows_of(page) == {
        "1110": "dddd" + "p" * 6,
        "1111": "dddd" + "p" * 6,
        "1112": "dddd" + "p" * 6,
        "1113": "fdd" + "p" * 7,
    }


def test_a_campus_is_called_by_its_name_in_map_and_list(house: House, sara: FlaskClient) -> None:
    with writing(house) as session:
        session.add(Campus(pardis_code="1113", name="پردیس آب", active=True))
    page = read(sara, f"/runs/{run_id(house, 'running')}?lang=fa")
    assert "<bdi>پردیس آب</bdi>" in map_of(page)
    assert list(rows_of(page)).index("1113") < list(rows_of(page)).index(
        "1110"
    )  # the one that is called «مرکز»
    assert "\u2068پردیس آب\u2069 (1113)، نیمسال 4051" in page.split('id="parts"')[1]


def test_the_legend_has_a_word_for_every_sign_and_shows_those_that_are_there(
    house: House, sara: FlaskClient
) -> None:
    found = map_of(read(sara, f"/runs/{run_id(house, 'running')}"))
    shown = re.findall(
        r'<li data-letter="(\w)"( hidden)?><span class="map-cell (\w)"></span><span>([^<]+)</span>', found
    )
    assert len(shown) == 8 and all(letter == sign for letter, _hidden, sign, _word in shown)
    there = {letter: word for letter, hidden, _sign, word in shown if not hidden}
    assert there == {"f": "Failed", "d": "Done", "p": "To do"}


def test_what_an_ended_run_has_not_reached_is_no_longer_to_do(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "failed")
    plan(house, run, [("campus=1,term=4051", "failed"), ("campus=1,term=4042", "planned")])
    assert rows_of(read(sara, f"/runs/{run}")) == {"1": "fu"}


def test_a_cell_s_address_narrows_the_list_to_its_part(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "running")
    page = read(sara, f"/runs/{run}?row=1113&column=4051")
    listed = page.split('id="parts"')[1].split("</section>")[0]
    assert listed.count("<tr>") == 2 and "campus 1113, term 4051" in listed  # its heading, and one part
    assert "The gateway has a fault of its own (status 503)." in listed
    assert "Only campus 1113, term 4051." in listed and f'href="/runs/{run}#parts"' in listed
    assert map_of(page).count("aria-current") == 1
    assert 'class="tabs"' not in listed, "one part has one state: nothing to choose"
    assert "state=failed#parts" in read(sara, f"/runs/{run}").split('id="parts"')[1]


def test_nonsense_in_the_address_narrows_nothing(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "running")
    for query in (
        "row=9&column=9",
        "row=1113",
        "column=",
        "in=x&row=1113&column=4051",
        "run_id=5&column[]=1",
    ):
        page = read(sara, f"/runs/{run}?{query}")
        assert "14 of 40" in page and 'id="parts-of"' not in page


def test_a_source_that_is_fetched_as_one_whole_has_no_map(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "success")
    plan(house, run, [("", "done")])
    assert 'id="map"' not in read(sara, f"/runs/{run}")


@pytest.mark.parametrize(
    ("parts", "drawn"),
    [
        ([("day=1", "done"), ("day=2", "failed")], {"": "df"}),
        ([("unit=a,year=1,month=1", "done"), ("unit=a,year=1,month=2", "held")], {"a": "h"}),
        ([("rooms/floor=1", "done"), ("rooms/floor=2", "planned")], {"": "du"}),
    ],
)
def test_another_fetcher_s_parts_have_a_map_too(
    house: House, sara: FlaskClient, parts: list[tuple[str, str]], drawn: dict[str, str]
) -> None:
    run = run_id(house, "success")
    plan(house, run, parts)
    page = read(sara, f"/runs/{run}")
    assert rows_of(page) == drawn


def test_a_cell_of_several_parts_lists_them_all(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "success")
    plan(house, run, [(f"unit={unit},year=1,month={month}", "done") for unit in "ab" for month in (1, 2)])
    listed = read(sara, f"/runs/{run}?row=b&column=1").split('id="parts"')[1].split("</section>")[0]
    assert listed.count("unit b, year 1, month") == 2 and "unit a" not in listed
    assert "Only unit b, year 1." in listed


def test_a_part_s_name_is_text_in_the_map(house: House, sara: FlaskClient) -> None:
    run = run_id(house, "success")
    plan(house, run, [('a=<b>"x,c=1', "done"), ('a=<b>"x,c=2', "done")])
    page = read(sara, f"/runs/{run}")
    assert "<b>" not in map_of(page) and [unescape(key) for key in rows_of(page)] == ['<b>"x']


def test_the_live_part_sends_of_a_map_that_the_page_has_its_states_alone(
    house: House, sara: FlaskClient
) -> None:
    run = run_id(house, "running")
    whole = read(sara, f"/runs/{run}/live")
    [shape] = re.findall(r'data-shape="([^"]*)"', whole)
    brief = read(sara, f"/runs/{run}/live?shape={shape}")
    assert (
        rows_of(brief) == {} and states(brief) == "".join(f"{row}," for row in rows_of(whole).values())[:-1]
    )
    with writing(house) as session:
        first = (RunPartition.run_id == run, RunPartition.part == "campus=1110,term=4051")
        session.execute(update(RunPartition).where(*first).values(state="held"))
    after = states(read(sara, f"/runs/{run}/live?shape={shape}"))
    assert after == states(brief)[:-10] + "hdddpppppp"  # the one campus that has a name is behind the others
    assert rows_of(read(sara, f"/runs/{run}/live?shape=another")) != {}


def large(house: House) -> int:
    """A run of 60 campuses with names and 40 terms, some of them failed."""
    run = run_id(house, "running")
    campuses = [str(2000 + number) for number in range(60)]
    with writing(house) as session:
        session.execute(
            insert(Campus),
            [
                {"pardis_code": code, "name": f"پردیس حضرت معصومه شمارهٔ {code}", "active": True}
                for code in campuses
            ],
        )
    parts = [(f"campus={campus},term={term}", "staged") for term in range(4000, 4040) for campus in campuses]
    plan(house, run, parts)
    return run


def test_a_run_of_2400_parts_has_a_light_page(house: House, sara: FlaskClient) -> None:
    run = large(house)
    page = read(sara, f"/runs/{run}?lang=fa")
    assert sum(map(len, rows_of(page).values())) == 2_400
    assert len(page.encode()) < LARGE_PAGE
    [shape] = re.findall(r'data-shape="([^"]*)"', page)
    assert len(read(sara, f"/runs/{run}/live?lang=fa&shape={shape}").encode()) < 60_000


def test_a_run_s_page_asks_as_much_of_the_database_whether_it_has_few_parts_or_many(
    house: House, sara: FlaskClient
) -> None:
    def asked(run: int) -> int:
        read(sara, f"/runs/{run}")
        with listening() as said:
            read(sara, f"/runs/{run}")
        assert not [step for step in plans(said, house, "run_partitions") if step.startswith("SCAN run_")]
        return len(said)

    few = asked(run_id(house, "running"))
    assert asked(large(house)) == few


def test_the_map_of_a_run_says_nothing_of_another(house: House, sara: FlaskClient) -> None:
    with house() as session:
        others = session.scalars(select(SyncRun.id).where(SyncRun.status == "success")).all()
    plan(house, others[0], [("campus=1,term=1", "done"), ("campus=2,term=1", "done")])
    plan(house, others[1], [("campus=3,term=1", "done"), ("campus=4,term=1", "done")])
    assert list(rows_of(read(sara, f"/runs/{others[0]}"))) == ["1", "2"]
