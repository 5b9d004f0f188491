"""The figures as tables beside their targets, written into docs/performance.md between markers of their own."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from bench.databases import Database
from bench.lists.scenes import Figures
from bench.report import machine
from bench.size.report import pages
from panel.exports.orders import MOST_ROWS

BEGIN = "<!-- lists: begin (written by `make bench-lists`) -->"
END = "<!-- lists: end -->"
PAGE, FILE = 0.15, 60.0  # seconds
# A file's peak memory at the most rows beside that of one part: more would be growing with the rows.
GROWTH = 1.25


def all_met(found: Iterable[Figures]) -> bool:
    """Whether every target is met."""
    return all(met for figures in found for *_, met in _targets(figures))


def markdown(found: Sequence[Figures], databases: Sequence[Database], today: date) -> str:
    """The whole block between the markers."""
    lines = [f"Measured on {today.isoformat()}: {machine()}.", ""]
    for figures in found:
        size, loaded = figures.size, figures.loaded
        lines.append(
            f"{figures.database}: {loaded.terms:,} terms of {loaded.people:,} students in {size.parts} parts, loaded in"
            f" {loaded.seconds:.0f} s; {size.runs:,} runs."
        )
    lines += ["", "| what | target | database | measured |", "|---|---|---|---:|"]
    for figures in found:
        for what, target, told, met in _targets(figures):
            lines.append(
                f"| {what} | {target} | {figures.database} | {told}, {'met' if met else '**not met**'} |"
            )
    lines += ["", *pages([(one.database, one.pages) for one in found]), "", *_files(found)]
    versions = ", ".join(one.version() for one in databases if any(f.database == one.label for f in found))
    return "\n".join([*lines, "", f"{versions}."])


def _targets(figures: Figures) -> Iterator[tuple[str, str, str, bool]]:
    """What was looked at, its target, what was measured, and whether that is enough."""
    judged = [page for page in figures.pages if page.judged]
    slowest = max(judged, key=lambda page: page.seconds.at(95))
    found = slowest.seconds.at(95)
    told = f"{found * 1000:.0f} ms ({slowest.name})"
    yield f"{len(judged)} pages: slowest, p95", f"under {PAGE * 1000:g} ms", told, found < PAGE
    small, large, *_ = figures.files
    yield (
        f"Excel file of {MOST_ROWS:,} rows",
        f"under {FILE:g} s",
        f"{large.seconds:.1f} s",
        large.seconds < FILE,
    )
    growth = large.peak / small.peak
    target = f"at most {GROWTH:g} times that of {small.rows:,} rows"
    yield "… its process's memory", target, f"{large.peak:.0f} MB, {growth:.2f} times", growth <= GROWTH


def _files(found: Sequence[Figures]) -> Iterator[str]:
    yield "| file | database | rows | seconds | MB | its process, MB at the most |"
    yield "|---|---|---:|---:|---:|---:|"
    for figures in found:
        for one in figures.files:
            yield (
                f"| {one.what} | {figures.database} | {one.rows:,} | {one.seconds:.1f} | {one.size:.1f}"
                f" | {one.peak:.0f} |"
            )
