"""Part of `make check`: the documentation says what the code does. `--write` makes its generated parts anew.

1. Generated parts are current, and each stands on some page.
2. Links lead to a file, and to a heading of it.
3. Every page can be reached from the first one.
4. Every variable, command, route and error code is documented; errors in both languages.
5. Commands that the pages show exist, with those options; so do `make` targets.
6. Each nasty input and each fault has its tests, and the pages that list them have every one.
"""

import re
import shlex
import sys
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import click

from tools import docs_parts, docs_tests

ROOT = docs_parts.ROOT
FIRST_PAGE = "README.md"
OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md")
MARKS = re.compile(r"<!-- generated: (.+?) -->\n(.*?)<!-- end of generated: \1 -->", re.S)
FENCE = re.compile(r"^(```+|~~~+).*?^\1`*\s*$", re.M | re.S)
LINK = re.compile(
    r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^()\s<>]+(?:\([^()]*\)[^()\s<>]*)?)>?(?:\s+\"[^\"]*\")?\)"
)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.M)
COMMAND = re.compile(r"python -m panel\b([^`\n|;&)]*)")
TARGET = re.compile(r"(?:^\$ |`)make((?: [A-Z]+=\S+)*)((?: [a-z-]+)+)`?", re.M)
ARABIC = re.compile("[يك]")


def pages(root: Path) -> dict[str, str]:
    """The text of every page, by its path below the root."""
    found = [root / FIRST_PAGE, *(root / name for name in OUTSIDE), *sorted((root / "docs").rglob("*.md"))]
    return {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in found if path.is_file()}


def renewed(text: str) -> str:
    """A page with its generated parts as the code would have them now."""

    def part(found: re.Match[str]) -> str:
        name = found[1]
        if name not in docs_parts.PARTS:
            return found[0]
        made = docs_parts.PARTS[name]()
        return f"<!-- generated: {name} -->\n\n{made}\n\n<!-- end of generated: {name} -->"

    return MARKS.sub(part, text)


def generated_problems(found: dict[str, str]) -> list[str]:
    problems, there = [], set()
    for page, text in found.items():
        names = [match[1] for match in MARKS.finditer(text)]
        problems += [
            f"{page}: nothing makes the part “{name}”" for name in names if name not in docs_parts.PARTS
        ]
        there.update(names)
        if renewed(text) != text:
            problems.append(
                f"{page}: its generated parts are not current: run `python -m tools.check_docs --write`"
            )
    problems += [f"no page has the generated part “{name}”" for name in docs_parts.PARTS if name not in there]
    return problems


def slug(heading: str) -> str:
    """The anchor of a heading, as Git hosts make it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    kept = (
        char for char in text if char in " -_\u200c" or unicodedata.category(char)[0] in "LN" or char == "_"
    )
    return "".join(kept).replace(" ", "-")


def links(text: str) -> list[str]:
    """Where a page's links lead, code aside."""
    return [match[1] for match in LINK.finditer(re.sub(r"`[^`\n]*`", "", FENCE.sub("", text)))]


def link_problems(found: dict[str, str], root: Path) -> list[str]:
    problems = []
    reached = {FIRST_PAGE, *OUTSIDE}
    for page, text in found.items():
        for link in links(text):
            if re.match(r"[a-z][a-z+.-]*:", link):
                continue
            name, _, anchor = unquote(link).partition("#")
            target = (root / page).parent / name if name else root / page
            if not target.exists():
                problems.append(f"{page}: the link {link} leads nowhere")
                continue
            inside = str(target.resolve().relative_to(root.resolve()))
            if page != inside:
                reached.add(inside)
            if anchor and target.suffix == ".md":
                headings = HEADING.findall(FENCE.sub("", target.read_text(encoding="utf-8")))
                if anchor not in map(slug, headings):
                    problems.append(f"{page}: {name or page} has no heading #{anchor}")
    return problems + [f"{page}: no other page leads to it" for page in found if page not in reached]


