"""The parts of a run on its page: a map that fills in, and the list, with those first that need somebody."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from sqlalchemy import ColumnElement, case, select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from fetchers.core.clean.alphabet import order_key
from panel import browse, part_map
from panel.admin import base, show, sources
from panel.admin.quality import campus_names
from panel.auth.locale import current
from panel.models import ACTIVE, RunPartition, SyncRun

PARTS_A_PAGE = 25
STATES_FIRST = ("failed", "held", "staged", "done", "resumed", "planned", "not_due")
NO_PART = "o"
# A letter for each state: a class in the map's cells, and what the live part of the page sends for a cell.
LETTERS = {
    "failed": "f",
    "held": "h",
    "staged": "s",
    "done": "d",
    "resumed": "r",
    "planned": "p",
    "unreached": "u",
    "not_due": "n",
    part_map.NOWHERE: NO_PART,
}
COLUMNS_ON_PAPER = 18
LONG_HEADING = 6  # characters; longer ones stand upright


@dataclass(frozen=True)
class Heading:
    """Of a row or a column: its address, its code, and what people call it where that is something else."""

    key: str
    code: str
    word: str = ""


@dataclass(frozen=True)
class Map:
    """A map as it is drawn. rows: heading, and a letter for each cell; chosen: the cell whose parts are listed."""

    stream: str  # "" where the source has one
    title: str
    down: str
    across: str
    columns: list[Heading]
    rows: list[tuple[Heading, str]]
    chosen: tuple[int, int] | None

    @property
    def upright(self) -> bool:
        """Whether the headings of the columns are too long to lie."""
        return any(len(column.code) > LONG_HEADING for column in self.columns)

    @property
    def many(self) -> bool:
        """Whether a sheet of paper is too narrow for the columns as they are on a screen."""
        return len(self.columns) > COLUMNS_ON_PAPER

    def cells(self, place: int) -> Markup:
        """The cells of a row: a class each, to which style and script give sign and word from the legend.

        Put together by hand, since a template takes its time for thousands; and they end where the next one begins,
        as HTML allows. So a page of 2,400 is light.
        """
        cell = {
            letter: "<td>" if letter == NO_PART else f"<td class={letter}>" for letter in LETTERS.values()
        }
        cells = [cell[letter] for letter in self.rows[place][1]]
        if self.chosen is not None and self.chosen[0] == place:
            at = self.chosen[1]
            cells[at] = cells[at].replace("<td", "<td aria-current=true", 1)
        return Markup("".join(cells))


@dataclass(frozen=True)
class Maps:
    """All maps of a run. legend: letter, word, whether a cell has it. states: every letter, for the script."""

    drawn: list[Map]
    legend: list[tuple[str, str, bool]]
    states: str
    shape: str


@dataclass(frozen=True)
class Parts:
    """A page of the list. of: the cell of the map to which it is narrowed, in words."""

    rows: list[RunPartition]
    total: int
    states: list[tuple[str, int]]
    state: str | None
    of: str | None
    page: int
    pages: int


@dataclass(frozen=True)
class Shown:
    """Map and list. campuses: their names, by code; states: how many parts there are of each, listed or not."""

    maps: Maps
    parts: Parts
    campuses: Mapping[str, str]
    states: Mapping[str, int]


def shown(run: SyncRun, session: Session, args: MultiDict[str, str]) -> Shown:
    """Map and list of a run, as an address asks for them: `state`, a cell (`in`, `row`, `column`), `parts_page`.

    What the address asks for and there is not is not asked for.
    """
    every = [
        (part, state)
        for part, state in session.execute(
            select(RunPartition.part, RunPartition.state)
            .where(RunPartition.run_id == run.id)
            .order_by(RunPartition.position, RunPartition.part)
        )
    ]
    over = run.status not in ACTIVE
    campuses = campus_names() if any("campus=" in part for part, _state in every) else {}
    found = part_map.maps(
        [(part, "unreached" if over and state == "planned" else state) for part, state in every],
        _order(run, campuses),
    )
    at = [_chosen(one, args) for one in found]
    labels: list[str] | None = None
    words = None
    for one, place in zip(found, at, strict=True):
        if place is not None:
            labels = list(one.parts[place])
            words = show.part_name(labels[0], campuses) if len(labels) == 1 else _cell(one, place, campuses)
    called = _streams(run)
    drawn = [
        _drawn(one, place, campuses, called.get(one.stream, one.stream))
        for one, place in zip(found, at, strict=True)
    ]
    states = Counter(state for _part, state in every)
    if labels is not None:
        inside = set(labels)
        every = [(part, state) for part, state in every if part in inside]
    return Shown(_maps(found, drawn), _list(run, session, every, labels, words, args), campuses, states)


def _list(
    run: SyncRun,
    session: Session,
    every: Sequence[tuple[str, str]],
    labels: Sequence[str] | None,
    words: str | None,
    args: MultiDict[str, str],
) -> Parts:
    by_state: dict[str, int] = {}
    for _part, state in every:
        by_state[state] = by_state.get(state, 0) + 1
    asked = args.get("state")
    chosen = asked if asked in by_state else None
    total = by_state[chosen] if chosen else len(every)
    pages = max(1, -(-total // PARTS_A_PAGE))
    page = min(base.page_number("parts_page"), pages)
    where: list[ColumnElement[bool]] = [RunPartition.run_id == run.id]
    if chosen:
        where.append(RunPartition.state == chosen)
    if labels is not None:
        where.append(RunPartition.part.in_(labels))
    rank = case({name: number for number, name in enumerate(STATES_FIRST)}, value=RunPartition.state, else_=9)
    rows = session.scalars(
        select(RunPartition)
        .where(*where)
        .order_by(rank, RunPartition.position)
        .offset((page - 1) * PARTS_A_PAGE)
        .limit(PARTS_A_PAGE)
    ).all()
    states = sorted(by_state.items(), key=lambda pair: STATES_FIRST.index(pair[0]))
    return Parts(list(rows), total, states, chosen, words, page, pages)


def _order(run: SyncRun, campuses: Mapping[str, str]) -> dict[str, part_map.Order]:
    """By what headings are sorted: what has a newest value from there on, campuses by the alphabet."""
    fetcher = sources.listing(run.sync).fetcher
    order: dict[str, part_map.Order] = {
        stream.partition_columns[stream.latest.newest]: _newest_first
        for stream in (fetcher.streams() if fetcher is not None else [])
        if stream.latest is not None and stream.latest.newest in stream.partition_columns
    }
    if campuses:
        order["campus"] = lambda code: (order_key(campuses.get(code, code)), code)
    return order


def _streams(run: SyncRun) -> dict[str, str]:
    """What people call the streams of a source, by name."""
    fetcher = sources.listing(run.sync).fetcher
    return {stream.name: stream.label(current()) for stream in (fetcher.streams() if fetcher else [])}


def _newest_first(value: str) -> tuple[int, ...]:
    return tuple(-ord(sign) for sign in value)


def _chosen(one: part_map.PartMap, args: MultiDict[str, str]) -> tuple[int, int] | None:
    if args.get("in", "") != one.stream or "column" not in args:
        return None
    return one.at(args.get("row", ""), args.get("column", ""))


def _maps(found: Sequence[part_map.PartMap], drawn: list[Map]) -> Maps:
    there = {state for one in found for row in one.states for state in row}
    legend = [
        (letter, str(show.PART_WORDS[state]), state in there) for state, letter in LETTERS.items() if state
    ]
    states = ",".join(letters for one in drawn for _heading, letters in one.rows)
    return Maps(drawn, legend, states, "-".join(one.shape() for one in found))


def _drawn(
    one: part_map.PartMap, place: tuple[int, int] | None, campuses: Mapping[str, str], title: str
) -> Map:
    return Map(
        stream=one.stream,
        title=title,
        down=_label(one.down) if one.down else "",
        across=_label(one.across),
        columns=[_heading(one.across, line, campuses) for line in one.columns],
        rows=[
            (_heading(one.down, line, campuses), "".join(LETTERS.get(state, NO_PART) for state in row))
            for line, row in zip(one.rows, one.states, strict=True)
        ],
        chosen=place,
    )


def _label(name: str) -> str:
    """What people call a name of a part."""
    return browse.ASKED_LABELS[name](current()) if name in browse.ASKED_LABELS else name


def _heading(name: str | None, line: part_map.Line, campuses: Mapping[str, str]) -> Heading:
    if name is None:
        return Heading("", "")
    code = line.key if len(line.values) == 1 else f"{line.values[0]}–{line.values[-1]}"
    word = campuses.get(line.key, "") if name == "campus" and len(line.values) == 1 else ""
    return Heading(line.key, code, "" if word == line.key else word)


def _cell(one: part_map.PartMap, place: tuple[int, int], campuses: Mapping[str, str]) -> str:
    """A cell that stands for several parts, in words."""
    named = [
        (name, _heading(name, line, campuses))
        for name, line in ((one.down, one.rows[place[0]]), (one.across, one.columns[place[1]]))
        if name
    ]
    return show.listed(
        f"\u2068{heading.word}\u2069 ({heading.code})" if heading.word else f"{_label(name)} {heading.code}"
        for name, heading in named
    )
