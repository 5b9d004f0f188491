"""Approve a hold: after a person's yes, publish what another run holds (DESIGN.md 4.4).

It asks no gateway and needs no setting of the source. What is published is what was shown: a part that is no longer
as it was when it was compared refuses the whole.
"""

from pathlib import Path

import apsw

from fetchers.core.decide import holds
from fetchers.core.errors import FetchError, Moved
from fetchers.core.events import Events
from fetchers.core.fetcher import Fetcher, Stream
from fetchers.core.load.fetching import FetcherBroken, Part
from fetchers.core.load.publish import Publisher, begin_immediate
from fetchers.core.load.staging import HeldPart, Staging
from fetchers.core.load.tally import Tally
from fetchers.core.registry import load
from fetchers.core.spec import Spec
from fetchers.core.spool import Spools
from fetchers.core.store import columns, ledger, lookup, sql
from fetchers.core.wire.http import Session


class Approval:
    """One execution of an approval; speaks like a Job."""

    def __init__(self, spec: Spec, events: Events) -> None:
        self._spec = spec
        self._events = events
        self._tally = Tally(events)
        self._staging = Staging(Path(spec.staging or "."), spec.source, spec.about)
        self._spools = Spools(self._staging.path.parent)

    def run(self) -> int:
        """Execute, tell, and return the exit code: 0 done, 1 failed.

        1. Refuse, before anything is written, if a held part is no longer as it was when it was compared.
        2. Publish part by part, each behind the same check; what an earlier try published is done.
        3. Close the books, and let the staged parts go.
        """
        try:
            fetcher = self._fetcher()
            db = sql.connect(self._spec.database)
            try:
                return self._execute(db, fetcher)
            finally:
                self._staging.close()
                db.close()
        except FetchError as error:
            self._tally.tell_end("error", {}, error)
        except apsw.Error as error:
            self._tally.tell_end("error", {}, sql.storage_error(error, self._spec.database))
        return 1

    def _execute(self, db: sql.Destination, fetcher: Fetcher) -> int:
        spec = self._spec
        streams = {stream.name: stream for stream in columns.prepare(db, fetcher.streams())}
        held = self._staging.held()
        if not held:
            raise Moved("Nothing of that run waits any more; sync again.")
        published = holds.check(db, held)
        self._tally.planned = len(held)
        labels = {part: part.part if len(streams) == 1 else f"{part.stream}/{part.part}" for part in held}
        self._events.send("plan", parts=list(labels.values()), resumed=[labels[part] for part in published])
        publishers = {name: self._publisher(db, fetcher, stream) for name, stream in streams.items()}
        with begin_immediate(db, self._tally.waiting_for_destination):
            ledger.check_fence(db, spec.epoch)
            holds.enter_opening(db, spec.run, spec.about, spec.epoch)
        self._count_earlier(db, published)
        for part, label in labels.items():
            if part in published:
                continue
            delta = self._staging.held_delta(streams[part.stream], part.part)
            with begin_immediate(db, self._tally.waiting_for_destination):
                ledger.check_fence(db, spec.epoch)
                holds.check_base(db, delta)
                publishers[part.stream].enter(delta)
            self._tally.staged += delta.counts.read
            self._tally.counts.add(delta.counts)
            self._tally.done += 1
            self._tally.tell_part(
                Part(delta.stream, delta.partition, label), "done", None, counts=delta.counts
            )
            self._tally.tell(None)
        records = self._close_books(db, publishers, list(streams.values()))
        self._staging.discard()
        self._tally.tell_end("result", records, None)
        return 0

    def _count_earlier(self, db: sql.Destination, published: list[HeldPart]) -> None:
        """An earlier attempt of this very run: its work is this run's."""
        mine = ledger.parts_of(db, [self._spec.run])
        for part in published:
            self._tally.done += 1
            if (part.stream, part.part) in mine:
                self._tally.counts.add(mine[part.stream, part.part][1])

    def _close_books(
        self, db: sql.Destination, publishers: dict[str, Publisher], streams: list[Stream]
    ) -> dict[str, int]:
        """The closing entry: with it, the run was a success, whatever happens to this process now."""
        with begin_immediate(db, self._tally.waiting_for_destination):
            ledger.check_fence(db, self._spec.epoch)
            for publisher in publishers.values():
                publisher.roll_over()
            records = lookup.how_many(db, streams)
            ledger.enter(
                db,
                run=self._spec.run,
                epoch=self._spec.epoch,
                kind="closing",
                outcome="success",
                counts=self._tally.counts,
                details={"partitions": self._tally.partitions(), "records": records},
            )
        return records

    def _publisher(self, db: sql.Destination, fetcher: Fetcher, stream: Stream) -> Publisher:
        ceiling = getattr(fetcher, stream.latest.ceiling)() if stream.latest else None
        return Publisher(
            db,
            stream,
            run=self._spec.run,
            epoch=self._spec.epoch,
            ceiling=ceiling,
            waiting=self._tally.waiting_for_destination,
            spools=self._spools,
        )

    def _fetcher(self) -> Fetcher:
        """The source's fetcher without settings: it is asked about time and tables alone."""
        listing = load(self._spec.source)
        if listing.fetcher is None:
            raise FetcherBroken(
                f"The fetcher {self._spec.source} cannot be used: {listing.error}", source=self._spec.source
            )
        settings = listing.fetcher.Settings.model_construct()
        return listing.fetcher(settings, Session(settings, self._events, self._spec.now))
