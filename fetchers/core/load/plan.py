"""What a run is about: its parts, those that are not due, and those that it, or a run that it resumes, has completed.

An incremental run asks for every open part, and for a closed one once in so many days as its fetcher says, each group
of closed parts on a day of its own. A full run, and a run of chosen parts, ask for whatever they are about.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from fetchers.core.clean import rules_version
from fetchers.core.errors import FetchError
from fetchers.core.fetcher import Fetcher, Partition, Stream
from fetchers.core.load.compare import part_name
from fetchers.core.load.fetching import Part, broken
from fetchers.core.load.publish import begin_immediate
from fetchers.core.spec import Spec
from fetchers.core.store import ledger, sql
from fetchers.core.store.checked import Checked
from fetchers.core.store.ledger import Counts

Done = dict[str, tuple[str, Counts]]  # label of a part -> the run that completed it, and its counts


class NothingPlanned(FetchError):
    """The plan has no part: a sync that asks for nothing is no success."""

    code = "E_PLAN"


@dataclass(frozen=True)
class Plan:
    """What a run is about, in order. done: of these, what need not be asked for any more. not_due: left out."""

    parts: list[Part]
    done: Done
    not_due: list[Part]

    @property
    def missing(self) -> list[Part]:
        """The parts to ask for."""
        return [part for part in self.parts if part.label not in self.done]

    def names(self, stream: Stream) -> set[str]:
        """The parts of one stream, as books and guard know them: what the run asks for, and what it has done."""
        return {part_name(part.partition) for part in self.parts if part.stream.name == stream.name}


def make(
    db: sql.Destination,
    fetcher: Fetcher,
    spec: Spec,
    checked: Mapping[str, Checked],
    *,
    waiting: Callable[[], AbstractContextManager[None]],
) -> Plan:
    """Plan a run, and open it in the ledger. Raises NothingPlanned, FetcherBroken, Fenced.

    1. Every part that the run could be about, in the fetcher's order.
    2. What it, or a run that it resumes, has done of them. Another run's work counts only if that run could have been
       about the same parts at the same address: which of them were due does not matter, since fewer are due after
       each that was done. A run's own work counts whatever has changed between two attempts, as when a term begins:
       the books have one entry per run and part.
    3. Of the rest, those that are due at the moment for which the first attempt planned, so that a run that waits
       over midnight for its next attempt stays the same run.
    """
    parts = all_parts(fetcher, spec)
    opened, done = _open_books(db, spec, parts, address_of(fetcher), waiting)
    due = _due(fetcher, spec, parts, checked, opened)
    return Plan(
        [part for part in parts if part.label in due or part.label in done],
        done,
        [part for part in parts if part.label not in due and part.label not in done],
    )


def address_of(fetcher: Fetcher) -> str:
    """The gateway that a fetcher asks, if its settings name one: another one's answers say nothing about this one."""
    return str(getattr(fetcher.settings, "base_url", ""))


def basis(fetcher: Fetcher, stream: Stream) -> str:
    """By what an answer can be relied on for days: the same gateway, read by the same rules."""
    words = json.dumps([address_of(fetcher), rules_version(stream.fields)])
    return hashlib.blake2b(words.encode(), digest_size=16).hexdigest()


def all_parts(fetcher: Fetcher, spec: Spec) -> list[Part]:
    """Every part, once, that the run could be about. Raises NothingPlanned, FetcherBroken."""
    streams = fetcher.streams()
    wishes = None if spec.partitions is None else _by_their_names(spec.partitions)
    found: dict[str, Part] = {}
    for stream in streams:
        with _asking_the_fetcher(spec.source):
            planned = list(fetcher.plan(stream))
        for partition in planned:
            name = part_name(partition)
            label = name if len(streams) == 1 else f"{stream.name}/{name}"
            if wishes is None or _wanted(partition, wishes):
                found.setdefault(label, Part(stream, partition, label))
    if not found:
        raise NothingPlanned("There is no part to fetch.", source=spec.source)
    return list(found.values())


