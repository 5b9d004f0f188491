"""Where parts wait that would remove rows, until the whole source is in and its losses can be judged.

A file of its own per run, so that what waits survives the process and weighs on nobody's memory.
"""

from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec

from fetchers.core import sql
from fetchers.core.compare import Delta, Note
from fetchers.core.fetcher import Stream
from fetchers.core.index import Index
from fetchers.core.ledger import Counts


class Staging:
    """The waiting parts of one run."""

    def __init__(self, folder: Path, source: str, run: str) -> None:
        self._folder = folder
        self._source = source
        self.path = folder / f"{source}-{run}.db"
        self._db: apsw.Connection | None = None

    def put(self, delta: Delta) -> None:
        """Keep a part until it is published or refused. Raises StorageError."""
        try:
            self._open().execute(
                "INSERT OR REPLACE INTO staged (stream, part, base, delta) VALUES (?, ?, ?, ?)",
                (delta.stream.name, delta.part, delta.base, msgspec.msgpack.encode(_pack(delta))),
            )
        except apsw.Error as error:
            raise sql.storage_error(error) from error

    def take(self, stream: Stream) -> Iterator[Delta]:
        """The waiting parts of a stream, in the order in which they came."""
        if self._db is None:
            return
        for (blob,) in self._db.execute(
            "SELECT delta FROM staged WHERE stream = ? ORDER BY rowid", (stream.name,)
        ):
            yield _unpack(stream, msgspec.msgpack.decode(blob, type=_Packed))

    def discard(self) -> None:
        """The run is over and nothing of it waits any more."""
        self._close()
        for path in self._folder.glob(f"{self.path.name}*"):
            path.unlink(missing_ok=True)

    def discard_older(self) -> None:
        """A new run supersedes what earlier runs of this source left waiting."""
        for path in self._folder.glob(f"{self._source}-*.db*"):
            if not path.name.startswith(self.path.name):
                path.unlink(missing_ok=True)

    def _open(self) -> apsw.Connection:
        if self._db is None:
            self._db = sql.connect(f"sqlite:///{self.path}")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS staged"
                " (stream TEXT, part TEXT, base BLOB, delta BLOB, PRIMARY KEY (stream, part))"
            )
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


class _Packed(msgspec.Struct, array_like=True):
    partition: dict[str, str]
    part: str
    counts: tuple[int, ...]
    digest: bytes
    base: bytes | None
    index: Index
    added: list[tuple[str | int | None, ...]]
    changed: list[tuple[tuple[str | int | None, ...], tuple[str | int | None, ...]]]
    gone: list[str | int | list[str | int]]
    notes: list[Note]
    old_hashes: list[bytes]
    rows_before: int
    all_parsed: bool


def _pack(delta: Delta) -> _Packed:
    assert delta.index is not None  # a part that removes rows is never "the same"
    return _Packed(
        delta.partition, delta.part, delta.counts.row(), delta.digest, delta.base, delta.index, delta.added,
        delta.changed, delta.gone, delta.notes, delta.old_hashes, delta.rows_before, delta.all_parsed,
    )  # fmt: skip


def _unpack(stream: Stream, packed: _Packed) -> Delta:
    return Delta(
        stream, packed.partition, packed.part, Counts(*packed.counts), packed.digest, packed.base, False,
        packed.index, packed.added, packed.changed, packed.gone, packed.notes, packed.old_hashes,
        packed.all_parsed, packed.rows_before,
    )  # fmt: skip
