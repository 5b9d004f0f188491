"""The boxes by which a list is narrowed: each value with its word, and how many rows it would leave."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from fetchers.core.clean.alphabet import order_key
from panel.admin import show
from panel.admin.quality import campus_names
from panel.auth.locale import current
from panel.browse import NONE, DataTable, FacetChoice, Option

MOST_OPTIONS = 500


@dataclass(frozen=True)
class Box:
    """One box. options: what is sent, and what is read."""

    name: str
    label: str
    options: list[tuple[str, str]]
    chosen: str


def boxes(table: DataTable, choices: Sequence[FacetChoice]) -> list[Box]:
    """A box for each facet that has something to choose from."""
    found = []
    for choice in choices:
        facet = choice.facet
        words = _words(table, choice)
        options = sorted(choice.options, key=lambda option: _place(table, facet.column, option, words))
        options = options[:MOST_OPTIONS]
        read = [(option.value, _read(option, words)) for option in options]
        if choice.chosen and choice.chosen not in dict(read):
            read.insert(0, (choice.chosen, f"{choice.chosen} ({show.number(0)})"))
        if len(read) > 1 or choice.chosen:
            label = table.facet_label(facet, current())
            found.append(Box(f"f_{facet.column}", label, read, choice.chosen))
    return found


def _words(table: DataTable, choice: FacetChoice) -> dict[str, str]:
    """Value → word, where the value is a code."""
    words = {option.value: option.word for option in choice.options if option.word}
    if table.stream.partition_columns.get(choice.facet.column) == "campus":
        words |= campus_names()
    return words


def _place(table: DataTable, column: str, option: Option, words: dict[str, str]) -> tuple[object, ...]:
    """The newest first where a column has a newest value; else by the alphabet; what has no value at the end."""
    latest = table.stream.latest
    if option.value == NONE:
        return (1,)
    if latest is not None and column == latest.newest:
        return (0, *(-ord(sign) for sign in option.value))
    return 0, order_key(words.get(option.value, option.value)), option.value


def _read(option: Option, words: dict[str, str]) -> str:
    word = _("(empty)") if option.value == NONE else words.get(option.value, option.value)
    return word if option.rows is None else f"{word} ({show.number(option.rows)})"
