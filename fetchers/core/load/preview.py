"""The first page of a source, read with these settings and cleaned, before anything is stored. Nothing is written."""

from itertools import islice
from typing import Any

from fetchers.core.errors import FetchError
from fetchers.core.events import Events
from fetchers.core.fetcher import Fetcher, Stream
from fetchers.core.load import plan, rehearsal
from fetchers.core.load.compare import Comparer
from fetchers.core.load.fetching import Part, broken
from fetchers.core.load.job import open_fetcher
from fetchers.core.records import Whole
from fetchers.core.spec import Spec
from fetchers.core.wire.envelope import Page

ROWS_SHOWN = 20
PARTS_TRIED = 5  # a term that has not begun may have nobody yet


def preview(spec: Spec, events: Events) -> int:
    """Look at the first page of the first planned part; the exit code.

    1. Open the fetcher, and plan as a run does.
    2. Ask for one page of the first part; where it is empty, of the next ones.
    3. Clean it as a run would, compared with an empty destination in memory.
    4. Tell, as the event `result` with `preview`, or `error`.
    """
    try:
        fetcher = open_fetcher(spec, events)
        parts = plan.all_parts(fetcher, spec)
        fetcher.session.only_first_page = True
        tried = 0
        for part in parts[:PARTS_TRIED]:
            tried += 1
            page = _first_page(fetcher, part, spec.source)
            if page is not None and page.records:
                break
        told = _told(fetcher, part, page or Page([]))
    except FetchError as error:
        events.send("error", error=error.to_dict())
        return 1
    told |= {"parts": len(parts), "tried": tried, "total": fetcher.session.announced}
    events.send("result", preview=told)
    return 0


def _first_page(fetcher: Fetcher, part: Part, source: str) -> Page | None:
    fetcher.session.announced = None
    try:
        return next(iter(getattr(fetcher, part.stream.method)(**part.partition)), None)
    except FetchError:
        raise
    except Exception as error:
        raise broken(error, source) from error


def _told(fetcher: Fetcher, part: Part, page: Page) -> dict[str, Any]:
    stream: Stream = part.stream
    nothing = rehearsal.empty_destination([stream])
    try:
        comparer = Comparer(nothing, stream, may_be_missing=getattr(fetcher.settings, "may_be_missing", ()))
        delta = comparer.compare(part.partition, Whole([page.records]))
    finally:
        nothing.close()
    odd: dict[tuple[str, str], int] = {}
    for note in delta.notes:
        about = (note.reason, note.field or "")
        odd[about] = odd.get(about, 0) + 1
    empty = [
        column
        for place, column in enumerate(stream.columns)
        if delta.added and all(row[place] is None for row in delta.added)
    ]
    return {
        "stream": stream.name,
        "part": part.label,
        "columns": list(stream.columns),
        "rows": [list(row) for row in islice(delta.added, ROWS_SHOWN)],
        "read": delta.counts.read,
        "rejected": delta.counts.rejected,
        "duplicates": delta.counts.duplicates,
        "odd": [{"reason": reason, "field": field, "times": n} for (reason, field), n in odd.items()],
        "unknown": sorted(comparer.schema.strangers),
        "empty": empty,
    }
