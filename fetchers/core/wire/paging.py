"""Reading a part whole, page by page, believing rows and not totals (DOMAIN.md part 3, rows 18–21 and 30).

What a gateway says about pages may be wrong; what it sends is what there is. So a reading ends when a page is
empty (asked again to be sure), shorter than this gateway is known to give, or when the announced number of rows is
reached. A reading that looks torn is done again with another page size, which moves the seams: rows that are really
there twice are there twice again, rows that slipped over a seam are not.

Pages that are, byte for byte and in their order, those of the reading that was believed the last time are not looked
into again: what was true of them is true still. The first page that differs ends that, also for those before it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from fetchers.core.errors import PagingError, TooLarge
from fetchers.core.records import Known, Records, Whole, hash_records
from fetchers.core.wire.envelope import Page

MAX_PAGES = 5000
MAX_PART_BYTES = 512 * 1024 * 1024  # a part is in memory, or in a file, until it is compared
MAX_PART_ROWS = 1_000_000  # what is remembered of each while its part is compared is in memory
READINGS = 4  # of one part, until two agree
EMPTY_ANSWERS = 3  # in a row, before "there is nothing" is believed
USUAL_CAPS = (
    100,
    200,
    250,
    500,
)  # and multiples of the last: what gateways give at most, whatever they are asked

Ask = Callable[[int, int], Page]


@dataclass
class Reading:
    """One pass over a part's pages."""

    total: int | None
    seams: bool  # a record stands on two pages: the pages moved, or it is there twice
    stuck: bool  # a page brought nothing new: the page number is ignored
    records: Whole = field(default_factory=Whole)

    @property
    def short(self) -> bool:
        """Fewer rows than announced."""
        return self.total is not None and len(self.records) < self.total

    def fingerprint(self) -> bytes:
        """The same for the same records in any order, each as often as it is there."""
        return hashlib.blake2b(b"".join(sorted(self.records.hashes())), digest_size=16).digest()


