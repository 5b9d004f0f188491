"""Our texts in a language that is named, also where no page is being made: a letter has its own."""

import gettext
from collections.abc import Callable
from functools import cache
from pathlib import Path

HOME = Path(__file__).resolve().parent / "translations"


@cache
def translator(language: str) -> Callable[[str], str]:
    """From the English text, which is in the code, to this language's. Texts that it lacks stay English."""
    if language == "en":
        return str
    return gettext.translation("messages", HOME, [language]).gettext
