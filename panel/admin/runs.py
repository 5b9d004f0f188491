"""The pages of runs: the list, one run, its log, and the button that cancels it."""

from datetime import timedelta
from typing import Any

from flask import Response, abort, jsonify, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_login import current_user
from sqlalchemy import ColumnElement, func, select

from panel import audit, days, decisions, doorbell, letter, runs
from panel.admin import (
    base,
    changes,
    day_boxes,
    run_actions,
    run_log,
    run_page,
    run_parts,
    show,
    sources,
    timeline_page,
    undoing,
)
from panel.admin.held_page import HeldPages
from panel.admin.letters import letters
from panel.auth.roles import requires
from panel.clock import utcnow
from panel.extensions import db
from panel.models import ACTIVE, STATUSES, DataSync, SyncRun

RUNS_A_PAGE = 30
COUNTED_UP_TO = 10_000
LONGEST_WAIT = timedelta(days=60)  # between asking for a run and its start


class RunsView(HeldPages, base.PanelView):
    """Every run of every source, newest first, and each with an address of its own."""

    def __init__(self) -> None:
        super().__init__(name=lazy("Runs"), url="/runs", endpoint="runs")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        session = db.session()
        columns = select(DataSync.id, DataSync.key, DataSync.fetcher).order_by(DataSync.key)
        syncs = {sync.key: sync for sync in session.execute(columns)}
        key, status = request.args.get("source"), request.args.get("status")
        where = []
        if key in syncs:
            where.append(SyncRun.sync_id == syncs[key].id)
        if status in STATUSES:
            where.append(SyncRun.status == status)
        span = day_boxes.span(request.args)
        where += _in_days(span)
        counted = select(SyncRun.id).where(*where).limit(COUNTED_UP_TO + 1).subquery()
        total = session.scalar(select(func.count()).select_from(counted)) or 0
        pages = max(1, -(-total // RUNS_A_PAGE))
        page = min(base.page_number(), pages)
        found = session.scalars(
            select(SyncRun)
            .where(*where)
            .order_by(*_newest_first(span))
            .offset((page - 1) * RUNS_A_PAGE)
            .limit(RUNS_A_PAGE)
        ).all()
        return self.render(
            "runs.html",
            runs=found,
            held=run_page.held_back(found, session),
            labels=sources.labels(syncs.values()),
            syncs=syncs,
            key=key,
            status=status,
            given={name: request.args.get(name, "")[: day_boxes.LONGEST] for name in ("since", "until")},
            filtered=any(request.args.get(name) for name in ("source", "status", "since", "until")),
            problems=span.problems,
            words=show.STATUS_WORDS,
            page=page,
            pages=pages,
            total=total,
            more=total > COUNTED_UP_TO,
            address_with=base.address_with,
            now=utcnow(),
        )

    @expose("/<int:run_id>")
    def one(self, run_id: int) -> ResponseReturnValue:
        run, search = _run(run_id), _log_search()
        return self.render(
            "run.html",
            **self._page(run),
            whole_map=True,
            live_url=base.address_at(url_for("runs.live", run_id=run.id)),
            log=run_log.excerpt(run.id, db.session(), search),
            log_search=search,
            nothing=run_log.nothing(run, base.config(), search, utcnow()),
            clock=run_log.clock,
        )

    @expose("/<int:run_id>/live")
    def live(self, run_id: int) -> ResponseReturnValue:
        """The moving part of a run's page. shape: of the map that it has; the same one comes as its states alone."""
        run = _run(run_id)
        page = self._page(run)
        whole = request.args.get("shape") != page["maps"].shape
        html = self.render("parts/run_state.html", **page, whole_map=whole)
        return base.fragment(html, active=run.status in ACTIVE, announce=[str(show.STATUS_WORDS[run.status])])

    @expose("/<int:run_id>/log")
    def log(self, run_id: int) -> ResponseReturnValue:
        """Log lines after the last one that the page has."""
        run = _run(run_id)
        ended = run.status not in ACTIVE
        after = request.args.get("after", "0")
        if not after.isascii() or not after.isdigit() or len(after) > 15:
            abort(400)
        found = run_log.excerpt(run_id, db.session(), _log_search(), int(after))
        return jsonify(
            ended=ended,
            last=found.last,
            more=found.more,
            lines=[run_log.to_dict(line) for line in found.lines],
        )

    @expose("/<int:run_id>/log.txt")
    def log_file(self, run_id: int) -> ResponseReturnValue:
        """The whole log as a file."""
        run = _run(run_id)
        text = stream_with_context(run_log.file(run.id, db.session()))
        answer = Response(text, mimetype="text/plain")
        answer.headers["Content-Disposition"] = f"attachment; filename=run-{run.id}.log"
        return answer

    @expose("/<int:run_id>/changes")
    def changes(self, run_id: int) -> ResponseReturnValue:
        """What this run changed, row by row."""
        return self.render("changes.html", **changes.page_of(_run(run_id)))

    @expose("/<int:run_id>/letter")
    def letter(self, run_id: int) -> ResponseReturnValue:
        """«نامه به پشتیبانی درگاه»: what the gateway's support team needs to know of this run, to be copied."""
        run = _run(run_id)
        facts = letter.of_run(db.session(), run, base.config())
        back = url_for("runs.one", run_id=run_id)
        if facts is None:
            text = _("There is nothing in this that the gateway's support team could mend.")
            return base.done(False, text, back)
        word = _("Run %(number)s", number=show.digits(run.id))
        return self.render("letter.html", letters=letters(facts), back=back, back_word=word)

    @expose("/<int:run_id>/undo", methods=["GET", "POST"])
    @requires("operator")
    def undo(self, run_id: int) -> ResponseReturnValue:
        """Show what undoing would do; and on the button, ask for it."""
        run = _run(run_id)
        if request.method == "POST":
            return undoing.undo(run)
        return self.render("undo.html", **undoing.page(run))

    @expose("/<int:run_id>/cancel", methods=["POST"])
    @requires("operator")
    def cancel(self, run_id: int) -> ResponseReturnValue:
        """«لغو»: write the wish down; the engine ends the child and the run."""
        session = db.session()
        run = _run(run_id)
        news = runs.cancel(session, run, now=utcnow(), user=current_user.username)
        if news:
            audit.record(
                session, current_user.username, "run_cancelled", run.sync.key, request.remote_addr, run=run_id
            )
        session.commit()
        doorbell.ring(base.config().instance)
        text = _("The run is being stopped.") if news else _("There was nothing left to cancel.")
        return base.done(True, text, url_for("runs.one", run_id=run_id))

    def _page(self, run: SyncRun) -> dict[str, Any]:
        session = db.session()
        now = utcnow()
        one = sources.source(run.sync, session, base.config(), now)
        parts = run_parts.shown(run, session, request.args)
        progress = run_page.progress(run, session, now, parts.states)
        run_url = url_for("runs.one", run_id=run.id)
        return {
            "run": run,
            "one": one,
            "actions": run_actions.actions(run, one),
            "label": sources.listing(run.sync).label(show.current()),
            "counted": sources.counted(run.sync.fetcher),
            "other_counts": sources.other_counts(run.sync.fetcher),
            "progress": progress,
            "why": run_page.explanation(run, now, progress.done),
            "counts": run_page.counts(run, session),
            "maps": parts.maps,
            "parts": parts.parts,
            "campuses": parts.campuses,
            "parts_at": lambda **changes: _parts_at(run_url, **changes),
            "story": timeline_page.round_run(run),
            "active": run.status in ACTIVE,
            "waits": decisions.waits(run),
            "for_keeper": letter.is_for_keeper(run),
            "of_gateway": letter.is_about_the_gateway(run),
            "now": now,
            "seconds": base.ACTIVE_SECONDS if run.status in ACTIVE else base.IDLE_SECONDS,
            "part_words": show.PART_WORDS,
            "count_words": show.COUNT_WORDS,
            "run_url": run_url,
            "diary": undoing.of_run(run),
            "rehearsed": run_page.rehearsed(run, base.config()),
        }


def _in_days(span: day_boxes.Span) -> list[ColumnElement[bool]]:
    """Runs that started on these days in Tehran; one that has not started counts for when it was asked for.

    Nobody starts before it was asked for, and nobody waits for long: so the index of that moment finds them.
    """
    started = func.coalesce(SyncRun.started_at, SyncRun.requested_at)
    found: list[ColumnElement[bool]] = []
    if span.since is not None:
        since = days.begins(span.since)
        found += [started >= since, SyncRun.requested_at >= since - LONGEST_WAIT]
    if span.until is not None:
        until = days.ends(span.until)
        found += [started < until, SyncRun.requested_at < until]
    return found


def _newest_first(span: day_boxes.Span) -> list[ColumnElement[Any]]:
    """By number, which is the order in which they were asked for; of some days, as the index of that has them."""
    by_number = SyncRun.id.desc()
    return [SyncRun.requested_at.desc(), by_number] if span.since or span.until else [by_number]


def _run(run_id: int) -> SyncRun:
    # SQLite's integers have 64 bits; a longer number is no run.
    run = db.session.get(SyncRun, run_id) if run_id < 2**63 else None
    if run is None:
        abort(404)
    return run


def _log_search() -> str:
    return request.args.get("log", "").strip()[: run_log.LONGEST_SEARCH]


def _parts_at(run_url: str, **changes: Any) -> str:
    """The list of parts as this page has it, with something of it changed; another state begins at its first page."""
    changes = {"parts_page": None, "shape": None, "lang": None, **changes}
    return base.address_at(run_url, **changes) + "#parts"
