"""What grows is seen; what only warms up, or goes up and down, is not."""

import random
from collections.abc import Callable

import pytest

from tests.soak.flatness import EACH, FILES_OF_A_CHILD, LEAST, Life, Sample, growth
from tests.soak.judgement import nothing_grows

MINUTES = 10
Shape = Callable[[float, random.Random], Sample]


def life(shape: Shape, minutes: float = MINUTES, role: str = "engine") -> Life:
    """A life whose samples have this shape. at: seconds."""
    dice = random.Random(7)
    times = [number * EACH for number in range(int(minutes * 60 / EACH))]
    return Life(role, 4711, [shape(at, dice) for at in times])


def usual(at: float, dice: random.Random) -> Sample:
    """An engine: some children, a little more or less memory."""
    children = dice.randrange(5)
    memory = 80 + dice.uniform(-0.5, 0.5)
    return Sample(at, memory, 20 + FILES_OF_A_CHILD * children, 12 + dice.randrange(2), children)


def with_more(at: float, dice: random.Random, **more: float) -> Sample:
    one = usual(at, dice)
    return Sample(
        at,
        one.memory + more.get("memory", 0),
        one.files + int(more.get("files", 0)),
        one.threads + int(more.get("threads", 0)),
        one.children,
    )


FLAT = {
    "usual": usual,
    "it warms up": lambda at, dice: with_more(at, dice, memory=min(at / 10, 25), files=min(at // 20, 10)),
    "a peak now and then": lambda at, dice: with_more(at, dice, memory=40 * (dice.random() < 0.1)),
    "up and down": lambda at, dice: with_more(at, dice, memory=at // 30 % 2 * 3),
}
GROWING = {
    "memory": ("MB", lambda at, dice: with_more(at, dice, memory=at / 60)),
    "a step": ("MB", lambda at, dice: with_more(at, dice, memory=at // 150 * 4)),
    "files": ("files", lambda at, dice: with_more(at, dice, files=at // 60)),
    "threads": ("threads", lambda at, dice: with_more(at, dice, threads=at // 100)),
}


@pytest.mark.parametrize("shape", FLAT.values(), ids=FLAT)
def test_what_warms_up_or_goes_up_and_down_does_not_grow(shape: Shape) -> None:
    assert growth(life(shape)) == []


@pytest.mark.parametrize(("said", "shape"), GROWING.values(), ids=GROWING)
def test_what_grows_is_named(said: str, shape: Shape) -> None:
    [wrong] = growth(life(shape))
    assert said in wrong


def test_a_soak_that_was_long_enough_must_have_judged_everybody() -> None:
    lives = [life(usual, role=role) for role in ("engine", "web", "worker", "up")]
    assert nothing_grows(lives, long=True) == []
    young = life(usual, minutes=LEAST / 60 - 1)
    assert nothing_grows([young, *lives[1:]], long=False) == []
    assert nothing_grows([young, *lives[1:]], long=True) == ["no engine lived long enough to be judged"]
    leaking = life(GROWING["files"][1])
    assert len(nothing_grows([*lives, leaking], long=True)) == 1
