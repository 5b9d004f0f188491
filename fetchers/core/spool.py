"""What is too much for memory, in temporary files: bodies as they come, and rows until they are published.

The files have no name, so nothing of them stays, whatever ends the process. They are read in pieces and never mapped:
a mapped page counts as memory.
"""

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, islice
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import msgspec

from fetchers.core.errors import StorageError
from fetchers.core.store import disk

IN_MEMORY = 4096  # items of a pile, before it goes into a file
BLOCK = 256  # items that are written and read together

T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode


class Spools:
    """Where a job's temporary files are, and how many bytes they hold. Any thread."""

    def __init__(self, folder: Path | None = None) -> None:
        """folder: made where it is missing; None: the system's own, which may be memory."""
        self._folder = folder or Path(tempfile.gettempdir())
        self._lock = threading.Lock()
        self.size = 0

    def open(self) -> "Spool":
        """A new file. Raises StorageError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
                return Spool(os.dup(file.fileno()), self)
        except OSError as error:
            raise self.trouble(error) from error

    def pile(self, kind: Any, items: Iterable[Any] = ()) -> "Pile[Any]":
        """A new pile with these items. kind: their type, which msgspec must be able to encode."""
        pile: Pile[Any] = Pile(kind, self)
        pile.extend(items)
        return pile

    def trouble(self, error: OSError) -> StorageError:
        """What the disk said, in a sentence."""
        reason = disk.by_errno(error.errno) or "io"
        sentence = "a temporary file cannot be written or read"
        params: dict[str, object] = {"reason": reason}
        if reason == "disk_full":
            params |= {"folder": str(self._folder), "free": disk.free_megabytes(self._folder)}
            sentence = f"the disk is full: {params['free']} MB are free in {self._folder}"
        return StorageError(f"Storing failed: {sentence}.", **params)

    def grow(self, size: int) -> None:
        """So many bytes more, or less."""
        with self._lock:
            self.size += size


class Spool:
    """One file: appended to by one thread at a time, read by any."""

    def __init__(self, descriptor: int, spools: Spools) -> None:
        self._descriptor = descriptor
        self._spools = spools
        self.size = 0

    def append(self, data: bytes) -> None:
        """Write at the end. Raises StorageError, for one where the disk is full."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.pwrite(self._descriptor, rest, self.size + len(data) - len(rest)) :]
        except OSError as error:
            raise self._spools.trouble(error) from error
        self.size += len(data)
        self._spools.grow(len(data))

    def cut(self, size: int) -> None:
        """Forget what stands behind this place. Raises StorageError."""
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise self._spools.trouble(error) from error
        self._spools.grow(size - self.size)
        self.size = size

    def read(self, start: int, size: int) -> bytes:
        """So many bytes from there on; fewer only at the end. Raises StorageError."""
        try:
            return os.pread(self._descriptor, size, start)
        except OSError as error:
            raise self._spools.trouble(error) from error

    def __del__(self) -> None:
        os.close(self._descriptor)
        self._spools.grow(-self.size)


class Pile(Sequence[T], Generic[T]):
    """A list that goes into a file when it grows. Items are appended; they are read in order, or by place."""

    def __init__(self, kind: Any, spools: Spools) -> None:
        self._spools = spools
        self._decode = msgspec.msgpack.Decoder(list[kind]).decode
        self._spool: Spool | None = None
        self._blocks: list[tuple[int, int]] = []  # place and size of each in the file
        self._fresh: list[T] = []  # not in the file yet
        self._read: tuple[int, list[T]] = (-1, [])  # the block that was read last, by its number

    def append(self, item: T) -> None:
        """Put one item behind the others. Raises StorageError."""
        self._fresh.append(item)
        if len(self._fresh) >= IN_MEMORY:
            self._spool = self._spool or self._spools.open()
            for at in range(0, len(self._fresh), BLOCK):
                data = _encode(self._fresh[at : at + BLOCK])
                self._blocks.append((self._spool.size, len(data)))
                self._spool.append(data)
            self._fresh = []

    def extend(self, items: Iterable[T]) -> None:
        """Put more items behind the others."""
        for item in items:
            self.append(item)

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK + len(self._fresh)

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> list[T]: ...

    def __getitem__(self, place: int | slice) -> T | list[T]:
        if isinstance(place, slice):
            return list(islice(self, *place.indices(len(self))))
        place = range(len(self))[place]
        number, at = divmod(place, BLOCK)
        if number >= len(self._blocks):
            return self._fresh[place - len(self._blocks) * BLOCK]
        if self._read[0] != number:
            self._read = (number, self._block(number))
        return self._read[1][at]

    def __iter__(self) -> Iterator[T]:
        for number in range(len(self._blocks)):
            yield from self._block(number)
        yield from self._fresh

    def only(self, wanted: bytearray) -> "Chosen[T]":
        """Those items for which `wanted` has a 1."""
        return Chosen(self, wanted)

    def _block(self, number: int) -> list[T]:
        assert self._spool is not None
        return self._decode(self._spool.read(*self._blocks[number]))


class Chosen(Sequence[T], Generic[T]):
    """Some items of a pile, in its order."""

    def __init__(self, pile: Pile[T], wanted: bytearray) -> None:
        self._pile = pile
        self._wanted = wanted

    def __len__(self) -> int:
        return self._wanted.count(1)

    def __iter__(self) -> Iterator[T]:
        return compress(self._pile, self._wanted)

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> list[T]: ...

    def __getitem__(self, place: int | slice) -> T | list[T]:
        if isinstance(place, slice):
            return list(islice(self, *place.indices(len(self))))
        return next(islice(self, range(len(self))[place], None))


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of so many."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
