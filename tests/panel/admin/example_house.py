"""An example house: two sources with a history of every status, and a destination with a few people in it.

All people are invented.
"""

from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy.orm import Session

from fetchers.core import registry
from fetchers.core.store import columns, sql
from fetchers.core.store.search import SearchRows
from panel import explain, settings
from panel.config import Config
from panel.models import Campus, DataSync, RunAttempt, RunLog, RunPartition, SyncRun

PASSWORD = "not-a-real-password"
FACULTY = [
    (1, "سارا", "کیانی", "ریاضی کاربردی", "پردیس شمال", "0084575948", "09121112233"),
    (2, "علی", "رضایی", "فیزیک", "پردیس مرکز", "0013542419", "09121112234"),
    (3, "مریم", "یوسفی", "مهندسی برق", "پردیس مرکز", "0499370899", "09121112235"),
]
STUDENTS = [
    ("40011001", "نیلوفر", "کریمی", "4051", "مهندسی کامپیوتر"),
    ("40011002", "امیر", "محمدی", "4051", "حسابداری"),
    ("40011003", "کیوان", "شریفی", "4042", "حقوق"),
]


def furnish(session: Session, config: Config, now: datetime) -> None:
    """Two syncs, their runs, and campuses; the caller commits."""
    sealed = settings.vault(config).seal({"password": PASSWORD})
    session.add(Campus(pardis_code="1110", name="پردیس مرکز", active=True))
    faculty = _sync(session, "faculty", now, secrets=sealed, schedule_kind="interval", interval_minutes=60)
    students = _sync(session, "students", now, secrets=sealed)
    faculty.next_run_at = now + timedelta(minutes=37)
    ended = (("success", 180), ("success", 170), ("cancelled", 40), ("failed", 12), ("success", 190))
    for ago, (status, seconds) in enumerate(ended):
        _run(session, faculty, now - timedelta(hours=len(ended) - ago), status, seconds)
    faculty.last_success_at, faculty.records, faculty.records_delta = now - timedelta(minutes=57), 1243, 12
    for ago, status in ((3, "success"), (2, "held")):
        _run(session, students, now - timedelta(days=ago), status, 900)
    students.last_success_at, students.records, students.records_delta = now - timedelta(days=3), 81234, -3
    faculty.data_as_of, students.data_as_of = now - timedelta(hours=1), now - timedelta(days=3)
    faculty.usual_seconds, students.usual_seconds = 180, 900
    _running(session, students, now)


def _sync(session: Session, key: str, now: datetime, **values: object) -> DataSync:
    sync = DataSync(
        key=key,
        fetcher=key,
        settings={"base_url": "https://gateway.example.ac.ir", "username": "hamgam"},
        created_at=now,
        updated_at=now,
        **values,
    )
    session.add(sync)
    session.flush()
    return sync


def _run(session: Session, sync: DataSync, at: datetime, status: str, seconds: float) -> SyncRun:
    errors = {
        "failed": (
            "E_PARTIAL",
            {"failed": 2, "planned": 40, "parts": ["campus=1110,term=4051"], "codes": ["E_SERVER"]},
        ),
        "cancelled": ("E_CANCELLED", {"by": "reza"}),
        "held": ("E_SHRUNK", {"gone": 8123, "before": 81234}),
    }
    code, params = errors.get(status, (None, None))
    run = SyncRun(
        uuid=str(uuid4()),
        sync_id=sync.id,
        status=status,
        triggered_by="panel" if status == "cancelled" else "schedule",
        requested_by="reza" if status == "cancelled" else None,
        requested_at=at,
        not_before=at,
        started_at=at,
        finished_at=at + timedelta(seconds=seconds),
        duration_seconds=seconds,
        error_code=code,
        error_params=params,
        error_message=explain.message(code, params) if code else None,
        read=1243,
        added=12,
        changed=40,
        unchanged=1186,
        gone=3,
        rejected=4,
        duplicates=1,
        partitions_planned=1,
        partitions_done=1,
        records=1243,
    )
    session.add(run)
    session.flush()
    _mirror(sync, run)
    return run


