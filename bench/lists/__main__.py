"""python -m bench.lists: measure the panel's lists at a university's size, and write docs/performance.md."""

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from bench import databases
from bench.gateway import ROOT, Gateway
from bench.lists import report, scenes
from bench.report import write
from bench.size import history
from bench.size.house import House
from panel.exports.orders import MOST_ROWS

PAGE = ROOT / "docs" / "performance.md"
WHOLE = scenes.Size(terms=1_500_000, parts=258, runs=300_000)


def main() -> int:
    """0: every target is met; 1: one is not."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through every `finally`, like Ctrl-C
    size = scenes.Size(given.terms, given.parts, given.runs)
    chosen = [one for one in databases.ALL if given.database in (None, one.name)]
    found = []
    for database in chosen:
        missing = database.missing()
        if missing is not None:
            print(f"{database.label}: not measured, {missing}", flush=True)
            continue
        with tempfile.TemporaryDirectory(prefix="hamgam-lists-", dir=given.work) as folder:
            found.append(_measure(database, Path(folder) / "house", size))
    block = report.markdown(found, chosen, date.today())
    print(f"\n{block}\n")
    if given.write or (size == WHOLE and len(chosen) == 2 and not given.no_write):
        write(PAGE, block, report.BEGIN, report.END)
        print(f"written into {PAGE.relative_to(ROOT)}")
    return 0 if report.all_met(found) else 1


def _measure(database: databases.Database, folder: Path, size: scenes.Size) -> scenes.Figures:
    def say(what: str) -> None:
        print(f"{database.label}: {what}", flush=True)

    with ExitStack() as stack:
        gateway = stack.enter_context(Gateway())
        addresses = {}
        if database is not databases.SQLITE:
            for name in ("PANEL_DATABASE_URL", "DATA_DATABASE_URL"):
                addresses[name] = stack.enter_context(database.scratch(folder))
        house = stack.enter_context(House(folder, addresses))
        say(f"{size.runs:,} runs are written")
        scenes.fill(house, gateway, history.Size(syncs=3, runs=size.runs))
        say(f"{size.terms:,} terms of students are made, and loaded")
        loaded = scenes.load(house, gateway, size)
        say(f"{loaded.people:,} students; pages")
        pages = scenes.pages(house, loaded)
        say(f"files of {MOST_ROWS:,} rows and of one part")
        return scenes.Figures(database.label, size, loaded, pages, scenes.files(house, loaded))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.lists", description=__doc__)
    add = parser.add_argument
    add("--terms", type=int, default=WHOLE.terms, help="terms of students, all campuses (1,500,000)")
    add("--parts", type=int, default=WHOLE.parts, help="parts in which they come (258)")
    add("--runs", type=int, default=WHOLE.runs, help="how many runs are behind the sources (300,000)")
    add("--database", choices=[one.name for one in databases.ALL], help="one kind of database")
    add("--work", type=Path, help="folder for the houses; else the system's own for temporary files")
    add("--write", action="store_true", help="write docs/performance.md even after a partial run")
    add("--no-write", action="store_true", help="write nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
