"""python -m bench.size: measure the control plane at the size that it must hold, and write docs/performance.md."""

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from bench import databases
from bench.gateway import PASSWORD, ROOT, USERNAME, Gateway
from bench.report import write
from bench.size import history, report, scenes
from bench.size.house import House
from panel.clock import utcnow

PAGE = ROOT / "docs" / "performance.md"
WHOLE = history.Size(syncs=1_000, runs=300_000)
OFFICE = history.Size(syncs=3, runs=2_000)
MINUTES, DUE = 5.0, 200
SCENES = ("idle", "pages", "asked", "hourly", "burst")


def main() -> int:
    """0: every target is met; 1: one is not."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through every `finally`, like Ctrl-C
    size = history.Size(given.syncs, given.runs)
    chosen = [one for one in databases.ALL if given.database in (None, one.name)]
    found = []
    for database in chosen:
        missing = database.missing()
        if missing is not None:
            print(f"{database.label}: not measured, {missing}", flush=True)
            continue
        with tempfile.TemporaryDirectory(prefix="hamgam-size-", dir=given.work) as folder:
            office = given.only in (None, "idle")
            if office:
                found.append(_measure(database, Path(folder) / "office", OFFICE, given, only="idle"))
            found.append(_measure(database, Path(folder) / "house", size, given, only=given.only))
    block = report.markdown(found, chosen, date.today())
    print(f"\n{block}\n")
    if given.write or (size == WHOLE and given.only is None and len(chosen) == 2 and not given.no_write):
        write(PAGE, block, report.BEGIN, report.END)
        print(f"written into {PAGE.relative_to(ROOT)}")
    return 0 if report.all_met(found) else 1


def _measure(
    database: databases.Database,
    folder: Path,
    size: history.Size,
    given: argparse.Namespace,
    only: str | None,
) -> scenes.Figures:
    def say(what: str) -> None:
        print(f"{database.label}, {size.syncs:,} sources: {what}", flush=True)

    figures = scenes.Figures(database.label, size)
    with ExitStack() as stack:
        gateway = stack.enter_context(Gateway())
        addresses = {}
        if database is not databases.SQLITE:
            for name in ("PANEL_DATABASE_URL", "DATA_DATABASE_URL"):
                addresses[name] = stack.enter_context(database.scratch(folder))
        house = stack.enter_context(House(folder, addresses))
        say(f"{size.runs:,} runs are written")
        settings = {
            "base_url": gateway.url, "username": USERNAME, "password": PASSWORD, "requests_per_second": 0,
        }  # fmt: skip
        history.fill(house.config, size, settings, utcnow())
        house.start_engine()
        if only in (None, "idle"):
            say("an engine with nothing to do")
            figures.idle = scenes.idle(house)
        elif only == "pages":
            scenes.settle()
        if only != "idle":
            scenes.prime(house)
            house.start_web()
        if only in (None, "pages"):
            say("pages")
            figures.pages = scenes.pages(house, size)
        if only in (None, "asked"):
            say(f"{scenes.ASKED} runs, one after the other")
            figures.asked = scenes.asked(house, size)
        if only in (None, "hourly"):
            say(f"due once an hour at random moments, for {given.minutes:g} minutes")
            figures.hourly = scenes.hourly(house, size, given.minutes)
        if only in (None, "burst"):
            say(f"{given.due} due at once")
            figures.burst = scenes.burst(house, size, given.due)
    return figures


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.size", description=__doc__)
    add = parser.add_argument
    add("--syncs", type=int, default=WHOLE.syncs, help="how many sources (1,000)")
    add("--runs", type=int, default=WHOLE.runs, help="how many runs behind them (300,000)")
    add("--minutes", type=float, default=MINUTES, help="how long sources come due at random moments (5)")
    add("--due", type=int, default=DUE, help="how many are due at once (200)")
    add("--only", choices=SCENES, help="one scene")
    add("--database", choices=[one.name for one in databases.ALL], help="one kind of database")
    add("--work", type=Path, help="folder for the houses; else the system's own for temporary files")
    add("--write", action="store_true", help="write docs/performance.md even after a partial run")
    add("--no-write", action="store_true", help="write nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
