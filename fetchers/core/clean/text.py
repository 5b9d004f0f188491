"""Persian text as people write it, made comparable: clean (stored), fold (searched), squash (place names).

    clean("كردستان  ")              -> "کردستان"
    fold("خانۀ آقای عليرضا، ۱۲")    -> "خانه اقای علیرضا 12"
    squash("سيستان وبلوچستان")      -> "سیستانوبلوچستان"

`clean` undoes HTML references once, since upstream wrote them once: where one is left (`&amp;amp;` becomes
`&amp;`), cleaning again would undo it too. In all other cases clean(clean(x)) == clean(x).
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from html import unescape
from html.entities import html5

ZWNJ = "\u200c"
REPLACEMENT = "\ufffd"

# What people write where there is nothing to write; compared after cleaning, whatever the case of letters.
PLACEHOLDERS = frozenset({"", "-", "--", "null", "نامشخص", "//", "."})
_LONGEST_PLACEHOLDER = max(map(len, PLACEHOLDERS))

_DIGITS = {ord(zero) + value: str(value) for zero in "۰٠" for value in range(10)}
_LETTERS = str.maketrans({**dict.fromkeys("يىېے", "ی"), "ك": "ک", **dict.fromkeys("ہھە", "ه")})
_FOLDED = str.maketrans(
    {**dict.fromkeys("يىېے", "ی"), "ك": "ک", **dict.fromkeys("ہھەة", "ه"), "ٱ": "ا", "ء": ""}
)
# Tatweel, controls, zero-width and bidi marks, noncharacters; white space and ZWNJ stay for now.
_INVISIBLE = re.compile(
    "[\u0640\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200d-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]+"
)
# Clean as it stands: letters without marks, digits, ASCII but & and <, single blanks or ZWNJs between them.
_LETTER = (
    "!-%'-;=-~\u060c\u061b\u061f\u0621-\u063a\u0641\u0642\u0644-\u0648\u067e\u0686\u0698\u06a9\u06af\u06cc"
    "\u06f0-\u06f9\u0660-\u0669"
)
_PLAIN = f"[{_LETTER}]++(?:[ {ZWNJ}][{_LETTER}]++)*+"
_is_plain = re.compile(_PLAIN).fullmatch
_SURROGATE = re.compile("[\ud800-\udfff]")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_PRESENTATION = re.compile("[\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc]+")
_BREAK = re.compile(r"</?(?:br|p|div|li|tr|td)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<(?:!--|[!/?]?[A-Za-z])[^<>]*>")
_GAP = re.compile(rf"[\s{ZWNJ}]{{2,}}|[^\S ]")
_NOT_WORDS = re.compile(r"[\W_]+")
_ROUNDS = 8


def clean(text: str) -> str | None:
    """Text as it is stored and shown; None where it says nothing (DOMAIN: placeholders).

    1. Undo HTML references once, then take tags and invisible characters out.
    2. Presentation forms become letters, letters become Persian ones; ة ۀ آ أ ؤ ئ and digits stay as written.
    3. One blank between words, one ZWNJ inside them, nothing at the ends.
    """
    quick = _begin(text.strip())
    if not _is_plain(quick):
        quick = tidy(unescape_once(_SURROGATE.sub(REPLACEMENT, text)))
    if len(quick) <= _LONGEST_PLACEHOLDER and quick.casefold() in PLACEHOLDERS:
        return None
    return quick


# Of many texts: what is made of each at first glance, and those results that the glance is not enough for.
Tester = Callable[[Sequence[str]], tuple[Sequence[str], set[str]]]


def tester(usual: str, glance: Callable[[Sequence[str]], str] = "\n".join) -> Tester:
    """A test of many texts in a few calls into C.

    usual: a pattern, without a newline in it, of texts that need no second look. glance: what is done with all texts
    at first; it gives as many lines.
    """
    # Runs of usual lines are passed over; the one behind them is found. At the end an empty one is found too.
    find = re.compile(rf"(?:(?:{usual})\n)*+(?:(?!\Z)(.*)\n)?").findall

    def test(texts: Sequence[str]) -> tuple[Sequence[str], set[str]]:
        if not texts:
            return texts, set()
        lines = glance(texts).split("\n")
        if len(lines) != len(texts):  # some texts have several lines: those need a second look
            lines = glance(["\x00" if "\n" in text else text for text in texts]).split("\n")
        return lines, set(find("\n".join((*lines, ""))))

    return test


def text_tester(longest: int) -> Tester:
    """The test of what `clean` gives for text that is no longer than this; short text may stand for nothing."""
    return tester(rf"(?=.{{{_LONGEST_PLACEHOLDER + 1}}})(?!.{{{longest + 1}}}){_PLAIN}", _glance)


def _glance(texts: Sequence[str]) -> str:
    return _begin("\n".join(map(str.strip, texts)))


def _begin(text: str) -> str:
    """What most Persian text from Arabic keyboards needs, and all it needs."""
    return text.replace("ي", "ی").replace("ك", "ک")


def fold(text: str | None) -> str:
    """Text as it is searched: digits, case, hamza, marks, ZWNJ and punctuation make no difference."""
    cleaned = (clean(text) if text else None) or ""
    if _is_plain(cleaned):
        return " ".join(cleaned.translate(_QUICKLY_FOLDED).split())
    return _fold_any(cleaned)


def _fold_any(text: str) -> str:
    for _ in range(_ROUNDS):
        before = text
        text = unicodedata.normalize("NFD", ascii_digits(text).casefold())
        text = "".join(c for c in text if not unicodedata.category(c).startswith("M"))
        text = unicodedata.normalize("NFC", _NOT_WORDS.sub(" ", text.translate(_FOLDED))).strip()
        if text == before:
            break
    return text


def squash(text: str | None) -> str:
    """Fold without blanks: for names of places and fields of study only."""
    return fold(text).replace(" ", "")


def ascii_digits(text: str) -> str:
    """Persian and Arabic digits as ASCII ones; all else, `²` too, as it is."""
    return text if text.isascii() else text.translate(_DIGITS)


def unescape_once(text: str) -> str:
    """Undo `&#1593;`, `&nbsp;`, `&amp;`; only complete references that exist, so `a&copy=1` stays."""
    return _REFERENCE.sub(_undo, text) if "&" in text else text


def tidy(text: str) -> str:
    """Everything of `clean` but HTML references and placeholders, repeated until nothing changes any more."""
    rounds = 0
    while (tidied := _tidy_once(text)) != text:
        if _is_plain(tidied):  # nothing changes that
            return tidied
        text, rounds = tidied, rounds + 1
        if rounds == _ROUNDS:  # tags nested in tags, by somebody who means it: no brackets, no tags
            text = text.replace("<", "").replace(">", "")
    return text


def _tidy_once(text: str) -> str:
    if not text.isascii():
        text = _PRESENTATION.sub(lambda forms: unicodedata.normalize("NFKC", forms[0]), text)
    text = _INVISIBLE.sub("", text.replace("¬", ZWNJ))
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub(" ", text))
    if not text.isascii():
        # Normal form first: ي with a hamza above is ئ, but ی with a hamza above never becomes one.
        text = unicodedata.normalize("NFC", text).translate(_LETTERS)
    return _GAP.sub(_one_gap, text).strip(f" {ZWNJ}")


def _one_gap(gap: re.Match[str]) -> str:
    return ZWNJ if gap[0].strip(ZWNJ) == "" else " "


def _undo(reference: re.Match[str]) -> str:
    text = reference[0]
    return unescape(text) if text[1] == "#" or text[1:] in html5 else text


# What folding makes of each character of plain text, worked out once: ten times as quick, and nearly all text is.
_QUICKLY_FOLDED = {
    code: _fold_any(f"x{chr(code)}x")[1:-1]
    for code in range(0x20, 0x2010)
    if code == 0x20 or _is_plain(chr(code))
}
_QUICKLY_FOLDED[ord(ZWNJ)] = " "
