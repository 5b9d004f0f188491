"""A list that is too large for memory is read in chunks, to the same records, digests and errors as any other."""

import gzip
import json
import random
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetchers.core import errors
from fetchers.core.records import Known, Records, Whole
from fetchers.core.spool import Spools
from fetchers.core.wire import body as bodies
from fetchers.core.wire import envelope, large
from fetchers.core.wire.body import Spooled
from fetchers.core.wire.http import Session
from fetchers.core.wire.large import LargeRecords
from tests.fetchers.raw_server import RawServer, answer


def spooled(data: bytes, before: bytes = b"") -> Spooled:
    """A body in a file, with something else before it."""
    spool = Spools().open()
    spool.append(before + data)
    return Spooled(spool, len(before), len(data))


@pytest.fixture(autouse=True)
def in_small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "CHUNK", 64)
    monkeypatch.setattr(bodies, "WHOLE_IN_MEMORY", 0)  # nothing is read whole instead


def same(data: bytes) -> None:
    """Split at once and in chunks: the same records, one after another, by place, and what is remembered of them."""
    at_once, in_chunks = Records(data), LargeRecords(spooled(b'{"data":' + data + b"}"), 8)
    assert in_chunks.known == at_once.known
    assert in_chunks.hashes() == at_once.hashes()
    assert list(map(bytes, in_chunks)) == list(map(bytes, at_once))
    assert len(in_chunks) == len(at_once)
    for place in random.Random(1).sample(range(len(at_once)), len(at_once)):
        assert bytes(in_chunks[place]) == bytes(at_once[place])
    assert list(map(bytes, in_chunks[1:5])) == list(map(bytes, at_once[1:5]))


PERSON = {"id": 1, "name": "مریم", "city": "تهران"}
TRAPS = {
    "borders in a text": ['},{"id":2},', "},", "],", '"},{"', "\\", '\\"},', "},\\"],
    "borders inside records": [{"a": {"b": {}}, "c": [{}, {}, [1, {}]]}] * 20,
    "no objects": [1, None, True, "x", [], [1, [2, "],"]], -1.5e300, 12345678901234567890] * 10,
    "one long record": [PERSON, {"id": 2, "address": "},{ " * 500}, PERSON],
    "one record": [PERSON],
    "nothing": [],
    "letters at the borders": [{"a": "م" * n} for n in range(60)],
    "escapes": [{"a": '\u0645\u0631\n\t"\\/ \U0001f600'}] * 30,
}


@pytest.mark.parametrize("case", TRAPS)
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("indent", [None, 1])
def test_a_chunk_ends_where_a_record_ends_and_nowhere_else(
    case: str, ascii_only: bool, indent: int | None
) -> None:
    same(json.dumps(TRAPS[case], ensure_ascii=ascii_only, indent=indent).encode())


@pytest.mark.parametrize("data", [b"[ ]", b"[\n1 ,\t2\r\n]", b"[ {} , {} ]", b"[12" + b"34567" * 40 + b",1]"])
def test_blanks_and_long_numbers_are_no_borders(data: bytes) -> None:
    same(data)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["},{", "],", '"},', "\\"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, max_size=30), st.integers(2, 90), st.booleans(), st.sampled_from([None, 0, 2]))
def test_whatever_stands_in_a_list_is_split_alike(
    records: list[Any], chunk: int, ascii_only: bool, indent: int | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large, "CHUNK", chunk)
        text = json.dumps(records, ensure_ascii=ascii_only, indent=indent)
        same(text.encode("utf-8", "surrogatepass"))


def test_half_letters_are_mended_where_they_stand() -> None:
    data = json.dumps([{"id": n, "a": "\ud83d" if n % 7 == 3 else "م"} for n in range(40)]).encode()
    in_chunks = LargeRecords(spooled(data), 0)
    found = envelope.records(envelope.read(b'{"data":%s}' % data, {})["data"], "x")
    assert list(map(bytes, in_chunks)) == list(map(bytes, found))
    assert (in_chunks.known, in_chunks.hashes()) == (found.known, found.hashes())
    assert sum(b"\\ufffd" in bytes(one) for one in in_chunks) == 6


def test_without_a_proof_a_text_would_be_torn() -> None:
    """A negative control: the likeliest end of a record, taken for one without decoding."""
    data = json.dumps([{"a": "},{" * 30}] * 3).encode()
    border = data.rfind(b"},", 1, 64)
    with pytest.raises(json.JSONDecodeError):
        json.loads(data[: border + 1] + b"]")
    same(data)


def test_a_record_that_is_kept_does_not_keep_its_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    """One record of a hundred is looked at, and two thousand of these are parsed together."""
    monkeypatch.setattr(large, "CHUNK", 1 << 16)
    body = spooled(b"[" + b",".join([b'{"a":"%s"}' % (b"x" * 500)] * 8000) + b"]")
    records = LargeRecords(body, 0)
    tracemalloc.start()
    try:
        kept = [records[place] for place in range(0, 8000, 100)]
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(kept) == 80 and used < 1_000_000 < body.size / 4


