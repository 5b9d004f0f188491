"""What happened to a source's fields, in a few words: for its page, and for the status page while it is news."""

from datetime import datetime, timedelta

from flask_babel import lazy_gettext as lazy

from panel.auth.locale import current
from panel.models import DataSync

NEWS_DAYS = 7  # so long the status page speaks of what was heard last
FIELDS_NAMED = 5

KIND_WORDS = {
    "added": lazy("New: a column from now on"),
    "ignored": lazy("New: not stored"),
    "refused": lazy("New: the part was refused"),
    "lost": lazy("Missing: the part was refused"),
    "renamed": lazy("Missing, most likely renamed: the part was refused"),
    "type": lazy("Another type: the part was refused"),
    "null": lazy("Empty where it is the key: the part was refused"),
    "returned": lazy("Came as before again"),
}
# The same as the status page tells it: one field or several.
NEWS_WORDS = {
    "added": lazy("New field from the gateway: %(fields)s (now has its own column)"),
    "ignored": lazy("New field from the gateway: %(fields)s (not stored)"),
    "refused": lazy("New field from the gateway: %(fields)s (the part was refused)"),
    "lost": lazy("Field no longer sent by the gateway: %(fields)s (the part was refused)"),
    "renamed": lazy("Field most likely renamed by the gateway: %(fields)s (the part was refused)"),
    "type": lazy("Field now of another type: %(fields)s (the part was refused)"),
    "null": lazy("Key field sent empty by the gateway: %(fields)s (the part was refused)"),
    "returned": lazy("Field sent as before again: %(fields)s"),
}


def news(sync: DataSync, now: datetime) -> str | None:
    """A sentence about what was heard of the schema in the last days; None where there is nothing."""
    heard = sync.schema_news
    if not heard or datetime.fromisoformat(heard["at"]) < now - timedelta(days=NEWS_DAYS):
        return None
    comma = "، " if current() == "fa" else ", "
    said = []
    for one in heard["news"]:
        named = [f"\u2068{field}\u2069" for field in one["fields"][:FIELDS_NAMED]]
        more = ["…"] if len(one["fields"]) > FIELDS_NAMED else []
        words = NEWS_WORDS.get(one["kind"], f"{one['kind']}: %(fields)s")
        said.append(str(words) % {"fields": comma.join([*named, *more])})
    return " · ".join(said) or None
