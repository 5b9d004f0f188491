"""One job from plan to verdict: fetch in threads, compare and publish in this one.

    plan ─► fetch (threads) ─► compare ─► removes nothing? publish : stage ─► judge ─► publish or hold ─► close

Only here are a source's errors caught in general: one part's trouble is written down and does not stop the others.
"""

import json
import time
import uuid
from pathlib import Path
from typing import Any

import apsw
from pydantic import ValidationError

from fetchers.core.errors import (
    AuthError,
    ConfigError,
    Fenced,
    FetchError,
    OutOfMemory,
    Overtaken,
    Partial,
    Shrunk,
    StorageError,
    is_out_of_memory,
)
from fetchers.core.events import Events
from fetchers.core.fetcher import Fetcher, HttpSettings, Stream
from fetchers.core.load import plan, rehearsal
from fetchers.core.load.compare import Comparer, Delta, part_name
from fetchers.core.load.drift import Drift
from fetchers.core.load.fetching import Fetched, FetcherBroken, Part, Threads, alone, broken, show_place
from fetchers.core.load.guard import NAMED_PARTS, Limits
from fetchers.core.load.judging import Judging
from fetchers.core.load.publish import Publisher, begin_immediate
from fetchers.core.load.rehearsal import Rehearsal, RehearsedPublisher
from fetchers.core.load.staging import Staging
from fetchers.core.load.tally import Tally
from fetchers.core.records import Known
from fetchers.core.registry import load
from fetchers.core.spec import Spec
from fetchers.core.spool import Spools
from fetchers.core.store import checked, columns, discovered, ledger, sql
from fetchers.core.store.index import decode_pages
from fetchers.core.store.ledger import Counts
from fetchers.core.wire.courtesy import Budget
from fetchers.core.wire.gateway import Courtesy
from fetchers.core.wire.http import Session

MANY_NEW = 10_000  # rows of a run, added, changed and gone together
LONG_LOG = 256 << 20  # bytes; a load that nobody stands in the way of keeps it at a few


def open_fetcher(spec: Spec, events: Events, spools: Spools | None = None) -> Fetcher:
    """The job's fetcher with checked settings. spools: where it puts large answers.

    Raises FetcherBroken or ConfigError.
    """
    listing = load(spec.source)
    if listing.fetcher is None:
        message = f"The fetcher {spec.source} cannot be used: {listing.error}"
        raise FetcherBroken(message, source=spec.source, detail=listing.error)
    try:
        settings: HttpSettings = listing.fetcher.Settings(**spec.settings)
    except ValidationError as error:
        # include_input=False: what is wrong with a password must not print it.
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(piece) for piece in first["loc"])
        raise ConfigError(f"The setting {name} cannot be used: {first['msg']}.", setting=name) from None
    try:
        return listing.fetcher(
            settings, Session(settings, events, spec.now, spools, _courtesy(spec, settings))
        )
    except FetchError:
        raise
    except Exception as error:
        raise broken(error, spec.source) from error


def _courtesy(spec: Spec, settings: HttpSettings) -> Courtesy:
    """The job's way to its gateway, which it shares with all others of the installation."""
    return Courtesy(
        spec.run or uuid.uuid4().hex,
        Budget(settings.connections, settings.requests_per_second),
        folder=Path(spec.gateways.folder) if spec.gateways.folder else None,
        others={
            key: Budget(one.connections, one.requests_per_second)
            for key, one in spec.gateways.budgets.items()
        },
        hurried=spec.check or spec.preview,
    )


def check(spec: Spec, events: Events) -> int:
    """Test address and login, say how far that came and how long it took, and compare the clocks; the exit code."""
    seen: dict[str, Any] = {"clock_off": None, "reached": "", "took": None}
    try:
        fetcher = open_fetcher(spec, events)
        try:
            message = fetcher.check()
        except FetchError:
            raise
        except Exception as error:
            raise broken(error, spec.source) from error
        finally:
            seen = {name: getattr(fetcher.session, name) for name in seen}
    except FetchError as error:
        events.send("error", error=error.to_dict(), **seen)
        return 1
    events.send("result", message=message, message_params={}, **seen)
    return 0


