"""Pages that are what they were the last time are not looked into, and whatever else they could be is."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from fetchers.core import errors
from fetchers.core.clean import Integer, Text
from fetchers.core.load.compare import Comparer, Delta
from fetchers.core.load.staging import Staging
from fetchers.core.records import Known, Records, Whole
from fetchers.core.store import columns
from fetchers.core.store.index import decode_pages
from fetchers.core.wire import envelope
from fetchers.core.wire.envelope import Page
from fetchers.core.wire.paging import read_whole
from tests.fetchers.core.conftest import PEOPLE, House, label, person

SIZE = 3


def dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


class Upstream:
    """Pages as a gateway sends them, in envelopes that differ each time."""

    def __init__(self, *pages: Sequence[Any], total: int | None = None) -> None:
        self.pages = list(pages)
        self.total = total
        self.asked = 0

    def read(self, before: Sequence[Known] = ()) -> Whole:
        def ask(number: int, size: int) -> Page:
            self.asked += 1
            rows = self.pages[number - 1] if number <= len(self.pages) else []
            rest = {"traceId": f"00-{self.asked:032x}"} | ({"totalCount": self.total} if self.total else {})
            body = b'{"traceId": "%d", "data": %s, %s' % (self.asked, dumps(rows), dumps(rest)[1:])
            known = before[number - 1] if number <= len(before) else None
            quickly = envelope.read_with_records(body, {}, known)
            found = quickly[0] if quickly else envelope.read(body, {})
            data = quickly[1] if quickly else envelope.records(found.get("data"), "x")
            return Page(data, envelope.whole_number(found.get("totalcount")))

        return read_whole(ask, SIZE, lambda rows: SIZE, before)


def pages_of(whole: Whole) -> list[Records]:
    return [cast(Records, page) for page in whole._pages]


def looked_into(whole: Whole) -> list[bool]:
    return [page._split is not None for page in pages_of(whole)]


def before(house: House) -> list[Known]:
    packed = Comparer(house.db, house.stream).remembered().get("")
    return [] if packed is None else decode_pages(packed).pages


def compare(house: House, upstream: Upstream, *, full: bool = False) -> tuple[Delta, Whole]:
    whole = upstream.read(() if full else before(house))
    return Comparer(house.db, house.stream, full=full).compare({}, whole), whole


def sync(house: House, upstream: Upstream, *, full: bool = False) -> tuple[Delta, Whole]:
    delta, whole = compare(house, upstream, full=full)
    house.publish(delta)
    return delta, whole


def five() -> list[list[dict[str, Any]]]:
    return [[person(3 * page + place) for place in range(SIZE)] for page in range(5)]


def names(house: House) -> dict[int, str]:
    return {row[0]: row[1] for row in house.rows("SELECT id, name FROM people")}


def test_the_same_pages_are_not_looked_into_and_counted_exactly(people: House) -> None:
    pages = [[person(1), person(1), person(2)], [{"id": None, "name": "x", "city": None}, person(3, " على")]]
    first, _ = sync(people, Upstream(*pages))
    again, whole = sync(people, Upstream(*pages))
    assert again.same and looked_into(whole) == [False, False]
    assert again.pages is None  # what is remembered is right
    assert (again.counts.read, again.counts.unchanged) == (5, 3)
    assert (again.counts.duplicates, again.counts.rejected) == (
        first.counts.duplicates,
        first.counts.rejected,
    )
    assert (again.counts.duplicates, again.counts.rejected) == (1, 1)


def test_pages_under_other_rules_are_read_again(people: House) -> None:
    sync(people, Upstream(*five()))
    people.stream = replace(PEOPLE, fields={**PEOPLE.fields, "name": Text(label("name"), max_length=2)})
    delta, whole = sync(people, Upstream(*five()))
    assert looked_into(whole) == [True] * 5
    assert (delta.same, delta.counts.changed, set(names(people).values())) == (False, 15, {"مر"})
    delta, whole = sync(people, Upstream(*five()))
    assert delta.same and not any(looked_into(whole))


def test_the_same_pages_in_another_order_are_read_and_no_change(people: House) -> None:
    sync(people, Upstream(*five()))
    turned = five()[::-1]
    delta, whole = sync(people, Upstream(*turned))
    assert (delta.same, delta.counts.unchanged, delta.counts.changed, delta.counts.gone) == (False, 15, 0, 0)
    delta, whole = sync(people, Upstream(*turned))
    assert delta.same and not any(looked_into(whole))


def test_one_page_of_five_changed(people: House) -> None:
    sync(people, Upstream(*five()))
    pages = five()
    pages[3][1]["name"] = "زهرا"
    delta, _ = sync(people, Upstream(*pages))
    assert (delta.counts.changed, delta.counts.unchanged, delta.counts.read) == (1, 14, 15)
    assert names(people)[10] == "زهرا"
    delta, whole = sync(people, Upstream(*pages))
    assert delta.same and not any(looked_into(whole))
    assert sync(people, Upstream(*five()))[0].counts.changed == 1


def test_rows_that_come_and_go_behind_known_pages(people: House) -> None:
    pages = five()
    sync(people, Upstream(*pages))
    delta, _ = sync(people, Upstream(*pages, [person(99)]))
    assert (delta.counts.added, delta.counts.unchanged) == (1, 15)
    delta, _ = sync(people, Upstream(*pages[:3]))
    assert (delta.counts.gone, delta.counts.unchanged) == (7, 9)
    assert sorted(names(people)) == list(range(9))


def test_a_full_comparison_looks_into_every_page(people: House) -> None:
    sync(people, Upstream(*five()))
    people.db.execute("UPDATE people SET name = 'x' WHERE id = 4")
    assert sync(people, Upstream(*five()))[0].same  # a control: the pages alone cannot see it
    assert Comparer(people.db, PEOPLE, full=True).remembered() == {}
    delta, whole = sync(people, Upstream(*five()), full=True)
    assert all(looked_into(whole)) and delta.counts.changed == 1
    people.db.execute("UPDATE people SET name = 'x' WHERE id = 4")
    known = Upstream(*five()).read(before(people))  # even where the pages were taken for known
    assert Comparer(people.db, PEOPLE, full=True).compare({}, known).counts.changed == 1


def test_a_duplicate_whose_other_page_has_left_takes_its_place(people: House) -> None:
    ours, theirs = [person(1, "الف"), person(2), person(3)], [person(1, "ب"), person(4)]
    sync(people, Upstream(ours, theirs))
    stays = names(people)[1]
    left = ours if stays == "ب" else [person(1, "ب"), person(2), person(3)]
    pages = [left] if stays == "ب" else [left, [person(4)]]
    delta, _ = sync(people, Upstream(*pages))
    assert (delta.counts.changed, delta.counts.duplicates) == (1, 0)
    assert names(people)[1] != stays
    delta, whole = sync(people, Upstream(*pages))
    assert delta.same and not any(looked_into(whole))


def test_a_staged_part_remembers_its_pages_once_it_is_published(people: House, tmp_path: Path) -> None:
    sync(people, Upstream(*five()))
    staging = Staging(tmp_path, "people", "run")
    delta, _ = compare(people, Upstream(*five()[:4]))
    staging.put(delta)
    # Held or waiting: what is stored is what it was, and so are its pages.
    assert compare(people, Upstream(*five()))[0].same
    assert not compare(people, Upstream(*five()[:4]))[0].same
    [taken] = staging.take(PEOPLE)
    people.publish(taken)
    delta, whole = compare(people, Upstream(*five()[:4]))
    assert delta.same and not any(looked_into(whole))
    assert not compare(people, Upstream(*five()))[0].same
    staging.discard()


@pytest.mark.parametrize(
    "what", ["DELETE FROM _hamgam_partitions", "UPDATE _hamgam_partitions SET digest = ?"]
)
def test_pages_beside_another_digest_say_nothing(people: House, what: str) -> None:
    """An undone part, or one that a version without pages has published since."""
    sync(people, Upstream(*five()))
    people.db.execute(what, (b"\0" * 16,) if "?" in what else ())
    delta, whole = sync(people, Upstream(*five()))
    assert not delta.same
    assert delta.counts.unchanged == 15
    assert sync(people, Upstream(*five()))[0].same


def test_an_older_destination_reads_once_more_and_remembers(people: House) -> None:
    sync(people, Upstream(*five()))
    people.db.execute("DROP TABLE _hamgam_pages")
    columns.prepare(people.db, [PEOPLE])
    delta, whole = sync(people, Upstream(*five()))
    assert delta.same and all(looked_into(whole)) and delta.counts.unchanged == 15
    delta, whole = sync(people, Upstream(*five()))
    assert delta.same and not any(looked_into(whole))


def test_a_page_number_that_is_ignored_is_noticed_behind_a_known_page(people: House) -> None:
    sync(people, Upstream(*five()))
    with pytest.raises(errors.PagingError):
        Upstream(*[five()[0]] * 9).read(before(people))


def test_rows_that_slip_over_a_seam_are_noticed_behind_known_pages(people: House) -> None:
    sync(people, Upstream(*five()))
    pages = five()
    pages[4] = [pages[3][2], *pages[4][:2]]  # one slipped in at the front, while we read
    upstream = Upstream(*pages)
    upstream.read(before(people))
    once = 8  # five pages, and an empty one three times
    assert upstream.asked == 2 * once  # until two readings agreed
    calm = Upstream(*five())
    calm.read(before(people))
    assert calm.asked == once


def test_fewer_rows_than_announced_are_no_whole_though_each_page_is_known(people: House) -> None:
    sync(people, Upstream(*five(), total=15))
    with pytest.raises(errors.PagingError):
        Upstream(*five(), total=16).read(before(people))


KNOWN = Records(dumps([person(1), person(2)])).known
LIST = dumps([person(1), person(2)])


@pytest.mark.parametrize(
    "body",
    [
        b'{"note": "\\"data\\": %s", "data": []}' % LIST.replace(b'"', b""),
        b'{"note": {"data": %s}, "data": [1]}' % LIST,
        b'{"data": %s, "data": [1]}' % LIST,
        b'{"data": %s}' % LIST.replace("مریم".encode(), "رضا ".encode()),
        b'{"data": %s' % LIST[:-1],
        b'{"Data": %s}' % LIST,
        b'{"data": [%s]}' % LIST,
        b'{"data": {"data": %s}}' % LIST,
        b'{"note": "\\"data\\": [", "data": %s}' % LIST,
    ],
)
@pytest.mark.parametrize("known", [KNOWN, None])
def test_what_only_looks_like_a_known_list_is_read_like_any_other(body: bytes, known: Known | None) -> None:
    quickly = envelope.read_with_records(body, {}, known)
    if quickly is not None:
        found, records = quickly
        slowly = envelope.read(body, {})
        assert found.keys() == slowly.keys()
        assert [bytes(found[key]) for key in found if key != "data"] == [
            bytes(slowly[key]) for key in slowly if key != "data"
        ]
        assert [bytes(one) for one in records] == [
            bytes(one) for one in envelope.records(slowly["data"], "x")
        ]
        assert records.known == Records(bytes(slowly["data"])).known


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": %s' % LIST[:-1],
        b'{"data": %s' % LIST,
        b'{"data": %s}]' % LIST,
        b'{"data": %s, "x": NaN}' % LIST,
        b'{"data": %s, "errors": []}' % LIST,
        b'{"data": [1], "data": %s}' % LIST,
        b'{"data": ["\\ud83d"]}',
        b'{"data": [NaN]}',
        b'{"data": %s}' % (b"[" * 5000 + b"]" * 5000),
    ],
)
def test_what_cannot_be_told_quickly_is_left_to_reading_it_all(body: bytes) -> None:
    assert envelope.read_with_records(body, {}, None) is None


def test_a_body_in_another_encoding_or_damaged_is_not_read_quickly() -> None:
    persian = '{"data": [{"name": "' + "كردستان " * 50 + '"}]}'
    assert envelope.read_with_records(persian.encode("windows-1256"), {}, None) is None
    assert envelope.read_with_records(persian.encode(), {}, None) is not None
    with pytest.raises(errors.NotJson):
        envelope.read_with_records(persian.encode().replace("ك".encode(), b"\xef\xbf\xbd"), {}, None)


@pytest.mark.parametrize(
    ("rest", "error"),
    [(b"", errors.Truncated), (b"}]", errors.NotJson), (b', "x": NaN}', errors.NotJson)],
)
def test_what_stands_behind_a_known_list_is_still_read(rest: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        envelope.read_with_records(b'{"data": %s%s' % (LIST, rest), {}, KNOWN)


def test_a_known_list_is_found_and_the_rest_of_the_answer_with_it() -> None:
    body = b'\xef\xbb\xbf{"isSuccess":true,"data" :\n %s ,"totalCount":"2"}' % LIST
    again = envelope.read_with_records(body, {}, KNOWN)
    assert again is not None
    found, records = again
    assert bytes(found["totalcount"]) == b'"2"'
    assert len(records) == 2 and [bytes(one) for one in records] == [bytes(one) for one in Records(LIST)]


def test_the_database_s_kinds_of_bytes_are_all_the_same(destination: str) -> None:
    stream = replace(PEOPLE, fields={**PEOPLE.fields, "age": Integer(label("age"))})
    house = House(destination, stream)
    sync(house, Upstream([person(1)]))
    [(part, packed)] = Comparer(house.db, stream).remembered().items()
    assert part == "" and decode_pages(packed).pages == Upstream([person(1)]).read().pages
    house.db.close()
