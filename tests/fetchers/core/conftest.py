"""A small stream, a destination in a temporary folder, and a way to feed the one into the other."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fetchers.core.clean import Code, Integer, Text
from fetchers.core.fetcher import Facet, Label, LatestTable, Stream
from fetchers.core.load.compare import Comparer, Delta
from fetchers.core.load.publish import Publisher
from fetchers.core.records import Whole
from fetchers.core.store import columns, sql


def label(word: str) -> Label:
    return Label(word, word)


PEOPLE = Stream(
    name="people",
    table="people",
    label=label("people"),
    primary_key=("id",),
    fields={"id": Integer(label("id")), "name": Text(label("name")), "city": Text(label("city"))},
    partition_columns={},
    partitions=None,
    method="people",
    required=("id",),
    search=("name",),
)

TERMS = Stream(
    name="terms",
    table="student_terms",
    label=label("terms"),
    primary_key=("codePardis", "term", "studentnum"),
    fields={
        "studentnum": Code(label("n")),
        "firstname": Text(label("name")),
        "code_Markaz": Code(label("m")),
        "term": Code(label("t")),
    },
    partition_columns={"codePardis": "campus", "term": "term"},
    partitions="parts",
    method="terms",
    required=("studentnum",),
    latest=LatestTable(
        table="Students",
        key="studentnum",
        newest="term",
        ceiling="current_term",
        prefer_equal=("codePardis", "code_Markaz"),
        label=label("students"),
    ),
    search=("firstname",),
    facets=(Facet("codePardis"), Facet("term"), Facet("code_Markaz")),
    order=("firstname",),
)


def raw(*records: Any) -> list[msgspec.Raw]:
    """Records as the gateway would send them."""
    return [
        msgspec.Raw(record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode())
        for record in records
    ]


def person(number: int, name: str = "مریم", city: str | None = "تهران") -> dict[str, Any]:
    return {"id": number, "name": name, "city": city}


class House:
    """A destination with one stream, and the runs that fill it."""

    def __init__(self, place: Path | str, stream: Stream, ceiling: str | None = None) -> None:
        """place: an SQLite file, or a destination's address."""
        self.url = place if isinstance(place, str) else f"sqlite:///{place}"
        self.stream = stream
        self.ceiling = ceiling
        self.db = sql.connect(self.url)
        self.runs = 0
        columns.prepare(self.db, [stream])

    def compare(
        self, *records: Any, full: bool = False, seen: set[str] | None = None, **partition: str
    ) -> Delta:
        comparer = Comparer(self.db, self.stream, full=full)
        comparer.schema.seen_fields |= seen or set()
        return comparer.compare(partition, Whole([raw(*records)]))

    def publish(self, delta: Delta, *, epoch: int = 1) -> Delta:
        self.runs += 1
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext
        Publisher(
            self.db, self.stream, run=f"run-{self.runs}", epoch=epoch, ceiling=self.ceiling, waiting=waiting
        ).publish(delta)
        return delta

    def close_books(self) -> None:
        """What a run does at its end: rows of terms that have begun come to the fore."""
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext
        with self.db:
            Publisher(
                self.db, self.stream, run=f"end-{self.runs}", epoch=1, ceiling=self.ceiling, waiting=waiting
            ).roll_over()

    def sync(self, *records: Any, full: bool = False, **partition: str) -> Delta:
        return self.publish(self.compare(*records, full=full, **partition))

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return list(self.db.execute(statement))

    def counted(self, table: str) -> dict[tuple[Any, ...], int]:
        """What the books say of the rows of a table: a row's part and counted values → how many rows."""
        statement = "SELECT part, counts FROM _hamgam_facets WHERE table_name = ? AND part != ''"
        kept = self.db.execute(statement, (table,))
        return {
            (*json.loads(part), *values): rows
            for part, counts in kept
            for *values, rows in json.loads(counts)
        }

    def to_be_counted(self, table: str) -> dict[tuple[Any, ...], int]:
        """The same, counted anew from the rows."""
        named = sql.names([*self.stream.partition_columns, *self.stream.counted])
        rows = self.db.execute(f"SELECT {named}, count(*) FROM {sql.name(table)} GROUP BY {named}")
        return {tuple(values): int(n) for *values, n in rows}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def destination(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty destination, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data.db'}"
    return str(request.getfixturevalue("postgres_destination"))


@pytest.fixture
def people(destination: str) -> Iterator[House]:
    house = House(destination, PEOPLE)
    yield house
    house.db.close()


@pytest.fixture
def students(destination: str) -> Iterator[House]:
    house = House(destination, TERMS, ceiling="4051")
    yield house
    house.db.close()