def read_whole(
    ask: Ask, page_size: int, largest_page: Callable[[int], int], before: Sequence[Known] = ()
) -> Whole:
    """Every record of a part.

    ask: fetches (page number from 1, page size). largest_page: told each page's length, answers the longest page
    that this gateway has given so far. before: the pages of the reading that was believed the last time. Raises
    PagingError when no whole can be made of what comes.

    1. Read to the end. If nothing looks torn, that is it.
    2. Else read again with another page size, until two readings agree. Nothing, where there was something a moment
       ago, is no agreement.
    """
    seen: set[bytes] = set()
    had_rows = False
    for repeat in range(READINGS):
        longest = min(page_size, max(largest_page(0), 1))
        size = max(7, longest * (4 - repeat) // 5 - repeat) if repeat else page_size
        reading = _read(ask, size, largest_page, before)
        emptied = had_rows and not reading.records
        had_rows = had_rows or bool(reading.records)
        if reading.stuck or reading.short or emptied:
            continue
        if not reading.seams:
            return reading.records
        mark = reading.fingerprint()
        if mark in seen:
            return reading.records
        seen.add(mark)
    if reading.stuck:
        raise PagingError("Every page is the same: the gateway ignores the page number.", reason="repeats")
    if reading.short:
        raise PagingError(
            f"{len(reading.records)} rows came, {reading.total} were announced.",
            reason="short",
            got=len(reading.records),
            announced=reading.total,
        )
    raise PagingError("Rows moved between the pages at each reading.", reason="moved")


def _read(ask: Ask, size: int, largest_page: Callable[[int], int], before: Sequence[Known]) -> Reading:
    pages: list[Sequence[msgspec.Raw]] = []
    met: set[bytes] | None = None  # what stands on the pages so far, once it is asked for
    known = True  # all pages so far are those of before
    totals: set[int] = set()
    seams = False
    number = came = longest_here = so_far = 0
    longest = largest_page(0)
    while number < MAX_PAGES:
        number += 1
        # What one page announces, as long as any we know, may be itself alone.
        counted = totals == {so_far} and (number > 2 or longest_here < min(longest, size))
        page = _ask_until_sure(ask, number, size, complete=counted)
        if page.total is not None and (page.records or number == 1):
            totals.add(page.total)  # behind the last row, a gateway in trouble likes to say 0
        if not page.records:
            break
        came += _bytes_of(page.records)
        if came > MAX_PART_BYTES:
            megabytes = MAX_PART_BYTES >> 20
            raise TooLarge(f"The part is larger than {megabytes} MB.", megabytes=megabytes)
        length = len(page.records)
        if so_far + length > MAX_PART_ROWS:
            raise TooLarge(f"The part has more than {MAX_PART_ROWS} records.", records=MAX_PART_ROWS)
        longest = largest_page(length)
        so_far += length
        last = _is_last(page, so_far, size, longest)
        known = known and _is_as_before(page, before, number)
        if number > 1 and not known:  # a part of one page has no seams to look for
            if met is None:
                met = set().union(*map(_hashes, pages))
            found = set(_hashes(page.records))
            again = found & met
            if len(again) == len(found) and length >= longest_here:
                return Reading(_agreed(totals), seams, stuck=True)
            seams = seams or bool(again)
            met |= found
        longest_here = max(longest_here, length)
        pages.append(page.records)
        if last:
            break
    else:
        raise PagingError(f"More than {MAX_PAGES} pages, and no end.", reason="endless")
    return Reading(
        _agreed(totals), seams, stuck=False, records=Whole(pages, full=not totals and _are_full(pages, size))
    )


def _are_full(pages: list[Sequence[msgspec.Raw]], asked: int) -> bool:
    """Whether all pages are of one length, and that is what was asked for, or how caps look.

    The last one then ends where a cap would cut it off. That is no fault by itself: a part may have so many rows. But
    where rows have gone missing from it, a person must look (DESIGN.md 4.4).
    """
    lengths = {len(page) for page in pages}
    if len(lengths) != 1:
        return False
    length = lengths.pop()
    return length >= asked or length in USUAL_CAPS or length % USUAL_CAPS[-1] == 0


def _is_as_before(page: Page, before: Sequence[Known], number: int) -> bool:
    return (
        number <= len(before)
        and isinstance(page.records, Records)
        and page.records.known == before[number - 1]
    )


def _hashes(records: Sequence[msgspec.Raw]) -> list[bytes]:
    return records.hashes() if isinstance(records, Records) else hash_records(records)


def _bytes_of(records: Sequence[msgspec.Raw]) -> int:
    return records.known.size if isinstance(records, Records) else sum(map(len, map(bytes, records)))


def _agreed(totals: set[int]) -> int | None:
    """The announced total, if every page announced the same; one that changes is worth nothing."""
    return next(iter(totals)) if len(totals) == 1 else None


def _is_last(page: Page, so_far: int, asked: int, longest: int) -> bool:
    """Whether no page can follow.

    A short page is the last one only if this gateway is known to give longer ones: otherwise its length may be a
    silent cap. Round lengths are how caps look, so they are never believed. Nor is an announced total, where it is
    reached by a page as long as any so far: it may be the rows of the page, or of the pages so far.
    """
    length = len(page.records)
    if length % 50 == 0 or length >= min(longest, asked):
        return False
    return page.total is None or so_far >= page.total


def _ask_until_sure(ask: Ask, number: int, size: int, *, complete: bool) -> Page:
    """One page; an empty one is asked for again, for a gateway in trouble likes to answer `[]`.

    complete: the pages so far hold as many rows as they all announced; then one empty answer is enough.
    """
    page = ask(number, size)
    for _ in range(EMPTY_ANSWERS - 1):
        if page.records or complete:
            return page
        page = ask(number, size)
    return page


__all__ = ["Page", "PagingError", "read_whole"]
