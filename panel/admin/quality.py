"""«کیفیت داده»: what is odd in the data by kind and campus, the rows behind a count, a file for the registrar."""

import io
from collections import Counter
from collections.abc import Iterator
from typing import Any

from flask import Response, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import lazy_gettext as lazy
from flask_login import current_user
from sqlalchemy import select

from fetchers.core.clean import flags
from fetchers.core.errors import FetchError
from fetchers.core.fetcher import Stream
from panel import audit, diary, quality
from panel.admin import base, quality_rows, quality_sheet, show, sources
from panel.auth.locale import current
from panel.auth.roles import requires
from panel.clock import utcnow
from panel.extensions import db
from panel.models import Campus, DataSync, SyncRun
from panel.sheets import CSV, XLSX

LONGEST_SEARCH = 100
FILTERS = ("search", "source", "reason", "field", "campus", "kept", "run", "key")
KINDS_IN_MATRIX = 8


class QualityView(base.PanelView):
    """What is odd in the data: over all sources, or of one."""

    def __init__(self) -> None:
        super().__init__(name=lazy("Data quality"), url="/quality", endpoint="quality")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        syncs = _syncs()
        chosen = next((sync for sync in syncs if sync.key == request.args.get("source")), None)
        found, trouble = quality.Overview([], {}, Counter(), 0), None
        try:
            found = quality.overview(
                base.config().data_database_url,
                _streams([chosen] if chosen else syncs),
                _newest_runs([chosen] if chosen else syncs),
            )
        except FetchError as error:
            trouble = show.explained(error.code, error.params).what
        return self.render(
            "quality.html",
            sources=sources.choices(syncs),
            chosen=chosen.key if chosen else None,
            found=found,
            trouble=trouble,
            kinds=[(kind, rows_url(syncs, kind), *_words(kind.reason)) for kind in found.kinds],
            matrix=_matrix(found, syncs),
            share=show.share,
            several=chosen is None and len(syncs) > 1,
            locale_code=current(),
        )

    @expose("/rows")
    def rows(self) -> ResponseReturnValue:
        """The rows behind a count, filtered."""
        wanted = wanted_from(request.args)
        names = campus_names()
        page, trouble = quality.Page([], 0, False, 1, 1), None
        url = base.config().data_database_url
        try:
            page = quality.page(
                url, wanted, sees_personal=current_user.can("admin"), number=base.page_number()
            )
        except FetchError as error:
            trouble = show.explained(error.code, error.params).what
        given = {name: request.args.get(name, "")[:LONGEST_SEARCH] for name in FILTERS}
        return self.render(
            "quality_rows.html",
            rows=quality_rows.rows(url, page.notes, names, sees_personal=current_user.can("admin")),
            page=page.page,
            pages=page.pages,
            total=page.total,
            more=page.more,
            trouble=trouble,
            given=given,
            filtered=any(given[name] for name in FILTERS if name != "source"),
            sources=sources.choices(_syncs()),
            reasons=sorted(
                ((name, words(current())) for name, words in {**flags.FLAGS, **flags.REJECTS}.items()),
                key=lambda pair: pair[1],
            ),
            fields=quality_rows.field_choices(),
            campuses=sorted(names.items()),
            chosen_reason=_words(given["reason"]) if given["reason"] else None,
            most_notes=quality_sheet.MOST_NOTES,
            address_with=base.address_with,
            now=utcnow(),
        )

    @expose("/export", methods=["POST"])
    @requires("operator")
    def export(self) -> ResponseReturnValue:
        """The notes that the filters choose, as an Excel file or as CSV. Who took how many is written down."""
        wanted = wanted_from(request.form)
        url = base.config().data_database_url
        as_csv = request.form.get("as") == "csv"
        wants = quality_sheet.Wants(
            url, wanted, campus_names(), sees_personal=bool(current_user.can("admin"))
        )
        try:
            book = io.BytesIO()
            if not as_csv:
                quality_sheet.write(book, wants)
            count = quality_sheet.count(wants)
        except FetchError as error:
            back = url_for("quality.rows", source=request.form.get("source") or None)
            return base.done(False, show.explained(error.code, error.params).what, back)
        audit.record(
            db.session(),
            current_user.username,
            "quality_exported",
            request.form.get("source") or None,
            request.remote_addr,
            lines=count,
        )
        db.session.commit()
        content: bytes | Iterator[str] = (
            stream_with_context(quality_sheet.csv_lines(wants)) if as_csv else book.getvalue()
        )
        answer = Response(content, mimetype=CSV if as_csv else XLSX)
        ending = "csv" if as_csv else "xlsx"
        answer.headers["Content-Disposition"] = f"attachment; filename=hamgam-quality.{ending}"
        return answer


