"""How often one gateway may be asked, and whether at all: what everybody who asks it knows, and the rules.

One `State` per gateway is shared by all runs, buttons and commands of an installation (core/wire/gateway.py keeps it).
Here is nothing but the rules: no file, no clock. `now` is in seconds since the machine started, which nobody can set;
`wall` is the time of day, for people alone, and decides nothing.

    look ─► Go (its turn, or the one small question to a gateway that is down) | Wait (how long, and why)
    answered, failed ─► what is learnt: failures in a row, pauses, how quick the gateway usually is
"""

import zlib
from collections.abc import Mapping
from functools import reduce
from statistics import median
from typing import Any, NamedTuple

import msgspec

MAX_RETRY_AFTER = 15 * 60.0  # a longer pause than this is not believed
FAILURES_TO_OPEN = 10  # in a row, over all parts and runs
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0  # between two small questions; doubled each time
GOOD_TO_FORGET = 10  # answers in a row after which the next pause is the first again
SLOW, WELL = 2.0, 1.5  # times the usual: from there on we slow down; below it we speed up again
SLOW_FROM = 0.5  # seconds: whoever answers more quickly is not slow, however much slower than before
SLOWEST = 1 / 8  # of the usual pace
RECENT = 10  # answers that are judged together
LEARN, LEARN_SLOWLY = 1.02, 1.005  # how much one answer moves what is called usual; while slowed down
JUDGED_FOR = 900.0  # seconds without a judgement after which the pace is the usual again
PATHS = 8  # whose quickness is known each by itself; all others together
FRESH = 1.0  # seconds: who has looked so lately still waits
SEEN = 60.0  # seconds: whose settings count

RATE_LIMITED, GATEWAY, TURN = "rate_limited", "gateway", "turn"  # why one waits

# Trouble of the gateway itself, whatever was asked (so is a connection that does not come about in time); any other
# failure may be the trouble of one question.
_OF_ALL = ("E_CONNECT", "E_RATE")


class Go(NamedTuple):
    """Its turn. probe: the gateway is down, and this is the one question that finds out whether it still is."""

    probe: bool = False


class Wait(NamedTuple):
    """Not now. seconds: until when it is worth looking again."""

    seconds: float
    reason: str


class Cause(msgspec.Struct, frozen=True):
    """Why a request failed: an error's code and params (core/errors.py); no secret is in them."""

    code: str
    params: dict[str, Any]


class Budget(msgspec.Struct, frozen=True):
    """How gently a source wants the gateway to be asked. per_second: 0 means no limit."""

    connections: int
    per_second: float

    def gentler(self, other: "Budget") -> "Budget":
        """The smaller of each."""
        rates = [one for one in (self.per_second, other.per_second) if one]
        return Budget(min(self.connections, other.connections), min(rates, default=0.0))


class Run(msgspec.Struct, omit_defaults=True):
    """Somebody who asks. served: turns that it had, against the others'."""

    budget: Budget
    served: int = 0
    seen: float = 0.0
    waits: float = 0.0  # when one of its threads last looked in vain


class Quickness(msgspec.Struct, omit_defaults=True):
    """How long one address takes to answer. Seconds."""

    usual: float | None = None
    recent: list[float] = []


