"""A house with a university's students in it, and what is looked at: pages, and files."""

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from sqlalchemy import MetaData, Table, create_engine, func, select
from sqlalchemy.orm import Session

from bench.gateway import PASSWORD, USERNAME, Gateway
from bench.size import history
from bench.size.house import Caller, House, until
from bench.size.scenes import Page, look
from panel import campuses, db, runs
from panel.clock import utcnow
from panel.exports import orders
from panel.exports.orders import MAKING
from panel.models import ACTIVE, DataSync, SyncRun

TERMS, PEOPLE = "student_terms", "Students"
PATIENCE = 3600.0  # seconds for the load of all terms
WATCHED_EVERY = 0.02  # seconds between looks at a file that is being made
COUNTED = "/quality/"  # all notes about the data, by an index: no list, so the target is not about it
NEXT = re.compile(r'rel="next" href="([^"]+)"')
FORM = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass(frozen=True)
class Size:
    """How much there is: terms of students, the parts that they come in, and runs behind the sources."""

    terms: int
    parts: int
    runs: int


@dataclass(frozen=True)
class Loaded:
    """What is in the destination, and how many seconds that took. campus, term: of the part with the most rows."""

    terms: int
    people: int
    seconds: float
    campus: str
    term: str
    family: str  # a family name that many bear
    number: str  # somebody in the middle of the list


@dataclass(frozen=True)
class File:
    """A list that was saved. seconds: from the order to the end; peak: MB of its process at the most."""

    what: str
    rows: int
    seconds: float
    peak: float
    size: float  # MB


@dataclass(frozen=True)
class Figures:
    """What was found in one house."""

    database: str
    size: Size
    loaded: Loaded
    pages: list[Page]
    files: list[File]


def fill(house: House, gateway: Gateway, size: history.Size) -> None:
    """The control database of three sources after many runs."""
    settings = {
        "base_url": gateway.url, "username": USERNAME, "password": PASSWORD, "requests_per_second": 0,
    }  # fmt: skip
    history.fill(house.config, size, settings, utcnow())


def load(house: House, gateway: Gateway, size: Size) -> Loaded:
    """Let the engine load all students of a world of this size, then start the panel."""
    gateway.world(size.terms, size.parts)
    with db.writing(house.rows) as session:
        campuses.write(session, [campuses.Line(code) for code in gateway.campuses()])
        sync = _students(session)
        sync.fetcher = "students"
        sync.settings = {
            **(sync.settings or {}),
            "first_term": gateway.terms()[0],
            "closed_every_days": 0,
            "page_size": 1_000,
        }
        sync.timeout_seconds = int(PATIENCE)
    house.start_engine()
    with db.writing(house.rows) as session:
        run_id = runs.request(session, _students(session), triggered_by="cli", now=utcnow()).run.id
    began = time.monotonic()
    until(lambda: not _active(house, run_id), "the load of all students", seconds=PATIENCE)
    seconds = time.monotonic() - began
    with house.rows() as session:
        run = runs.get(session, run_id)
        if run.status != "success":
            raise RuntimeError(f"the load ended as {run.status}: {run.error_message}")
    house.start_web()
    return _loaded(house, seconds)


def pages(house: House, loaded: Loaded) -> list[Page]:
    """How long the panel takes for each page, for somebody who is signed in."""
    person = house.person()
    terms, people = f"/data/{TERMS}", f"/data/{PEOPLE}"
    family = quote(loaded.family)
    narrow = f"f_codePardis={loaded.campus}&f_term={loaded.term}"
    looked_at = (
        ("status page", "/"),
        ("run list", "/runs/"),
        ("run list, page 300", "/runs/?page=300"),
        ("students: first page", people),
        ("students: last page", f"{people}?last=1"),
        ("students: a page in the middle of the list", _in_the_middle(person, people)),
        ("students: a family name", f"{people}?search={family}"),
        ("students: a number", f"{people}?search={loaded.number}"),
        ("students: a name that nobody has", f"{people}?search={quote('ژژژژ')}"),
        ("students: one campus", f"{people}?f_codePardis={loaded.campus}"),
        ("students: a family name in one campus", f"{people}?search={family}&f_codePardis={loaded.campus}"),
        ("one student with all terms", f"{people}/row?studentnum={loaded.number}"),
        ("terms: first page", terms),
        ("terms: last page", f"{terms}?last=1"),
        ("terms: a page in the middle of the list", _in_the_middle(person, terms)),
        ("terms: one campus in one term", f"{terms}?{narrow}"),
        ("terms: a family name", f"{terms}?search={family}"),
        ("terms: sorted by number, descending", f"{terms}?sort=studentnum&desc=1"),
        ("data quality", COUNTED),
        ("who changed", "/changes/"),
    )
    return [look(person, name, path, path != COUNTED) for name, path in looked_at]