# -- the whole answer ---------------------------------------------------------------------------------------

LIST = json.dumps([{**PERSON, "id": n} for n in range(30)], ensure_ascii=False).encode()
GOOD = [
    b'{"data":%s}',
    b'\xef\xbb\xbf{"isSuccess":true,"data" :\n %s ,"totalCount":"30","message":null}\n',
    b'{"DATA":%s,"totalcount":30}',
]
BAD = [
    b'{"data":%s',
    b'{"data":%s,}',
    b'{"data":%s]}',
    b'{"data":%s,"x":NaN}',
    b'{"x":{"data":%s}}',
    b'{"x":{"data":%s},"data":[1]}',
    b'{"data":%s,"data":null}',
    b"<html>%s</html>",
    b"%s",
    b'"%s',
    b'{"data":null,"x":%s}',
    b'{"data":{"data":%s}}',
]


def of_error(call: Any) -> tuple[type[Exception], Any]:
    with pytest.raises(errors.FetchError) as caught:
        call()
    return type(caught.value), caught.value.params.get("reason")


@pytest.mark.parametrize("form", GOOD)
def test_an_answer_is_read_as_one_in_memory_is(form: bytes) -> None:
    text = form % LIST
    found, records = large.read(spooled(text, b"another page"), {}, None)
    plain = envelope.read(text, {})
    assert {key: bytes(value) for key, value in found.items() if key != "data"} == {
        key: bytes(value) for key, value in plain.items() if key != "data"
    }
    at_once = envelope.records(plain["data"], "x")
    assert isinstance(records, LargeRecords) and records.known == at_once.known
    assert list(map(bytes, records)) == list(map(bytes, at_once))


@pytest.mark.parametrize("form", BAD)
def test_what_is_no_whole_answer_is_never_taken_for_one(form: bytes) -> None:
    """The same errors as in memory; an answer that is right, but not in chunks, is refused by its size."""
    text = form % LIST
    right = True
    try:
        envelope.records(envelope.read(text, {}).get("data"), "x")
    except errors.FetchError:
        right = False
    kind, reason = of_error(lambda: large.read(spooled(text), {}, None))
    if not right and kind is not errors.TooLarge:
        assert (kind, reason) == of_error(lambda: envelope.records(envelope.read(text, {}).get("data"), "x"))


@pytest.mark.parametrize("form", [*GOOD, *BAD])
def test_what_cannot_be_read_in_chunks_is_read_whole_while_that_is_little(
    form: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "WHOLE_IN_MEMORY", 1 << 20)
    text = form % LIST

    def at_once() -> list[bytes]:
        return [bytes(one) for one in envelope.records(envelope.read(text, {}).get("data"), "x")]

    def in_chunks() -> list[bytes]:
        found, records = large.read(spooled(text), {}, None)
        records = envelope.records(found.get("data"), "x") if records is None else records
        return [bytes(one) for one in records]

    try:
        expected = at_once()
    except errors.FetchError:
        assert of_error(in_chunks) == of_error(at_once)
    else:
        assert in_chunks() == expected


@pytest.mark.parametrize(
    "broken",
    [b"[1,]", b"[,1]", b"[1 2]", b"[{]", b"[{}}]", b'["\\x"]', b"[nul]", b"[01]", b"[NaN]", b"[1,,2]"],
)
def test_a_broken_list_is_none(broken: bytes) -> None:
    many = b"[" + b"{},{},{}," * 30 + broken[1:]
    for text in (broken, many):
        assert of_error(lambda text=text: LargeRecords(spooled(text), 0)) == (errors.NotJson, "json")


def test_a_list_that_is_cut_anywhere_is_none() -> None:
    whole = b'{"data":%s}' % LIST
    for at in range(9, len(whole), 7):
        assert of_error(lambda at=at: large.read(spooled(whole[:at]), {}, None)) in (
            (errors.Truncated, "json"),
            (errors.NotJson, "charset"),  # cut within a letter
        )


def test_a_nest_is_refused_and_not_descended_into() -> None:
    for text in (b"[" * 100_000, b"[" + b"{},{}," * 20 + b'{"a":' * 100_000):
        assert of_error(lambda text=text: LargeRecords(spooled(text), 0)) == (errors.NotJson, "json")


def test_too_many_records_and_too_large_a_one_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "MAX_PART_ROWS", 29)
    with pytest.raises(errors.TooLarge):
        LargeRecords(spooled(LIST), 0)
    monkeypatch.setattr(large, "MAX_RECORD", 1000)
    with pytest.raises(errors.TooLarge):
        LargeRecords(spooled(b'[{"a":"%s"}]' % (b"x" * 5000)), 0)