class State(msgspec.Struct, omit_defaults=True):
    """What is known of one gateway."""

    gateway: str = ""
    boot: str = ""  # of the machine: moments of another boot mean nothing
    next: float = 0.0  # nobody asks before this moment
    paused_until: float = 0.0  # the gateway has asked for it
    failures: int = 0  # in a row
    blamed: list[int] = []  # the first different questions that failed in that row
    good: int = 0  # answers in a row
    openings: int = 0  # small questions in vain, and the opening itself
    open_until: float | None = None  # the gateway is down; then comes the next small question
    probed: float = 0.0
    cause: Cause | None = None
    factor: float = 1.0  # of the usual pace
    slowed_by: str = ""
    judged: float = 0.0
    paths: dict[str, Quickness] = {}
    runs: dict[str, Run] = {}
    kind: str = "unknown"
    since: float = 0.0  # wall: since when it is of this kind
    answered_at: float | None = None  # wall

    # -- asking -------------------------------------------------------------------------------------------

    def wake(self, boot: str, now: float) -> None:
        """Where the machine has started anew, no moment counts; a gateway that was down is asked a small question."""
        if self.boot != boot:
            self.boot, self.next, self.paused_until, self.probed, self.judged = boot, 0.0, 0.0, 0.0, now
            self.runs = {}
            if self.open_until is not None:
                self.open_until = 0.0

    def come(self, me: str, budget: Budget, now: float) -> Run:
        """Be known as one who asks. A newcomer begins beside those who had the fewest turns, not before them."""
        self.runs = {name: run for name, run in self.runs.items() if name == me or now - run.seen < SEEN}
        mine = self.runs.get(me)
        if mine is None:
            fewest = min((run.served for run in self.runs.values() if now - run.waits < FRESH), default=0)
            mine = self.runs[me] = Run(budget, served=fewest)
        mine.budget, mine.seen = budget, now
        return mine

    def look(self, me: str, now: float, *, eager: bool = False) -> Go | Wait:
        """Whether it is the turn of `me`, who has come before. eager: a person waits for this one answer.

        1. Nobody asks a gateway that has asked for a pause.
        2. A gateway that is down gets one small question at a time, with growing pauses; a person's may come sooner.
        3. Requests are spaced, and of those who wait the one with the fewest turns goes first.
        """
        mine = self.runs[me]
        mine.waits = now
        if now < self.paused_until:
            return Wait(self.paused_until - now, RATE_LIMITED)
        if self.open_until is not None:
            if now < self.open_until and not (eager and now - self.probed >= FIRST_PAUSE):
                return Wait(self.open_until - now, GATEWAY)
            return Go(probe=True)
        # Not later than the budget says now: somebody may have raised it since the last request.
        self.next = min(self.next, now + self._gap())
        if now < self.next:
            return Wait(self.next - now, TURN)
        for name, other in self.runs.items():
            if name != me and now - other.waits < FRESH and other.served < mine.served:
                return Wait(0.0, TURN)
        return Go()

    def go(self, me: str, now: float, *, probe: bool, others_wait: bool) -> None:
        """`me` asks now. others_wait: threads of the same run that wait still."""
        mine = self.runs[me]
        mine.served += 1
        mine.waits = now if others_wait else 0.0
        if self.factor < 1 and not self._is_slowed(now):
            self.factor, self.slowed_by = 1.0, ""
        self.next = max(self.next, now) + self._gap()
        if probe:
            self.probed = now

    @property
    def budget(self) -> Budget:
        """The gentlest wishes of those who ask."""
        return reduce(Budget.gentler, (run.budget for run in self.runs.values()))

    @property
    def per_second(self) -> float:
        """Requests a second now; 0: no limit."""
        return self.budget.per_second * self.factor

    @property
    def connections(self) -> int:
        """Requests at once now."""
        return max(1, int(self.budget.connections * self.factor))

    def _gap(self) -> float:
        rate = self.per_second
        return 1 / rate if rate else 0.0

    def _is_slowed(self, now: float) -> bool:
        """Whether the pace is less than usual; what nobody has judged for long holds no more."""
        return self.factor < 1 and now - self.judged <= JUDGED_FOR

    # -- learning -----------------------------------------------------------------------------------------

    def answered(self, path: str, seconds: float, now: float, wall: float, *, probe: bool) -> bool:
        """The gateway has answered, whatever it said; True if it was down until now.

        After a small question, the first failures of real ones count: it may be well for small ones only.
        """
        was_down = self.open_until is not None
        self.open_until, self.blamed, self.cause = None, [], None
        self.good += 1
        self.failures = FAILURES_TO_OPEN - 1 if was_down else 0
        if self.good >= GOOD_TO_FORGET:
            self.openings = 0
        if not probe:
            self._learn(path, seconds, now)
        self.answered_at = wall
        self._note(now, wall)
        return was_down

    def failed(
        self,
        cause: Cause,
        question: int,
        now: float,
        wall: float,
        *,
        probe: bool,
        retry_after: float | None = None,
    ) -> bool:
        """A request came to nothing; True if with it the gateway is taken to be down.

        question: which one, as a number. One and the same question that fails again and again may be at fault itself
        (one part's report): it backs off alone, and the others are not stopped for it.
        """
        pause = min(retry_after or 0.0, MAX_RETRY_AFTER)
        self.paused_until = max(self.paused_until, now + pause)
        self.good, self.failures, self.cause = 0, self.failures + 1, cause
        if question not in self.blamed and len(self.blamed) < 2:
            self.blamed.append(question)
        closed = self.open_until is None
        of_all = cause.code in _OF_ALL or cause.params.get("deadline") == "connect" or len(self.blamed) > 1
        enough = of_all and self.failures >= FAILURES_TO_OPEN
        if probe or (closed and enough):
            self.openings += 1
            rest = min(FIRST_PAUSE * 2 ** min(self.openings - 1, 30), LONGEST_PAUSE)
            self.open_until = now + max(rest, pause)
        self._note(now, wall)
        return closed and self.open_until is not None

    def _learn(self, path: str, seconds: float, now: float) -> None:
        """How quick this address is; and whether that is so much less than usual that we ask less."""
        if path not in self.paths and len(self.paths) >= PATHS:
            path = "*"
        speed = self.paths.setdefault(path, Quickness())
        speed.recent = [*speed.recent[-RECENT + 1 :], round(seconds, 4)]
        full = len(speed.recent) == RECENT
        if speed.usual is None:
            if full:
                speed.usual = median(speed.recent)
            return
        step = LEARN_SLOWLY if self.factor < 1 else LEARN
        speed.usual = round(speed.usual * (step if seconds > speed.usual else 1 / step), 6)
        if not full:
            return
        lately = median(speed.recent)
        if lately > SLOW * speed.usual and lately > SLOW_FROM:
            self._change_pace(max(self.factor / 2, SLOWEST), path, now)
        elif self.factor < 1 and path == self.slowed_by and lately < max(WELL * speed.usual, SLOW_FROM):
            self._change_pace(min(self.factor * 2, 1.0), path, now)

    def _change_pace(self, factor: float, path: str, now: float) -> None:
        """From now on at this share of the pace; the answers to come are judged, not those at the old pace."""
        self.factor, self.slowed_by, self.judged = factor, "" if factor == 1 else path, now
        for speed in self.paths.values():
            speed.recent = []

    # -- the lamp -----------------------------------------------------------------------------------------

    def kind_now(self, now: float) -> str:
        """In one word: down, paused, slow, failing, well, unknown."""
        if self.open_until is not None:
            return "down"
        if now < self.paused_until:
            return "paused"
        if self._is_slowed(now):
            return "slow"
        if self.failures >= 3 and self.cause is not None:
            return "failing"
        return "unknown" if self.answered_at is None else "well"

    def _note(self, now: float, wall: float) -> None:
        kind = self.kind_now(now)
        if kind != self.kind:
            self.kind, self.since = kind, wall


def question(path: str, body: bytes) -> int:
    """A question as a number: the same for the same one."""
    return zlib.crc32(body, zlib.crc32(path.encode()))


def cause_of(code: str, params: Mapping[str, Any]) -> Cause:
    """An error as it is kept: its code, and those of its params that are plain."""
    return Cause(
        code, {name: value for name, value in params.items() if isinstance(value, str | int | float)}
    )