def mention_problems(found: dict[str, str]) -> list[str]:
    """What the code has and the pages do not say."""
    written = "\n".join(found.values())
    problems = [
        f"the environment variable {name} is not explained (VARIABLES in tools/docs_parts.py)"
        for name in docs_parts.variables()
        if name not in docs_parts.VARIABLES
    ]
    problems += [
        f"{name} is explained, but nothing reads it"
        for name in docs_parts.VARIABLES
        if name not in docs_parts.variables()
    ]
    problems += [
        f"the command {' '.join(words)} has no help"
        for words, command, _ in docs_parts.walk_commands()
        if not command.help
    ]
    problems += [
        f"no page shows the command {words[0]}"
        for words, _, _ in docs_parts.walk_commands()
        if len(words) == 1 and f"python -m panel {words[0]}" not in written
    ]
    problems += [f"{route}: its function does not say what it does" for route in docs_parts.silent_routes()]
    explained = {code.partition(":")[0] for code in docs_parts.causes.CAUSES}
    problems += [
        f"{place}: the error code {code} is not explained (panel/causes/)"
        for code, place in docs_parts.codes_in_code().items()
        if code not in explained
    ]
    problems += [f"no Persian for {text!r}" for text in docs_parts.causes_without_persian()]
    return problems


def command_problems(found: dict[str, str], root: Path) -> list[str]:
    """Commands that the pages show and that are not there."""
    known = {words: command for words, command, _ in docs_parts.walk_commands()}
    targets = set(re.findall(r"^([a-z-]+):.*##", (root / "Makefile").read_text(encoding="utf-8"), re.M))
    problems = []
    for page, text in found.items():
        own = MARKS.sub("", text)
        for match in COMMAND.finditer(own):
            wrong = _wrong_use(match[1], known)
            if wrong:
                problems.append(f"{page}: “python -m panel{match[1].rstrip()}”: {wrong}")
        for match in TARGET.finditer(own):
            problems += [
                f"{page}: there is no `make {name}`" for name in match[2].split() if name not in targets
            ]
        if page.startswith("docs/fa/"):
            problems += [
                f"{page}: Arabic ي or ك in “{line.strip()[:60]}”"
                for line in FENCE.sub("", own).splitlines()
                if ARABIC.search(re.sub(r"`[^`]*`", "", line))
            ]
    return problems


def _wrong_use(rest: str, known: dict[tuple[str, ...], click.Command]) -> str | None:
    """What is wrong with a command line that a page shows; placeholders (KEY, …) are taken for arguments."""
    try:
        words = shlex.split(rest.replace("…", " ").replace("“", " ").replace("”", " "), comments=True)
    except ValueError:
        return None
    path: tuple[str, ...] = ()
    options = set(_options(known[()]))
    for word in words:
        if word.startswith("-") and word != "-":
            name = word.split("=")[0]
            if name not in options | {"-h", "--help"}:
                return f"there is no option {name}"
        elif isinstance(known[path], click.Group) and word.isascii() and word.islower():
            path = (*path, word)
            if path not in known:
                return f"there is no command {' '.join(path)}"
            options |= set(_options(known[path]))
    return None


def _options(command: click.Command) -> list[str]:
    return [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]


def problems(root: Path = ROOT) -> list[str]:
    found = pages(root)
    return [
        *generated_problems(found),
        *link_problems(found, root),
        *mention_problems(found),
        *command_problems(found, root),
        *docs_tests.problems(docs_tests.NASTY, found, root),
        *docs_tests.problems(docs_tests.FAULTS, found, root),
    ]


def write(root: Path = ROOT) -> list[str]:
    """Make the generated parts anew; the pages that changed."""
    changed = []
    for page, text in pages(root).items():
        new = renewed(text)
        if new != text:
            (root / page).write_text(new, encoding="utf-8")
            changed.append(page)
    return changed


def main(arguments: list[str]) -> int:
    if arguments == ["--write"]:
        for page in write():
            print(f"{page}: written")
        return 0
    if arguments:
        print("usage: python -m tools.check_docs [--write]", file=sys.stderr)
        return 2
    found = problems()
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
