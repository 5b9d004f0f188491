"""Reading examples out of the pages, so that tests run what readers type."""

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


@dataclass
class Example:
    """A command of a `console` block, and the lines that the page shows below it."""

    command: str
    shown: list[str] = field(default_factory=list)


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return [
        text for kind, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")) if kind == language
    ]


def examples(page: str) -> list[Example]:
    """The commands of all `console` blocks, in order."""
    found: list[Example] = []
    for block in blocks(page, "console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Example(line[2:]))
            elif line.startswith("> "):
                found[-1].command += "\n" + line[2:]
            elif line.strip():
                found[-1].shown.append(line.strip())
    return found
