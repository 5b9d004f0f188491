"""python -m bench: measure Hamgam against the limit of this machine, and write docs/performance.md."""

import argparse
import signal
import sys
import tempfile
from datetime import date
from pathlib import Path

from bench import contestants, race, report
from bench.gateway import ROOT

PAGE = ROOT / "docs" / "performance.md"
QUICK = race.Plan(rows=(2_000,), latencies=(0,), repeats=(1,), deadline=120, part_rows=500)


def main() -> int:
    """0: all that was measured is right; 1: something is wrong."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through every `finally`, like Ctrl-C
    plan, chosen = _plan(given), _chosen(given.only)
    results = []
    with tempfile.TemporaryDirectory(prefix="hamgam-bench-", dir=given.work) as folder:
        for result in race.run(plan, chosen, Path(folder), lambda line: print(line, flush=True)):
            results.append(result)
    block = report.markdown(results, plan, date.today())
    print(f"\n{block}\n")
    whole = plan == race.Plan() and not given.only
    if given.write or (whole and not given.no_write):
        report.write(PAGE, block)
        print(f"written into {PAGE.relative_to(ROOT)}")
    return 0 if all(result.right or result.cost is None for result in results) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="a look: 2,000 rows, no latency, once; writes nothing")
    add("--rows", type=int, action="append", help="student rows; may be repeated (20000 and 200000)")
    add("--latency", type=int, action="append", help="milliseconds before each answer (0 and 50)")
    add("--repeat", type=int, help="runs of each cell (3 up to 50,000 rows, else 1)")
    add("--only", action="append", choices=[one.name for one in contestants.ALL], help="some contestants")
    add("--deadline", type=float, default=race.Plan.deadline, help="seconds; who takes longer is stopped")
    add("--work", type=Path, help="folder for databases; else the system's own for temporary files")
    add("--write", action="store_true", help="write docs/performance.md even after a partial run")
    add("--no-write", action="store_true", help="write nothing")
    return parser.parse_args()


def _plan(given: argparse.Namespace) -> race.Plan:
    if given.quick:
        return QUICK
    rows = tuple(given.rows or race.Plan.rows)
    repeats = tuple(given.repeat or (3 if size <= 50_000 else 1) for size in rows)
    return race.Plan(rows, tuple(given.latency or race.Plan.latencies), repeats, given.deadline)


def _chosen(only: list[str] | None) -> list[contestants.Contestant]:
    return [one for one in contestants.ALL if not only or one.name in only]


if __name__ == "__main__":
    sys.exit(main())
