"""The figures as tables beside their targets, written into docs/performance.md between markers of their own."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from bench.databases import Database
from bench.report import machine
from bench.size.scenes import Figures, Page

BEGIN = "<!-- size: begin (written by `make bench-size`) -->"
END = "<!-- size: end -->"
START_P99, IDLE, PAGE, FIRST_WORD = 2.0, 0.02, 0.1, 0.5


def all_met(found: Iterable[Figures]) -> bool:
    """Whether every target that was looked at is met."""
    return all(met for figures in found for *_, met in _targets(figures))


def markdown(found: Sequence[Figures], databases: Sequence[Database], today: date) -> str:
    """The whole block between the markers."""
    lines = [f"Measured on {today.isoformat()}: {machine()}.", ""]
    lines += [
        "| what | target | database | sources | runs behind them | measured |",
        "|---|---|---|---:|---:|---:|",
    ]
    for figures in found:
        for what, target, told, met in _targets(figures):
            lines.append(
                f"| {what} | {target} | {figures.database} | {figures.size.syncs:,} | {figures.size.runs:,}"
                f" | {told}, {'met' if met else '**not met**'} |"
            )
    looked_at = [figures for figures in found if figures.pages]
    if looked_at:
        lines += ["", *pages([(figures.database, figures.pages) for figures in looked_at])]
    lines += ["", *_starts(found)]
    versions = ", ".join(one.version() for one in databases if any(f.database == one.label for f in found))
    return "\n".join([*lines, "", f"{versions}."])


def _targets(figures: Figures) -> Iterator[tuple[str, str, str, bool]]:
    """What was looked at, its target, what was measured, and whether that is enough."""
    if figures.hourly is not None and figures.hourly.started.seconds:
        one = figures.hourly
        late, least = one.started.at(99), f"under {START_P99:g} s"
        yield "due hourly at random moments: start delay, p99", least, _seconds(late), late < START_P99
        yield "… due times that are neither a run nor noted", "none", str(one.lost), one.lost == 0
        yield "… runs that failed, or needed a second attempt", "none", str(one.not_well), one.not_well == 0
    if figures.burst is not None:
        burst = figures.burst
        yield f"{burst.due} due at once: not started", "none", str(burst.not_started), burst.not_started == 0
        yield "… started out of order", "none", str(burst.out_of_order), burst.out_of_order == 0
        yield "… failed, or needed a second attempt", "none", str(burst.not_well), burst.not_well == 0
    if figures.idle is not None:
        told = f"{figures.idle * 100:.2f} %"
        yield "idle engine, of one core", f"under {IDLE * 100:g} %", told, figures.idle < IDLE
    if figures.pages:
        slowest = max((page for page in figures.pages if page.judged), key=lambda page: page.seconds.at(95))
        told = f"{slowest.seconds.at(95) * 1000:.0f} ms ({slowest.name})"
        met = slowest.seconds.at(95) < PAGE
        yield "status page and lists of runs: slowest, p95", f"under {PAGE * 1000:g} ms", told, met
    if figures.asked is not None:
        word = figures.asked.spoke.median
        target = f"under {FIRST_WORD * 1000:g} ms"
        yield "request to the child's first event: median", target, f"{word * 1000:.0f} ms", word < FIRST_WORD


def pages(found: Sequence[tuple[str, Sequence[Page]]]) -> Iterator[str]:
    """The lines of a table of pages. found: of each database, what it is called, and the same pages."""
    head = "".join(f" {database}, p50 | p95 |" for database, _ in found)
    yield f"| page | kB |{head}"
    yield f"|---|---:|{'---:|---:|' * len(found)}"
    for place, page in enumerate(found[0][1]):
        same = [looked_at[place] for _, looked_at in found]
        told = "".join(
            f" {one.seconds.median * 1000:.0f} ms | {one.seconds.at(95) * 1000:.0f} ms |" for one in same
        )
        yield f"| {page.name} | {page.kilobytes:,.0f} |{told}"


def _starts(found: Sequence[Figures]) -> Iterator[str]:
    yield "| when runs start | database | runs | p50 | p99 | longest |"
    yield "|---|---|---:|---:|---:|---:|"
    for figures in found:
        for what, delays in _delays(figures):
            yield (
                f"| {what} | {figures.database} | {len(delays.seconds)} | {_seconds(delays.median)}"
                f" | {_seconds(delays.at(99))} | {_seconds(delays.most)} |"
            )
    for figures in found:
        if figures.hourly is not None:
            hourly = figures.hourly
            yield (
                f"\n{figures.database}: for {hourly.minutes:g} minutes, {hourly.due} runs came due; the engine"
                f" itself took {hourly.cpu * 100:.1f} % of one core."
            )
        if figures.burst is not None:
            burst = figures.burst
            yield (
                f"\n{figures.database}: of {burst.due} due at once, the last one started after"
                f" {burst.all_started:.1f} s and all had ended after {burst.all_ended:.1f} s."
            )


def _delays(figures: Figures):  # type: ignore[no-untyped-def]
    if figures.asked is not None:
        yield "asked for, no load: until it is started", figures.asked.started
        yield "asked for, no load: until its child's first event", figures.asked.spoke
    if figures.hourly is not None and figures.hourly.started.seconds:
        yield "due at random moments: until it is started", figures.hourly.started
        yield "due at random moments: until its child's first event", figures.hourly.spoke


def _seconds(value: float) -> str:
    return f"{value:.2f} s"
