"""python -m bench: measure Hamgam against the limit of this machine, and write docs/performance.md."""

import argparse
import signal
import sys
import tempfile
from datetime import date
from pathlib import Path

from bench import contestants, databases, race, report
from bench.gateway import ROOT

PAGE = ROOT / "docs" / "performance.md"
QUICK = race.Plan((race.Size(2_000, latencies=(0,)),), body=1, deadline=120, part_rows=500)
FEW_ROWS = 50_000  # up to here, a single run of a cell says little


def main() -> int:
    """0: all that was measured is right; 1: something is wrong."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through every `finally`, like Ctrl-C
    plan, chosen = _plan(given), _chosen(given)
    results = []
    with tempfile.TemporaryDirectory(prefix="hamgam-bench-", dir=given.work) as folder:
        for result in race.run(plan, chosen, Path(folder), lambda line: print(line, flush=True)):
            results.append(result)
    block = report.markdown(results, plan, date.today())
    print(f"\n{block}\n")
    whole = plan == race.Plan() and len(chosen) == len(contestants.ALL)
    if given.write or (whole and not given.no_write):
        report.write(PAGE, block)
        print(f"written into {PAGE.relative_to(ROOT)}")
    return 0 if all(result.right or result.cost is None for result in results) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    names = dict.fromkeys(one.name for one in contestants.ALL)
    add(
        "--quick",
        action="store_true",
        help="a look: 2,000 rows, no latency, once, a small body; writes nothing",
    )
    add("--rows", type=int, action="append", help="student rows; may be repeated; everybody takes part")
    add("--latency", type=int, action="append", help="milliseconds before each answer, with --rows (0)")
    add("--repeat", type=int, help="runs of each cell, with --rows (3 up to 50,000 rows, else 1)")
    add("--body", type=int, metavar="MB", help="a whole list of so many megabytes in one answer")
    add("--only", action="append", choices=list(names), help="some contestants")
    add("--database", choices=[one.name for one in databases.ALL], help="one kind of database")
    add("--deadline", type=float, default=race.Plan.deadline, help="seconds; who takes longer is stopped")
    add("--work", type=Path, help="folder for databases; else the system's own for temporary files")
    add("--write", action="store_true", help="write docs/performance.md even after a partial run")
    add("--no-write", action="store_true", help="write nothing")
    return parser.parse_args()


def _plan(given: argparse.Namespace) -> race.Plan:
    if given.quick:
        return QUICK
    if not given.rows and given.body is None:
        return race.Plan(deadline=given.deadline)
    sizes = [
        race.Size(
            rows,
            latencies=tuple(given.latency or (0,)),
            repeats=given.repeat or (3 if rows <= FEW_ROWS else 1),
        )
        for rows in given.rows or ()
    ]
    return race.Plan(tuple(sizes), given.body or 0, given.deadline)


def _chosen(given: argparse.Namespace) -> list[contestants.Contestant]:
    return [
        one
        for one in contestants.ALL
        if (not given.only or one.name in given.only) and given.database in (None, one.database.name)
    ]


if __name__ == "__main__":
    sys.exit(main())
