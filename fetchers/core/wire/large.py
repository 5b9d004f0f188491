"""The same as envelope.py for a body that is in a file: its list of records is split in chunks, never held whole.

    {"isSuccess":true,"data":[ {…},{…},   {…},{…},   … {…} ],"totalCount":310000}
     └──── the beginning ────┘ └─ chunk ┘ └─ chunk ┘       └──── the end ─────┘

A chunk ends where a record ends, and that is never guessed: a string may hold any bytes. `[` + chunk + `]` must be a
list by itself. A decoder reads from left to right, so if it is one, the decoder stood in the list, and in nothing
inside it, where the chunk ends; and then the comma behind it divides two records. The beginning and the end are read
as ever, with a stand-in for the list.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import accumulate
from typing import NamedTuple, overload

import msgspec

from fetchers.core import errors
from fetchers.core.records import HASH_BYTES, Known, Records, RunningMark, hash_records
from fetchers.core.wire import envelope
from fetchers.core.wire.body import Spooled
from fetchers.core.wire.paging import MAX_PART_ROWS

CHUNK = 512 * 1024
BEGINNING = 64 * 1024  # in which the list must begin
MAX_END = 1024 * 1024  # that may stand behind the list
MAX_RECORD = 16 * 1024 * 1024
TRIES = 8

_array = msgspec.json.Decoder(list[msgspec.Raw])
_data_begins = re.compile(rb'"data"\s*:\s*(?=\[)', re.IGNORECASE).search
_one_value = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str).raw_decode
_blank = re.compile(r"[ \t\n\r]*").match


class _Chunk(NamedTuple):
    """Some records of the list: where they stand in the body, without the sign behind them, and how many they are."""

    start: int
    size: int
    rows: int


class LargeRecords(Records):
    """The records of a list that is in a file. Splitting costs no more memory than a chunk, and is done once."""

    spooled = True

    def __init__(self, body: Spooled, start: int, known: Known | None = None) -> None:
        """start: where the list begins. known: what it is, if these very bytes were split before.

        Raises NotJson or Truncated where it is no list, TooLarge where a record, or their number, is beyond reason.
        """
        self._body = body
        self.start = start  # of the list in the body
        self._chunks: list[_Chunk] | None = None
        self._firsts: list[int] = []  # the place of each chunk's first record
        self._marks = b""
        self._at: tuple[int, list[msgspec.Raw]] = (-1, [])  # the chunk that was read last, by its number
        self.damage = (0, 0)
        if known is not None:
            self.known = known
        else:
            self._find_chunks()

    @overload
    def __getitem__(self, place: int) -> msgspec.Raw: ...

    @overload
    def __getitem__(self, place: slice) -> list[msgspec.Raw]: ...

    def __getitem__(self, place: int | slice) -> msgspec.Raw | list[msgspec.Raw]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        chunks = self._looked_into()
        place = range(len(self))[place]
        number, records = self._at
        if number < 0 or not 0 <= place - self._firsts[number] < len(records):
            number = bisect_right(self._firsts, place) - 1
            self._at = number, records = number, self._records(chunks[number])
        # A copy, for the record itself would keep its whole chunk in memory.
        return records[place - self._firsts[number]].copy()

    def __iter__(self) -> Iterator[msgspec.Raw]:
        for chunk in self._looked_into():
            yield from self._records(chunk)

    def split(self) -> list[msgspec.Raw]:
        """The records, each the bytes that it was: all of them in memory."""
        return list(self)

    def hashes(self) -> list[bytes]:
        """The hash of each record."""
        self._looked_into()
        marks = self._marks
        return [marks[at : at + HASH_BYTES] for at in range(0, len(marks), HASH_BYTES)]

    @property
    def end(self) -> int:
        """Where the list ends in the body."""
        return self.start + self.known.size

    def _looked_into(self) -> list[_Chunk]:
        if self._chunks is None:
            self._find_chunks()
        assert self._chunks is not None
        return self._chunks

    def _records(self, chunk: _Chunk) -> list[msgspec.Raw]:
        return _decoded(self._body.read(chunk.start, chunk.size))[0]

    def _find_chunks(self) -> None:
        """Split the list once, and remember where its chunks are, and the hash of each record."""
        chunks: list[_Chunk] = []
        marks = []
        mark = RunningMark()
        rows = replaced = mojibake = 0
        for text, lead, records in _chunks(self._body, self.start):
            rows += len(records)
            if rows > MAX_PART_ROWS:
                raise errors.TooLarge(
                    f"The part has more than {MAX_PART_ROWS} records.", records=MAX_PART_ROWS
                )
            if records:
                chunks.append(_Chunk(self.start + mark.size + lead, len(text) - lead - 1, len(records)))
                marks.append(b"".join(hash_records(records)))
            some = envelope.damage(text)
            replaced, mojibake = replaced + some[0], mojibake + some[1]
            mark.update(text)
        self._chunks = chunks
        self._firsts = [0, *accumulate(chunk.rows for chunk in chunks)][:-1]
        self._marks = b"".join(marks)
        self.damage = replaced, mojibake
        self.known = Known(mark.digest(), rows, mark.size)


def read(
    body: Spooled, headers: Mapping[str, str], known: Known | None
) -> tuple[dict[str, msgspec.Raw], Records | None]:
    """The answer's top-level object, as `envelope.read` gives it, and its records.

    known: the list as it was the last time. In place of the list, `data` holds a stand-in; where None is given for
    the records, they are still in `data`: an answer that cannot be read in chunks is read whole, up to 32 MB.
    Raises as `envelope.read` does, and TooLarge.
    """
    try:
        found = _read_in_chunks(body, headers, known)
    except (errors.NotJson, errors.Truncated, errors.Envelope):
        if not body.may_be_whole:
            raise
        found = None  # what looked like the list may have been something else
    if found is not None:
        return found
    if not body.may_be_whole:
        with suppress(
            errors.Truncated
        ):  # of course: it is cut here. Whatever else it says of the beginning is true
            envelope.read(body.read(0, BEGINNING), headers)
    return envelope.read(body.whole(), headers), None


def _read_in_chunks(
    body: Spooled, headers: Mapping[str, str], known: Known | None
) -> tuple[dict[str, msgspec.Raw], Records] | None:
    beginning = body.read(0, BEGINNING)
    begins = _data_begins(beginning)
    if begins is None or not beginning.endswith(envelope.decoded(beginning, headers)):  # of another encoding
        return None
    start = begins.end()
    if known is not None and _is_there(body, start, known):
        records = LargeRecords(body, start, known)
        if (found := _around(body, headers, records)) is not None:
            return found, records
    records = LargeRecords(body, start)
    if max(records.damage) > envelope.tolerable_damage(body.size):
        raise errors.NotJson("The answer's text was damaged on its way (wrong encoding).", reason="charset")
    found = _around(body, headers, records)
    return None if found is None else (found, records)


def _around(
    body: Spooled, headers: Mapping[str, str], records: LargeRecords
) -> dict[str, msgspec.Raw] | None:
    """What stands around the list; None where it is not the answer's own `data`, or too much stands behind it."""
    if body.size - records.end > MAX_END:
        return None
    stand_in = b'["%s"]' % records.known.mark.hex().encode()
    around = body.read(0, records.start) + stand_in + body.read(records.end, MAX_END)
    found = envelope.read(around, headers)
    return found if bytes(found.get("data", b"")) == stand_in else None


