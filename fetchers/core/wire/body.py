"""Receiving a body: small ones into memory, what would be too much there into a file.

A part may have so many bytes in memory, all its pages together; whatever comes when these are used up goes into the
part's file, a megabyte at a time. So memory is the same whatever a gateway sends, and four parts may wait as ever.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import urllib3

from fetchers.core import errors
from fetchers.core.spool import Spool, Spools

MAX_BODY = 512 * 1024 * 1024  # decoded bytes
PART_IN_MEMORY = 8 * 1024 * 1024  # bytes of one part's bodies: some 10,000 records
WHOLE_IN_MEMORY = 32 * 1024 * 1024  # of one body that cannot be read in pieces
BOMB_FROM, BOMB_RATIO = 8 * 1024 * 1024, 300  # JSON of people packs to a tenth, seldom to a fiftieth
CHUNK = 1 << 20
UNPACKED_STEP = 1024 * 1024


@dataclass(frozen=True)
class Spooled:
    """A body that is in a file: from `start` on, so many bytes."""

    spool: Spool
    start: int
    size: int

    def read(self, start: int, size: int) -> bytes:
        """Bytes from this place of the body on; fewer only at its end. Raises StorageError."""
        return self.spool.read(self.start + start, min(size, self.size - start))

    @property
    def may_be_whole(self) -> bool:
        """Whether it is small enough to be in memory whole, where it cannot be read in pieces."""
        return self.size <= WHOLE_IN_MEMORY

    def whole(self) -> bytes:
        """All of it. Raises TooLarge or StorageError."""
        if not self.may_be_whole:
            megabytes = WHOLE_IN_MEMORY >> 20
            raise errors.TooLarge(
                f"The answer is larger than {megabytes} MB, and cannot be read in pieces.",
                megabytes=megabytes,
            )
        return self.read(0, self.size)


class Room:
    """The memory of one part's bodies, and the file for what does not fit. One thread."""

    def __init__(self, spools: Spools) -> None:
        self._spools = spools
        self._free = PART_IN_MEMORY
        self._spool: Spool | None = None

    def renew(self) -> None:
        """The part is read anew: what came before is given up."""
        self._free = PART_IN_MEMORY
        self._spool = None

    def receive(self, response: urllib3.BaseHTTPResponse) -> bytes | Spooled:
        """The decoded body, or an error: over the cap, packed like a bomb, damaged, or shorter than announced."""
        pieces: list[bytes] = []
        size = start = 0
        spooling = False
        try:
            for piece in _plain(response):
                size += len(piece)
                if not spooling and size > self._free:
                    self._spool = self._spool or self._spools.open()
                    start, spooling = self._spool.size, True
                    for earlier in pieces:
                        self._spool.append(earlier)
                    pieces.clear()
                if spooling:
                    assert self._spool is not None
                    self._spool.append(piece)
                else:
                    pieces.append(piece)
        except BaseException:
            if spooling and self._spool is not None:
                self._spool.cut(start)
            raise
        if spooling:
            assert self._spool is not None
            return Spooled(self._spool, start, size)
        self._free -= size
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _plain(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """The body's bytes as they are unpacked."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise errors.NotJson(
            f"The gateway packs its answers in an unknown way ({encoding[:20]!r}).", reason="encoding"
        )
    unpacker = _Unpacker() if encoding not in ("", "identity") else None
    size = came = 0
    while piece := response.read(CHUNK):
        came += len(piece)
        for plain in (piece,) if unpacker is None else unpacker.pieces(piece):
            size += len(plain)
            if max(size, came) > MAX_BODY or (size > BOMB_FROM and size > BOMB_RATIO * came):
                megabytes = MAX_BODY >> 20
                raise errors.TooLarge(f"The answer is larger than {megabytes} MB.", megabytes=megabytes)
            yield plain
    if unpacker is not None and came and not unpacker.complete:
        raise errors.Truncated("The compressed answer ends too early.", reason="gzip")


class _Unpacker:
    """Unpacks gzip, also in several members, and zlib's deflate, a megabyte at a time."""

    def __init__(self) -> None:
        self._one = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)

    @property
    def complete(self) -> bool:
        """Whether the last member has ended."""
        return self._one.eof

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        """What these bytes unpack to."""
        while True:
            if self._one.eof:
                if not packed:
                    return
                self._one = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
            try:
                plain = self._one.decompress(packed, UNPACKED_STEP)
            except zlib.error as error:
                raise errors.Truncated("The compressed answer is damaged.", reason="gzip") from error
            packed = self._one.unconsumed_tail or self._one.unused_data
            if plain:
                yield plain
            if not packed and len(plain) < UNPACKED_STEP:
                return
