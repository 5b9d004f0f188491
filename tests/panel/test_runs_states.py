"""Whatever people, engines and former engines do, in whatever order: the promises of runs.py hold."""

import tempfile
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from panel import runs
from panel.db import intent_to_write, session_factory, writing
from panel.models import ACTIVE, TERMINAL, Base, DataSync, EngineLease, RunAttempt, SyncRun

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SYNCS = st.sampled_from(["faculty", "students"])
EPOCHS_BACK = st.sampled_from([0, 0, 0, 1, 2])  # 0: the leader; else a former one


class Runs(RuleBasedStateMachine):
    """Two syncs, any number of engines, and clocks that only go on."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.factory = session_factory(f"sqlite:///{self.folder.name}/panel.db")
        self.engine = self.factory.kw["bind"]
        self.now = NOW
        self.epoch = 1
        self.ended: dict[int, str] = {}

    @initialize()
    def an_empty_house(self) -> None:
        with intent_to_write():
            Base.metadata.create_all(self.engine)
        with writing(self.factory) as session:
            for key in ("faculty", "students"):
                session.add(DataSync(key=key, fetcher=key, settings={}, created_at=NOW, updated_at=NOW))
            session.add(EngineLease(id=1, owner="first", epoch=1))
        self.somebody_asks("faculty")
        self.somebody_asks("students")

    def newest(self, key: str) -> SyncRun | None:
        with self.factory() as session:
            found = select(SyncRun).join(SyncRun.sync).where(DataSync.key == key).order_by(SyncRun.id.desc())
            return session.scalars(found.limit(1)).one_or_none()

    def later(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    @rule(key=SYNCS)
    def somebody_asks(self, key: str) -> None:
        before = self.newest(key)
        with writing(self.factory) as session:
            sync = session.scalars(select(DataSync).where(DataSync.key == key)).one()
            answer = runs.request(session, sync, triggered_by="panel", now=self.later())
        assert answer.joined is (before is not None and before.status in ACTIVE)
        if answer.joined:
            assert before is not None
            assert answer.run.id == before.id

    @rule(key=SYNCS)
    def somebody_cancels(self, key: str) -> None:
        run = self.newest(key)
        if run is None:
            return
        with writing(self.factory) as session:
            news = runs.cancel(session, run, now=self.later(), user="Reza")
        assert news is (run.status in ACTIVE and run.stop_reason != runs.CANCEL)

    @rule(key=SYNCS, back=EPOCHS_BACK)
    def an_engine_claims(self, key: str, back: int) -> None:
        run = self.newest(key)
        if run is None:
            return
        now = self.later()
        with writing(self.factory) as session:
            claimed = runs.claim(session, run.id, epoch=self.epoch - back, now=now)
        assert (claimed is not None) is (back == 0 and run.status == "pending" and run.not_before <= now)

    @rule(key=SYNCS, back=EPOCHS_BACK, status=st.sampled_from(TERMINAL))
    def an_engine_ends(self, key: str, back: int, status: str) -> None:
        run = self.newest(key)
        if run is None:
            return
        epoch = self.epoch - back
        code = None if status == "success" else "E_LOST"
        with writing(self.factory) as session:
            ended = runs.finish(session, run.id, runs.Outcome(status, code), epoch=epoch, now=self.later())
        assert (ended is not None) is (run.status == "running" and run.epoch == epoch)

    @rule(
        key=SYNCS, back=EPOCHS_BACK, wait=st.integers(0, 3), code=st.sampled_from(["E_LOST", "E_INTERRUPTED"])
    )
    def an_engine_tries_again(self, key: str, back: int, wait: int, code: str) -> None:
        run = self.newest(key)
        if run is None:
            return
        epoch, now = self.epoch - back, self.later()
        with writing(self.factory) as session:
            again = runs.retry(
                session,
                run.id,
                epoch=epoch,
                now=now,
                not_before=now + timedelta(seconds=wait),
                error_code=code,
                error_params={},
            )
        ours = run.status == "running" and run.epoch == epoch
        assert again is (ours and run.stop_reason != runs.CANCEL)

    @rule(key=SYNCS)
    def a_deadline_passes(self, key: str) -> None:
        run = self.newest(key)
        if run is not None:
            with writing(self.factory) as session:
                runs.request_stop(session, run.id, epoch=self.epoch, reason="E_STALLED", now=self.later())

    @rule()
    @precondition(lambda self: self.epoch < 6)
    def another_engine_takes_over(self) -> None:
        self.epoch += 1
        with writing(self.factory) as session:
            session.merge(EngineLease(id=1, owner="next", epoch=self.epoch))
            for run in session.scalars(select(SyncRun).where(SyncRun.status == "running")).all():
                assert runs.adopt(session, run.id, left_by=run.epoch, epoch=self.epoch)

    @invariant()
    def the_promises_hold(self) -> None:
        with self.factory() as session:
            if not session.scalars(select(EngineLease)).all():
                return
            for sync in session.scalars(select(DataSync)):
                found = session.scalars(
                    select(SyncRun).where(SyncRun.sync_id == sync.id).order_by(SyncRun.id)
                ).all()
                assert sum(run.status in ACTIVE for run in found) <= 1
                assert sync.status == (found[-1].status if found else None)
                assert sync.last_run_id == (found[-1].id if found else None)
                for run in found:
                    self.check(
                        session.scalars(select(RunAttempt).where(RunAttempt.run_id == run.id)).all(), run
                    )

    def check(self, attempts: list[RunAttempt], run: SyncRun) -> None:
        """One run by itself: its end stays, its attempts tell the same story, its moments are in order."""
        assert self.ended.get(run.id, run.status) == run.status
        if run.status in TERMINAL:
            self.ended[run.id] = run.status
            assert run.finished_at is not None
        else:
            assert run.finished_at is None
        unfinished = [attempt.number for attempt in attempts if attempt.ended_at is None]
        assert unfinished == ([run.attempt] if run.status == "running" else [])
        assert (run.epoch is not None) or run.status in ("pending", "cancelled")

    def teardown(self) -> None:
        self.engine.dispose()
        self.folder.cleanup()


TestRuns = Runs.TestCase
# The same examples each time: a test that passes by luck says nothing.
TestRuns.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),  # a failure is shown as found: making it smaller takes minutes
    suppress_health_check=list(HealthCheck),
)
