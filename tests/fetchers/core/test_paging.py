"""Reading a part whole, from gateways that say what is not so."""

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetchers.core.errors import PagingError, TooLarge
from fetchers.core.wire import paging
from fetchers.core.wire.envelope import Page
from fetchers.core.wire.paging import read_whole


def records(*numbers: int) -> list[msgspec.Raw]:
    return [msgspec.Raw(json.dumps({"id": number}).encode()) for number in numbers]


def numbers(found: list[msgspec.Raw]) -> list[int]:
    return [json.loads(bytes(record))["id"] for record in found]


class Gateway:
    """A gateway over so many rows. cap: of a page. total: what it announces, from (page number, rows of the page).

    spoil: may replace the rows of a page, from (count of the request, page number, size, rows).
    """

    def __init__(
        self,
        rows: int,
        *,
        cap: int = 10**9,
        total: Callable[[int, int], int | None] | None = None,
        spoil: Callable[[int, int, int, list[int]], list[int]] | None = None,
    ) -> None:
        self.all = list(range(rows))
        self.cap, self.total, self.spoil = cap, total, spoil
        self.asked: list[tuple[int, int]] = []
        self.longest = 0

    def ask(self, number: int, size: int) -> Page:
        self.asked.append((number, size))
        step = min(size, self.cap)
        found = self.all[(number - 1) * step : number * step]
        if self.spoil is not None:
            found = self.spoil(len(self.asked), number, step, found)
        return Page(records(*found), self.total(number, len(found)) if self.total else None)

    def saw(self, length: int) -> int:
        self.longest = max(self.longest, length)
        return self.longest

    def read(self, size: int = 1000) -> list[int]:
        return numbers(read_whole(self.ask, size, self.saw))


def truthful(rows: int) -> Callable[[int, int], int]:
    return lambda number, length: rows


@pytest.mark.parametrize("rows", [0, 1, 20, 49, 50, 99, 100, 101, 500, 1000, 1234])
@pytest.mark.parametrize("cap", [10, 33, 100, 500, 10**9])
@pytest.mark.parametrize("size", [10, 100, 1000])
@pytest.mark.parametrize("announced", [True, False])
def test_every_row_comes_once_whatever_the_page_and_the_cap(
    rows: int, cap: int, size: int, announced: bool
) -> None:
    gateway = Gateway(rows, cap=cap, total=truthful(rows) if announced else None)
    assert gateway.read(size) == gateway.all


LIES: dict[str, Callable[[int, int], Any]] = {
    "zero": lambda number, length: 0,
    "one page's rows": lambda number, length: length,
    "first page's rows": lambda number, length: 33,
    "a page too few": lambda number, length: 66,
    "another each time": lambda number, length: 200 + number,
    "once right, then none": lambda number, length: 133 if number == 1 else None,
    "right, then zero": lambda number, length: 133 if length else 0,
}


@pytest.mark.parametrize("lie", LIES)
def test_rows_decide_and_not_totals(lie: str) -> None:
    gateway = Gateway(133, cap=33, total=LIES[lie])
    assert gateway.read() == gateway.all


@pytest.mark.parametrize("rows", [133, 132, 34, 33])
def test_a_total_that_only_counts_its_own_page_loses_nothing(rows: int) -> None:
    gateway = Gateway(rows, cap=33, total=lambda number, length: length)
    assert gateway.read() == gateway.all


def test_fewer_rows_than_announced_is_no_whole() -> None:
    gateway = Gateway(133, cap=33, total=truthful(140))
    with pytest.raises(PagingError) as caught:
        gateway.read()
    assert (caught.value.params["got"], caught.value.params["announced"]) == (133, 140)
    assert caught.value.retryable


def test_a_known_short_page_ends_a_part_in_one_request() -> None:
    gateway = Gateway(234)
    gateway.longest = 1000  # other parts have given so many
    assert gateway.read() == gateway.all
    assert len(gateway.asked) == 1


def test_an_announced_part_of_one_page_takes_one_request() -> None:
    gateway = Gateway(234, total=truthful(234))
    gateway.longest = 500
    gateway.read()
    assert len(gateway.asked) == 1


@pytest.mark.parametrize(
    ("rows", "cap", "size", "announced", "full"),
    [
        (500, 10**9, 1000, False, True),
        (1000, 500, 1000, False, True),
        (400, 100, 1000, False, True),
        (40, 10**9, 40, False, True),
        (500, 10**9, 1000, True, False),  # it says that there are no more
        (598, 500, 1000, False, False),
        (499, 10**9, 1000, False, False),
        (150, 10**9, 1000, False, False),
        (0, 10**9, 1000, False, False),
    ],
)
def test_an_answer_that_ends_where_a_page_is_full_looks_cut_off(
    rows: int, cap: int, size: int, announced: bool, full: bool
) -> None:
    gateway = Gateway(rows, cap=cap, total=truthful(rows) if announced else None)
    assert read_whole(gateway.ask, size, gateway.saw).full is full


