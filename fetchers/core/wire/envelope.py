"""From a body's bytes to raw records: nothing is parsed that need not be.

A record stays the bytes that it was (msgspec.Raw), since most records of most days did not change and their hash
says so. What is not a whole, readable answer raises here, and is never mistaken for "no records" (DOMAIN.md part 3).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fetchers.core import errors
from fetchers.core.clean import clean
from fetchers.core.records import Known, Records, mark_of

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])

# Where an answer's records begin; what stands before them is short.
_data_begins = re.compile(rb'"data"\s*:\s*(?=\[)').search
_BEFORE_DATA = 2048

_page_title = re.compile(rb"<title[^>]{0,200}>(.{1,400}?)</title>", re.S | re.I).search
_PAGE_HEAD = 8192

# UTF-8 of U+FFFD, and of Arabic letters that were read as Latin-1 and encoded again.
_REPLACEMENT = b"\xef\xbf\xbd"
_MOJIBAKE = (b"\xc3\x98\xc2", b"\xc3\x99\xc2", b"\xc3\x9b\xc2")
_LEGACY = ("windows-1256", "iso-8859-6")  # the encodings of Arabic letters before UTF-8
# Every escape in a JSON text: a pair of surrogates, half of one (the group), any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.S
)
_PERSIAN = frozenset("ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهیيك")


@dataclass(frozen=True)
class Page:
    """One page of records as the gateway sent them; `total`: how many it says there are in all, if it does."""

    records: Sequence[msgspec.Raw]
    total: int | None = None


def read(body: bytes, headers: Mapping[str, str]) -> dict[str, msgspec.Raw]:
    """The top-level object of a JSON body, its values still raw, keys in lower case.

    Raises NotJson for HTML, cut or broken JSON, NaN, and encodings that cannot be read without guessing.
    """
    plain = utf8(body, headers)
    try:
        found = _top(plain)
    except msgspec.DecodeError as error:
        shape = plain.lstrip()[:1]
        if shape == b"<":
            raise errors.NotJson(
                "The gateway sent a web page instead of data.", reason="html", said=_title(plain)
            ) from error
        if shape == b"[":
            raise errors.Envelope("The gateway sent a bare list.", reason="list") from error
        if "truncated" in str(error):
            raise errors.Truncated("The answer ends in the middle.", reason="json") from error
        if isinstance(error, msgspec.ValidationError):
            raise errors.Envelope(
                "The gateway sent JSON that is no object.", reason="not an object"
            ) from error
        raise errors.NotJson("The answer is not JSON.", reason="json") from error
    except RecursionError as error:
        raise errors.NotJson("The answer is nested too deep.", reason="json") from error
    except UnicodeDecodeError as error:
        raise errors.NotJson("The answer's text cannot be read.", reason="charset") from error
    return {key.lower(): value for key, value in found.items()}


def _title(page: bytes) -> str:
    """What a web page calls itself, in a few words: of all of it, the one thing that is surely no person's."""
    found = _page_title(page[:_PAGE_HEAD])
    return (clean(found[1].decode(errors="replace")) or "")[:80] if found else ""


def read_with_records(
    body: bytes, headers: Mapping[str, str], known: Known | None
) -> tuple[dict[str, msgspec.Raw], Records] | None:
    """The same, and the records of `data`, where that is a list and the answer's only one, as it mostly is.

    None where it is not so; `read` finds out. The rest of the answer is read as ever, with a stand-in for the list:
    nothing that could be in the list decides what is in the rest. known: the list as it was the last time; one that
    is so byte for byte is hashed, and not looked into. Raises NotJson for encodings that cannot be read.
    """
    begin = _data_begins(body, 0, _BEFORE_DATA)
    if begin is None:
        return None
    start = begin.end()
    if known is not None and (found := _read_again(body, headers, known, start)) is not None:
        return found
    if utf8(body, headers) is not body:
        return None
    end = body.rfind(b"]") + 1
    try:
        records = Records(memoryview(body)[start:end])
        rest = _around(body, headers, start, end, records.known)
    except (msgspec.DecodeError, RecursionError, errors.FetchError):
        return None  # it is no list, or there is another one behind it, or something is wrong with the rest
    return None if rest is None else (rest, records)


def _read_again(
    body: bytes, headers: Mapping[str, str], known: Known, start: int
) -> tuple[dict[str, msgspec.Raw], Records] | None:
    end = start + known.size
    data = memoryview(body)[start:end]
    if len(data) != known.size or data[-1:] != b"]" or mark_of(data) != known.mark:
        return None
    rest = _around(body, headers, start, end, known)
    return None if rest is None else (rest, Records(data, known))