def wanted_from(given: Any) -> quality.Wanted:
    """The filters of an address or a form; nonsense filters nothing."""
    syncs = [sync for sync in _syncs() if not given.get("source") or sync.key == given["source"]]
    kept = given.get("kept")
    run = given.get("run", "")
    found = db.session.get(SyncRun, int(run)) if run.isascii() and run.isdigit() and len(run) < 16 else None
    return quality.Wanted(
        streams=tuple(stream.name for stream in _streams(syncs)),
        reason=given.get("reason", "")[:40] or None,
        field=given.get("field", "")[:63] or None,
        campus=given.get("campus", "")[:16] or None,
        kept=kept == "1" if kept in ("0", "1") else None,
        run=found.uuid if found is not None else None,
        words=given.get("search", "")[:LONGEST_SEARCH],
        key=given.get("key", "")[:200] or None,
    )


def campus_names() -> dict[str, str]:
    """Code → name of every campus that the panel knows; the code itself where it has none."""
    found = db.session.execute(select(Campus.pardis_code, Campus.name))
    return {str(code): str(name or code) for code, name in found}


def rows_url(syncs: list[DataSync], kind: quality.Kind, campus: str | None = None) -> str:
    """The list of the rows behind a count."""
    source = next((sync.key for sync in syncs if kind.stream.name in _names([sync])), None)
    return url_for(
        "quality.rows",
        source=source,
        reason=kind.reason,
        field=kind.field,
        kept=int(kind.kept),
        campus=campus,
    )


def _matrix(found: quality.Overview, syncs: list[DataSync]) -> dict[str, Any] | None:
    """Kinds by campus: the most frequent kinds, and every campus that has any, those with most first."""
    kinds = [
        kind
        for kind in found.kinds
        if any((kind.stream.name, kind.reason, kind.field) in of for of in found.campuses.values())
    ][:KINDS_IN_MATRIX]
    if not kinds:
        return None
    names = campus_names()
    rows = []
    for campus, of in sorted(found.campuses.items(), key=lambda pair: (-sum(pair[1].values()), pair[0])):
        cells = [
            (of[kind.stream.name, kind.reason, kind.field], rows_url(syncs, kind, campus)) for kind in kinds
        ]
        total, stored = sum(of.values()), found.rows_of[campus]
        rows.append((campus, names.get(campus), total, total / stored if stored else None, cells))
    return {"kinds": [(kind, _words(kind.reason)[0]) for kind in kinds], "rows": rows}


def _words(reason: str) -> tuple[str, str]:
    """What a reason means, and what to do about it at the source."""
    todo = flags.mend(reason)
    return flags.what(reason)(current()), todo(current()) if todo is not None else ""


def _syncs() -> list[DataSync]:
    return list(db.session.scalars(select(DataSync).order_by(DataSync.key)))


def _streams(syncs: list[DataSync]) -> list[Stream]:
    by_source = diary.streams_by_source()
    found = {stream.name: stream for sync in syncs for stream in by_source.get(sync.fetcher, [])}
    return list(found.values())


def _names(syncs: list[DataSync]) -> list[str]:
    return [stream.name for stream in _streams(syncs)]


def _newest_runs(syncs: list[DataSync]) -> list[str]:
    ids = [sync.last_run_id for sync in syncs if sync.last_run_id is not None]
    return list(db.session.scalars(select(SyncRun.uuid).where(SyncRun.id.in_(ids))))
