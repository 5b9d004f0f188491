"""The rules by which one gateway is asked by everybody together; no file and no clock in them."""

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from fetchers.core.wire import courtesy
from fetchers.core.wire.courtesy import (
    FAILURES_TO_OPEN,
    FIRST_PAUSE,
    GATEWAY,
    LONGEST_PAUSE,
    RATE_LIMITED,
    SLOWEST,
    TURN,
    Budget,
    Cause,
    Go,
    State,
    Wait,
)

REFUSED = Cause("E_CONNECT", {"reason": "refused"})
BROKEN = Cause("E_SERVER", {"status": 500})
BUSY = Cause("E_RATE", {})


@dataclass
class World:
    """A gateway's state, and a clock that the test moves."""

    state: State = field(default_factory=State)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.state.wake("this boot", self.now)

    def look(self, me: str = "one", budget: Budget = Budget(4, 4.0), eager: bool = False) -> Go | Wait:
        self.state.come(me, budget, self.now)
        return self.state.look(me, self.now, eager=eager)

    def ask(self, me: str = "one", budget: Budget = Budget(4, 4.0), eager: bool = False) -> Go | Wait:
        found = self.look(me, budget, eager)
        if isinstance(found, Go):
            self.state.go(me, self.now, probe=found.probe, others_wait=False)
        return found

    def fail(
        self, cause: Cause = REFUSED, question: int = 1, *, probe: bool = False, pause: float | None = None
    ) -> bool:
        return self.state.failed(cause, question, self.now, self.now, probe=probe, retry_after=pause)

    def answer(self, seconds: float = 0.1, path: str = "/x", *, probe: bool = False) -> bool:
        return self.state.answered(path, seconds, self.now, self.now, probe=probe)

    def down(self) -> None:
        while not self.fail():
            continue


# -- the budget ---------------------------------------------------------------------------------------------


def test_requests_of_two_runs_are_spaced_as_those_of_one() -> None:
    world, went = World(), []
    while world.now < 1010:
        for me in ("one", "two"):
            if isinstance(world.ask(me), Go):
                went.append((world.now, me))
        world.now += 0.01
    gaps = [after - before for (before, _), (after, _) in zip(went, went[1:], strict=False)]
    assert min(gaps) >= 0.25 - 1e-9
    assert len(went) == pytest.approx(40, abs=3)


