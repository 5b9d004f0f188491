"""python -m tests.soak: a house before a hostile gateway, whose processes are killed at random; then the account of it.

SOAK_MINUTES (30): how long. SOAK_SEED: the dice of an earlier soak.
"""

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from panel.clock import utcnow
from tests.soak import accounts, judgement, report
from tests.soak.accounts import Beat
from tests.soak.house import SoakHouse, free_port, gateway
from tests.soak.troop import Troop
from tests.soak.weather import World

LONG = 15.0  # minutes: from here on, memory and files must have been judged
SHOWN = 40  # of what is wrong


def say(text: str) -> None:
    print(text, flush=True)


class Soak:
    """One soak in a folder."""

    def __init__(self, folder: Path, minutes: float, seed: int) -> None:
        self.folder, self.minutes, self.seed = folder, minutes, seed
        self.wrong: list[str] = []
        self.judged = 0  # processes whose memory was

    def run(self) -> list[str]:
        """Everything, from the first start to the last; what is wrong.

        1. A house in step; schedules of a minute; then it is started.
        2. Weather, mischief and people, for so many minutes; in the last third nobody but children is killed.
        3. All of them stop. The house gets time to settle, and is judged. Its next runs bring everything.
        4. It is ended in order, and nobody is left.
        """
        with ExitStack() as stack:
            simulator = stack.enter_context(gateway(self.seed % 1000))
            house = SoakHouse(self.folder, simulator, free_port())
            stack.callback(house.end)
            house.furnish()
            world = World(simulator)
            beats = house.enter_schedules()
            house.up()
            say("  the house is up; four sources are due each minute")
            troop = Troop(self.seed, house, world, self.minutes * 60, long=self.minutes >= LONG)
            self._trouble(house, troop)
            until = utcnow()
            say("  nobody is killed any more, and the gateway is well; the house settles")
            self._blame("due times", judgement.settled(house, until))
            house.quiet_down()
            self._blame("runs", judgement.at_rest(house))
            troop.look_no_more()
            self._judge(house, troop, beats, world, until)
            house.down()
            self._blame("left over", judgement.nobody_is_left(house))
            self._blame("surprises", judgement.surprises(house.log.read_text(errors="replace")))
        return self.wrong

    def _trouble(self, house: SoakHouse, troop: Troop) -> None:
        """Until the time is over, or somebody of ours has failed; a line now and then."""
        seconds = self.minutes * 60
        began, told = time.monotonic(), 0.0
        with troop:
            while (passed := time.monotonic() - began) < seconds and not troop.broken:
                if passed >= seconds * 2 / 3:
                    troop.mischief.gentle = True
                if passed >= told:
                    told += max(seconds / 10, 60)
                    [(runs,)] = house.rows("panel.db", "SELECT count(*) FROM sync_runs")
                    acts = sum(troop.mischief.done.values())
                    say(f"  {passed / 60:4.1f} min: {runs} runs, {acts} processes killed, stopped or renewed")
                time.sleep(0.5)

    def _judge(
        self, house: SoakHouse, troop: Troop, beats: list[Beat], world: World, until: datetime
    ) -> None:
        runs, skips = accounts.read(house.instance / "panel.db")
        books = [accounts.account(beat, until, runs, skips) for beat in beats]
        for book in books:
            self._blame("due times", book.wrong)
        self._blame("oracle", judgement.house_is_true(house))
        self._blame("data", judgement.data_are_legal(house, world))
        lives = troop.meter.lives
        self.judged = sum(life.long_enough for life in lives)
        self._blame("growth", judgement.nothing_grows(lives, long=self.minutes >= LONG))
        self._blame("pages", troop.answers.wrong())
        self._blame("processes", [*troop.mischief.wrong, *troop.meter.wrong])
        self._blame("the soak", troop.broken)
        troop.meter.write(self.folder / "samples.csv")
        say("\n".join(report.lines(house, books, runs, troop)))
        self._blame("healing", judgement.heals(house, world))

    def _blame(self, whom: str, wrong: list[str]) -> None:
        self.wrong += [f"{whom}: {what}" for what in wrong]


def main() -> int:
    """0: all is well; 1: something is wrong, and the folder stays for whoever looks."""
    minutes = float(os.environ.get("SOAK_MINUTES") or 30)
    seed = int(os.environ.get("SOAK_SEED") or random.randrange(1_000_000))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through every `finally`, like Ctrl-C
    folder = Path(tempfile.mkdtemp(prefix="hamgam-soak-"))
    say(f"soak: {minutes:g} minutes, seed {seed}, in {folder}")
    soak = Soak(folder, minutes, seed)
    try:
        wrong = soak.run()
    except BaseException:
        say(f"the soak broke off; what there is stays in {folder}")
        for line in soak.wrong[:SHOWN]:
            say(f"  {line}")
        raise
    if wrong:
        say(f"\nWRONG, {len(wrong)} things (seed {seed}; everything stays in {folder}):")
        for line in wrong[:SHOWN]:
            say(f"  {line}")
        return 1
    shutil.rmtree(folder)
    say(
        f"\nwell: every due time is accounted for, nothing is stuck, nobody is left, nothing grew (seed {seed})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
