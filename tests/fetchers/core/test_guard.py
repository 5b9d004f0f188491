"""What may vanish without a person's yes."""

import pytest

from fetchers.core.load.guard import Limits, Loss, judge

USUAL = Limits()


def lose(gone: int, before: int, part: str = "p", moved: int = 0) -> Loss:
    return Loss(part, before, before - gone, gone, moved)


@pytest.mark.parametrize(
    ("gone", "before", "held"),
    [
        (20, 30, False),  # two thirds, but not over 20 rows
        (21, 30, True),
        (30, 100, False),  # over 20 rows, but not over 30 %
        (31, 100, True),
        (1, 1, True),  # to nothing
        (3, 3, True),
    ],
)
def test_a_part_is_held_over_both_of_its_limits_or_at_nothing(gone: int, before: int, held: bool) -> None:
    reason = judge([lose(gone, before)], 100_000, USUAL)
    assert (reason is not None) is held
    if reason is not None:
        assert reason.params["reason"] == "part"
        assert reason.held == {"p"}


@pytest.mark.parametrize(
    ("each", "parts", "rows", "held"),
    [(10, 5, 100, False), (11, 5, 100, True), (10, 10, 1000, False), (10, 10, 999, True)],
)
def test_small_losses_everywhere_are_judged_together(each: int, parts: int, rows: int, held: bool) -> None:
    losses = [lose(each, 1000, str(number)) for number in range(parts)]
    reason = judge(losses, rows, USUAL)
    assert (reason is not None) is held
    if reason is not None:
        assert reason.params["reason"] == "total"
        assert reason.held == {loss.part for loss in losses}


def test_a_part_that_looks_cut_off_may_lose_nothing() -> None:
    cut = Loss("cut", 598, 500, 98, full=True)
    reason = judge([cut, lose(3, 600, "fine")], 10_000, USUAL)
    assert reason is not None
    assert (reason.held, reason.params["reason"], reason.params["gone"]) == ({"cut"}, "full", 98)
    assert judge([lose(98, 598)], 10_000, USUAL) is None
    assert judge([Loss("moved", 598, 500, 98, moved=98, full=True)], 10_000, USUAL) is None
    both = judge([cut, lose(40, 100, "bad")], 10_000, USUAL)
    assert both is not None
    assert (both.held, both.params["reason"]) == ({"cut", "bad"}, "part")


def test_who_only_moved_has_not_vanished() -> None:
    assert judge([lose(90, 100, moved=80)], 1000, USUAL) is None
    assert judge([lose(100, 100, moved=100)], 1000, USUAL) is not None  # a part to nothing always waits


def test_only_the_part_that_lost_too_much_is_held() -> None:
    reason = judge([lose(40, 100, "bad"), lose(1, 100, "good")], 100_000, USUAL)
    assert reason is not None
    assert reason.held == {"bad"}
    assert (reason.params["gone"], reason.params["before"]) == (40, 100_000)


def test_nothing_lost_is_nothing_held() -> None:
    assert judge([], 0, USUAL) is None
    assert judge([lose(0, 10)], 10, USUAL) is None


def test_the_reason_names_twenty_parts_and_counts_them_all() -> None:
    losses = [lose(50, 100, f"campus={number}") for number in range(1568)]
    reason = judge(losses, 156_800, USUAL)
    assert reason is not None
    assert len(reason.held) == 1568
    assert len(reason.params["parts"]) == 20
    assert reason.params["held"] == 1568
    assert reason.params["gone"] == 78_400
