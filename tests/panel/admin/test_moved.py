"""Who left one campus and came to another in the same term is one line, everywhere; the diary keeps its two."""

import io
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from fetchers.core.store.diary import Diary
from panel import destination, diary, moves
from panel.clock import utcnow
from panel.config import Config
from panel.db import writing
from panel.models import DataSync, SyncRun
from tests.fetchers.core.conftest import House as Destination
from tests.panel.admin.conftest import read
from tests.panel.admin.test_changes import kinds, stream, student
from tests.web import csrf_token

RUN = "run-4"
FROM, TO = "campus=1110,term=4051", "campus=1120,term=4051"


@pytest.fixture
def data(web_config: Config) -> Iterator[Destination]:
    """Three runs load three parts. Run 4: 2 moves to the other campus, 3 leaves, 4 comes, 1 registers for a term."""
    path = Path(web_config.data_database_url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Destination(path, stream("students"), ceiling="4052")
    made.sync(*map(student, (1, 2, 3)), campus="1110", term="4051")
    made.sync(student(9), campus="1120", term="4051")
    made.sync(student(9), campus="1120", term="4052")
    for campus, term, people in (
        ("1110", "4051", (1,)),
        ("1120", "4051", (9, 2, 4)),
        ("1120", "4052", (9, 1, 3)),
    ):
        made.runs = 3  # one run has several parts
        made.sync(*map(student, people), campus=campus, term=term)
    yield made
    made.db.close()
    destination.let_go()


@pytest.fixture
def run(rows: sessionmaker[Session], client: FlaskClient, data: Destination) -> int:
    with writing(rows) as session:
        now = utcnow()
        sync = DataSync(key="students", fetcher="students", settings={}, created_at=now, updated_at=now)
        session.add(sync)
        session.flush()
        session.add(
            SyncRun(
                id=4, uuid=RUN, sync_id=sync.id, status="success", triggered_by="cli", requested_at=now,
                not_before=now, started_at=now, finished_at=now, added=4, gone=2,
            )
        )  # fmt: skip
    return 4


def seen(url: str, **wanted: Any) -> list[tuple[str, str | None, str | None]]:
    found = diary.page(url, diary.Wanted(**{"run": RUN, **wanted})).changes
    return sorted((line.kind, line.key, line.moved_to) for line in found)


def test_a_pair_is_one_line_and_another_term_is_no_move(web_config: Config, data: Destination) -> None:
    url = web_config.data_database_url
    new = [("added", "1", None), ("added", "3", None), ("added", "4", None)]
    assert seen(url) == [*new, ("gone", "3", None), ("moved", "2", TO)]
    assert seen(url, kind="moved") == [("moved", "2", TO)]
    assert seen(url, kind="gone") == [("gone", "3", None)]
    assert seen(url, kind="added") == new
    assert seen(url, words="كريمي 2", run=None) == [("moved", "2", TO)]
    assert diary.counts(url, RUN) == {"added": 3, "gone": 1, "moved": 1}
    assert [line.kind for line in diary.lines(url, diary.Wanted(key="2"), 10)] == ["moved"]
    written = data.rows(
        f"SELECT kind, count(*) FROM _hamgam_changes WHERE run = '{RUN}' GROUP BY kind ORDER BY kind"
    )
    assert written == [("added", 4), ("gone", 2)]


def test_the_pages_and_the_file_say_from_where_to_where(
    sara: FlaskClient, reza: FlaskClient, run: int
) -> None:
    page = read(sara, f"/runs/{run}/changes?kind=moved")
    assert kinds(page) == ["moved"]
    assert page.index("1110") < page.index("1120")
    assert "Moved" in page
    assert kinds(read(sara, f"/runs/{run}/changes")).count("moved") == 1
    assert f"/runs/{run}/changes?kind=moved" in read(sara, f"/runs/{run}")
    reza.get("/changes/?lang=fa")
    form = {"kind": "moved", "csrf_token": csrf_token(reza, "/changes/")}
    file = reza.post("/changes/export", data=form)
    with zipfile.ZipFile(io.BytesIO(file.data)) as book:
        sheet = "".join(book.read(name).decode() for name in book.namelist() if name.endswith(".xml"))
    told = re.findall("<t>([^<]*)</t>", sheet)
    assert told[-2:] == ["پردیس 1110، نیمسال 4051", "پردیس 1120، نیمسال 4051"]
    assert told[-3] == "جابه‌جا شده"


def test_the_persons_page_has_the_move_as_one_line(sara: FlaskClient, run: int) -> None:
    assert kinds(read(sara, "/data/Students/row?studentnum=2")).count("moved") == 1


def test_pairs_are_found_quickly_among_a_hundred_thousand_lines(
    web_config: Config, data: Destination
) -> None:
    columns = data.stream.columns

    def row(number: int) -> tuple[Any, ...]:
        return tuple(str(number) if column == "studentnum" else None for column in columns)

    people = [row(number) for number in range(100_000, 150_000)]
    book = Diary(data.db, data.stream, "run-many")
    with data.db:
        book.changes(FROM, [], [], people)
        book.changes(TO, people, [], [])
    url = web_config.data_database_url
    began = time.process_time()
    page = diary.page(url, diary.Wanted(run="run-many"))
    first = time.process_time() - began
    began = time.process_time()
    counted = diary.counts(url, "run-many")
    print(f"page {first * 1000:.0f} ms, counts {(time.process_time() - began) * 1000:.0f} ms")
    assert counted == {"moved": 50_000}
    assert {line.moved_to for line in page.changes} == {TO}
    # A pair is looked for by person: by run, each of a hundred thousand lines would read them all.
    assert first < 2 and time.process_time() - began < 4


def test_a_source_without_persons_in_parts_has_no_moves() -> None:
    fetcher = registry.load("faculty").fetcher
    assert fetcher is not None
    assert moves.terms(fetcher.streams()) == {}
    assert moves.terms([stream("students")]) == {"student_terms": "term="}
