"""Where to go after a form: a page of ours, never an address that somebody else put into the link."""

from urllib.parse import urlsplit

from flask import url_for


def safe_next(target: str | None) -> str:
    """`target` if it is a plain path of this panel, else the index.

    Browsers drop tabs and newlines from addresses, take a backslash for a slash, and read `//host` as a host.
    """
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return url_for("admin.index")
    if any(ord(character) <= 32 or ord(character) == 127 for character in target):
        return url_for("admin.index")
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return url_for("admin.index")
    return target
