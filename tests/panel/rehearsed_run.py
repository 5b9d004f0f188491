"""A rehearsal of the students of the example house: one would come, one change, two leave, of whom one moved; held."""

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from fetchers.core.errors import Shrunk
from fetchers.core.load import judging
from fetchers.core.load.compare import Delta
from fetchers.core.load.rehearsal import Rehearsal
from fetchers.core.store import sql
from fetchers.core.store.index import Index
from fetchers.core.store.ledger import Counts
from panel import rehearsals
from panel.config import Config
from panel.db import writing
from panel.models import DataSync, SyncRun
from tests.panel.admin import example_house

PART, OTHER = "campus=1110,term=4051", "campus=1120,term=4051"
LEAVING = ["40011001", "40011002"]  # نیلوفر کریمی, امیر محمدی


def rehearse(rows: sessionmaker[Session], config: Config, now: object) -> int:
    """End a rehearsal of the students as a real child leaves it; its number."""
    fetcher = registry.load("students").fetcher
    assert fetcher
    (stream,) = fetcher.streams()

    def row(**values: str) -> tuple[str | None, ...]:
        return tuple(values.get(column) for column in stream.columns)

    with writing(rows) as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == "students")).one()
        run = example_house._run(session, sync, now, "success", 60)  # type: ignore[arg-type]
        run.dry_run, run.mode, run.partitions_held = True, "full", 1
        run.partitions_wanted = [{"term": "4051"}]
        number, uuid = run.id, run.uuid
    before = row(codePardis="1120", term="4051", studentnum="40011003", city="تهران", fathername="حسین")
    after = row(codePardis="1120", term="4051", studentnum="40011003", city="شیراز", fathername="حسن")
    comes = row(codePardis="1120", term="4051", studentnum="40011009", firstname="رویا", familyname="بهرامی")
    changing = Delta(
        stream, {"campus": "1120", "term": "4051"}, OTHER, Counts(read=2, added=1, changed=1), b"new", b"old",
        index=Index("", b"", b"", []), added=[comes], changed=[(before, after)], rows_before=1,
    )  # fmt: skip
    leaving = Delta(
        stream, {"campus": "1110", "term": "4051"}, PART, Counts(read=1, gone=2), b"new", b"old",
        index=Index("", b"", b"", []), gone=list(LEAVING), rows_before=3,
    )  # fmt: skip
    books = Rehearsal(rehearsals.folder(config), "students", uuid)
    books.begin()
    db = sql.connect(config.data_database_url)
    try:
        books.publisher(db, stream, 1).publish(changing)
        books.staging.put(leaving)
        books.staging.hold(leaving, judging.who_leaves(db, leaving, {LEAVING[1]}))
    finally:
        db.close()
    books.staging.keep_held()
    shrunk = Shrunk("2 of 4 rows would vanish; the old data are kept.", reason="part", gone=2, before=4)
    books.close_books(1, changing.counts, {"planned": 2, "done": 1, "failed": 0, "held": 1}, shrunk)
    books.close()
    return number


def run_of(rows: sessionmaker[Session], number: int) -> SyncRun:
    with rows() as session:
        run = session.get(SyncRun, number)
        assert run
        return run
