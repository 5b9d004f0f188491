"""What is wrong with a setting, in words: pydantic's findings, translated where a page is being drawn."""

import sys
from collections.abc import Mapping
from typing import Any


def N_(text: str) -> str:
    """Mark a text for the catalogue; it is translated when it is shown."""
    return text


_WORDS: Mapping[str, str] = {
    "missing": N_("This is needed."),
    "unknown": N_("There is no such setting."),
    "environment": N_("This is set in the environment (%(variable)s) and can be changed only there."),
    "string_pattern_mismatch": N_("This does not have the right form."),
    "string_too_short": N_("This is too short."),
    "string_too_long": N_("This is too long (at most %(max_length)s characters)."),
    "literal_error": N_("This must be one of %(expected)s."),
    "int_parsing": N_("This must be a whole number."),
    "int_type": N_("This must be a whole number."),
    "int_from_float": N_("This must be a whole number."),
    "float_parsing": N_("This must be a number."),
    "float_type": N_("This must be a number."),
    "bool_parsing": N_("This must be yes or no."),
    "greater_than": N_("This must be greater than %(gt)s."),
    "greater_than_equal": N_("This must be at least %(ge)s."),
    "less_than": N_("This must be less than %(lt)s."),
    "less_than_equal": N_("This must be at most %(le)s."),
}


def say(kind: str, params: Mapping[str, Any], otherwise: str = "") -> str:
    """The sentence for one kind of finding; `otherwise` (a fetcher's own) for kinds not known here."""
    text = _WORDS.get(kind)
    if text is None:
        # A validator's ValueError comes as "Value error, …".
        return otherwise.removeprefix("Value error, ") or kind
    if "flask" in sys.modules:  # else nobody is drawing a page, and commands need not load it
        from flask import has_request_context
        from flask_babel import gettext

        if has_request_context():
            return gettext(text, **params)
    return text % params if params else text