@pytest.mark.parametrize("mark", ["\ufffd", "م".encode().decode("latin-1")])
def test_damaged_text_is_counted_over_all_chunks(mark: str) -> None:
    text = json.dumps({"data": [{"a": mark * (n % 2)} for n in range(40)]}, ensure_ascii=False).encode()
    assert of_error(lambda: large.read(spooled(text), {}, None)) == (errors.NotJson, "charset")
    assert of_error(lambda: envelope.read(text, {})) == (errors.NotJson, "charset")


def test_a_list_that_is_known_is_not_looked_into() -> None:
    text = b'{"data":%s,"traceId":"2"}' % LIST
    known = Records(LIST).known
    found, records = large.read(spooled(text), {}, known)
    assert isinstance(records, LargeRecords) and records.known == known
    assert records._chunks is None and bytes(found["traceid"]) == b'"2"'
    assert list(map(bytes, records)) == list(map(bytes, Records(LIST)))  # until somebody does
    other = text.replace("مریم".encode(), "رضا ".encode(), 1)
    _, again = large.read(spooled(other), {}, known)
    assert isinstance(again, LargeRecords) and again._chunks is not None and again.known != known
    assert large.read(spooled(text), {}, Known(known.mark, 29, known.size - 1))[1].known == known  # type: ignore[union-attr]


# -- receiving ----------------------------------------------------------------------------------------------


@pytest.fixture
def spools(tmp_path: Path) -> Spools:
    return Spools(tmp_path / "staging")


@pytest.fixture
def asking(
    server: RawServer, session: Any, spools: Spools, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    """A session whose parts may have 1,000 bytes in memory."""
    monkeypatch.setattr(bodies, "PART_IN_MEMORY", 1000)
    made = session(spools=spools)
    with made.remembering(()):
        yield made


def post(session: Session, server: RawServer) -> Any:
    return session.post_json(server.url, {}, {}).content


def test_a_body_beyond_the_memory_of_its_part_goes_into_a_file(
    asking: Session, server: RawServer, spools: Spools, tmp_path: Path
) -> None:
    data = random.Random(1).randbytes(50_000)
    server.will(
        answer(data[:600]), answer(data[:600]), answer(gzip.compress(data), 200, "Content-Encoding: gzip")
    )
    first, second, third = (post(asking, server) for _ in range(3))
    assert first == data[:600]
    assert second.read(0, 600) == data[:600] and second.size == 600
    assert third.read(0, 99_999) == data and third.read(49_990, 99) == data[49_990:]
    assert spools.size == 50_600
    assert list((tmp_path / "staging").iterdir()) == []  # they have no names
    del second, third
    with asking.remembering(()):  # the next part
        assert spools.size == 0


def test_a_body_that_breaks_off_leaves_nothing_behind(
    asking: Session, server: RawServer, spools: Spools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY", 1 << 20)
    short, long = answer(b"x" * 5000, length=9000), answer(b"x" * (3 << 20))
    server.will(short, long, answer(b"y" * 5000))
    for error in (errors.Truncated, errors.TooLarge):
        with pytest.raises(error):
            post(asking, server)
        assert spools.size == 0
    assert post(asking, server).read(0, 9000) == b"y" * 5000


def test_a_full_disk_is_told_as_such(
    asking: Session, server: RawServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    server.will(answer(b"x" * 5000))
    with pytest.raises(errors.StorageError) as caught:
        post(asking, server)
    assert caught.value.params["reason"] == "disk_full"
    assert caught.value.params["folder"] == str(tmp_path / "staging") and caught.value.params["free"] > 0


def test_a_large_body_that_somebody_wants_whole_is_refused(
    asking: Session, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "WHOLE_IN_MEMORY", 5000)
    server.will(answer(b"x" * 5000))
    found = asking.post_json(server.url, {}, {})
    assert found.body == b"x" * 5000
    monkeypatch.setattr(bodies, "WHOLE_IN_MEMORY", 4000)
    with pytest.raises(errors.TooLarge):
        _ = found.body


def test_no_part_is_begun_while_larger_ones_wait_than_the_disk_may_hold(
    asking: Session, spools: Spools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fetchers.core.wire.http.WAITING_IN_FILES", 100)
    held = spools.open()
    held.append(b"x" * 101)
    thread = threading.Thread(target=asking.wait_for_room, daemon=True)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    del held
    thread.join(10)
    assert not thread.is_alive()


def test_pages_in_memory_and_in_files_make_one_whole() -> None:
    pages = [json.dumps([{**PERSON, "id": n} for n in range(at, at + 7)]).encode() for at in (0, 7, 14)]
    whole = Whole([Records(pages[0]), LargeRecords(spooled(pages[1]), 0), Records(pages[2])])
    at_once = Whole(map(Records, pages))
    assert whole.spooled and not at_once.spooled
    assert whole.pages == at_once.pages and whole.hashes() == at_once.hashes()
    assert list(map(bytes, whole)) == list(map(bytes, at_once))
    assert [bytes(whole[place]) for place in range(21)] == list(map(bytes, at_once))
