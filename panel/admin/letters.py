"""The page of a letter to a gateway's support team: in both languages, the reader's own first."""

from flask_babel import gettext as _

from panel.auth.locale import current
from panel.letter import LANGUAGES, Facts, write


def letters(facts: Facts) -> list[tuple[str, str, str]]:
    """Language, its heading, and the letter in it."""
    words = {"fa": _("In Persian"), "en": _("In English")}
    own_first = sorted(LANGUAGES, key=lambda language: language != current())
    return [(language, words[language], write(facts, language)) for language in own_first]