def files(house: House, loaded: Loaded) -> list[File]:
    """Lists saved for Excel: one part, then as many rows as a file may have; CSV beside them."""
    one = {"f_codePardis": loaded.campus, "f_term": loaded.term}
    return [
        _file(house, "Excel, one campus in one term", "xlsx", one),
        _file(house, "Excel, all terms", "xlsx", {}),
        _file(house, "CSV, all terms", "csv", {}),
    ]


def _file(house: House, what: str, kind: str, narrowed: dict[str, str]) -> File:
    person = house.person()  # the panel closes a connection that nobody used while the last file was made
    page = person.get(f"/data/{TERMS}").body.decode()
    token = FORM.search(page)
    if token is None:
        raise RuntimeError("the list has no form")
    form = urlencode({"csrf_token": token[1], "as": kind, **narrowed}).encode()
    before = set(_places(house))
    began = time.monotonic()
    answer = person.post(f"/data/{TERMS}/export", form, "application/x-www-form-urlencoded")
    if answer.status != 303:
        raise RuntimeError(f"the order of a file is answered with {answer.status}")
    [place] = set(_places(house)) - before
    peak = 0.0
    while (state := orders.state_of(place, utcnow())).state == MAKING:
        peak = max(peak, _peak_of_the_maker())
        time.sleep(WATCHED_EVERY)
    seconds = time.monotonic() - began
    if state.error is not None:
        raise RuntimeError(f"the file was not made: {state.error}")
    return File(what, state.rows, seconds, peak, state.size / 1e6)


def _places(house: House) -> list[Path]:
    folder = orders.folder(house.config)
    return [one for one in folder.iterdir() if one.is_dir()] if folder.is_dir() else []


def _peak_of_the_maker() -> float:
    """MB that the process which makes a file has taken at the most so far; 0: there is none."""
    peak = 0.0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            if b"panel.exports" not in (entry / "cmdline").read_bytes():
                continue
            told = re.search(r"VmHWM:\s+(\d+) kB", (entry / "status").read_text())
            peak = max(peak, int(told[1]) / 1024 if told else 0.0)
    return peak


def _in_the_middle(person: Caller, path: str) -> str:
    """The address of a page that has thousands of rows before it and behind it: somebody has gone on and on."""
    address = path
    for _ in range(40):
        found = NEXT.search(person.get(address).body.decode())
        if found is None:
            raise RuntimeError(f"{path} has too few pages")
        address = found[1].replace("&amp;", "&")
    return address


def _loaded(house: House, seconds: float) -> Loaded:
    engine = create_engine(house.config.data_database_url)
    terms, people = (Table(name, MetaData(), autoload_with=engine) for name in (TERMS, PEOPLE))
    rows = func.count()
    with engine.connect() as connection:
        busiest = (
            select(terms.c.codePardis, terms.c.term)
            .group_by(terms.c.codePardis, terms.c.term)
            .order_by(rows.desc())
        )
        campus, term = connection.execute(busiest.limit(1)).one()
        named = select(people.c.familyname).group_by(people.c.familyname).order_by(rows.desc())
        many = connection.execute(select(rows).select_from(people)).scalar_one()
        middle = select(people.c.studentnum).order_by(people.c.studentnum).offset(many // 2)
        found = Loaded(
            terms=connection.execute(select(rows).select_from(terms)).scalar_one(),
            people=many,
            seconds=seconds,
            campus=campus,
            term=term,
            family=connection.execute(named.limit(1)).scalar_one(),
            number=connection.execute(middle.limit(1)).scalar_one(),
        )
    engine.dispose()
    return found


def _students(session: Session) -> DataSync:
    return session.scalars(select(DataSync).where(DataSync.key == "students")).one()


def _active(house: House, run_id: int) -> bool:
    with house.rows() as session:
        return session.scalar(select(SyncRun.status).where(SyncRun.id == run_id)) in ACTIVE
