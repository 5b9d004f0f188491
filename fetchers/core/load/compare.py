"""What a freshly read part would change: compared with what is there, before anything is written.

pages ─► the pages of the last time? nothing to do, and nothing was looked into
  └► raw records ─► hashes ─► same digest? nothing to do
                 └────► only new or differing records are parsed and cleaned, and compared by their
                        *cleaned* values: key order, padding or Arabic letters alone are no change
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import msgspec
import orjson

from fetchers.core.clean import Flag, RowCleaner, compile_row, rules_version
from fetchers.core.clean.rows import Alike, by_keys, shown
from fetchers.core.errors import NotJson
from fetchers.core.fetcher import Partition, Stream
from fetchers.core.load.large import PAIR, ParsedRows, compare_rows
from fetchers.core.load.schema import SchemaWatch
from fetchers.core.load.stored import StoredRows
from fetchers.core.records import Whole
from fetchers.core.spool import Pile, Spools
from fetchers.core.store import clashes, sql
from fetchers.core.store import index as ix
from fetchers.core.store.index import DUPLICATE, KEPT, REJECTED, Key
from fetchers.core.store.ledger import Counts
from fetchers.core.store.notes import Note
from fetchers.core.store.sql import Row

AT_ONCE = 2000  # records that are parsed together: enough for the quick way, few enough for the memory


@dataclass
class Delta:
    """What publishing a part would do. `base`: the digest of what it was compared with; None for a new part.

    The rows and notes of a part that is too large for memory are in files, and read once from the first to the last.
    """

    stream: Stream
    partition: dict[str, str]
    part: str
    counts: Counts
    digest: bytes
    base: bytes | None
    same: bool = False  # not a byte differs: nothing but the ledger is written
    index: ix.Index | None = None
    added: Sequence[Row] = field(default_factory=list)
    changed: list[tuple[Row, Row]] | Pile[tuple[Row, Row]] = field(default_factory=list)  # before, after
    gone: list[Key] = field(default_factory=list)
    notes: list[Note] | Pile[Note] = field(default_factory=list)
    old_hashes: list[bytes] = field(default_factory=list)  # raw records whose earlier notes go
    all_parsed: bool = False  # every record was read anew, so every older note goes
    rows_before: int = 0
    pages: ix.Pages | None = None  # to be remembered; None: what is remembered is right, or there is nothing

    @property
    def rows_after(self) -> int:
        """Rows of this part after publishing."""
        return self.rows_before + self.counts.added - self.counts.gone


def part_name(partition: Partition) -> str:
    """How a part is called in books, events and commands: "campus=1110,term=4051"; "" for one whole."""
    return ",".join(f"{key}={value}" for key, value in partition.items())


class Comparer:
    """Compares the parts of one stream. One thread; reads the destination, writes nothing."""

    def __init__(
        self,
        db: sql.Destination,
        stream: Stream,
        *,
        full: bool = False,
        may_be_missing: Iterable[str] = (),
        spools: Spools | None = None,
    ) -> None:
        """spools: where the rows of parts go that are too large for memory."""
        self._destination = db
        self._spools = spools or Spools()
        self.stream = stream
        self._full = full
        self.version = rules_version(stream.fields)
        self._clean: RowCleaner = compile_row(stream.fields, stream.required)
        self._own_key = tuple(
            column for column in stream.primary_key if column not in stream.partition_columns
        )
        self.schema = SchemaWatch(stream, self._clean, self._own_key, may_be_missing)
        columns = stream.columns
        self._lead = tuple(column for column in stream.partition_columns if column not in stream.fields)
        # Columns that upstream sends too, but that hold what was asked for: (place, column).
        self._overridden = [
            (columns.index(column), column) for column in stream.partition_columns if column in stream.fields
        ]
        self._echoes = [(columns.index(column), column, name) for column, name in stream.echoes.items()]
        self._key_places = [columns.index(column) for column in self._own_key]
        self._stored = StoredRows(db, stream, self._own_key)

    @property
    def _db(self) -> sql.Destination:
        """What is committed; another part may still be on its way in."""
        return sql.aside(self._destination)

    def key_of(self, row: Row) -> Key:
        """A row's primary key within its part."""
        places = self._key_places
        return row[places[0]] if len(places) == 1 else [row[place] for place in places]

    def compare(self, partition: Partition, records: Whole) -> Delta:
        """Compare one complete part.

        1. The same pages, or the same bytes of all records, under the same rules: done.
        2. Sort records into known ones and ones to parse.
        3. Parse and clean those; leave out what cannot be kept.
        4. Among several records of one key, the one whose cleaned row has the smallest hash stays.
        5. Compare what was parsed with the stored rows.

        Raises SchemaError where the upstream's fields have changed, NotJson where a record cannot be read.
        """
        part = part_name(partition)
        stored = self._db.execute(
            "SELECT p.digest, p.rows, g.pages FROM _hamgam_partitions p"
            " LEFT JOIN _hamgam_pages g ON g.stream = p.stream AND g.part = p.part"
            " WHERE p.stream = ? AND p.part = ?",
            (self.stream.name, part),
        ).fetchone()
        base, rows_before, remembered = stored if stored is not None else (None, 0, None)
        delta = Delta(
            self.stream, dict(partition), part, Counts(read=len(records)), base or b"", base,
            rows_before=int(rows_before),
        )  # fmt: skip
        known = ix.decode_pages(remembered) if remembered is not None else None
        if known is not None and self._is_as_before(known, base, records):
            delta.same = True
            _count_same(delta.counts, known)
            return delta
        hashes = records.hashes()
        delta.digest = ix.digest(self.version, hashes)
        old = self._index(part) if stored is not None else None
        if old is not None and base == delta.digest and not self._full:
            delta.same = True
            again = self._pages(delta, records, old)
            _count_same(delta.counts, again)
            delta.pages = again if again.pages else None
            return delta
        entries = old.entries() if old is not None and old.version == self.version and not self._full else {}
        self._sort_out(delta, records.split(), hashes, entries, old)
        assert delta.index is not None
        now = self._pages(delta, records, delta.index)
        delta.pages = now if now.pages else None
        return delta

    def remembered(self) -> dict[str, bytes]:
        """The pages of each part as they were the last time, by the part's name, still packed.

        Nothing where every row is compared anew: then no page is to be taken for known.
        """
        if self._full:
            return {}
        found = self._db.execute(
            "SELECT part, pages FROM _hamgam_pages WHERE stream = ?", (self.stream.name,)
        )
        return {str(part): bytes(pages) for part, pages in found}

    def _is_as_before(self, known: ix.Pages, base: bytes | None, records: Whole) -> bool:
        """Whether these are the very pages that led to what is stored, under the same rules."""
        return (
            not self._full
            and known.digest == base
            and known.version == self.version
            and records.pages == known.pages
        )

    def _index(self, part: str) -> ix.Index:
        row = self._db.execute(
            "SELECT raw_index FROM _hamgam_partitions WHERE stream = ? AND part = ?", (self.stream.name, part)
        ).fetchone()
        return ix.decode(row[0])

    def _pages(self, delta: Delta, records: Whole, index: ix.Index) -> ix.Pages:
        return ix.Pages(
            self.version,
            delta.digest,
            records.pages or [],
            kept=index.count(KEPT),
            duplicates=index.count(DUPLICATE),
            rejected=index.count(REJECTED),
        )

    def _sort_out(
        self,
        delta: Delta,
        records: Sequence[msgspec.Raw],
        hashes: list[bytes],
        entries: dict[bytes, tuple[int, Key | None]],
        old: ix.Index | None,
    ) -> None:
        outcomes = bytearray(len(records))
        keys: list[Key | None] = [None] * len(records)
        parsed: MutableMapping[int, Row] = {}
        compare = self._compare_rows
        if not isinstance(records, list):  # they are in a file, for they are too many
            parsed = ParsedRows(len(records), self._spools)
            delta.changed, delta.notes = self._spools.pile(PAIR), self._spools.pile(Note)
            compare = self._compare_many_rows
        self._begin(delta.partition)
        self.schema.begin()
        unknown = []
        for place, mark in enumerate(hashes):
            known = entries.get(mark)
            if known is not None:
                outcomes[place], keys[place] = known
            else:
                unknown.append(place)
        for at in range(0, len(unknown), AT_ONCE):
            some = unknown[at : at + AT_ONCE]
            for place, row in self._parse(delta, records, hashes, some, watched=True):
                if row is None:
                    outcomes[place] = REJECTED
                else:
                    parsed[place] = row
                    keys[place] = self.key_of(row)
        self.schema.check(len(unknown))
        delta.all_parsed = not entries
        entries.clear()  # of a large part, a third of all that is in memory
        self._settle_doubles(delta, records, hashes, outcomes, keys, parsed)
        compare(delta, outcomes, keys, parsed, old)
        delta.counts.rejected = outcomes.count(REJECTED)
        delta.counts.duplicates = outcomes.count(DUPLICATE)
        delta.counts.unchanged = outcomes.count(KEPT) - delta.counts.added - delta.counts.changed
        delta.index = ix.Index(self.version, b"".join(hashes), bytes(outcomes), keys)
        if old is not None:
            now = set(hashes)
            delta.old_hashes += [mark for mark in old.marks() if mark not in now]

    def _begin(self, partition: Partition) -> None:
        """What was asked for, ready to be put into each row of this part."""
        asked_by = self.stream.partition_columns
        self._asked_lead = tuple(partition[asked_by[column]] for column in self._lead)
        self._asked_inside = [
            (place, column, partition[asked_by[column]]) for place, column in self._overridden
        ]
        self._asked_beside = [(place, column, partition[name]) for place, column, name in self._echoes]

    def _parse(
        self,
        delta: Delta,
        records: Sequence[msgspec.Raw],
        hashes: list[bytes],
        places: Sequence[int],
        *,
        watched: bool = False,
    ) -> Iterator[tuple[int, Row | None]]:
        """The records at these places as rows; None (and a note) for one that cannot be kept.

        watched: whether their fields count for the schema.
        """
        some = [records[place] for place in places]
        whole = b",".join(some)
        objects = _objects(whole, some)
        alike = by_keys(objects)
        rows, flags, rejects = self._clean.clean(objects, self._asked_lead, alike)
        for n in _with_double_keys(whole, some, alike):
            if n not in rejects and (doubled := _double_keys(bytes(some[n]))):
                flags.setdefault(n, []).extend(doubled)
        for at, column, asked in self._asked_inside:
            for n, row in enumerate(rows):
                if row is not None and row[at] != asked:
                    if row[at] is not None:
                        flags.setdefault(n, []).append(Flag(column, "differs_from_asked", str(row[at])))
                    rows[n] = (*row[:at], asked, *row[at + 1 :])
        for at, column, asked in self._asked_beside:
            for n, row in enumerate(rows):
                if row is not None and row[at] != asked and row[at] is not None:
                    flags.setdefault(n, []).append(Flag(column, "other_campus", str(row[at])))
        if watched:
            self.schema.note(objects, alike)
        for n in sorted({*flags, *rejects}):
            mark, row, reject = hashes[places[n]], rows[n], rejects.get(n)
            if row is not None:
                key = self.key_of(row)
                delta.notes.extend(
                    Note(mark, key, flag.column, flag.reason, kept=True, raw=flag.raw) for flag in flags[n]
                )
            elif reject is not None:
                told = bytes(some[n]).decode("utf-8", "replace")[:4000]
                delta.notes.append(Note(mark, None, reject.field, reject.reason, kept=False, raw=told))
                if watched:
                    self.schema.reject(reject.reason, reject.field)
        return zip(places, rows, strict=True)

    def _settle_doubles(
        self,
        delta: Delta,
        records: Sequence[msgspec.Raw],
        hashes: list[bytes],
        outcomes: bytearray,
        keys: list[Key | None],
        parsed: MutableMapping[int, Row],
    ) -> None:
        """Choose among records of one key; wake a duplicate whose other has left."""
        names = self._hashable_all(keys)
        there = Counter(names)
        del there[None]  # of rejected records
        wanted = {key for key, times in there.items() if times > 1}
        wanted.update(key for key, outcome in zip(names, outcomes, strict=True) if outcome == DUPLICATE)
        places: dict[Any, list[int]] = {}
        if wanted:
            for place, key in enumerate(names):
                if key in wanted:
                    places.setdefault(key, []).append(place)
        to_read = [place for same in places.values() for place in same if place not in parsed]
        for at in range(0, len(to_read), AT_ONCE):
            for place, row in self._parse(delta, records, hashes, to_read[at : at + AT_ONCE]):
                if row is None:
                    raise NotJson("A record that was kept before cannot be read now.", reason="json")
                parsed[place] = row
                delta.old_hashes.append(hashes[place])  # its notes are written anew
        for same in places.values():
            ranked = sorted(same, key=lambda place: _row_hash(parsed[place]))
            outcomes[ranked[0]] = KEPT
            for place in ranked[1:]:
                outcomes[place] = DUPLICATE
                if parsed[place] != parsed[ranked[0]]:
                    field, reason, raw = clashes.between(self.stream, parsed[place], parsed[ranked[0]]) or (
                        None,
                        "unequal_duplicate",
                        None,
                    )
                    delta.notes.append(Note(hashes[place], keys[place], field, reason, kept=True, raw=raw))

    def _compare_rows(
        self,
        delta: Delta,
        outcomes: bytearray,
        keys: list[Key | None],
        parsed: MutableMapping[int, Row],
        old: ix.Index | None,
    ) -> None:
        names = self._hashable_all(keys)
        rows = {names[place]: row for place, row in parsed.items() if outcomes[place] == KEPT}
        if old is None or delta.all_parsed:
            before = self._stored.all(delta.partition)
            was: set[Any] = set(before)
            delta.rows_before = len(was)
        else:
            was = self._kept_keys(old.keys, old.outcomes)
            before = self._stored.some(delta.partition, [key for key in rows if key in was], len(was))
        added = []
        for key, row in rows.items():
            stored = before.get(key)
            if stored is None:
                added.append(row)
            elif stored != row:
                delta.changed.append((stored, row))
        delta.added = added
        self._count(delta, was, keys, outcomes)

    def _compare_many_rows(
        self,
        delta: Delta,
        outcomes: bytearray,
        keys: list[Key | None],
        parsed: MutableMapping[int, Row],
        old: ix.Index | None,
    ) -> None:
        """The same for a part whose rows are too many for memory, the stored ones too."""
        assert isinstance(parsed, ParsedRows)
        if old is None or delta.all_parsed:
            was: set[Any] = set(self._stored.keys(delta.partition))
            delta.rows_before = len(was)
        else:
            was = self._kept_keys(old.keys, old.outcomes)
        compare_rows(
            delta,
            self._hashable_all(keys),
            lambda place: outcomes[place] == KEPT,
            parsed,
            was,
            lambda wanted: self._stored.few(delta.partition, wanted),
        )
        self._count(delta, was, keys, outcomes)

    def _count(self, delta: Delta, was: set[Any], keys: list[Key | None], outcomes: bytearray) -> None:
        now = self._kept_keys(keys, outcomes)
        delta.gone = [list(key) if isinstance(key, tuple) else key for key in was - now]
        delta.counts.added = len(delta.added)
        delta.counts.changed = len(delta.changed)
        delta.counts.gone = len(delta.gone)

    def _hashable_all(self, keys: list[Key | None]) -> list[Any]:
        """Keys as a dict takes them; those of one column are so already."""
        return keys if len(self._key_places) == 1 else [_hashable(key) for key in keys]

    def _kept_keys(self, keys: list[Key | None], outcomes: bytes | bytearray) -> set[Any]:
        if not any(outcomes):  # all of them were kept
            return set(self._hashable_all(keys))
        return {
            key for key, outcome in zip(self._hashable_all(keys), outcomes, strict=True) if outcome == KEPT
        }


