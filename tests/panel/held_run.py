"""A held run with a staged part, in front of the people of the example house's destination."""

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from fetchers.core.load import judging
from fetchers.core.load.compare import Delta
from fetchers.core.load.staging import Staging
from fetchers.core.store import sql
from fetchers.core.store.index import Index
from fetchers.core.store.ledger import Counts
from panel.config import Config
from panel.db import writing
from panel.models import DataSync, SyncRun
from tests.panel.admin import example_house

PART = "campus=1110,term=4051"
LEAVING = ["40011001", "40011002"]  # نیلوفر کریمی, امیر محمدی


def stage(rows: sessionmaker[Session], config: Config, now: object, key: str = "students") -> int:
    """End a run of this sync as held, with two students who would vanish, one of whom has moved; its number."""
    fetcher = registry.load(key).fetcher
    assert fetcher
    (stream,) = fetcher.streams()
    with writing(rows) as session:
        sync = session.scalars(select(DataSync).where(DataSync.key == key)).one()
        run = example_house._run(session, sync, now, "held", 60)  # type: ignore[arg-type]
        number, uuid = run.id, run.uuid
    delta = Delta(
        stream, {"campus": "1110", "term": "4051"}, PART, Counts(read=1, gone=2), b"new", b"old",
        index=Index("", b"", b"", []), gone=list(LEAVING), rows_before=3,
    )  # fmt: skip
    staging = Staging(config.instance / "staging", key, uuid)
    staging.put(delta)
    db = sql.connect(config.data_database_url)
    staging.hold(delta, judging.who_leaves(db, delta, {LEAVING[1]}))
    db.close()
    staging.keep_held()
    return number


def decided(rows: sessionmaker[Session], number: int) -> tuple[str | None, str | None]:
    with rows() as session:
        run = session.get(SyncRun, number)
        assert run
        return run.decision, run.decided_by
