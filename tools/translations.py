"""Gather the panel's texts, merge the Persian translations, compile them: `make translations`.

English is the text in the code itself. Each part of the house keeps its Persian in a file of its own,
`panel/translations/parts/<part>.po` (plain msgid and msgstr); this merges them into one catalogue, complete and
compiled, both of which are committed, so that a start needs no compiler.
"""

import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / "panel" / "translations"
PARTS = HOME / "parts"
CATALOGUE = HOME / "fa" / "LC_MESSAGES" / "messages.po"
COMPILED = CATALOGUE.with_suffix(".mo")

METHODS = [("panel/**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {
    "_": None,
    "N_": None,
    "lazy": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "lazy_ngettext": (1, 2),
}
NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)
HEADER = (
    "# The panel's texts in Persian. Made by `make translations` from parts/; mend the parts, not this file."
)


def texts() -> Catalog:
    """Every text of the code and the templates."""
    found = Catalog(charset="utf-8")
    for place in ("panel", "templates"):
        for file, line, message, _comments, context in extract_from_dir(
            str(ROOT / place),
            [
                (pattern.removeprefix(f"{place}/"), kind)
                for pattern, kind in METHODS
                if pattern.startswith(place)
            ],
            {},
            KEYWORDS,
        ):
            found.add(message, locations=[(f"{place}/{file}", line)], context=context)
    return found


def translated() -> dict[str, tuple[str | tuple[str, ...], Path]]:
    """What the parts say, and where; two parts must not disagree."""
    found: dict[str, tuple[str | tuple[str, ...], Path]] = {}
    for part in sorted(PARTS.glob("*.po")):
        with part.open("rb") as file:
            catalog = read_po(file, locale="fa", charset="utf-8")
        for message in catalog:
            if not message.id or not message.string:
                continue
            key = message.id[0] if isinstance(message.id, tuple) else message.id
            before = found.get(key)
            if before is not None and _first(before[0]) != _first(message.string):
                print(
                    f"warning: {part.name} and {before[1].name} differ on {key!r}: the first one is taken",
                    file=sys.stderr,
                )
                continue
            found.setdefault(key, (message.string, part))
    return found


def merged() -> tuple[Catalog, list[str]]:
    """The Persian catalogue, and the texts that have no translation."""
    known = translated()
    catalog = Catalog(locale="fa", header_comment=HEADER, charset="utf-8", fuzzy=False)
    missing: list[str] = []
    for message in sorted((m for m in texts() if m.id), key=lambda m: _first(m.id)):
        string = known.get(_first(message.id), ("", None))[0]
        if not string:
            missing.append(_first(message.id))
            continue
        if isinstance(message.id, tuple):
            # Persian has two plural forms for gettext, and the noun after a number is singular in both.
            string = string if isinstance(string, tuple) else (string, string)
            string = (string[0], string[-1] or string[0])
        else:
            string = _first(string)
        catalog.add(message.id, string, flags=message.flags - {"fuzzy"})
    return catalog, missing


def as_po(catalog: Catalog) -> bytes:
    """The catalogue as text, without dates, so that it changes only when a text does."""
    out = BytesIO()
    write_po(out, catalog, width=110, omit_header=False, sort_output=False, include_previous=False)
    dated = (b'"POT-Creation-Date', b'"PO-Revision-Date', b'"Generated-By', b'"Project-Id', b'"Report-Msgid')
    lines = [line for line in out.getvalue().splitlines(keepends=True) if not line.startswith(dated)]
    return b"".join(lines)


def as_mo(po: bytes) -> bytes:
    """The compiled catalogue: the same bytes for the same texts, whenever it is made."""
    catalog = read_po(BytesIO(po), locale="fa", charset="utf-8")
    catalog.creation_date = catalog.revision_date = NO_DATE
    out = BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def _first(text: str | tuple[str, ...] | list[str]) -> str:
    return text if isinstance(text, str) else text[0]


def main() -> int:
    catalog, missing = merged()
    po = as_po(catalog)
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    CATALOGUE.write_bytes(po)
    COMPILED.write_bytes(as_mo(po))
    print(f"{len(catalog)} texts in Persian, {len(missing)} missing")
    for text in missing:
        print(f"  {text!r}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
