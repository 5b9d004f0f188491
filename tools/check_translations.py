"""Part of `make check`: every text has its Persian, and nothing else has; no page speaks past gettext."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

from tools.translations import CATALOGUE, COMPILED, ROOT, as_mo, as_po, merged, translated

SPOKEN = ("title", "aria-label", "placeholder", "alt", "data-title", "data-confirm", "data-yes", "data-no")
SILENT = ("script", "style", "code", "pre", "kbd", "samp")
# Languages are called by their own names, in every language.
ALLOWED = {"English", "فارسی"}
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.S)
LETTERS = re.compile(r"[^\W\d_]{2,}")


class VisibleText(HTMLParser):
    """Collects what a reader would see or hear of a template, apart from what Jinja puts in."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self._silent += 1
        for name, value in attrs:
            if name in SPOKEN and value:
                self._hear(value)

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT:
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._hear(data)

    def _hear(self, text: str) -> None:
        text = " ".join(text.split())
        if LETTERS.search(text) and text not in ALLOWED:
            self.found.append((self.getpos()[0], text))


def outside_gettext(template: str) -> list[tuple[int, str]]:
    """Texts of a template that no translation can reach: (line, text)."""
    # Line breaks stay, so that the numbers are right; what Jinja says becomes a harmless mark.
    bare = JINJA.sub(lambda found: "_" + "\n" * found.group().count("\n"), template)
    parser = VisibleText()
    parser.feed(bare)
    parser.close()
    return parser.found


def problems() -> list[str]:
    catalog, missing = merged()
    found = [f"no Persian for {text!r}" for text in missing]
    used = {message.id[0] if isinstance(message.id, tuple) else message.id for message in catalog}
    found += [
        f"{part.name}: nothing says {text!r} any more"
        for text, (_, part) in translated().items()
        if text not in used
    ]
    po = as_po(catalog)
    if not CATALOGUE.is_file() or CATALOGUE.read_bytes() != po:
        found.append(f"{CATALOGUE.relative_to(ROOT)} is not current: run `make translations`")
    if not COMPILED.is_file() or COMPILED.read_bytes() != as_mo(po):
        found.append(f"{COMPILED.relative_to(ROOT)} is not current: run `make translations`")
    for template in sorted(Path(ROOT / "templates").rglob("*.html")):
        for line, text in outside_gettext(template.read_text(encoding="utf-8")):
            found.append(f"{template.relative_to(ROOT)}:{line}: {text!r} is not translated")
    return found


def main() -> int:
    found = problems()
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