def _is_there(body: Spooled, start: int, known: Known) -> bool:
    """Whether the list that begins there is, byte for byte, the one that is known."""
    end = start + known.size
    if end > body.size or body.read(end - 1, 1) != b"]":
        return False
    mark = RunningMark()
    for at in range(start, end, CHUNK):
        mark.update(body.read(at, min(CHUNK, end - at)))
    return mark.digest() == known.mark


def _chunks(body: Spooled, start: int) -> Iterator[tuple[bytes, int, list[msgspec.Raw]]]:
    """The list in pieces: text with the sign behind it, how much of it opens the list, and its records."""
    lead = 1
    text = body.read(start, CHUNK)
    while True:
        found = _whole_records(text, lead)
        if found is None:
            more = body.read(start + len(text), max(CHUNK, len(text)))
            if not more or len(text) >= MAX_RECORD:
                raise _broken(text[lead:], ended=not more)
            text += more
            continue
        chunk, records, last = found
        yield chunk, lead, records
        if last:
            return
        start, lead, text = start + len(chunk), 0, text[len(chunk) :]
        if len(text) < CHUNK:
            text += body.read(start + len(text), CHUNK)


def _whole_records(text: bytes, lead: int) -> tuple[bytes, list[msgspec.Raw], bool] | None:
    """As many records as end in this text, with the sign behind them, and whether that closes the list.

    None: not one ends here. A few likely ends are tried before each value is looked at.
    """
    place = len(text)
    for _ in range(TRIES):
        place = text.rfind(b"},", lead, place)
        if place < 0:
            break
        try:
            records, plain = _decoded(text[lead : place + 1])
        except msgspec.DecodeError:
            continue  # inside a record, or behind the list
        return text[:lead] + plain + b",", records, False
    end, last = _last_end(text, lead)
    if end is None:
        return None
    try:
        records, plain = _decoded(text[lead:end])
    except msgspec.DecodeError as error:
        raise errors.NotJson("The list of records is broken.", reason="json") from error
    if not records and not lead:  # a comma, and nothing behind it
        raise errors.NotJson("The list of records is broken.", reason="json")
    return text[:lead] + plain + text[end : end + 1], records, last


