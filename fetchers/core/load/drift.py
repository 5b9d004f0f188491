"""What becomes of the fields that a gateway begins to send, or sends no more, in the course of one run.

`add`: a new field is a column at once, and the part that brought it is compared anew with it. `ignore`: it is told
and not stored, nor are columns that were discovered before. `freeze`: the part that brings it is refused.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager

from fetchers.core.errors import FetchError, SchemaError
from fetchers.core.events import Events
from fetchers.core.fetcher import Stream
from fetchers.core.load import rehearsal
from fetchers.core.load.publish import begin_immediate
from fetchers.core.load.schema import REMEMBERED_STRANGERS, SchemaWatch
from fetchers.core.spec import Spec
from fetchers.core.store import discovered, ledger, sql

NAMED = 10
SHOWN_LENGTH = 80


class Drift:
    """The new, lost and returned fields of one run. One thread."""

    def __init__(
        self,
        db: sql.Destination,
        spec: Spec,
        events: Events,
        waiting: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """waiting: entered while another process holds the destination."""
        self._db = db
        self._spec = spec
        self._events = events
        self._waiting = waiting
        self._times: dict[str, Counter[str]] = {}  # stream -> in how many records a key was that is no column
        self._ignored: dict[str, dict[str, str]] = {}  # stream -> key -> why
        self._refusals: dict[str, dict[tuple[str, str], str | None]] = {}  # stream -> (kind, field) -> detail

    def streams(self, declared: list[Stream]) -> list[Stream]:
        """The streams that this run reads."""
        if self._spec.new_fields == "ignore":
            return declared
        return discovered.streams(self._db, declared)

    def consider(self, stream: Stream, watch: SchemaWatch, records: int) -> Stream:
        """A part was compared: the stream with the columns that it calls for, or the same one.

        records: how many the part has. A key of one record alone is none: there may be another for each record.
        Raises SchemaError where the sync says `freeze`, or StorageError.
        """
        ignored = self._ignored.setdefault(stream.name, {})
        fresh = {key: times for key, times in watch.strangers.items() if ignored.get(key, "once") == "once"}
        if not fresh:
            return stream
        if self._spec.new_fields == "freeze":
            self._refuse(stream, fresh)
            return stream
        if self._spec.new_fields == "ignore":
            self._ignore(ignored, dict.fromkeys(fresh, "asked"))
            return stream
        times = self._times.setdefault(stream.name, Counter())
        times.update(fresh)
        longer, came_as = stream, {}
        for key in sorted(fresh, key=lambda key: (-fresh[key], key)):
            why = "once" if times[key] < 2 <= records else discovered.why_not(self._db, longer, key)
            if why is None:
                came_as[key] = watch.came_as[key]
                longer = discovered.lengthened(longer, [key])
                ignored.pop(key, None)
            else:
                self._ignore(ignored, {key: why})
        if len(times) > REMEMBERED_STRANGERS:
            self._times[stream.name] = Counter({key: n for key, n in times.items() if n > 1})
        if came_as:
            self._add(stream, longer, came_as)
        return longer

    def refused(self, stream: Stream, part: str, error: FetchError) -> None:
        """A part failed; where its fields are to blame, the history will say so."""
        if isinstance(error, SchemaError) and (kind := error.params.get("reason")) in discovered.REFUSALS:
            told = self._refusals.setdefault(stream.name, {})
            strangers = ", ".join(map(_harmless, error.params.get("unknown", ())))
            detail = " ".join(filter(None, (part, f"({strangers})" if kind == "renamed" else ""))) or None
            for field in error.params["fields"]:
                told.setdefault((kind, _harmless(field)), detail)

    def remember(self, watches: Mapping[str, SchemaWatch]) -> None:
        """At the run's end: what was seen, ignored, refused and has returned goes into the books, behind the fence."""
        for name, watch in watches.items():
            ignored = self._ignored.get(name, {})
            if not self._spec.dry_run:
                with begin_immediate(self._db, self._waiting):
                    ledger.check_fence(self._db, self._spec.epoch)
                    told = self._write(name, watch, ignored)
                for kind in dict.fromkeys(kind for kind, _ in told):
                    self._say(name, kind, [field for of, field in told if of == kind])
            if ignored:
                keys = ", ".join(sorted(map(_harmless, ignored))[:NAMED])
                self._events.log(f"The gateway sends fields that are not stored: {keys}", "warning")

    def _write(self, name: str, watch: SchemaWatch, ignored: Mapping[str, str]) -> list[tuple[str, str]]:
        self._db.execute(
            "INSERT INTO _hamgam_streams (stream, seen_fields) VALUES (?, ?)"
            " ON CONFLICT (stream) DO UPDATE SET seen_fields = excluded.seen_fields",
            (name, json.dumps(sorted(watch.seen_fields))),
        )
        refusals = self._refusals.get(name, {})
        blamed = {field for _, field in refusals}
        last = discovered.last_told(self._db, name)
        news: list[tuple[str, str, str | None]] = [
            ("ignored", _harmless(key), why) for key, why in ignored.items()
        ]
        news += [(kind, field, detail) for (kind, field), detail in refusals.items()]
        news += [
            ("returned", field, None)
            for field in sorted(watch.seen_now - blamed)
            if last.get(field) in (*discovered.REFUSALS, "ignored")
        ]
        discovered.see(self._db, name, self._spec.run, watch.seen_now)
        return discovered.tell(self._db, name, self._spec.run, news)

    def _say(self, stream: str, kind: str, fields: Iterable[str]) -> None:
        self._events.send("drift", stream=stream, change=kind, fields=list(fields)[:NAMED])

    def _add(self, stream: Stream, longer: Stream, came_as: Mapping[str, str]) -> None:
        names = ", ".join(came_as)
        if self._spec.dry_run:
            rehearsal.add_columns(self._db, stream, list(came_as))
            self._events.log(
                f"{stream.table}: the gateway sends new fields, which would become columns: {names}"
            )
            return
        with begin_immediate(self._db, self._waiting):
            ledger.check_fence(self._db, self._spec.epoch)
            discovered.add(self._db, stream, came_as, self._spec.run)
        self._say(stream.name, "added", came_as)
        self._events.log(
            f"{stream.table}: the gateway sends new fields, columns from now on: {names}", "warning"
        )

    def _refuse(self, stream: Stream, fresh: Iterable[str]) -> None:
        """A key that was told as ignored before is not new."""
        last = discovered.last_told(self._db, stream.name)
        new = sorted(key for key in map(_harmless, fresh) if last.get(key) != "ignored")
        if new:
            raise SchemaError(
                f"The gateway sends new fields, and the schema is frozen: {', '.join(new[:NAMED])}.",
                fields=new[:NAMED],
                reason="refused",
            )

    def _ignore(self, ignored: dict[str, str], news: Mapping[str, str]) -> None:
        for key, why in news.items():
            if key in ignored or len(ignored) < REMEMBERED_STRANGERS:
                ignored[key] = why


def _harmless(key: str) -> str:
    """A key as it may be told: short, and without a number that could be a person's."""
    return re.sub(r"\d{4,}", "…", key)[:SHOWN_LENGTH]
