"""What a held run would remove, as panel, API and command show it: parts with their figures, rows with their names.

Personal columns are for administrators; for everybody else they are left out before anything is shown.
"""

from dataclasses import dataclass, replace
from typing import Any

from fetchers.core import registry
from fetchers.core.decide import holds
from fetchers.core.fetcher import Stream
from fetchers.core.load.staging import HeldPart
from panel import rehearsals
from panel.config import Config
from panel.models import SyncRun

EXPORTED_AT_ONCE = 1000


@dataclass(frozen=True)
class Column:
    """A column of the list."""

    name: str
    stream: Stream
    personal: bool

    def label(self, locale: str) -> str:
        field = self.stream.fields.get(self.name)
        return field.label(locale) if field is not None else self.name


def parts(run: SyncRun, config: Config) -> list[HeldPart]:
    """The held parts; none once the run is superseded, accepted or lapsed. Of a rehearsal, what would be held.

    Raises FetchError.
    """
    return holds.parts(rehearsals.staging(config, run), run.sync.fetcher, run.uuid)


def vanishing(
    run: SyncRun,
    config: Config,
    *,
    sees_personal: bool,
    search: str = "",
    part: str | None = None,
    offset: int = 0,
    limit: int = 50,
) -> holds.Page:
    """Whom it would remove, those who really leave first. Raises FetchError."""
    page = holds.vanishing(
        rehearsals.staging(config, run),
        run.sync.fetcher,
        run.uuid,
        config.data_database_url,
        search=search,
        part=part,
        offset=offset,
        limit=limit,
    )
    if sees_personal:
        return page
    hidden = {column.name for column in columns(run) if column.personal}
    return replace(page, rows=[_without(row, hidden) for row in page.rows])


def columns(run: SyncRun) -> list[Column]:
    """The columns of the list: of the first stream, and what others have besides."""
    fetcher = registry.load(run.sync.fetcher).fetcher
    found: dict[str, Column] = {}
    for stream in fetcher.streams() if fetcher is not None else []:
        for name in holds.summary_columns(stream):
            field = stream.fields.get(name)
            found.setdefault(name, Column(name, stream, bool(field and field.personal)))
    return list(found.values())


def to_dict(row: holds.Vanishing) -> dict[str, Any]:
    """A line of the list as REST gives it."""
    return {"stream": row.stream, "part": row.part, "key": row.key, "moved": row.moved, "row": row.row}


def part_dict(part: HeldPart) -> dict[str, Any]:
    """A held part as REST gives it."""
    return {
        "stream": part.stream,
        "part": part.part,
        "rows_before": part.rows_before,
        "rows_after": part.rows_after,
    }


def _without(row: holds.Vanishing, hidden: set[str]) -> holds.Vanishing:
    if row.row is None:
        return row
    return replace(row, row={name: None if name in hidden else value for name, value in row.row.items()})