def test_an_empty_answer_is_asked_for_again() -> None:
    gateway = Gateway(30, spoil=lambda count, number, size, rows: [] if count <= 2 else rows)
    assert gateway.read() == gateway.all


def test_an_empty_page_in_the_middle_is_asked_for_again() -> None:
    gateway = Gateway(300, cap=100, spoil=lambda count, number, size, rows: [] if count == 2 else rows)
    assert gateway.read() == gateway.all


def test_a_part_that_stays_empty_is_empty() -> None:
    gateway = Gateway(0)
    assert gateway.read() == []
    assert len(gateway.asked) == paging.EMPTY_ANSWERS


def test_a_page_number_that_is_ignored_is_no_endless_loop() -> None:
    gateway = Gateway(300, spoil=lambda count, number, size, rows: list(range(100)))
    with pytest.raises(PagingError) as caught:
        gateway.read(100)
    assert caught.value.params["reason"] == "repeats"
    assert len(gateway.asked) <= 2 * paging.READINGS


def test_the_same_rows_in_another_order_are_a_page_number_ignored_too() -> None:
    def shuffled(count: int, number: int, size: int, rows: list[int]) -> list[int]:
        return random.Random(count).sample(range(100), 100)

    gateway = Gateway(300, spoil=shuffled)
    with pytest.raises(PagingError) as caught:
        gateway.read(100)
    assert caught.value.params["reason"] == "repeats"
    assert len(gateway.asked) <= 2 * paging.READINGS


def test_pages_without_end_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_PAGES", 40)
    gateway = Gateway(10**6)
    with pytest.raises(PagingError) as caught:
        gateway.read(10)
    assert caught.value.params["reason"] == "endless"
    assert len(gateway.asked) == 40


def test_a_part_that_no_memory_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_PART_BYTES", 2000)
    with pytest.raises(TooLarge):
        Gateway(10**5).read(100)


def test_a_gateway_that_falls_silent_after_a_torn_reading_has_no_empty_part() -> None:
    gateway = Gateway(133, cap=33, total=truthful(140))
    gateway.spoil = lambda count, number, size, rows: rows if count <= 6 else []
    with pytest.raises(PagingError):
        gateway.read()
    gateway = Gateway(133, cap=33, spoil=lambda count, number, size, rows: [] if 6 < count < 10 else rows)
    gateway.total = lambda number, length: 140 if len(gateway.asked) <= 6 else 133
    assert gateway.read() == gateway.all


def test_rows_that_slip_over_a_seam_are_noticed_and_read_again() -> None:
    def drift_once(count: int, number: int, size: int, rows: list[int]) -> list[int]:
        # During the first reading a row slips in at the front: each later page begins one row too early.
        if count > 3 or number == 1:
            return rows
        return list(range(300))[(number - 1) * size - 1 : number * size - 1]

    gateway = Gateway(300, cap=100, total=truthful(300), spoil=drift_once)
    assert sorted(gateway.read()) == gateway.all


def test_rows_that_move_at_each_reading_make_no_whole() -> None:
    def drift(count: int, number: int, size: int, rows: list[int]) -> list[int]:
        start = (number - 1) * size - (count if number > 1 else 0)
        return list(range(max(0, start), min(start + size, 300)))

    with pytest.raises(PagingError):
        Gateway(300, cap=100, total=truthful(300), spoil=drift).read()


def test_a_row_that_is_really_there_twice_stays_twice() -> None:
    gateway = Gateway(300, cap=100)
    gateway.all[250] = gateway.all[20]
    assert sorted(gateway.read()) == sorted(gateway.all)


@settings(max_examples=60)
@given(
    rows=st.integers(0, 400),
    cap=st.integers(7, 500),
    size=st.integers(10, 500),
    announced=st.sampled_from(["right", "none", "page", "zero"]),
    doubles=st.integers(0, 5),
    empties=st.sets(st.integers(1, 12), max_size=2),
)
def test_whatever_the_gateway_does_what_is_read_is_what_there_is(
    rows: int, cap: int, size: int, announced: str, doubles: int, empties: set[int]
) -> None:
    total = {
        "right": truthful(rows),
        "none": None,
        "page": lambda number, length: length,
        "zero": lambda number, length: 0,
    }[announced]
    gateway = Gateway(
        rows, cap=cap, total=total,
        spoil=lambda count, number, step, found: [] if count in empties else found,
    )  # fmt: skip
    for place in range(min(doubles, rows // 2)):
        gateway.all[-1 - place] = gateway.all[place]
    try:
        found = gateway.read(size)
    except PagingError:
        return  # honest: no whole could be made
    assert sorted(found) == sorted(gateway.all)
