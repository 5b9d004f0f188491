"""Cleaning: what upstream sends becomes what we store, and what was odd about it.

The words for oddities are in `fetchers.core.clean.flags`, imported by those who show them.
"""

from fetchers.core.clean.fields import (
    CLEAN_RULES,
    Cleaned,
    Code,
    Discovered,
    Email,
    Field,
    Integer,
    JalaliDate,
    NationalCode,
    Phone,
    Province,
    Reject,
    Text,
    rules_version,
)
from fetchers.core.clean.jalali import Jalali, to_gregorian, to_jalali
from fetchers.core.clean.rows import Flag, RowCleaner, compile_row
from fetchers.core.clean.text import ascii_digits, clean, fold, squash

__all__ = [
    "CLEAN_RULES",
    "Cleaned",
    "Code",
    "Discovered",
    "Email",
    "Field",
    "Flag",
    "Integer",
    "Jalali",
    "JalaliDate",
    "NationalCode",
    "Phone",
    "Province",
    "Reject",
    "RowCleaner",
    "Text",
    "ascii_digits",
    "clean",
    "compile_row",
    "fold",
    "rules_version",
    "squash",
    "to_gregorian",
    "to_jalali",
]
