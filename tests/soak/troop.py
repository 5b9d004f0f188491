"""All who act in a soak, and when they begin and stop."""

from types import TracebackType

from tests.soak.actors import Actor, Away
from tests.soak.flatness import Meter
from tests.soak.house import SoakHouse
from tests.soak.mischief import Mischief
from tests.soak.people import Answers, Operator, Reader, Watchdog
from tests.soak.weather import Weather, World


class Troop:
    """Enter it: they begin. Leave it: those who make trouble stop; `look_no_more`: the others too.

    seconds: for how long, which settles how quickly one trouble follows the other. long: with troubles that take long.
    """

    def __init__(self, seed: int, house: SoakHouse, world: World, seconds: float, *, long: bool) -> None:
        away = Away()
        self.weather = Weather(seed, house.gateway, world, _within(seconds / 40, 5, 45))
        self.mischief = Mischief(seed, house, away, _within(seconds / 100, 4, 15), long_stops=long)
        self.operator = Operator(seed, house, away, _within(seconds / 60, 5, 20))
        self.watchdog = Watchdog(seed, house, away)
        self.reader = Reader(seed, house, away)
        self.meter = Meter(seed, house)
        self._troublers: list[Actor] = [self.weather, self.mischief, self.operator]
        self._observers: list[Actor] = [self.watchdog, self.reader, self.meter]

    def __enter__(self) -> "Troop":
        for one in (*self._observers, *self._troublers):
            one.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for one in self._troublers:
            one.stop()

    def look_no_more(self) -> None:
        for one in self._observers:
            one.stop()

    @property
    def answers(self) -> Answers:
        """Of all who looked at pages or pressed buttons."""
        return Answers([*self.watchdog.answers, *self.reader.answers, *self.operator.answers])

    @property
    def broken(self) -> list[str]:
        """Who of us has failed, and how."""
        everybody = (*self._troublers, *self._observers)
        return [f"{one.name}: {one.broken}" for one in everybody if one.broken]


def _within(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)