def _decoded(text: bytes) -> tuple[list[msgspec.Raw], bytes]:
    """Records with commas between them, and their text, mended if need be. Raises msgspec.DecodeError, NotJson."""
    try:
        try:
            return _array.decode(b"[%b]" % text), text
        except msgspec.DecodeError:
            mended = envelope.mended(text)
            if mended == text:
                raise
            return _array.decode(b"[%b]" % mended), mended
    except RecursionError as error:
        raise errors.NotJson("The answer is nested too deep.", reason="json") from error


def _last_end(text: bytes, lead: int) -> tuple[int | None, bool]:
    """Where the last record ends that ends in this text, value by value, and whether the list ends there.

    One byte is one sign here: what a string holds is not looked at.
    """
    signs = text.decode("latin-1")
    end: int | None = None
    at = _after_blank(signs, lead)
    if lead and signs[at : at + 1] == "]":
        return at, True
    while True:
        try:
            _, at = _one_value(signs, at)
        except ValueError:  # it is broken, or does not end here
            return end, False
        except RecursionError as error:
            raise errors.NotJson("The answer is nested too deep.", reason="json") from error
        at = _after_blank(signs, at)
        sign = signs[at : at + 1]
        if sign == "]":
            return at, True
        if sign != ",":
            return end, False
        end, at = at, _after_blank(signs, at + 1)


def _after_blank(signs: str, at: int) -> int:
    found = _blank(signs, at)
    assert found is not None  # it matches nothing, too
    return found.end()


def _broken(text: bytes, *, ended: bool) -> errors.FetchError:
    """Why no record ends in this text, though it is the last one, or as long as any may be."""
    unfinished = False
    try:
        _array.decode(b"[" + text)
    except msgspec.DecodeError as error:
        unfinished = "truncated" in str(error)
    except RecursionError:
        return errors.NotJson("The answer is nested too deep.", reason="json")
    if not unfinished:  # also where a comma stands before the bracket
        return errors.NotJson("The list of records is broken.", reason="json")
    if ended:
        return errors.Truncated("The answer ends in the middle.", reason="json")
    megabytes = MAX_RECORD >> 20
    return errors.TooLarge(f"One record is larger than {megabytes} MB.", megabytes=megabytes)
