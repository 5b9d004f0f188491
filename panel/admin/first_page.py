"""«پیش‌نمایش صفحهٔ نخست»: what a source sends first with its settings, before anything is stored."""

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from markupsafe import Markup

from fetchers.core.clean import flags
from panel import browse, diary, probe, settings
from panel.admin import settings_form, show, sources, values
from panel.auth.locale import current
from panel.config import Config
from panel.models import DataSync


@dataclass(frozen=True)
class Seen:
    """The page's facts. rows: a cell per column. odd: what it is, the field's label, how often."""

    part: str
    read: int
    total: int | None
    parts: int
    tried: int
    rejected: int
    duplicates: int
    labels: list[str]
    columns: list[str]
    rows: list[list[Markup | str]]
    odd: list[tuple[str, str, int]]
    unknown: list[str]
    empty: list[str]


def page_of(sync: DataSync, resolved: settings.Resolved, config: Config) -> dict[str, Any]:
    """What the page shows: the first records, or why there are none to show."""
    page: dict[str, Any] = {"sync": sync, "label": sources.label(sync.fetcher), "seen": None, "trouble": None}
    wrong = settings_form.missing(sync, resolved, but_lists=False)
    if wrong:
        return page | {"trouble": wrong}
    answer = probe.preview(sync.fetcher, resolved.values, config)
    if not answer.ok:
        why = show.explained(answer.code, answer.params)  # a preview writes nothing: no word about the data
        return page | {"trouble": f"{why.what} {why.todo}"}
    return page | {"seen": _seen(dict(answer.seen))}


def _seen(told: dict[str, Any]) -> Seen:
    stream = diary.streams()[told["stream"]]
    table = next(table for table in browse.tables().values() if table.stream.name == stream.name)
    columns = told["columns"]

    def label(column: str) -> str:
        return table.label_of(column, current()) if column else _("the whole record")

    return Seen(
        part=told["part"],
        read=told["read"],
        total=told["total"],
        parts=told["parts"],
        tried=told["tried"],
        rejected=told["rejected"],
        duplicates=told["duplicates"],
        labels=[label(column) for column in columns],
        columns=columns,
        rows=[
            [values.shown(table, column, value) for column, value in zip(columns, row, strict=True)]
            for row in told["rows"]
        ],
        odd=[
            (flags.what(one["reason"])(current()), label(one["field"]), one["times"]) for one in told["odd"]
        ],
        unknown=told["unknown"],
        empty=[label(column) for column in told["empty"]],
    )