def _around(
    body: bytes, headers: Mapping[str, str], start: int, end: int, known: Known
) -> dict[str, msgspec.Raw] | None:
    """What stands around the list; None where it is not the answer's own `data`, or that is there twice."""
    stand_in = b'["%s"]' % known.mark.hex().encode()
    found = read(body[:start] + stand_in + body[end:], headers)
    return found if bytes(found.get("data", b"")) == stand_in else None


def _top(plain: bytes) -> dict[str, msgspec.Raw]:
    """Decode, if need be once more without halves of letters: one in one record would cost the whole page (row 16).

    Half of a surrogate pair becomes U+FFFD, which cleaning flags.
    """
    try:
        return _object.decode(plain)
    except msgspec.DecodeError:
        again = mended(plain)
        if again == plain:
            raise
        return _object.decode(again)


def mended(text: bytes) -> bytes:
    """The same JSON with U+FFFD for each half of a surrogate pair; just as long."""
    return _ESCAPE.sub(lambda escape: b"\\ufffd" if escape[1] else escape[0], text)


def text(body: bytes, headers: Mapping[str, str]) -> str:
    """A body that is no JSON, as text. Raises NotJson for encodings that cannot be read without guessing."""
    return utf8(body, headers).decode(errors="replace")


def records(raw: msgspec.Raw | None, whose: str) -> Records:
    """The records of a `data` value: a list, or one object alone. Raises Envelope for all else."""
    # Not a copy: a whole list may come in one body.
    text = memoryview(raw if raw is not None else b"")
    first = bytes(text[:1])
    if first == b"[":
        try:
            return Records(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise errors.NotJson("The list of records is broken.", reason="json") from error
    if first == b"{" and bytes(text[1:]).strip() != b"}":
        return Records(b"[%s]" % bytes(text))
    shape = {b"": "missing", b"n": "null", b'"': "text", b"{": "empty object"}.get(first, "not a list")
    raise errors.Envelope(f"{whose} sent no list of records (data is {shape}).", reason=shape)


def whole_number(raw: msgspec.Raw | None) -> int | None:
    """A total that the gateway names, as a non-negative number or digits in quotes; None for anything else."""
    if raw is None:
        return None
    if len(raw_bytes := bytes(raw)) > 20:  # no number of rows
        return None
    try:
        value: Any = msgspec.json.decode(raw_bytes)
    except (msgspec.DecodeError, ValueError):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def utf8(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body as clean UTF-8. Raises NotJson where that would be a guess, or its text was damaged on the way."""
    plain = decoded(body, headers)
    if max(damage(plain)) > tolerable_damage(len(plain)):
        raise errors.NotJson("The answer's text was damaged on its way (wrong encoding).", reason="charset")
    return plain


def decoded(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body as UTF-8: strictly, else by the declared encoding, else as windows-1256 if that is plausible.

    Only the first 4 kB decide whether it is UTF-8 at all; each record that is parsed later is checked strictly.
    """
    if body[:3] == b"\xef\xbb\xbf":
        body = body[3:]
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in body[:64]:
        raise errors.NotJson("The answer is in UTF-16, which this gateway should not send.", reason="charset")
    head = body[:4096]
    try:
        head.decode()
    except UnicodeDecodeError as error:
        cut_inside_a_letter = error.start >= len(head) - 3 and len(body) > len(head)
        if not cut_inside_a_letter:
            return _legacy(body, headers)
    return body


def tolerable_damage(size: int) -> int:
    """How many marks of one kind so many bytes may hold: as many as single records may bring along."""
    return 3 + size // 20_000


def damage(body: bytes) -> tuple[int, int]:
    """How many marks of damage there are: of letters that were lost, and of letters that were encoded twice.

    Each mark holds a byte that Persian text hardly ever has, and one byte is found forty times as quickly as three.
    """
    lost = body.count(_REPLACEMENT) if b"\xbf" in body else 0
    return lost, sum(body.count(mark) for mark in _MOJIBAKE) if b"\xc3" in body else 0


def _legacy(body: bytes, headers: Mapping[str, str]) -> bytes:
    declared = ""
    for part in headers.get("content-type", "").split(";")[1:]:
        key, _, value = part.partition("=")
        if key.strip().lower() == "charset":
            declared = value.strip(" \"'").lower()
    first = declared if declared in _LEGACY else "windows-1256"
    for encoding in dict.fromkeys((first, "windows-1256")):
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError:
            continue
        letters = [letter for letter in text if ord(letter) > 127]
        if letters and sum(letter in _PERSIAN for letter in letters) >= 0.8 * len(letters):
            return text.encode()
    raise errors.NotJson("The answer's text is in an encoding that cannot be read safely.", reason="charset")
