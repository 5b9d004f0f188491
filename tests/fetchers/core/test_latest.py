"""The table of newest rows, held against a plain sort of everything, whatever happened before."""

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fetchers.core.clean import fold
from fetchers.core.clean.alphabet import order_of
from tests.fetchers.core.conftest import TERMS, House

CAMPUSES, PERIODS = ("1110", "1210"), ("4042", "4051", "4052")

rows = st.builds(
    lambda number, name, markaz: {
        "studentnum": number,
        "firstname": name,
        "code_Markaz": markaz,
        "term": None,
    },
    st.sampled_from(["40311111111", "40311111112", "40311111113", "9711111"]),
    st.sampled_from(["سارا", "مریم", "رضا", None]),
    st.sampled_from([*CAMPUSES, "1310", None]),
)
steps = st.tuples(st.sampled_from(CAMPUSES), st.sampled_from(PERIODS), st.lists(rows, max_size=4))
clocks = st.sampled_from(["4042", "4051", "4052"])


def expected(stored: list[tuple[Any, ...]], ceiling: str) -> list[tuple[Any, ...]]:
    """codePardis, studentnum, firstname, code_Markaz, term of each student's newest row, by a plain sort."""
    found: dict[str, tuple[Any, ...]] = {}
    order = sorted(stored, key=lambda row: (row[0] != row[3], row[0]))
    order.sort(key=lambda row: row[4], reverse=True)
    order.sort(key=lambda row: row[4] > ceiling)
    for row in order:
        found.setdefault(row[1], row)
    return sorted(found.values())


@settings(max_examples=120)
@given(history=st.lists(st.tuples(steps, clocks), min_size=1, max_size=7))
def test_a_students_row_is_always_the_first_of_all_theirs(tmp_path_factory: Any, history: list[Any]) -> None:
    folder: Path = tmp_path_factory.mktemp("latest")
    house = House(folder / "a.db", TERMS, ceiling="4042")
    try:
        for (campus, term, batch), now in history:
            house.ceiling = max(now, house.ceiling or "")  # time only goes on
            house.sync(*batch, campus=campus, term=term)
            house.close_books()
            columns = "codePardis, studentnum, firstname, code_Markaz, term"
            stored = house.rows(f"SELECT {columns} FROM student_terms")
            newest = sorted(house.rows(f"SELECT {columns} FROM Students"), key=lambda row: row[1])
            assert newest == sorted(expected(stored, house.ceiling), key=lambda row: row[1])
            kept = house.rows("SELECT key, folded, sorted FROM _hamgam_search WHERE table_name = 'Students'")
            assert sorted(kept) == sorted((row[1], fold(row[2] or ""), order_of([row[2]])) for row in newest)
            for table in ("student_terms", "Students"):
                assert house.counted(table) == house.to_be_counted(table)
    finally:
        house.db.close()
