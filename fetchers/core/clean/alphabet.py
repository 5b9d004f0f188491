"""The order of the Persian alphabet, as text that any database sorts right by its code points.

Code points put گ چ پ ژ ک ی behind the other letters, and a server's own Persian locale may be missing. Blanks come
first, then digits, Persian letters (آ before ا, as dictionaries and CLDR's Persian collation have it), Latin letters,
the rest. Arabic ي and ك are ی and ک; أ ؤ ئ ة are sorted as ا و ی ه, so that مؤمنی stands beside مومنی.
"""

from collections.abc import Iterable

ALPHABET = "آابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی"
LONGEST = 100  # characters of a text that count
LAST = "\U0010fffd"  # stands for a text that is missing: behind all others

# The 33 ASCII signs between the digits and the small letters, which a text itself never keeps.
_PLACES = "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
_SAME = {
    "ا": "أإٱ",
    "و": "ؤ",
    "ی": "ئيىېے",
    "ک": "ك",
    "ه": "ةۀہھە",
    " ": "\u200c\u00a0\t\n\r!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~،؛؟«»",
    **{str(digit): "۰۱۲۳۴۵۶۷۸۹"[digit] + "٠١٢٣٤٥٦٧٨٩"[digit] for digit in range(10)},
}
_PAIRS = dict(zip(ALPHABET, _PLACES, strict=True))
_PAIRS |= {sign: _PAIRS.get(letter, letter) for letter, signs in _SAME.items() for sign in signs}
_PAIRS |= {chr(code): chr(code).lower() for code in range(ord("A"), ord("Z") + 1)}
_NOTHING = "".join(map(chr, (0x621, 0x640, *range(0x64B, 0x656), 0x670)))  # hamza alone, tatweel, marks

# What a database's translate() needs: signs, what each becomes; those beyond the second text's end become nothing.
FROM = "".join(_PAIRS) + _NOTHING
TO = "".join(_PAIRS.values())

_TABLE = str.maketrans(FROM[: len(TO)], TO, _NOTHING)


def order_key(text: str) -> str:
    """What a text is sorted by: `sorted(names, key=order_key)`. Empty where nothing in it counts."""
    return text[:LONGEST].translate(_TABLE).strip(" ")


def order_of(texts: Iterable[str | None]) -> str:
    """What a row is sorted by that has several such texts, the first one before the others."""
    return "\n".join((text and order_key(text)) or LAST for text in texts)