def _count_same(counts: Counts, known: ix.Pages) -> None:
    counts.unchanged, counts.duplicates, counts.rejected = known.kept, known.duplicates, known.rejected


def _hashable(key: Key | None) -> Any:
    return tuple(key) if isinstance(key, list) else key


def _row_hash(row: Row) -> bytes:
    return hashlib.blake2b(repr(row).encode("utf-8", "replace"), digest_size=16).digest()


def _objects(whole: bytes, records: Sequence[msgspec.Raw]) -> list[Any]:
    """Parse records: together, or one by one where one of them is unusual. whole: them all, commas between them."""
    try:
        return orjson.loads(b"[%s]" % whole)
    except orjson.JSONDecodeError:
        return [_object(bytes(record)) for record in records]


def _object(text: bytes) -> Any:
    """Parse one record. orjson refuses lone surrogates; those the standard library reads, the cleaner replaces."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise NotJson("A record cannot be read.", reason="json") from error


def _with_double_keys(whole: bytes, records: Sequence[msgspec.Raw], alike: Alike) -> Iterator[int]:
    """The places of records in which some key may stand twice.

    A colon for each key at least: where there are as many as keys, in all of them, no key is there twice.
    """
    keys = sum(len(found) * len(places) for found, places in alike.items() if found)
    if whole.count(b'":') == keys or whole.count(b":") == keys:
        return
    for found, places in alike.items():
        for place in places if found else ():
            text = bytes(records[place])
            if text.count(b":") != len(found or ()) and text.count(b'":') != len(found or ()):
                yield place


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _double_keys(text: bytes) -> tuple[Flag, ...]:
    """Keys that stand twice in one record with different values (DOMAIN.md part 3, row 16)."""
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return ()
    first: dict[str, Any] = {}
    for key, value in islice(pairs, 1000):
        if key in first and first[key] != value:
            return (Flag(shown(key)[:60], "double_key", ""),)
        first.setdefault(key, value)
    return ()
