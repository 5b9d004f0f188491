"""What a run is about: its parts, and those of them that it, or a run that it resumes, has completed already."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from fetchers.core.errors import FetchError
from fetchers.core.fetcher import Fetcher, Partition, Stream
from fetchers.core.load.compare import part_name
from fetchers.core.load.fetching import Part, broken
from fetchers.core.load.publish import begin_immediate
from fetchers.core.spec import Spec
from fetchers.core.store import ledger, sql
from fetchers.core.store.ledger import Counts

Done = dict[str, tuple[str, Counts]]  # label of a part -> the run that completed it, and its counts


class NothingPlanned(FetchError):
    """The plan has no part: a sync that asks for nothing is no success."""

    code = "E_PLAN"


def parts(fetcher: Fetcher, spec: Spec) -> list[Part]:
    """Every part, once, that the run is about. Raises NothingPlanned, FetcherBroken."""
    streams = fetcher.streams()
    found: dict[str, Part] = {}
    for stream in streams:
        for partition in _partitions(fetcher, spec.source, stream):
            name = part_name(partition)
            label = name if len(streams) == 1 else f"{stream.name}/{name}"
            if _wanted(partition, spec.partitions):
                found.setdefault(label, Part(stream, partition, label))
    if not found:
        raise NothingPlanned("There is no part to fetch.", source=spec.source)
    return list(found.values())


def _partitions(fetcher: Fetcher, source: str, stream: Stream) -> list[Partition]:
    try:
        return list(fetcher.plan(stream))
    except FetchError:
        raise
    except Exception as error:
        raise broken(error, source) from error


def _wanted(partition: Partition, wishes: Sequence[Partition] | None) -> bool:
    return wishes is None or any(
        all(partition.get(name) == value for name, value in wish.items()) for wish in wishes
    )


def open_books(
    db: sql.Destination,
    spec: Spec,
    parts: Sequence[Part],
    *,
    address: str,
    waiting: Callable[[], AbstractContextManager[None]],
) -> Done:
    """Open the run in the ledger; the parts that are done already.

    Work of another run counts only if that run had the same plan, at the same address. A run's own work counts even
    where its plan has changed between two attempts, as it does when a term begins: the books have one entry per run
    and part.
    """
    listed = json.dumps([part.label for part in parts] + [address])
    plan = hashlib.blake2b(listed.encode(), digest_size=16).hexdigest()
    if spec.dry_run:
        return {}
    if ledger.plan_of(db, spec.run) is None:
        with begin_immediate(db, waiting):
            ledger.check_fence(db, spec.epoch)
            ledger.enter(db, run=spec.run, epoch=spec.epoch, kind="opening", outcome=plan)
    same = [run for run in spec.resume if ledger.plan_of(db, run) == plan]
    found = ledger.parts_of(db, [spec.run, *same])
    return {
        part.label: found[entry]
        for part in parts
        if (entry := (part.stream.name, part_name(part.partition))) in found
    }