def _running(session: Session, sync: DataSync, now: datetime) -> None:
    run = SyncRun(
        uuid=str(uuid4()),
        sync_id=sync.id,
        status="running",
        triggered_by="panel",
        requested_by="reza",
        requested_at=now - timedelta(minutes=4),
        not_before=now - timedelta(minutes=4),
        started_at=now - timedelta(minutes=4),
        attempt=2,
        read=31200,
        added=31000,
        unchanged=200,
        partitions_planned=40,
        partitions_done=14,
        partitions_failed=1,
        waiting={"reason": "rate_limited", "until": (now + timedelta(seconds=40)).isoformat()},
    )
    session.add(run)
    session.flush()
    _mirror(sync, run)
    session.add(
        RunAttempt(
            run_id=run.id,
            number=1,
            epoch=1,
            started_at=now - timedelta(minutes=4),
            ended_at=now - timedelta(minutes=3),
            error_code="E_LOST",
        )
    )
    session.add(RunAttempt(run_id=run.id, number=2, epoch=1, started_at=now - timedelta(minutes=3)))
    for position in range(40):
        state = "failed" if position == 3 else "done" if position < 15 else "planned"
        session.add(
            RunPartition(
                run_id=run.id,
                part=f"campus={1110 + position % 4},term={4051 - position // 4}",
                position=position,
                state=state,
                counts={"read": 2100, "added": 2100, "changed": 0, "gone": 0} if state == "done" else None,
                seconds=3.4 if state != "planned" else None,
                error_code="E_SERVER" if state == "failed" else None,
                error_params={"status": 503} if state == "failed" else None,
            )
        )
    for number, (level, text) in enumerate(
        (
            ("info", "40 parts planned, 0 resumed"),
            ("info", "campus=1110,term=4051: 2100 rows, published"),
            ("warning", "campus=1113,term=4051: 503, trying again in 2 s"),
            ("error", "campus=1113,term=4051: failed"),
        )
    ):
        at = now - timedelta(seconds=200 - number)
        session.add(RunLog(run_id=run.id, at=at, level=level, message=text))


def _mirror(sync: DataSync, run: SyncRun) -> None:
    sync.last_run_id, sync.status, sync.error_code = run.id, run.status, run.error_code


def fill_destination(url: str) -> None:
    """A few people in the tables that the real fetchers declare."""
    faculty = registry.load("faculty").fetcher
    students = registry.load("students").fetcher
    assert faculty and students
    (members,), (terms,) = faculty.streams(), students.streams()
    assert terms.latest
    db = sql.connect(url)
    columns.prepare(db, [members, terms])
    names = ("id", "name", "family", "field", "markaz", "nationalcode", "mobile")
    people = [dict(zip(names, one, strict=True)) for one in FACULTY]
    _insert(db, members.table, members.columns, people)
    SearchRows(db, members.table, members, "id").put(
        [tuple(one.get(column) for column in members.columns) for one in people]
    )
    names = ("studentnum", "firstname", "familyname", "term", "course_name")
    people = [{**dict(zip(names, one, strict=True)), "codePardis": "1110"} for one in STUDENTS]
    _insert(db, terms.table, terms.columns, people)
    _insert(db, terms.latest.table, terms.columns, people)
    SearchRows(db, terms.latest.table, terms, terms.latest.key).put(
        [tuple(one.get(column) for column in terms.columns) for one in people]
    )
    db.execute("DELETE FROM _hamgam_facets")  # these rows came past the publisher, so they are counted anew
    columns.prepare(db, [members, terms])
    db.close()


def _insert(db, table, names, rows) -> None:  # type: ignore[no-untyped-def]
    statement = f"INSERT INTO {sql.name(table)} ({sql.names(names)}) VALUES ({sql.marks(names)})"
    db.executemany(statement, [tuple(row.get(name) for name in names) for row in rows])
