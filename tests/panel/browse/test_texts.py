"""Texts in memory: what is found is what is there, in the same order, and never what was there before."""

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import MetaData, event

from fetchers.core.store import sql
from panel import browse
from panel.browse import Wanted, texts
from panel.browse.counts import stamp_of
from panel.browse.texts import Texts
from panel.destination import reader
from tests.fetchers.core.conftest import House
from tests.panel.browse.conftest import CAMPUSES, TERMS_STREAM

PEOPLE = [("7", "آرش احمدی 7"), ("40", "سارا احمدی 40"), ("4", "سارا پارسا 4"), ("12", "احمدی سارا 12")]


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    texts.forget()
    yield
    texts.forget()


@pytest.fixture
def some() -> Texts:
    return Texts("s", [PEOPLE[:3], PEOPLE[3:]])


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["احمدی"], ["7", "40", "12"]),
        (["سارا", "احمدی"], ["40", "12"]),
        (["4"], ["40", "4"]),
        (["ی 4"], ["40"]),
        (["زهرا"], []),
        (["احمدی", "زهرا"], []),
    ],
)
def test_those_are_found_who_have_every_word(some: Texts, words: list[str], found: list[str]) -> None:
    assert some.keys(some.find(words)) == found
    assert some.keys(some.find(words, reverse=True)) == found[::-1]


def test_the_search_goes_on_behind_or_before_somebody(some: Texts) -> None:
    for at, (key, _text) in enumerate(PEOPLE):
        assert some.place(key) == at
        behind, before = some.find(["سارا"], at), some.find(["سارا"], at, reverse=True)
        assert some.keys(behind) == [key for key, text in PEOPLE[at + 1 :] if "سارا" in text]
        assert some.keys(before) == [key for key, text in PEOPLE[:at][::-1] if "سارا" in text]
    assert some.place("1") is None and some.place("") is None


def test_a_text_of_two_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="more than one line"):
        Texts("s", [[("1", "a\nb")]])


def names(url: str, search: str) -> list[object]:
    people = browse.tables()["Students"]
    page = browse.listing(url, people, Wanted(search=search), people.summary)
    return [row["firstname"] for row in page.rows]


def until_remembered() -> Texts:
    deadline = time.monotonic() + 60
    while not texts._remembered:
        assert time.monotonic() < deadline, "nobody reads the texts"
        time.sleep(0.01)
    [found] = texts._remembered.values()
    return found


def test_a_thread_reads_them_and_from_then_on_no_search_asks_the_database(to_spoil: str) -> None:
    asked: list[str] = []
    event.listen(reader(to_spoil), "before_cursor_execute", lambda *given: asked.append(given[2]))
    right = names(to_spoil, "سارا")
    assert right and any("_hamgam_search.folded" in one and "LIMIT" in one for one in asked)
    found = until_remembered()
    assert found.keys(found.find(["سارا"]))
    asked.clear()
    assert names(to_spoil, "سارا") == right
    assert asked and not any("_hamgam_search.folded" in one for one in asked)


def test_one_changed_name_is_found_at_once_and_the_old_one_no_more(to_spoil: str) -> None:
    """Though no count of any value is another one by it."""
    names(to_spoil, "سارا")
    before = until_remembered()
    with reader(to_spoil).connect() as connection:
        assert stamp_of(connection, "Students") == before.stamp
    house = House(to_spoil, TERMS_STREAM, ceiling="4042")
    named = sql.names(TERMS_STREAM.fields)
    here = f"\"codePardis\" = '{CAMPUSES[0]}' AND term = '4042'"
    found = house.rows(f"SELECT {named} FROM student_terms WHERE {here}")
    rows = [dict(zip(TERMS_STREAM.fields, row, strict=True)) for row in found]
    person = next(row for row in rows if row["firstname"] == "سارا")
    house.sync(
        *({**row, "firstname": "ژینوس"} if row is person else row for row in rows),
        campus=CAMPUSES[0],
        term="4042",
    )
    house.db.close()
    assert names(to_spoil, "ژینوس") == ["ژینوس"]
    assert not set(names(to_spoil, f"سارا {person['studentnum']}"))
    with reader(to_spoil).connect() as connection:
        assert stamp_of(connection, "Students") != before.stamp
    assert (
        texts.remembered(reader(to_spoil), "Students", before.stamp) is before
    )  # for who still sees that moment


def test_they_are_read_by_one_at_a_time_and_not_again_and_again(
    to_spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(texts, "_begin", begun.append)
    for _ in range(3):
        assert texts.remembered(reader(to_spoil), "Students", "another") is None
    assert len(begun) == 1
    texts._read(reader(to_spoil), (str(reader(to_spoil).url), "Students"))
    assert texts.remembered(reader(to_spoil), "Students", "another") is None
    assert len(begun) == 1, "it rests"
    monkeypatch.setattr(texts, "_rests_until", {})
    assert texts.remembered(reader(to_spoil), "Students", "another") is None
    assert len(begun) == 2


def test_a_database_that_cannot_be_read_and_too_many_people_leave_the_search_where_it_was(
    to_spoil: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = (str(reader(to_spoil).url), "Students")
    monkeypatch.setattr(texts, "MOST_TEXTS", 3)
    texts._read(reader(to_spoil), place)
    assert not texts._remembered and not caplog.records
    monkeypatch.setattr(texts, "SEARCH", texts.SEARCH.to_metadata(MetaData(), name="_nowhere"))
    texts._read(reader(to_spoil), place)
    assert not texts._remembered and "texts of Students not remembered" in caplog.text
    assert names(to_spoil, "سارا")