@contextmanager
def _asking_the_fetcher(source: str) -> Iterator[None]:
    try:
        yield
    except FetchError:
        raise
    except Exception as error:
        raise broken(error, source) from error


def _by_their_names(wishes: Sequence[Partition]) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """Wishes by what they name, so that a thousand of them are not gone through for each of a thousand parts."""
    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for wish in wishes:
        names = tuple(sorted(wish))
        found.setdefault(names, set()).add(tuple(wish[name] for name in names))
    return found


def _wanted(partition: Partition, wishes: Mapping[tuple[str, ...], set[tuple[str, ...]]]) -> bool:
    return any(
        all(name in partition for name in names) and tuple(partition[name] for name in names) in values
        for names, values in wishes.items()
    )


def _open_books(
    db: sql.Destination,
    spec: Spec,
    parts: Sequence[Part],
    address: str,
    waiting: Callable[[], AbstractContextManager[None]],
) -> tuple[datetime, Done]:
    """The moment for which the run plans, and the parts that are done already.

    A dry run opens no book, and resumes what a real one would.
    """
    listed = json.dumps([part.label for part in parts] + [address])
    digest = hashlib.blake2b(listed.encode(), digest_size=16).hexdigest()
    if not spec.dry_run and ledger.plan_of(db, spec.run) is None:
        with begin_immediate(db, waiting):
            ledger.check_fence(db, spec.epoch)
            ledger.enter(
                db,
                run=spec.run,
                epoch=spec.epoch,
                kind="opening",
                outcome=digest,
                details={"planned_at": spec.now.astimezone(UTC).isoformat(timespec="seconds")},
            )
    same = [run for run in spec.resume if ledger.plan_of(db, run) == digest]
    found = ledger.parts_of(db, [spec.run, *same])
    done = {
        part.label: found[entry]
        for part in parts
        if (entry := (part.stream.name, part_name(part.partition))) in found
    }
    return ledger.planned_at(db, spec.run) or spec.now, done


# -- which parts are due ------------------------------------------------------------------------------------


def _due(
    fetcher: Fetcher, spec: Spec, parts: Sequence[Part], checked: Mapping[str, Checked], moment: datetime
) -> set[str]:
    """The labels of the parts that are due."""
    if spec.mode == "full" or spec.partitions is not None:
        return {part.label for part in parts}
    known = {name: one.known() for name, one in checked.items()}
    places = _places(parts)
    found = set()
    for part in parts:
        with _asking_the_fetcher(spec.source):
            every_days = fetcher.every_days(part.stream, part.partition)
        last = known[part.stream.name].get(part_name(part.partition))
        if is_due(last, moment, every_days, places[part.stream.name, _group(part)]):
            found.add(part.label)
    return found


def is_due(last: datetime | None, moment: datetime, every_days: int, place: int) -> bool:
    """Whether a part must be asked for at this moment; days are those of UTC.

    last: when its last complete answer came; None if one is owed. every_days: 0 for an open part. place: of its group
    among the groups, which gives it its day: after a first load everything is equally old, and must not come due in
    one night. So a part may come earlier than in `every_days`, and never later.
    """
    if (
        every_days <= 0 or last is None or last > moment
    ):  # a moment in the future was written by a wrong clock
        return True
    then, today = (one.astimezone(UTC).date().toordinal() for one in (last, moment))
    return today - then >= every_days or (today - place) // every_days > (then - place) // every_days


def _group(part: Part) -> str:
    """Parts that come due together: those between which a person can move, else the guard would see only the loss."""
    newest = part.stream.latest.newest if part.stream.latest else ""
    return part.partition.get(part.stream.partition_columns.get(newest, "")) or part_name(part.partition)


def _places(parts: Sequence[Part]) -> dict[tuple[str, str], int]:
    """(stream, group) → its place in order: a new term comes last and moves no other, and no day gets two of a kind."""
    groups: dict[str, set[str]] = {}
    for part in parts:
        groups.setdefault(part.stream.name, set()).add(_group(part))
    return {
        (stream, group): place
        for stream, those in groups.items()
        for place, group in enumerate(sorted(those))
    }
