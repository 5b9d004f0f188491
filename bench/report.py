"""The figures as tables: medians, ratios to the limit, targets. Written into docs/performance.md between markers."""

import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from bench import databases
from bench.contestants import HAMGAM, LIMIT, Contestant
from bench.race import CHANGED, FIRST, SCENARIOS, UNCHANGED, Plan, Result

BEGIN, END = "<!-- figures: begin (written by `make bench`) -->", "<!-- figures: end -->"
TARGETS = {FIRST: 2.5, UNCHANGED: 0.2, CHANGED: 0.5}
PEAK_MB, BODY_PEAK_MB = 200, 400
MEASURES = {
    FIRST: "the limit",
    UNCHANGED: "the blind upsert",
    CHANGED: "the blind upsert",
}
LIBRARIES = ("apsw", "psycopg", "orjson", "msgspec", "urllib3", "pycurl", "requests", "sqlite-utils", "dlt")
GROWTH = 1.5  # peak memory at the most rows beside that at the fewest: more would be growing with the table


@dataclass(frozen=True)
class Cell:
    """One contestant in one scenario: the median of its runs, or why there is none."""

    rows: int
    latency: int
    body: int
    scenario: str
    contestant: Contestant
    seconds: float | None
    cpu: float = 0.0
    peak: float = 0.0
    runs: int = 0
    trouble: str | None = None

    @property
    def database(self) -> str:
        """What it wrote to."""
        return self.contestant.database.label

    def place(self) -> tuple[object, ...]:
        """What two cells that may be compared have in common."""
        return self.rows, self.latency, self.body, self.scenario, self.database


def cells(results: Iterable[Result]) -> list[Cell]:
    """The medians, in the order in which the cells were first met. One wrong run makes the cell wrong."""
    grouped: dict[tuple[int, int, int, str, str], list[Result]] = {}
    for result in results:
        key = (result.rows, result.latency, result.body, result.scenario, result.contestant.key)
        grouped.setdefault(key, []).append(result)
    found = []
    for (rows, latency, body, scenario, _), same in grouped.items():
        costs = [result.cost for result in same if result.cost is not None and not result.cost.failed]
        trouble = next((result.verdict for result in same if not result.right), None)
        one = same[0].contestant
        if not costs:
            found.append(Cell(rows, latency, body, scenario, one, None, trouble=trouble))
            continue
        found.append(
            Cell(
                rows, latency, body, scenario, one,
                seconds=median(cost.seconds for cost in costs),
                cpu=median(cost.cpu for cost in costs),
                peak=max(cost.peak for cost in costs),
                runs=len(costs),
                trouble=f"WRONG: {trouble}" if trouble else None,
            )
        )  # fmt: skip
    return found


def beside(cell: Cell, all_cells: Iterable[Cell]) -> tuple[float, float] | None:
    """Its time and its CPU beside the limit's of the same place; None where either was not run."""
    for other in all_cells:
        is_measure = other.contestant.name == LIMIT.name and other.place() == cell.place()
        if is_measure and other.seconds and other.cpu and cell.seconds:
            return cell.seconds / other.seconds, cell.cpu / other.cpu
    return None


def markdown(results: Sequence[Result], plan: Plan, today: date) -> str:
    """The whole block between the markers."""
    found = cells(results)
    paged = [cell for cell in found if not cell.body]
    lines = [f"Measured on {today.isoformat()}: {machine()}."]
    if paged:
        lines += ["", *_targets(paged)]
    for scenario in SCENARIOS if paged else ():
        lines += ["", f"### {scenario[0].upper()}{scenario[1:]}", "", *_table(scenario, paged)]
    if len(paged) < len(found):
        lines += ["", "### A whole list in one answer", "", *_bodies(found)]
    runs = ", ".join(
        f"{size.rows:,} rows: {f'median of {size.repeats} runs' if size.repeats > 1 else 'one run'} a cell"
        for size in plan.sizes
    )
    if runs:
        runs = f"{runs[0].upper()}{runs[1:]}; of peak memory the greatest. "
    lines += ["", f"{runs}{_versions(found)}."]
    return "\n".join(lines)


