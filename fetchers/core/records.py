"""Raw records as they came, and what is remembered of the pages that they came in.

Records and pages are told apart by XXH3 of 128 bits, which costs a seventh of a cryptographic hash. It need not
withstand an attacker: whoever could craft two that agree would have to write both records, and would hide a change of
their own. Two that agree by chance are not to be expected.

A page whose list of records is byte for byte what it was the last time is neither split nor hashed record by record:
its digest says how many rows it has and what became of them (DESIGN.md 4.3). The digest is of the list alone, never of
what stands around it: a `traceId` differs each time.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import NamedTuple, overload

import msgspec
from xxhash import xxh3_128, xxh3_128_digest

HASH_BYTES = 16

_array = msgspec.json.Decoder(list[msgspec.Raw])


class Known(NamedTuple):
    """A page as it was when its part was last read: digest of its list of records, their number, its bytes."""

    mark: bytes
    rows: int
    size: int


def mark_of(data: bytes | memoryview) -> bytes:
    """The digest of a list of records as it came."""
    return xxh3_128_digest(data)


class RunningMark:
    """The same of a list that comes in pieces."""

    def __init__(self) -> None:
        self._hash = xxh3_128()
        self.size = 0

    def update(self, piece: bytes) -> None:
        """The next bytes."""
        self._hash.update(piece)
        self.size += len(piece)

    def digest(self) -> bytes:
        """Of what came so far."""
        return self._hash.digest()


def hash_records(records: Iterable[msgspec.Raw]) -> list[bytes]:
    """The hash of each raw record."""
    return list(map(xxh3_128_digest, records))


class Records(Sequence[msgspec.Raw]):
    """The records of one page: split when it is made, or, where they are known, when somebody looks at one.

    spooled: they are in a file (core/wire/large.py).
    """

    spooled = False

    def __init__(self, data: bytes | memoryview, known: Known | None = None) -> None:
        """data: a JSON list. known: what it is, if these very bytes were split before.

        Raises msgspec.DecodeError or RecursionError where it is no list.
        """
        self.data = data
        self._split = None if known is not None else _array.decode(data)
        self._hashes: list[bytes] | None = None
        self.known = known or Known(mark_of(data), len(self._split or ()), len(data))

    def __len__(self) -> int:
        return self.known.rows

    @overload
    def __getitem__(self, place: int) -> msgspec.Raw: ...

    @overload
    def __getitem__(self, place: slice) -> list[msgspec.Raw]: ...

    def __getitem__(self, place: int | slice) -> msgspec.Raw | list[msgspec.Raw]:
        return self.split()[place]

    def __iter__(self) -> Iterator[msgspec.Raw]:
        return iter(self.split())

    def split(self) -> list[msgspec.Raw]:
        """The records, each the bytes that it was."""
        if self._split is None:
            self._split = _array.decode(self.data)
        return self._split

    def hashes(self) -> list[bytes]:
        """The hash of each record, worked out once."""
        if self._hashes is None:
            self._hashes = hash_records(self.split())
        return self._hashes


class Whole(Sequence[msgspec.Raw]):
    """The records of a whole part, page after page.

    full: every page looks like as much as the gateway gives at once, and nothing says that there is no more.
    """

    def __init__(self, pages: Iterable[Sequence[msgspec.Raw]] = (), *, full: bool = False) -> None:
        self._pages: list[Sequence[msgspec.Raw]] = []
        self.full = full
        for page in pages:
            self._pages += page._pages if isinstance(page, Whole) else [page]
            self.full |= isinstance(page, Whole) and page.full
        self._all: list[msgspec.Raw] | None = None

    @property
    def pages(self) -> list[Known] | None:
        """What to remember of the pages; None where a fetcher made records of its own."""
        found = [page.known for page in self._pages if isinstance(page, Records)]
        return found if len(found) == len(self._pages) else None

    @property
    def spooled(self) -> bool:
        """Whether some are in a file: then they are too many to be in memory, and so are their rows."""
        return any(isinstance(page, Records) and page.spooled for page in self._pages)

    def __len__(self) -> int:
        return sum(map(len, self._pages))

    @overload
    def __getitem__(self, place: int) -> msgspec.Raw: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[msgspec.Raw]: ...

    def __getitem__(self, place: int | slice) -> msgspec.Raw | Sequence[msgspec.Raw]:
        return self.split()[place]

    def __iter__(self) -> Iterator[msgspec.Raw]:
        return iter(self.split())

    def split(self) -> Sequence[msgspec.Raw]:
        """All records in one list; where some are in a file, in one that reads them as it is asked."""
        if self.spooled:
            return _ByPlace(self._pages)
        if self._all is None:
            self._all = [record for page in self._pages for record in page]
        return self._all

    def hashes(self) -> list[bytes]:
        """The hash of each record."""
        return [
            mark
            for page in self._pages
            for mark in (page.hashes() if isinstance(page, Records) else hash_records(page))
        ]

    def clear(self) -> None:
        """Let go of them all."""
        self._pages, self._all = [], None


class _ByPlace(Sequence[msgspec.Raw]):
    """The records of several pages, by their place among all."""

    def __init__(self, pages: Iterable[Sequence[msgspec.Raw]]) -> None:
        self._pages = [page for page in pages if len(page)]
        ends = list(accumulate(map(len, self._pages)))
        self._length = ends[-1] if ends else 0
        self._firsts = [0, *ends][:-1]

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, place: int) -> msgspec.Raw: ...

    @overload
    def __getitem__(self, place: slice) -> list[msgspec.Raw]: ...

    def __getitem__(self, place: int | slice) -> msgspec.Raw | list[msgspec.Raw]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        number = bisect_right(self._firsts, place) - 1
        return self._pages[number][place - self._firsts[number]]

    def __iter__(self) -> Iterator[msgspec.Raw]:
        return chain.from_iterable(self._pages)