class Job:
    """One execution of a source."""

    def __init__(self, spec: Spec, events: Events) -> None:
        self._spec = spec
        self._events = events
        self._tally = Tally(events)
        self._failures: list[tuple[Part, FetchError]] = []
        self._log_is_long = False
        # The part that the destination still takes in: its counts, and how long it took to fetch.
        self._going_on: tuple[Part, Counts, float] | None = None
        self._rehearsal = Rehearsal(Path(spec.rehearsals), spec.source, spec.run) if spec.dry_run else None
        self._staging = (
            self._rehearsal.staging
            if self._rehearsal is not None
            else Staging(Path(spec.staging or "."), spec.source, spec.run)
        )
        self._spools = Spools(self._staging.path.parent)

    def run(self) -> int:
        """Execute, tell, and return the exit code: 0 done, 1 failed, 3 held. A dry run's is that of the real one.

        1. Open the fetcher and the destination, and plan.
        2. Fetch, compare, publish part by part; stage parts that remove rows.
        3. Ask once more for a part that would lose too much.
        4. Judge the staged ones over the whole source; publish or hold them.
        5. Close the books, and tell the verdict.
        """
        try:
            self._fetcher = open_fetcher(self._spec, self._events, self._spools)
            self._db = self._open_destination()
        except FetchError as error:
            return self._end("error", error)
        try:
            kind, reason = self._execute()
        except FetchError as error:
            kind, reason = "error", error
        except (apsw.Error, OSError) as error:  # what the gateway's line does is mapped in the threads
            kind, reason = "error", sql.storage_error(error, self._db)
        except Exception as error:  # noqa: BLE001 - a mistake of ours: the parent is told, and stderr has the place
            kind, reason = "error", _mistake(error)
        self._fetcher.session.stop.set()
        try:
            return self._end(kind, reason)
        finally:
            self._db.close()
            if self._rehearsal is not None:
                self._rehearsal.close()

    def _open_destination(self) -> sql.Destination:
        """The destination with all its tables; for a dry run, one that nothing is written to."""
        streams = self._fetcher.streams()
        if self._spec.dry_run:
            return rehearsal.open_destination(self._spec.database, streams)
        db = sql.connect(self._spec.database)
        try:
            columns.prepare(db, streams)
            sql.commit_in_passing(db)
        except FetchError:
            db.close()
            raise
        return db

    # -- plan ---------------------------------------------------------------------------------------------

    def _execute(self) -> tuple[str, FetchError | None]:
        """The verdict: "result", "error" or "held", and why."""
        self._drift = Drift(self._db, self._spec, self._events, self._tally.waiting_for_destination)
        streams = self._drift.streams(self._fetcher.streams())
        if self._rehearsal is not None:
            self._rehearsal.begin()
        self._checked = {stream.name: self._checked_of(stream) for stream in streams}
        self._publishers = {stream.name: self._publisher(stream) for stream in streams}
        planned = self._plan()
        if self._rehearsal is None:
            self._staging.begin()
        self._comparers = {stream.name: self._comparer(stream) for stream in streams}
        limits = Limits(**self._spec.guard.model_dump())
        self._judging = {
            stream.name: Judging(self._db, stream, self._staging, limits, planned.names(stream))
            for stream in streams
        }
        self._fetch_all(planned.missing)
        self._ask_again(planned.parts)
        streams = [comparer.stream for comparer in self._comparers.values()]  # some may have more columns now
        held = self._settle(streams)
        self._take_stock(streams)
        self._drift.remember({name: comparer.schema for name, comparer in self._comparers.items()})
        if self._failures:
            self._staging.discard()  # whoever asks for the failed parts asks for the held ones too
            return "error", self._partial()
        if held is not None:
            self._staging.keep_held()
        else:
            self._staging.discard()
        if self._rehearsal is not None:
            self._rehearsal.close_books(self._spec.epoch, self._tally.counts, self._tally.partitions(), held)
            if held is not None:
                self._events.log(f"The real run would be held: {held}", "warning")
            return "result", held
        if held is not None:
            return "held", held
        self._close_books(streams)
        return "result", None

    def _plan(self) -> plan.Plan:
        """What the run is about, counted and told."""
        spec = self._spec
        waiting = self._tally.waiting_for_destination
        made = plan.make(self._db, self._fetcher, spec, self._checked, waiting=waiting)
        self._tally.planned = len(made.parts)
        for run, counts in made.done.values():
            self._tally.done += 1
            if run == spec.run:  # an earlier attempt of this very run: its work is this run's
                self._tally.counts.add(counts)
        self._events.log(
            f"Attempt {spec.attempt}: {len(made.parts)} {'part' if len(made.parts) == 1 else 'parts'} to fetch"
            + (f", {len(made.done)} of them done before" if made.done else "")
            + (f"; {len(made.not_due)} closed ones are not due" if made.not_due else "")
            + (", every row compared anew" if spec.mode == "full" else "")
            + (", nothing will be written" if spec.dry_run else "")
            + "."
        )
        self._events.send(
            "plan",
            parts=[part.label for part in made.parts],
            resumed=list(made.done),
            not_due=[part.label for part in made.not_due],
        )
        return made

    def _checked_of(self, stream: Stream) -> checked.Checked:
        basis = plan.basis(self._fetcher, stream)
        return checked.Checked(self._db, stream.name, basis=basis, moment=self._spec.now)

    def _owe(self, part: Part) -> None:
        """The part has no complete answer: the next run asks for it, however lately it was asked before."""
        if self._spec.dry_run:
            return
        with begin_immediate(self._db, self._tally.waiting_for_destination):
            ledger.check_fence(self._db, self._spec.epoch)
            checked.forget(self._db, part.stream.name, [part_name(part.partition)])

    def _publisher(self, stream: Stream) -> Publisher | RehearsedPublisher:
        spec = self._spec
        if self._rehearsal is not None:
            return self._rehearsal.publisher(self._db, stream, spec.epoch)
        ceiling = getattr(self._fetcher, stream.latest.ceiling)() if stream.latest else None
        return Publisher(
            self._db,
            stream,
            run=spec.run,
            epoch=spec.epoch,
            ceiling=ceiling,
            waiting=self._tally.waiting_for_destination,
            checked=self._checked[stream.name],
            spools=self._spools,
        )

    def _comparer(self, stream: Stream) -> Comparer:
        comparer = Comparer(
            self._db,
            stream,
            full=self._spec.mode == "full",
            may_be_missing=getattr(self._fetcher.settings, "may_be_missing", ()),
            spools=self._spools,
        )
        row = self._db.execute(
            "SELECT seen_fields FROM _hamgam_streams WHERE stream = ?", (stream.name,)
        ).fetchone()
        if row is not None:
            comparer.schema.seen_fields.update(json.loads(str(row[0])))
        return comparer

    # -- fetch --------------------------------------------------------------------------------------------

    def _fetch_all(self, parts: list[Part]) -> None:
        """Fetch and work through every part."""
        waiting = {part.label: part for part in parts}
        session = self._fetcher.session
        remembered = {name: comparer.remembered() for name, comparer in self._comparers.items()}

        def before(part: Part) -> list[Known]:
            packed = remembered[part.stream.name].get(part_name(part.partition))
            return [] if packed is None else decode_pages(packed).pages

        threads = Threads(self._fetcher, self._spec.source, before)
        for fetched in threads.fetch(parts, lambda: self._tally.tell(session), self._finish):
            del waiting[fetched.part.label]
            error = fetched.error
            if error is None:
                try:
                    self._work_through(fetched)
                except (Fenced, StorageError, apsw.Error):
                    raise
                except FetchError as trouble:
                    error = alone(trouble)
                except Exception as trouble:  # noqa: BLE001 - over this part: the others are none the worse
                    error = _mistake(trouble)
            fetched.records.clear()
            if error is not None:
                self._note_failure(fetched.part, error, fetched.seconds)
                if self._gateway_is_down(error):
                    break
            self._tally.tell(session)
        self._finish()
        if waiting and error is not None:
            session.stop.set()
            self._events.log(f"Nothing works any more; {len(waiting)} parts are not asked for.", "error")
            for part in waiting.values():
                self._note_failure(part, error, 0.0)

    def _ask_again(self, parts: list[Part]) -> None:
        """Before a person is asked, the gateway is: a part that lost too much is fetched once more, at the end.

        The second answer counts, whatever it says.
        """
        if self._fetcher.session.stop.is_set():
            return
        doubtful = {(name, part) for name, judging in self._judging.items() for part in judging.doubtful()}
        if doubtful:
            which = "1 part would lose too much; it is"
            if len(doubtful) > 1:
                which = f"{len(doubtful)} parts would lose too much; they are"
            self._events.log(f"{which} asked for once more.", "warning")
            self._fetch_all(
                [part for part in parts if (part.stream.name, part_name(part.partition)) in doubtful]
            )

    def _note_failure(self, part: Part, error: FetchError, seconds: float) -> None:
        """One part failed. Raises the error itself where going on would be wrong."""
        self._finish()
        if isinstance(error, AuthError | ConfigError | OutOfMemory):
            raise error
        self._failures.append((part, error))
        self._owe(part)
        self._drift.refused(part.stream, part.label, error)
        self._events.log(f"{part.label or 'the whole source'}: {error}", "error")
        self._tally.failed += 1
        self._tally.tell_part(part, "failed", seconds, error=error)

    def _gateway_is_down(self, error: FetchError) -> bool:
        """Nothing has worked for as long as we are patient: it is not one part, and asking on would be rude."""
        session = self._fetcher.session
        return error.retryable and time.monotonic() - session.last_success > session.settings.retry_budget > 0

    # -- compare, publish, judge --------------------------------------------------------------------------

    def _work_through(self, fetched: Fetched) -> None:
        stream = fetched.part.stream
        judging = self._judging[stream.name]
        delta = self._compare(fetched)
        full = fetched.records.full
        fetched.records.clear()
        self._tally.staged += delta.counts.read
        if delta.gone:
            self._staging.put(delta)
            judging.lose(delta, full=full)
            self._tally.tell_part(fetched.part, "staged", fetched.seconds, counts=delta.counts)
            judging.arrive(delta)
        else:
            self._finish()
            goes_on = self._publishers[stream.name].publish(delta, wait=False)
            judging.arrive(delta)
            self._going_on = fetched.part, delta.counts, fetched.seconds
            if not goes_on:
                self._finish()

    def _finish(self) -> None:
        """Wait until the destination has taken in the part that was published last, and tell that it is done."""
        if self._going_on is not None:
            sql.finish(self._db)
            (part, counts, seconds), self._going_on = self._going_on, None
            self._done(part, counts, seconds)

    def _compare(self, fetched: Fetched) -> Delta:
        """One part compared; where it brings new fields that become columns, compared anew with these."""
        partition, comparer = fetched.part.partition, self._comparers[fetched.part.stream.name]
        delta = comparer.compare(partition, fetched.records)
        if delta.same:  # nothing was parsed
            return delta
        stream = self._drift.consider(comparer.stream, comparer.schema, len(fetched.records))
        if stream is comparer.stream:
            return delta
        longer = self._comparers[stream.name] = self._comparer(stream)
        longer.schema.carry_on(comparer.schema)
        self._checked[stream.name] = self._checked_of(
            stream
        )  # parts that were read without them are owed an answer
        self._publishers[stream.name] = self._publisher(stream)
        return longer.compare(partition, fetched.records)

    def _done(self, part: Part, counts: Counts, seconds: float | None) -> None:
        self._look_at_the_log()
        self._tally.counts.add(counts)
        self._tally.done += 1
        self._tally.tell_part(part, "done", seconds, counts=counts)

    def _settle(self, streams: list[Stream]) -> Shrunk | None:
        """Publish the staged parts, or hold those that would lose too much. The reason, if any are held."""
        reason: Shrunk | None = None
        several = len(streams) > 1
        for stream in streams:
            judging = self._judging[stream.name]
            shrunk = judging.verdict()
            held = shrunk.held if shrunk else frozenset()
            reason = shrunk or reason
            for delta in self._staging.take(stream):
                label = f"{stream.name}/{delta.part}" if several else delta.part
                part = Part(stream, delta.partition, label)
                if delta.part in held:
                    self._staging.hold(delta, judging.who_leaves(delta))
                    self._owe(part)
                    self._tally.held += 1
                    self._tally.tell_part(part, "held", None, counts=delta.counts, error=shrunk)
                else:
                    self._publish_staged(part, delta)
                self._tally.tell(self._fetcher.session)
        return reason

    def _publish_staged(self, part: Part, delta: Delta) -> None:
        try:
            self._publishers[delta.stream.name].publish(delta)
        except Overtaken as error:
            self._note_failure(part, error, 0.0)
        else:
            self._done(part, delta.counts, None)

    def _look_at_the_log(self) -> None:
        """Tell once, in the run's log, that somebody reads the destination without end: its disk may fill up."""
        if self._log_is_long or sql.log_size(self._db) < LONG_LOG:
            return
        self._log_is_long = True
        self._events.log(
            f"The write-ahead log of the destination has grown to {sql.log_size(self._db) >> 20} MB: another program "
            "has kept the database open for reading all this time. Your data are safe; close that program before "
            "the disk is full.",
            "warning",
        )

    def _take_stock(self, streams: list[Stream]) -> None:
        """After many new rows: a server that does not know how many there are looks up notes by reading them all."""
        counts = self._tally.counts
        if self._rehearsal is not None or counts.added + counts.changed + counts.gone < MANY_NEW:
            return
        try:
            sql.take_stock(self._db, [table for stream in streams for table in discovered.tables(stream)])
        except StorageError as trouble:
            self._events.log(f"The destination did not look at its own sizes: {trouble}", "warning")

    # -- close and tell -----------------------------------------------------------------------------------

    def _close_books(self, streams: list[Stream]) -> None:
        """The closing entry: with it, the run was a success, whatever happens to this process now."""
        with begin_immediate(self._db, self._tally.waiting_for_destination):
            sql.commit_for_good(self._db)
            ledger.check_fence(self._db, self._spec.epoch)
            for stream in streams:
                self._publishers[stream.name].roll_over()
            ledger.enter(
                self._db,
                run=self._spec.run,
                epoch=self._spec.epoch,
                kind="closing",
                outcome="success",
                counts=self._tally.counts,
                details={"partitions": self._tally.partitions(), "records": self._records()},
            )

    def _partial(self) -> FetchError:
        """The verdict over the failed parts: one error's own words if it took everything, else a list of names."""
        if (
            len(self._failures) == self._tally.planned
            and len({error.code for _, error in self._failures}) == 1
        ):
            return self._failures[0][1]
        names = [part.label for part, _ in self._failures]
        return Partial(
            f"{len(names)} of {self._tally.planned} parts failed; the others are stored.",
            may_heal=any(error.retryable for _, error in self._failures),
            failed=len(names),
            planned=self._tally.planned,
            parts=names[:NAMED_PARTS],
            codes=sorted({error.code for _, error in self._failures}),
        )

    def _records(self) -> dict[str, int]:
        """Rows of each table now; the one that people count first."""
        found: dict[str, int] = {}
        for stream in self._fetcher.streams():
            if stream.latest is not None:
                table = sql.name(stream.latest.table)
                found[stream.latest.table] = sql.number(self._db, f"SELECT count(*) FROM {table}")
            found[stream.table] = sql.number(
                self._db,
                "SELECT coalesce(sum(rows), 0) FROM _hamgam_partitions WHERE stream = ?",
                (stream.name,),
            )
        return found

    def _end(self, kind: str, error: FetchError | None) -> int:
        records: dict[str, int] = {}
        if not self._spec.dry_run and (kind != "error" or self._failures):
            try:
                records = self._records()
            except apsw.Error as trouble:
                self._events.log(str(sql.storage_error(trouble, self._db)), "error")
            except StorageError as trouble:  # a server that is gone: its error must not hide the run's own
                self._events.log(str(trouble), "error")
        self._tally.tell_end(kind, records, error)
        return {"result": 0 if error is None else 3, "error": 1, "held": 3}[kind]


def _mistake(error: Exception) -> FetchError:
    """A mistake of ours, by its kind and place: its own words may hold somebody's data. Or memory has run out."""
    if is_out_of_memory(error):
        return OutOfMemory()
    show_place(error)
    kind = type(error).__name__
    return FetchError(f"An error in Hamgam itself: {kind}.", detail=kind)