def _targets(found: list[Cell]) -> Iterator[str]:
    """A line for each target, database and latency, with a column for each size. What was not measured says so."""
    sizes = sorted({cell.rows for cell in found})
    ours = [cell for cell in found if cell.contestant.name == HAMGAM.name]
    lines = list(dict.fromkeys((cell.database, cell.latency) for cell in ours))
    yield f"| what | target | database | latency |{''.join(f' {rows:,} rows |' for rows in sizes)}"
    yield f"|---|---|---|---:|{'---:|' * len(sizes)}"
    for scenario, target in TARGETS.items():
        for database, latency in lines:
            here = {
                cell.rows: cell
                for cell in ours
                if (cell.scenario, cell.database, cell.latency) == (scenario, database, latency)
            }
            shown = "".join(f" {_ratio(here.get(rows), found, target)} |" for rows in sizes)
            yield (
                f"| {scenario}, time beside {MEASURES[scenario]} | at most {target}×"
                f" | {database} | {latency} ms |{shown}"
            )
    for database in dict.fromkeys(database for database, _ in lines):
        peaks = {
            rows: max((c.peak for c in ours if (c.rows, c.database) == (rows, database)), default=0.0)
            for rows in sizes
        }
        least = next((peak for peak in peaks.values() if peak), 0.0)
        shown = "".join(f" {_peak(peak, least)} |" for peak in peaks.values())
        yield (
            f"| peak memory of the child, in any scenario | at most {PEAK_MB} MB, not growing with the table"
            f" | {database} | any |{shown}"
        )


def _ratio(cell: Cell | None, found: list[Cell], target: float) -> str:
    both = beside(cell, found) if cell is not None else None
    if cell is None or both is None:
        return "not measured"
    if cell.trouble is not None:
        return f"{both[0]:.2f}×, **wrong**"
    return f"{both[0]:.2f}×, {'met' if both[0] <= target else '**not met**'}"


def _peak(peak: float, least: float) -> str:
    if not peak:
        return "not measured"
    return f"{peak:.0f} MB, {'met' if peak <= PEAK_MB and peak <= GROWTH * least else '**not met**'}"


def _table(scenario: str, found: list[Cell]) -> Iterator[str]:
    measure = MEASURES[scenario]
    yield (
        "| rows | latency | database | contestant | seconds | rows/s | CPU s | peak MB"
        f" | × {measure} | × its CPU | result |"
    )
    yield "|---:|---:|---|---|---:|---:|---:|---:|---:|---:|---|"
    here = [cell for cell in found if cell.scenario == scenario]
    order = [database.label for database in databases.ALL]
    for cell in sorted(
        here, key=lambda c: (c.rows, c.latency, order.index(c.database), c.seconds or float("inf"))
    ):
        head = f"| {cell.rows:,} | {cell.latency} ms | {cell.database} | {cell.contestant.called(scenario == FIRST)}"
        if cell.seconds is None:
            yield f"{head} | | | | | | | {_result(cell)} |"
            continue
        both = beside(cell, found)
        times = "| " if both is None else f"{both[0]:.2f} | {both[1]:.2f}"
        yield (
            f"{head} | {cell.seconds:.2f} | {cell.rows / cell.seconds:,.0f} | {cell.cpu:.2f} | {cell.peak:.0f}"
            f" | {times} | {_result(cell)} |"
        )


def _bodies(found: list[Cell]) -> Iterator[str]:
    yield "| rows | the answer | database | scenario | seconds | CPU s | peak MB | target | result |"
    yield "|---:|---:|---|---|---:|---:|---:|---|---|"
    for cell in sorted((cell for cell in found if cell.body), key=lambda cell: cell.database != "SQLite"):
        head = f"| {cell.rows:,} | {cell.body / 1e6:.0f} MB | {cell.database} | {cell.scenario}"
        if cell.seconds is None:
            yield f"{head} | | | | at most {BODY_PEAK_MB} MB, **not met** | {_result(cell)} |"
            continue
        met = cell.peak <= BODY_PEAK_MB and cell.trouble is None
        yield (
            f"{head} | {cell.seconds:.2f} | {cell.cpu:.2f} | {cell.peak:.0f}"
            f" | at most {BODY_PEAK_MB} MB, {'met' if met else '**not met**'} | {_result(cell)} |"
        )


def _result(cell: Cell) -> str:
    if cell.trouble is not None:
        return cell.trouble.replace("|", "/").replace("\n", " ")
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


def _versions(found: list[Cell]) -> str:
    """Of the databases that were measured, and of the libraries."""
    measured = {cell.contestant.database.name for cell in found if cell.seconds}
    shown = [database.version() for database in databases.ALL if database.name in measured]
    for name in LIBRARIES:
        try:
            shown.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            shown.append(f"{name} not installed")
    return ", ".join(shown)


def write(path: Path, block: str, begin: str = BEGIN, end: str = END) -> None:
    """Put the block between the markers of the page; the words around it stay."""
    page = path.read_text(encoding="utf-8")
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{path.name} has lost its markers")
    path.write_text(f"{before}{begin}\n\n{block}\n\n{end}{after}", encoding="utf-8")
