"""Every error code in plain words: what happened, are the data safe, what to do.

A code travels with a few params (host, seconds, part …). People see the sentences in their own language on
the pages (`explain`); the run row and the terminal keep English (`message`). A sentence whose params did not
come gives way to the next, plainer one, so that no page ever shows a hole.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panel import persian
from panel.causes import CAUSES, FACES
from panel.words import translator

LIMIT = 500
PARAM_LIMIT = 160
CODES = ("status",)  # numbers among the params that are codes: in Latin digits everywhere (panel/persian.py)


@dataclass(frozen=True)
class Explanation:
    """What people read: one sentence or two each, in one language. in_settings: it sends them to the settings."""

    what: str
    safe: str
    todo: str
    in_settings: bool = False

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.safe, self.todo) if part)


def explain(code: str | None, params: Mapping[str, Any] | None = None) -> Explanation:
    """The explanation in the reader's language where a page is being made, in English elsewhere."""
    # Here, not above: engine and commands use `message` and should not have to load Flask.
    from flask_babel import get_locale, gettext

    locale = get_locale()
    apart = locale is not None and locale.language != "en"
    return _explanation(code, params, gettext, apart=apart)


def in_language(language: str, code: str | None, params: Mapping[str, Any] | None = None) -> Explanation:
    """The explanation in this language, whoever asks."""
    return _explanation(code, params, translator(language), apart=language != "en")


def english(code: str | None, params: Mapping[str, Any] | None = None) -> Explanation:
    """The explanation in English, whoever asks."""
    return in_language("en", code, params)


def message(code: str | None, params: Mapping[str, Any] | None = None) -> str:
    """The three sentences in English, as the run row keeps them: at most 500 characters."""
    text = str(english(code, params))
    return text if len(text) <= LIMIT else text[: LIMIT - 1] + "…"


def _explanation(
    code: str | None, params: Mapping[str, Any] | None, translate: Any, *, apart: bool = False
) -> Explanation:
    """apart: the sentences run from right to left."""
    values = {name: plain(value) for name, value in (params or {}).items() if value not in (None, "", [])}
    faces = [f"{code}:{values[name]}" for name in FACES if name in values]
    if apart:
        values = {name: apart_in_line(value) for name, value in values.items()}
    cause = next(CAUSES[key] for key in (*faces, code or "", "E_INTERNAL") if key in CAUSES)
    return Explanation(
        _fill(cause.what, values, translate),
        translate(cause.safe),
        _fill(cause.todo, values, translate),
        cause.in_settings,
    )


def _fill(texts: tuple[str, ...], values: Mapping[str, str], translate: Any) -> str:
    """The first text whose params all came. Only our own texts are formats; params are only ever values."""
    for text in texts:
        try:
            text.format_map(values)
        except KeyError:
            continue
        return str(translate(text)).format_map(values)
    return str(translate(texts[-1]))


def apart_in_line(value: str) -> str:
    """A Latin value (a path, an address) in marks that keep it in one piece inside a line from right to left."""
    return f"\u2068{value}\u2069" if re.search(r"[A-Za-z]", value) else value


def figure(name: str, value: float, language: str) -> str:
    """A number among the params as people read it, a code as it is."""
    return str(value) if name in CODES else persian.number(value, language)


def plain(value: Any) -> str:
    """A param as one short line: lists joined, control characters out (they forge log lines), cut."""
    if isinstance(value, float):
        value = f"{value:g}"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    text = "".join(char if char.isprintable() else " " for char in text).strip()
    return text if len(text) <= PARAM_LIMIT else text[: PARAM_LIMIT - 1] + "…"
