"""The figures as tables: medians, ratios to the limit, targets. Written into docs/performance.md between markers."""

import os
import platform
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from bench.contestants import HAMGAM, LIMIT, Contestant
from bench.race import CHANGED, FIRST, SCENARIOS, UNCHANGED, Plan, Result

BEGIN, END = "<!-- figures: begin (written by `make bench`) -->", "<!-- figures: end -->"
TARGETS = {FIRST: 2.5, UNCHANGED: 0.2, CHANGED: 0.5}
PEAK_MB = 200
MEASURES = {
    FIRST: "the limit",
    UNCHANGED: "the blind upsert",
    CHANGED: "the blind upsert",
}


@dataclass(frozen=True)
class Cell:
    """One contestant in one scenario: the median of its runs, or why there is none."""

    rows: int
    latency: int
    scenario: str
    contestant: Contestant
    seconds: float | None
    cpu: float = 0.0
    peak: float = 0.0
    runs: int = 0
    trouble: str | None = None


def cells(results: Iterable[Result]) -> list[Cell]:
    """The medians, in the order in which the cells were first met. One wrong run makes the cell wrong."""
    grouped: dict[tuple[int, int, str, str], list[Result]] = {}
    for result in results:
        key = (result.rows, result.latency, result.scenario, result.contestant.name)
        grouped.setdefault(key, []).append(result)
    found = []
    for (rows, latency, scenario, _), same in grouped.items():
        costs = [result.cost for result in same if result.cost is not None and not result.cost.failed]
        trouble = next((result.verdict for result in same if not result.right), None)
        one = same[0].contestant
        if not costs:
            found.append(Cell(rows, latency, scenario, one, None, trouble=trouble))
            continue
        found.append(
            Cell(
                rows, latency, scenario, one,
                seconds=median(cost.seconds for cost in costs),
                cpu=median(cost.cpu for cost in costs),
                peak=max(cost.peak for cost in costs),
                runs=len(costs),
                trouble=f"WRONG: {trouble}" if trouble else None,
            )
        )  # fmt: skip
    return found


def beside(cell: Cell, all_cells: Iterable[Cell]) -> tuple[float, float] | None:
    """Its time and its CPU beside the limit's of the same scenario, size and latency; None where either was not run."""
    for other in all_cells:
        same = (other.rows, other.latency, other.scenario) == (cell.rows, cell.latency, cell.scenario)
        if same and other.contestant.name == LIMIT.name and other.seconds and other.cpu and cell.seconds:
            return cell.seconds / other.seconds, cell.cpu / other.cpu
    return None


def markdown(results: Sequence[Result], plan: Plan, today: date) -> str:
    """The whole block between the markers."""
    found = cells(results)
    lines = [f"Measured on {today.isoformat()}: {machine()}.", "", *_targets(found)]
    for scenario in SCENARIOS:
        lines += ["", f"### {scenario[0].upper()}{scenario[1:]}", "", *_table(scenario, found)]
    runs = ", ".join(
        f"{rows:,} rows: {'median of ' + str(times) if times > 1 else 'one'} run{'s' if times > 1 else ''} a cell"
        for rows, times in zip(plan.rows, plan.repeats, strict=True)
    )
    lines += ["", f"{runs[0].upper()}{runs[1:]}; of peak memory the greatest. {_versions()}."]
    return "\n".join(lines)


def _targets(found: list[Cell]) -> Iterator[str]:
    yield "| what | target | reached |"
    yield "|---|---|---|"
    ours = [cell for cell in found if cell.contestant.name == HAMGAM.name]
    for scenario, target in TARGETS.items():
        reached = []
        met = True
        for cell in ours:
            both = beside(cell, found)
            if cell.scenario == scenario and both is not None:
                reached.append(f"{both[0]:.2f}× ({cell.rows:,} rows, {cell.latency} ms)")
                met = met and both[0] <= target and cell.trouble is None
        if reached:
            reached.append("**met**" if met else "**not met everywhere**")
        yield (
            f"| {scenario}, time beside {MEASURES[scenario]} | at most {target}×"
            f" | {', '.join(reached) or 'not measured'} |"
        )
    peaks = {
        rows: max(cell.peak for cell in ours if cell.rows == rows) for rows in sorted({c.rows for c in ours})
    }
    shown = ", ".join(f"{peak:.0f} MB ({rows:,} rows)" for rows, peak in peaks.items())
    met = all(peak <= PEAK_MB for peak in peaks.values())
    yield (
        f"| peak memory of the child | at most {PEAK_MB} MB, not growing with the table"
        f" | {shown or 'not measured'}{(', **met**' if met else ', **not met**') if peaks else ''} |"
    )


def _table(scenario: str, found: list[Cell]) -> Iterator[str]:
    measure = MEASURES[scenario]
    yield (
        "| rows | latency | contestant | seconds | rows/s | CPU s | peak MB"
        f" | × {measure} | × its CPU | result |"
    )
    yield "|---:|---:|---|---:|---:|---:|---:|---:|---:|---|"
    here = [cell for cell in found if cell.scenario == scenario]
    for rows, latency in sorted({(cell.rows, cell.latency) for cell in here}):
        same = [cell for cell in here if (cell.rows, cell.latency) == (rows, latency)]
        for cell in sorted(same, key=lambda cell: cell.seconds or float("inf")):
            head = f"| {rows:,} | {latency} ms | {cell.contestant.called(scenario == FIRST)}"
            if cell.seconds is None:
                yield f"{head} | | | | | | | {cell.trouble} |"
                continue
            both = beside(cell, found)
            times = "| " if both is None else f"{both[0]:.2f} | {both[1]:.2f}"
            yield (
                f"{head} | {cell.seconds:.2f} | {rows / cell.seconds:,.0f} | {cell.cpu:.2f} | {cell.peak:.0f}"
                f" | {times} | {_result(cell)} |"
            )


def _result(cell: Cell) -> str:
    if cell.trouble is not None:
        return cell.trouble.replace("|", "/")
    return "right in every field" if cell.contestant.every_field else "keys right"


def machine() -> str:
    """Processor, cores and Python; nothing that tells whose machine it is."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
        model = names[0] if names else model
    except OSError:
        pass  # not Linux: what the platform module says will do
    cores = os.cpu_count()
    return f"{model}, {cores} core{'s' if cores != 1 else ''}, {platform.system()}, Python {platform.python_version()}"


def _versions() -> str:
    shown = [f"SQLite {sqlite3.sqlite_version} (standard library)"]
    for name in ("apsw", "orjson", "msgspec", "urllib3", "pycurl", "requests", "sqlite-utils", "dlt"):
        try:
            shown.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            shown.append(f"{name} not installed")
    return ", ".join(shown)


def write(path: Path, block: str) -> None:
    """Put the block between the markers of the page; the words around it stay."""
    page = path.read_text(encoding="utf-8")
    before, found, rest = page.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"{path.name} has lost its markers")
    path.write_text(f"{before}{BEGIN}\n\n{block}\n\n{END}{after}", encoding="utf-8")
