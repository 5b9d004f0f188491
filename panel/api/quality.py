"""What is odd in the data of a source: counts, and the notes themselves."""

from typing import Any

from flask import current_app, jsonify, request
from flask.typing import ResponseReturnValue

from fetchers.core.errors import FetchError
from panel import diary, quality
from panel.api.door import Refused, api, caller, iso, whole
from panel.api.syncs import sync_or_404
from panel.auth.roles import allows
from panel.models import DataSync


@api.get("/syncs/<key>/quality")
def show_quality(key: str) -> ResponseReturnValue:
    """How many odd values and left-out records there are, by kind (with what to do at the source) and by campus."""
    sync = sync_or_404(key)
    newest = [sync.last_run.uuid] if sync.last_run is not None else []
    try:
        found = quality.overview(_database(), diary.streams_by_source().get(sync.fetcher, []), newest)
    except FetchError as error:
        raise Refused(503, str(error), error.code) from None
    return jsonify(quality.to_dict(key, found))


@api.get("/syncs/<key>/quality/notes")
def show_notes(key: str) -> ResponseReturnValue:
    """The notes. `reason`, `field`, `campus`, `kept` (0: records left out, 1) and `search` (a key) filter.

    `page` and `limit` (at most 500) divide. Personal fields are masked unless the token is an administrator's;
    a record that was left out is given field by field.
    """
    sync = sync_or_404(key)
    limit, sees_personal = whole("limit", 50, 500), allows(caller().role, "admin")
    try:
        found = quality.page(
            _database(),
            _wanted(sync),
            sees_personal=sees_personal,
            number=whole("page", 1, 1_000_000),
            size=limit,
        )
    except FetchError as error:
        raise Refused(503, str(error), error.code) from None
    return jsonify(
        notes=[_note(note, sees_personal) for note in found.notes],
        page=found.page,
        limit=limit,
        total=found.total,
        more=found.more,
    )


def _wanted(sync: DataSync) -> quality.Wanted:
    given = request.args
    return quality.Wanted(
        streams=tuple(stream.name for stream in diary.streams_by_source().get(sync.fetcher, [])),
        reason=given.get("reason", "")[:40] or None,
        field=given.get("field", "")[:63] or None,
        campus=given.get("campus", "")[:16] or None,
        kept={"0": False, "1": True}.get(given.get("kept", "")),
        words=given.get("search", "")[:100],
    )


def _note(note: quality.Noted, sees_personal: bool) -> dict[str, Any]:
    return {
        "stream": note.stream,
        "part": note.part,
        "key": note.key,
        "field": note.field,
        "reason": note.reason,
        "kept": note.kept,
        "value": note.raw if note.kept else None,
        "record": None if note.kept else dict(quality.record(note, sees_personal)),
        "since": iso(note.at),
    }


def _database() -> str:
    url: str = current_app.extensions["hamgam_config"].data_database_url
    return url
