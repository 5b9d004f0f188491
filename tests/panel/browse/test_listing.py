"""Every way through a list, held against a plain sort of its rows: nothing twice, nothing left out, counts right."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, select

from fetchers.core.clean import fold
from fetchers.core.clean.alphabet import order_key, order_of
from fetchers.core.store import sql
from panel import browse
from panel.browse import Listing, Wanted, asked, texts, walks
from panel.destination import reader
from tests.panel.browse.conftest import CAMPUSES, TERMS_STREAM

SHORT, LONG = "short", "long"


IN_MEMORY, IN_DATABASE = "in memory", "in the database"
both_ways = pytest.mark.parametrize("search", [IN_MEMORY, IN_DATABASE], indirect=True)


@pytest.fixture(autouse=True)
def search(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where a search looks. In memory: the texts are read at once, where else a thread would read them."""
    in_memory = getattr(request, "param", IN_MEMORY) == IN_MEMORY
    monkeypatch.setattr(texts, "_begin", (lambda read: read()) if in_memory else lambda _read: None)
    monkeypatch.setattr(texts, "REST", 0.0)
    texts.forget()
    yield
    texts.forget()


@pytest.fixture(params=[SHORT, LONG])
def length(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Long: the limits are set so low that these few rows are a long list."""
    if request.param == LONG:
        monkeypatch.setattr(asked, "MOST_PEOPLE", 3)
        monkeypatch.setattr(asked, "MOST_ROWS", 5)
    return str(request.param)


def every(url: str, name: str) -> list[dict[str, Any]]:
    table = browse.tables()[name]
    with reader(url).connect() as connection:
        return [dict(row) for row in connection.execute(select(table.real())).mappings()]


def pages(url: str, name: str, wanted: Wanted, size: int = 7, backward: bool = False) -> list[Listing]:
    """All pages of a list, from the beginning or from the end, in the order of the list."""
    table = browse.tables()[name]
    found = []
    here = Wanted(**{**vars(wanted), "last": backward})
    while True:
        page = browse.listing(url, table, here, table.summary, size=size)
        found.append(page)
        key = page.before if backward else page.after
        if key is None:
            return found[::-1] if backward else found
        assert len(found) < 500
        place = {"before" if backward else "after": tuple(map(str, key)), "last": False}
        here = Wanted(**{**vars(wanted), **place})


def keys(name: str, found: list[Listing]) -> list[tuple[Any, ...]]:
    key = browse.tables()[name].key
    return [tuple(row[column] for column in key) for page in found for row in page.rows]


def fits(row: dict[str, Any], wanted: Wanted) -> bool:
    for column, value in wanted.facets.items():
        if row[column] != (None if value == browse.NONE else value):
            return False
    for column, (since, until) in wanted.days.items():
        day = row[column]
        if day is None or (since and day < since) or (until and day > until):
            return False
    searched = TERMS_STREAM.search
    text = fold(" ".join(str(row[column]) for column in searched if row[column]))
    return all(word in text for word in fold(wanted.search).split())


def by_default(name: str) -> Callable[[dict[str, Any]], Any]:
    if name == "Students":
        return lambda row: (order_of([row["familyname"]]), order_of([row["firstname"]]), row["studentnum"])
    return lambda row: (-int(row["term"]), row["codePardis"], row["studentnum"])


WISHES = [
    Wanted(),
    Wanted(search="سارا"),
    Wanted(search="چمني"),
    Wanted(search="۰۰۰۰"),
    Wanted(search="هیچ‌کس"),
    Wanted(facets={"term": "4051"}),
    Wanted(facets={"codePardis": "1120", "codvaziayat": "1"}),
    Wanted(facets={"codvaziayat": "-"}),
    Wanted(facets={"codvaziayat": "9", "grade": "3"}),
    Wanted(facets={"codePardis": "no such campus"}),
    Wanted(days={"degsdate": ("1403/07/01", "1403/12/30")}),
    Wanted(days={"degsdate": (None, "1402/03/31")}, facets={"grade": "1"}),
    Wanted(search="علی", facets={"codvaziayat": "1"}, days={"degsdate": ("1402/06/01", None)}),
]


@both_ways
@pytest.mark.parametrize("name", ["Students", "student_terms"])
@pytest.mark.parametrize("backward", [False, True])
def test_all_pages_together_are_the_list(filled: str, length: str, name: str, backward: bool) -> None:
    stored = every(filled, name)
    key = browse.tables()[name].key
    for wanted in WISHES:
        right = sorted((row for row in stored if fits(row, wanted)), key=by_default(name))
        found = pages(filled, name, wanted, backward=backward)
        assert keys(name, found) == [tuple(row[column] for column in key) for row in right], wanted
        for page in found:
            if page.total is not None:
                assert page.total == len(right)
            elif page.rows:
                assert page.more_than < len(right), wanted


@both_ways
@pytest.mark.parametrize("name", ["Students", "student_terms"])
def test_the_place_of_a_page_is_told_where_it_is_known(filled: str, length: str, name: str) -> None:
    for wanted in WISHES:
        for backward in (False, True):
            place = 1
            for page in pages(filled, name, wanted, backward=backward):
                assert page.first in (None, place) or not page.rows, wanted
                place += len(page.rows)
    [first, *rest] = pages(filled, "student_terms", Wanted(facets={"term": "4042"}))
    assert [page.first for page in rest] == [1 + 7 * n for n in range(1, len(rest) + 1)]


@both_ways
def test_every_facet_says_what_choosing_its_value_would_leave(filled: str, length: str) -> None:
    for name in ("Students", "student_terms"):
        stored = every(filled, name)
        for wanted in WISHES:
            page = browse.listing(filled, browse.tables()[name], wanted, ())
            assert {choice.facet.column for choice in page.facets} == {
                "codePardis",
                "term",
                "codvaziayat",
                "grade",
            }
            for choice in page.facets:
                column = choice.facet.column
                assert {option.value for option in choice.options} == {
                    browse.NONE if row[column] is None else row[column] for row in stored
                }
                for option in choice.options:
                    if option.rows is None:
                        assert length == LONG and (wanted.search or wanted.days)
                        continue
                    then = Wanted(**{**vars(wanted), "facets": {**wanted.facets, column: option.value}})
                    assert option.rows == sum(fits(row, then) for row in stored), (name, wanted, column)


def test_a_code_is_told_by_the_word_that_most_of_its_rows_have(filled: str) -> None:
    page = browse.listing(filled, browse.tables()["student_terms"], Wanted(), ())
    words = {option.value: option.word for option in page.facets[2].options}
    assert (
        words["1"] in ("مشغول به تحصیل", "در حال تحصیل")
        and words["2"] == "فارغ‌التحصیل"
        and words["9"] is None
    )


SORTS: list[tuple[str, str, Callable[[dict[str, Any]], Any]]] = [
    ("Students", "familyname", lambda row: (order_of([row["familyname"]]), order_of([row["firstname"]]))),
    ("Students", "studentnum", lambda row: row["studentnum"]),
    ("Students", "term", lambda row: row["term"]),
    ("Students", "codePardis", lambda row: row["codePardis"]),
    ("student_terms", "term", lambda row: row["term"]),
    ("student_terms", "codePardis", lambda row: row["codePardis"]),
]
ONLY_SHORT: list[tuple[str, str, Callable[[dict[str, Any]], Any]]] = [
    ("Students", "firstname", lambda row: order_key(row["firstname"])),
    ("Students", "provinceCode", lambda row: 99 if row["provinceCode"] is None else row["provinceCode"]),
    ("Students", "degsdate", lambda row: row["degsdate"] or "9"),
    ("student_terms", "familyname", lambda row: order_of([row["familyname"]])),
    ("student_terms", "course_name", lambda row: order_key(row["course_name"])),
    ("student_terms", "studentnum", lambda row: row["studentnum"]),
]


@pytest.mark.parametrize("descending", [False, True])
def test_a_list_is_sorted_as_asked_for(filled: str, length: str, descending: bool) -> None:
    for name, column, place in SORTS + (ONLY_SHORT if length == SHORT else []):
        stored = every(filled, name)
        for wanted in (WISHES[0], WISHES[1], WISHES[5]):
            asked_for = Wanted(**{**vars(wanted), "sort": column, "descending": descending})
            found = pages(filled, name, asked_for, size=40)
            assert not found[0].refused and found[0].sort == column
            rows = [row for page in found for row in page.rows]
            whole = {tuple(row[key] for key in browse.tables()[name].key): row for row in stored}
            places = [place(whole[key]) for key in keys(name, found)]
            assert places == sorted(places, reverse=descending), (name, column, wanted)
            assert len(rows) == len(set(keys(name, found))) == sum(fits(row, wanted) for row in stored)


def test_a_long_list_refuses_an_order_that_it_does_not_have_and_says_by_what_it_can_be_sorted(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = browse.tables()["student_terms"]
    wanted = Wanted(sort="familyname", descending=True)
    page = browse.listing(filled, table, wanted, table.summary)
    assert not page.refused and "familyname" in page.sortable
    monkeypatch.setattr(asked, "MOST_ROWS", 5)
    page = browse.listing(filled, table, wanted, table.summary)
    assert page.refused and (page.sort, page.descending) == ("term", True)
    assert page.sortable == {"codePardis", "term"}
    assert page.rows == browse.listing(filled, table, Wanted(), table.summary).rows
    people = browse.tables()["Students"]
    page = browse.listing(filled, people, Wanted(), people.summary)
    assert page.sortable == {"codePardis", "term", "studentnum", "familyname"}


@both_ways
def test_a_walk_that_finds_nothing_for_long_pauses_and_goes_on(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "MOST_PEOPLE", 0)
    monkeypatch.setattr(asked, "MOST_ROWS", 5)
    monkeypatch.setattr(walks, "FURTHEST", 40)
    wishes = [
        ("Students", Wanted(search="ی", facets={"codvaziayat": "9", "codePardis": "2310"})),
        ("Students", Wanted(search="یزدی آرش", sort="studentnum")),
        ("student_terms", Wanted(search="یزدی آرش")),
    ]
    for name, wanted in wishes:
        stored = every(filled, name)
        for backward in (False, True):
            found = pages(filled, name, wanted, backward=backward)
            right = sum(fits(row, wanted) for row in stored)
            assert len(keys(name, found)) == len(set(keys(name, found))) == right > 0
            assert any(page.stopped for page in found), (name, wanted)


def test_a_page_that_began_at_a_row_that_is_gone_begins_anew(filled: str, length: str) -> None:
    people = browse.tables()["Students"]
    page = browse.listing(filled, people, Wanted(after=("40009999",)), people.summary)
    assert page.lost and page.first == 1 and page.before is None
    assert not browse.listing(filled, people, Wanted(), people.summary).lost


def test_nonsense_in_the_place_of_a_row_is_the_beginning(filled: str) -> None:
    faculty = browse.tables()["faculty"]
    right = browse.listing(filled, faculty, Wanted(), faculty.summary)
    assert right.total == 30 and len(right.rows) == 25
    for after in (("x",), ("1", "2"), ("9" * 40,)):
        assert browse.listing(filled, faculty, Wanted(after=after), faculty.summary).rows == right.rows


@pytest.mark.parametrize(
    "spoil",
    ["DROP TABLE _hamgam_facets", "DELETE FROM _hamgam_facets", "UPDATE _hamgam_facets SET columns = '[]'"],
)
def test_a_destination_of_an_older_version_is_listed_without_facets(
    to_spoil: str, length: str, spoil: str
) -> None:
    db = sql.connect(to_spoil)
    db.execute(spoil)
    db.execute("DROP INDEX _hamgam_search_sorted")
    db.execute("ALTER TABLE _hamgam_search DROP COLUMN sorted")
    db.close()
    for name in ("Students", "student_terms"):
        stored = every(to_spoil, name)
        for wanted in (Wanted(), Wanted(search="سارا")):
            found = pages(to_spoil, name, wanted)
            assert found[0].facets == []
            assert sorted(keys(name, found)) == sorted(
                tuple(row[column] for column in browse.tables()[name].key)
                for row in stored
                if fits(row, wanted)
            )


def test_no_page_of_a_long_list_reads_all_rows(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is asked of the database: never all of a table, never more rows than a page and one."""
    monkeypatch.setattr(asked, "MOST_ROWS", 5)
    asked_for: list[str] = []
    event.listen(reader(filled), "before_cursor_execute", lambda *given: asked_for.append(given[2]))
    for wanted in (Wanted(), Wanted(facets={"codePardis": CAMPUSES[0]}), Wanted(search="سارا")):
        browse.listing(filled, browse.tables()["student_terms"], wanted, ())
    of_rows = [one for one in asked_for if "FROM student_terms" in one and "count(*)" not in one]
    assert len(of_rows) > 3
    assert all("LIMIT" in one for one in of_rows), of_rows
