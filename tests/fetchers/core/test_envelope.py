"""Bodies of every shape: a list of records, or an error with a name; never silence, never a crash."""

import json
from typing import Any

import pytest

from fetchers.core import errors
from fetchers.core.wire import envelope

JSON = {"content-type": "application/json; charset=utf-8"}
TEXT = '{"data":[{"id":1,"name":"علي‌رضا","city":"کرمان"}],"totalCount":1}'


def rows(body: bytes, **headers: str) -> list[Any]:
    found = envelope.read(body, {name.replace("_", "-"): value for name, value in headers.items()} or JSON)
    return [json.loads(bytes(raw)) for raw in envelope.records(found.get("data"), "gateway")]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (TEXT.encode(), "application/json; charset=utf-8"),
        (TEXT.encode(), "application/json"),
        (TEXT.encode(), "text/plain"),
        (TEXT.encode(), "text/html; charset=iso-8859-1"),
        (b"\xef\xbb\xbf" + TEXT.encode(), "application/json; charset=utf-8"),
        (b"\r\n\t " + TEXT.encode() + b"\r\n", "application/json"),
    ],
    ids=["declared", "undeclared", "as text", "as Latin-1", "byte order mark", "blanks around"],
)
def test_utf8_is_read_whatever_the_header_says(body: bytes, kind: str) -> None:
    assert rows(body, content_type=kind) == [{"id": 1, "name": "علي‌رضا", "city": "کرمان"}]


@pytest.mark.parametrize(
    "kind",
    [
        "application/json; charset=windows-1256",
        'application/json; charset="Windows-1256"',
        "application/json; charset=utf-8",
        "text/plain",
        "application/json; charset=undefined",
        "application/json; charset=idna",
        "application/json; charset=unicode_escape",
        "application/json; charset=rot13",
        "application/json; charset=\x00",
    ],
)
def test_persian_in_windows_1256_is_recovered_whatever_the_header_says(kind: str) -> None:
    legacy = TEXT.encode("cp1256")
    assert rows(legacy, content_type=kind)[0]["name"] == "علي‌رضا"


@pytest.mark.parametrize(
    "body",
    [
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        '{"data":[{"name":"Müller, Jürgen, Gödel, Gauß, Łódź"}]}'.encode("cp1250"),
        TEXT.encode().decode("latin-1").encode() * 1,
        b'{"data":[' + b",".join(['{"name":"\ufffd\ufffd\ufffd"}'.encode()] * 9) + b"]}",
    ],
    ids=["utf-16", "utf-16-le", "utf-16-be", "utf-32", "not Persian", "mojibake", "lost letters"],
)
def test_text_that_cannot_be_read_without_guessing_is_refused(body: bytes) -> None:
    with pytest.raises(errors.NotJson):
        rows(body)


def test_a_letter_cut_by_the_look_at_the_beginning_is_no_trouble() -> None:
    for shift in range(4):
        body = b'{"data":[{"name":"' + b"x" * shift + "ش".encode() * 4000 + b'"}]}'
        assert rows(body)[0]["name"].endswith("ش")


@pytest.mark.parametrize(
    ("body", "error", "reason"),
    [
        (b"", errors.Truncated, None),
        (b"   ", errors.Truncated, None),
        (b"<!DOCTYPE html><html>login</html>", errors.NotJson, "html"),
        (b" \n<e>12</e>", errors.NotJson, "html"),
        (b"Service unavailable", errors.NotJson, "json"),
        (b'{"data":[{"id":1},{"i', errors.Truncated, "json"),
        (b'{"data":[{"id":1}]', errors.Truncated, "json"),
        (b'{"data":[{"id":1}]}}', errors.NotJson, "json"),
        (b'{"data":[{"id":1}]}<html>', errors.NotJson, "json"),
        (b'{"data":[{"id":NaN}]}', errors.NotJson, "json"),
        (b'{"data":[{"id":-Infinity}]}', errors.NotJson, "json"),
        (b"{'data':[]}", errors.NotJson, "json"),
        (b'{"data":[1,]}', errors.NotJson, "json"),
        (b'[{"id":1}]', errors.Envelope, "list"),
        (b"12", errors.Envelope, "not an object"),
        (b"null", errors.Envelope, "not an object"),
        (b'"text"', errors.Envelope, "not an object"),
        (b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}", errors.NotJson, "json"),
        (b'{"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", errors.NotJson, "json"),
        (b"[" * 100_000, errors.FetchError, None),
    ],
)
def test_what_is_no_whole_json_object_has_its_own_error(
    body: bytes, error: type[errors.FetchError], reason: str | None
) -> None:
    with pytest.raises(error) as caught:
        rows(body)
    assert caught.value.retryable
    if reason is not None:
        assert caught.value.params["reason"] == reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "missing"),
        ("null", "null"),
        ('"<e>خطا</e>"', "text"),
        ("{}", "empty object"),
        ("{ \n}", "empty object"),
        ("12", "not a list"),
        ("true", "not a list"),
    ],
)
def test_data_that_is_no_list_is_never_taken_for_no_records(data: str | None, reason: str) -> None:
    body = b'{"totalCount":0}' if data is None else f'{{"data": {data}}}'.encode()
    with pytest.raises(errors.Envelope) as caught:
        rows(body)
    assert caught.value.params["reason"] == reason


def test_an_empty_list_is_no_records_and_one_object_is_one() -> None:
    assert rows(b'{"data":[]}') == []
    assert rows(b'{"data": [ ] }') == []
    assert rows(b'{"data":{"id":1}}') == [{"id": 1}]


def test_key_case_of_the_envelope_does_not_matter() -> None:
    assert rows(b'{"Data":[{"id":1}]}') == [{"id": 1}]


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("3", 3),
        ('"3"', 3),
        ("0", 0),
        ("-1", None),
        ("3.0", None),
        ("true", None),
        ("null", None),
        ('"many"', None),
        ('"٣"', None),
        ("[3]", None),
        ("9" * 5000, None),
        ('"' + "9" * 5000 + '"', None),
        ("[" * 50_000 + "]" * 50_000, None),
    ],
)
def test_a_total_is_a_whole_number_or_nothing(text: str, total: int | None) -> None:
    assert envelope.whole_number(envelope.msgspec.Raw(text.encode())) == total


@pytest.mark.parametrize(
    ("escaped", "read"),
    [
        (r"a\ud83db", "a\ufffdb"),
        (r"\ude00", "\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\\ud83d", r"\ud83d"),
        (r"\ud83d\u0041", "\ufffdA"),
        (r"\ud83d\ude00\n", "😀\n"),
    ],
)
def test_half_a_letter_in_one_record_does_not_cost_the_page(escaped: str, read: str) -> None:
    body = f'{{"data":[{{"name":"{escaped}"}},{{"name":"\\ud83d"}}]}}'.encode()
    assert rows(body) == [{"name": read}, {"name": "\ufffd"}]
