"""Pairs in the change diary: who left one part and came in another of the same term, in one run, has moved.

The diary keeps two lines of it, as two rows were written, and undo takes both back; people are shown one. The line of
the part that was left stands for both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, FromClause, and_, case, exists, false, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from fetchers.core.fetcher import Stream

PAIRED = ("gone", "added")


@dataclass(frozen=True)
class Arrival:
    """Where a person came. term: the end of a part's name, from its term on."""

    run: str
    stream: str
    key: str
    term: str


def terms(streams: Iterable[Stream]) -> dict[str, str]:
    """The streams whose rows are persons in parts, with what stands before the term in the name of a part."""
    found = {}
    for stream in streams:
        own = [column for column in stream.primary_key if column not in stream.partition_columns]
        if stream.latest is not None and own == [stream.latest.key]:
            found[stream.name] = f"{stream.partition_columns[stream.latest.newest]}="
    return found


def term_of(part: str, before_term: str) -> str:
    """campus=1110,term=4051 → term=4051."""
    return part[part.find(before_term) :]


def paired(line: FromClause, before_terms: dict[str, str], dialect: str) -> ColumnElement[bool]:
    """Whether a line is half of a pair."""
    place = func.instr if dialect == "sqlite" else func.strpos
    other = line.alias("other_half")

    def of_stream(stream: str, before_term: str) -> ColumnElement[bool]:
        half = exists().where(
            other.c.stream == line.c.stream,
            other.c.key == line.c.key,
            # Joined to nothing, so that the index by person is taken: a run has many lines, a person few.
            (other.c.run + "") == line.c.run,
            other.c.kind == case((line.c.kind == "gone", "added"), else_="gone"),
            other.c.part != line.c.part,
            func.substr(other.c.part, place(other.c.part, before_term))
            == func.substr(line.c.part, place(line.c.part, before_term)),
        )
        return and_(line.c.stream == stream, half)

    if not before_terms:
        return false()
    return and_(line.c.kind.in_(PAIRED), or_(*(of_stream(*pair) for pair in before_terms.items())))


def arrivals(
    connection: Connection, line: FromClause, before_terms: dict[str, str], keys: Sequence[str]
) -> dict[Arrival, str]:
    """The part in which each of these persons appeared, by run and term."""
    found: dict[Arrival, str] = {}
    asked = select(line.c.run, line.c.stream, line.c.key, line.c.part).where(
        line.c.kind == "added", line.c.stream.in_(before_terms), line.c.key.in_(keys)
    )
    for run, stream, key, part in connection.execute(asked.order_by(line.c.part)):
        found.setdefault(Arrival(run, stream, key, term_of(part, before_terms[stream])), part)
    return found
