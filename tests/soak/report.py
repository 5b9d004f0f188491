"""The figures of a soak, for people."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.soak.accounts import Account, Run
from tests.soak.flatness import JUDGED, Life
from tests.soak.house import SoakHouse
from tests.soak.troop import Troop


def lines(house: SoakHouse, books: Iterable[Account], runs: Iterable[Run], troop: Troop) -> Iterator[str]:
    """What happened, and what became of it."""
    yield ""
    for book in books:
        skipped = f", {sum(book.skipped.values())} skipped ({_told(book.skipped)})" if book.skipped else ""
        yield (
            f"{book.source:<10} {book.due} due times: {book.on_time} runs within a minute, {book.caught_up} later"
            f" (at most {book.latest.total_seconds():.0f} s){skipped}"
        )
    yield f"runs       {_told(Counter(run.status for run in runs))}"
    codes = house.rows(
        "panel.db", "SELECT error_code, count(*) FROM run_attempts WHERE error_code IS NOT NULL GROUP BY 1"
    )
    yield f"attempts   that failed: {_told(dict(codes))}"
    yield f"processes  {_told(troop.mischief.done)}; {house.failed_starts} starts came too early"
    stats = troop.weather.stats()
    yield f"gateway    {_told(stats['status'])} (by status); moods: {_told(Counter(troop.weather.told))}"
    yield f"people     {_told(troop.operator.done)}"
    yield f"pages      {troop.answers.told()}"
    for role in JUDGED:
        yield from _lives(role, [life for life in troop.meter.lives if life.role == role])


def _told(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(counts.items(), key=lambda one: -one[1]))


def _lives(role: str, lives: list[Life]) -> Iterator[str]:
    judged = [life for life in lives if life.long_enough]
    yield f"{role:<10} {len(lives)} processes, {len(judged)} of them judged"
    for life in judged:
        first, last = life.later[0], life.later[-1]
        yield (
            f"           {life.pid}, {life.seconds / 60:.0f} min: {life.samples[0].memory:.0f} MB at first,"
            f" {first.memory:.1f} in the middle, {last.memory:.1f} at last;"
            f" files {first.files} → {last.files}, threads {first.threads} → {last.threads}"
        )
