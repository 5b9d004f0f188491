"""What a part's raw records were the last time: the hash, outcome and key of each, in one compact value.

With it, "nothing changed" is one comparison of digests, and "little changed" parses only what is new (DESIGN.md 4.3).
"""

import hashlib
from collections.abc import Sequence

import msgspec

from fetchers.core.records import HASH_BYTES, Known

KEPT, DUPLICATE, REJECTED = 0, 1, 2

Key = str | int | list[str | int]


class Index(msgspec.Struct, array_like=True):
    """One entry per raw record, in the order in which they came.

    hashes: 16 bytes each, joined. outcomes: one byte each. keys: the primary key within the part, None if rejected.
    version: of the rules by which the records were read; an index of other rules says nothing.
    """

    version: str
    hashes: bytes
    outcomes: bytes
    keys: list[Key | None]

    def entries(self) -> dict[bytes, tuple[int, Key | None]]:
        """Hash → (outcome, key). Records that are equal to the letter share an entry."""
        return dict(zip(self.marks(), zip(self.outcomes, self.keys, strict=True), strict=True))

    def marks(self) -> list[bytes]:
        """The hash of each record."""
        return [self.hashes[at : at + HASH_BYTES] for at in range(0, len(self.hashes), HASH_BYTES)]

    def count(self, outcome: int) -> int:
        """How many records had this outcome."""
        return self.outcomes.count(outcome)


class Pages(msgspec.Struct, array_like=True):
    """The pages in which a part came when it was last read, and what became of their records.

    digest: of the part as it was then (see below); beside a part of another digest they say nothing, whoever wrote
    that. version: of the rules, as in the index.
    """

    version: str
    digest: bytes
    pages: list[Known]
    kept: int
    duplicates: int
    rejected: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Index)
_pages_decoder = msgspec.msgpack.Decoder(Pages)


def encode(index: Index | Pages) -> bytes:
    """The index, or the pages, as they are stored."""
    return _encoder.encode(index)


def decode(blob: bytes) -> Index:
    """The index as it was stored."""
    return _decoder.decode(blob)


def decode_pages(blob: bytes) -> Pages:
    """The pages as they were stored."""
    return _pages_decoder.decode(blob)


def digest(version: str, hashes: Sequence[bytes]) -> bytes:
    """The digest of a whole part: of the rules' version and every record in order."""
    return hashlib.blake2b(version.encode() + b"".join(hashes), digest_size=HASH_BYTES).digest()