def test_the_smallest_setting_counts_for_all_and_zero_is_no_limit() -> None:
    world = World()
    for me, budget in (("one", Budget(4, 4.0)), ("two", Budget(2, 0.0)), ("three", Budget(8, 1.0))):
        world.look(me, budget)
    assert world.state.budget == Budget(2, 1.0)
    world.now += courtesy.SEEN + 1  # two of them have gone
    world.look("one", Budget(4, 0.0))
    assert world.state.budget == Budget(4, 0.0)
    world.ask("one", Budget(4, 0.01))
    assert world.look("one", Budget(4, 0.01)) == Wait(100.0, TURN)
    assert isinstance(world.look("one", Budget(4, 0.0)), Go), "who raises the budget need not wait any more"
    assert isinstance(world.ask("one", Budget(4, 0.0)), Go) and isinstance(
        world.ask("one", Budget(4, 0.0)), Go
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_run_with_one_thread_gets_as_many_turns_as_one_with_sixteen(seed: int) -> None:
    """Whoever looks in whatever order: of two who wait, the one with the fewer turns goes."""
    world, had, chance = World(), Counter[str](), random.Random(seed)
    while world.now < 1010:
        looks = ["many"] * 16 + ["few"]
        chance.shuffle(looks)
        for me in looks:
            found = world.look(me, Budget(4, 10.0))
            if isinstance(found, Go):
                had[me] += 1
                world.state.go(me, world.now, probe=False, others_wait=True)
        world.now += 0.02
    assert abs(had["many"] - had["few"]) <= 2
    assert had.total() > 80


def test_a_newcomer_begins_beside_the_others_and_not_before_them() -> None:
    world = World()
    for _ in range(100):
        assert isinstance(world.ask("old"), Go)
        world.now += 0.25
    world.look("old")
    world.now -= 0.01
    world.look("new")
    assert world.state.runs["new"].served == world.state.runs["old"].served


def test_one_who_waited_and_is_gone_does_not_hold_up_the_others() -> None:
    world = World()
    world.ask("one")
    world.look("gone")
    world.state.runs["gone"].served = 0
    world.now += 0.3
    assert world.look("one") == Wait(0.0, TURN)
    world.now += courtesy.FRESH
    assert isinstance(world.look("one"), Go)


# -- a pause that the gateway asks for ------------------------------------------------------------------------


def test_a_pause_holds_for_everybody_and_is_never_longer_than_a_quarter_of_an_hour() -> None:
    world = World()
    world.ask("one")
    world.fail(BUSY, pause=86400.0)
    assert world.look("two") == Wait(courtesy.MAX_RETRY_AFTER, RATE_LIMITED)
    assert world.look("two", eager=True) == Wait(courtesy.MAX_RETRY_AFTER, RATE_LIMITED)
    world.now += courtesy.MAX_RETRY_AFTER + 0.01
    assert isinstance(world.look("two"), Go)


# -- a gateway that is down -----------------------------------------------------------------------------------


def test_it_is_down_after_so_many_failures_in_a_row_whoever_had_them() -> None:
    world = World()
    assert [world.fail() for _ in range(FAILURES_TO_OPEN)] == [False] * (FAILURES_TO_OPEN - 1) + [True]
    assert world.look("another") == Wait(FIRST_PAUSE, GATEWAY)


def test_an_answer_in_between_begins_the_count_anew() -> None:
    world = World()
    for _ in range(3):
        assert not any(world.fail() for _ in range(FAILURES_TO_OPEN - 1))
        world.answer()
    assert isinstance(world.look(), Go)


def test_one_question_that_always_fails_stops_nobody_else() -> None:
    """A part whose report breaks the gateway's server backs off alone; two such questions are the gateway's trouble."""
    world = World()
    assert not any(world.fail(BROKEN, question=7) for _ in range(5 * FAILURES_TO_OPEN))
    assert isinstance(world.look("another"), Go)
    assert world.state.kind == "failing"
    assert world.fail(BROKEN, question=8)


@pytest.mark.parametrize("cause", [REFUSED, BUSY, Cause("E_TIMEOUT", {"deadline": "connect"})])
def test_no_connection_and_a_429_are_trouble_of_the_gateway_whatever_was_asked(
    cause: Cause,
) -> None:
    world = World()
    assert any(world.fail(cause, question=7) for _ in range(FAILURES_TO_OPEN))


def test_small_questions_come_one_at_a_time_with_growing_pauses_up_to_a_limit() -> None:
    world, pauses = World(), []
    world.down()
    for _ in range(12):
        assert world.state.open_until is not None
        pauses.append(world.state.open_until - world.now)
        world.now = world.state.open_until
        assert world.ask() == Go(probe=True)
        world.fail(probe=True)
    assert pauses[:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE == max(pauses)


def test_a_pause_that_the_gateway_names_is_kept_by_small_questions_too() -> None:
    world = World()
    world.down()
    world.now += FIRST_PAUSE
    world.fail(BUSY, probe=True, pause=600.0)
    assert world.look() == Wait(600.0, RATE_LIMITED)
    world.now += 599
    assert isinstance(world.look(eager=True), Wait)


def test_late_failures_of_requests_under_way_make_no_pause_longer() -> None:
    world = World()
    world.down()
    until = world.state.open_until
    assert not any(world.fail() for _ in range(20))
    assert world.state.open_until == until


def test_an_answer_opens_the_gate_at_once_and_the_next_failures_shut_it_sooner() -> None:
    world = World()
    world.down()
    world.now += FIRST_PAUSE
    world.ask()
    assert world.answer(probe=True)
    world.now += 0.25
    assert isinstance(world.look("another"), Go)
    assert world.fail(), "well for small questions only"
    assert world.look() == Wait(2 * FIRST_PAUSE, GATEWAY)


def test_after_some_answers_the_next_trouble_begins_with_the_first_pause_again() -> None:
    world = World()
    for _ in range(3):
        world.down()
        assert world.state.open_until == world.now + FIRST_PAUSE
        world.now += FIRST_PAUSE
        world.answer(probe=True)
        for _ in range(courtesy.GOOD_TO_FORGET):
            world.answer()


def test_a_person_may_ask_sooner_but_not_again_and_again() -> None:
    world = World()
    world.down()
    for _ in range(4):
        world.now = world.state.open_until or 0.0
        world.ask()
        world.fail(probe=True)
    world.now += 1
    assert isinstance(world.look(eager=True), Wait), "it was asked a second ago"
    world.now += FIRST_PAUSE
    assert isinstance(world.look(), Wait)
    assert world.ask(eager=True) == Go(probe=True)
    world.now += 1
    assert isinstance(world.look(eager=True), Wait)


# -- slower when answers slow down ----------------------------------------------------------------------------


def slowed(world: World, seconds: float, answers: int) -> None:
    for _ in range(answers):
        world.answer(seconds)
        world.now += 1


def test_the_pace_is_halved_when_answers_take_twice_as_long_and_comes_back_by_itself() -> None:
    world = World()
    slowed(world, 1.0, 40)
    assert world.state.factor == 1.0
    slowed(world, 2.6, 10)
    assert world.state.factor == 0.5
    world.look()
    assert (world.state.per_second, world.state.connections, world.state.kind) == (2.0, 2, "slow")
    slowed(world, 1.0, 20)
    assert (world.state.factor, world.state.kind) == (1.0, "well")


def test_it_never_goes_below_a_floor_and_a_new_usual_becomes_the_usual() -> None:
    world, least = World(), 1.0
    slowed(world, 1.0, 40)
    for _ in range(600):
        slowed(world, 4.0, 1)
        least = min(least, world.state.factor)
    assert least == SLOWEST
    assert world.state.factor == 1.0, "four seconds are usual now"


def test_who_answers_quickly_is_not_slow_however_much_slower_than_before() -> None:
    world = World()
    slowed(world, 0.01, 40)
    slowed(world, 0.3, 40)
    assert world.state.factor == 1.0


def test_addresses_are_judged_each_by_itself_and_only_the_slow_one_speeds_up_again() -> None:
    world = World()
    for _ in range(40):
        world.answer(0.6, "/Login")
        world.answer(6.0, "/Students")
    assert world.state.factor == 1.0
    for _ in range(10):
        world.answer(14.0, "/Students")
    assert world.state.factor == 0.5
    for _ in range(40):
        world.answer(0.6, "/Login")
    assert world.state.factor == 0.5


def test_a_pace_that_nobody_judges_any_more_is_the_usual_again() -> None:
    world = World()
    slowed(world, 1.0, 40)
    slowed(world, 3.0, 10)
    assert world.state.factor < 1
    assert world.state.kind_now(world.now) == "slow"
    world.now += courtesy.JUDGED_FOR + 1
    assert world.state.kind_now(world.now) == "well"
    world.ask()
    assert world.state.factor == 1.0


def test_many_addresses_are_remembered_together() -> None:
    world = World()
    for number in range(1000):
        world.answer(1.0, f"/rows/{number}")
    assert len(world.state.paths) <= courtesy.PATHS + 1


# -- the machine ----------------------------------------------------------------------------------------------


def test_after_a_new_start_of_the_machine_no_pause_goes_on_and_a_gateway_that_was_down_is_asked_small_first() -> (
    None
):
    world = World(now=500_000.0)
    world.down()
    world.fail(BUSY, pause=600.0)
    world.now = 20.0  # the clock since boot begins anew
    world.state.wake("another boot", world.now)
    assert world.ask() == Go(probe=True)
    world.answer(probe=True)
    world.now += 1
    assert world.ask() == Go()


def test_the_time_of_day_decides_nothing() -> None:
    world = World()
    for wall in (0.0, 4e9, 1.0):
        world.state.failed(BUSY, 1, world.now, wall, probe=False, retry_after=5.0)
        assert world.look() == Wait(5.0, RATE_LIMITED)
        world.state.answered("/x", 0.1, world.now, wall, probe=False)


def test_the_same_question_has_the_same_number_and_another_another() -> None:
    assert courtesy.question("/x", b"{}") == courtesy.question("/x", b"{}")
    assert len({courtesy.question(*one) for one in (("/x", b"{}"), ("/y", b"{}"), ("/x", b"[]"))}) == 3
