"""«گام‌های نخست»: from a fresh panel to a nightly sync, one question per page.

Nothing here is done in a way of its own: a page is a slice of the settings form, the connection test, the list of
campuses, a rehearsal or the schedule form, with the same functions, the same trail and the same rights.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_login import current_user
from sqlalchemy.exc import DBAPIError
from werkzeug.datastructures import MultiDict

from fetchers.core.clean import ascii_digits
from panel import audit, campuses, doorbell, parts, settings
from panel.admin import (
    asking,
    base,
    choosing,
    fault_page,
    run_page,
    schedule_form,
    settings_form,
    show,
    sources,
    step_test,
    steps,
)
from panel.admin.campuses import take
from panel.clock import utcnow
from panel.config import ConfigError, load
from panel.extensions import db
from panel.migrations import MigrationError
from panel.models import ACTIVE, DataSync, SyncRun, User
from panel.restore import HalfRestored
from panel.service import demo
from panel.setting_words import say
from panel.startup import NotWell

LONGEST_TYPED = 100_000  # of a pasted list of campuses
CAMPUSES_SHOWN = 200


class FirstStepsView(base.PanelView):
    """For administrators. Not in the menu: the status page leads here while nothing is set up, one's account always."""

    role = "admin"
    below = "admin"

    def __init__(self) -> None:
        super().__init__(name=lazy("First steps"), url="/first-steps", endpoint="first_steps")

    def is_visible(self) -> bool:
        return False

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """All steps with what is answered already, and the button that goes on."""
        return self._page("start", may_leave=demo.door() is not None)

    @expose("/gateway", methods=["GET", "POST"])
    def gateway(self) -> ResponseReturnValue:
        """Its address, for all sources behind it."""
        return self._settings(steps.GATEWAY, (steps.ADDRESS,))

    @expose("/login", methods=["GET", "POST"])
    def login(self) -> ResponseReturnValue:
        """User name and password, for all sources behind it."""
        return self._settings(steps.LOGIN, (steps.USERNAME, steps.PASSWORD))

    @expose("/test", methods=["GET", "POST"])
    def test(self) -> ResponseReturnValue:
        """Log in once, and keep what the gateway said until address or login change."""
        it, config = self._house(), base.config()
        if it.gateway is None:
            abort(404)
        missing = settings_form.missing(it.gateway, it.values[it.gateway.id], but_lists=True)
        if request.method == "POST":
            if missing:
                return base.done(False, missing, self._at(steps.TEST))
            return self._test(it)
        kept = step_test.kept(it, config)
        address = str(it.value(it.gateway, steps.ADDRESS) or "")
        told = None if kept is None else kept.told(address)
        return self._page(steps.TEST, kept=kept, told=told, missing=missing, address=address)

    def _test(self, it: steps.House) -> ResponseReturnValue:
        session, now = db.session(), utcnow()
        assert it.gateway is not None
        back = self._at(steps.TEST)
        if fault_page.is_too_often(session, now):
            return base.done(False, fault_page.too_often().message, back)
        audit.record(session, current_user.username, fault_page.ACTION, it.gateway.key, request.remote_addr)
        session.commit()  # nothing is held while the gateway thinks
        told = step_test.ask(it, base.config())
        step_test.keep(it, told, base.config())
        word = _("The gateway has answered.") if told.answer.ok else _("The test has failed; see why.")
        return base.done(told.answer.ok, word, back, back)

    @expose("/campuses", methods=["GET", "POST"])
    def campuses(self) -> ResponseReturnValue:
        """The gateway does not list them: typed, pasted, or from a file."""
        typed, problem = "", None
        if request.method == "POST":
            file = request.files.get("file")
            typed = request.form.get("campuses", "")[:LONGEST_TYPED]
            reading, problem = _read(typed, file.read() if file is not None and file.filename else b"")
            if reading is not None and reading.lines:
                take(reading)
                return redirect(self._at(steps.CAMPUSES) if reading.problems else self._next(steps.CAMPUSES))
            if reading is not None and reading.problems:
                first = reading.problems[0]
                problem = _(first.text, **first.params)
            elif problem is None and settings.active_campuses(db.session()):
                return redirect(self._next(steps.CAMPUSES))
            problem = problem or _("Type at least one code, or choose a file.")
        listed = steps.campuses(db.session())
        html = self._page(
            steps.CAMPUSES, typed=typed, problem=problem, listed=listed, campuses_shown=CAMPUSES_SHOWN
        )
        return (html, 422) if problem else html

    @expose("/first-term", methods=["GET", "POST"])
    def first_term(self) -> ResponseReturnValue:
        """Since when; said aloud even where the default is meant, so that the step is answered."""
        it, session, config = self._house(), db.session(), base.config()
        if not it.with_terms:
            abort(404)
        problems: dict[str, str] = {}
        if request.method == "POST":
            text = ascii_digits(request.form.get(steps.FIRST_TERM, "").strip())
            for sync in it.with_terms:
                saved = settings.save(
                    sync,
                    {steps.FIRST_TERM: text},
                    session,
                    config,
                    current_user.username,
                    address=request.remote_addr,
                )
                problems |= dict(saved.problems)
            if not problems:
                return self._saved(steps.TERM)
            session.rollback()
            it = self._house()
        sync = it.with_terms[0]
        now = utcnow()
        form = settings_form.form(sync, session, config, now, request.form, problems)
        html = self._page(
            steps.TERM,
            boxes=_boxes(form, (steps.FIRST_TERM,)),
            planned=_planned(sync, now),
            watch=url_for("first_steps.planned"),
            problems=problems,
        )
        return (html, 422) if problems else html

    @expose("/first-term/parts")
    def planned(self) -> ResponseReturnValue:
        """How many parts come of a first term that is being typed."""
        it = self._house()
        if not it.with_terms:
            abort(404)
        sync = it.with_terms[0]
        told = {**sync.settings, steps.FIRST_TERM: ascii_digits(request.args.get(steps.FIRST_TERM, ""))}
        draft = DataSync(key=sync.key, fetcher=sync.fetcher, settings=told, secrets=sync.secrets)
        return self.render("first_steps/planned.html", planned=_planned(draft, utcnow()))

    @expose("/rehearsal", methods=["GET", "POST"])
    def rehearsal(self) -> ResponseReturnValue:
        """Fetch and compare one part, or a source that has none, and write nothing."""
        it, now = self._house(), utcnow()
        if request.method == "POST":
            return self._rehearse(it, now)
        lists = {
            sync.key: choosing.choice(sync, MultiDict(), db.session(), base.config(), now).lists
            for sync in it.ready
        }
        return self._page(
            steps.REHEARSAL,
            ready=sorted(it.ready, key=lambda sync: not lists[sync.key]),
            lists=lists,
            begins={sync.key: _begins(sync, now) for sync in it.ready},
            **_rehearsed(now),
        )

    def _rehearse(self, it: steps.House, now: datetime) -> ResponseReturnValue:
        back = self._at(steps.REHEARSAL)
        sync = next((one for one in it.ready if one.key == request.form.get("source")), None)
        if sync is None:
            return base.done(False, _("The settings must be completed first."), back)
        mark = f"{sync.key}."
        chosen = MultiDict(
            (name.removeprefix(mark), value) for name, value in request.form.items() if name.startswith(mark)
        )
        choice = choosing.choice(sync, chosen, db.session(), base.config(), now)
        if choice.lists and len(choice.wanted) != 1:
            return base.done(False, _("Choose one part."), back)
        return asking.ask(sync, dry_run=True, partitions=choice.wanted or None, back=back, shown=True)

    @expose("/rehearsal/live")
    def live(self) -> ResponseReturnValue:
        """The rehearsal as it goes."""
        told = _rehearsed(utcnow())
        run = told["run"]
        html = self._page(steps.REHEARSAL, "rehearsal_live", **told)
        told_aloud = [str(show.STATUS_WORDS[run.status])] if run else []
        return base.fragment(html, active=bool(run and run.status in ACTIVE), announce=told_aloud)

    @expose("/schedule", methods=["GET", "POST"])
    def schedule(self) -> ResponseReturnValue:
        """When it is synced by itself: one schedule for the sources that are ticked."""
        it, session, now = self._house(), db.session(), utcnow()
        problem = None
        posted = request.method == "POST"
        ticked = _ticked(it, request.form)
        if posted:
            problem = _scheduled(ticked, request.form, now)
            if problem is None:
                return self._saved(steps.SCHEDULE)
            session.rollback()
            it = self._house()
        if not it.syncs:
            abort(404)
        lead = _lead(it)
        if not posted:  # those that have what is shown, so that saving it unchanged changes none
            ticked = [sync for sync in it.syncs if schedule_form.saved(sync) == schedule_form.saved(lead)]
        typed: Mapping[str, str] = request.form
        if not posted and lead.schedule_kind == "off":
            typed = {"schedule_kind": "nightly", "night_at": schedule_form.NIGHT, "cal_holidays": "1"}
        html = self._page(
            steps.SCHEDULE,
            ticked={sync.key for sync in ticked},
            part=schedule_form.part(lead, session, now, typed, [sync.key for sync in ticked]),
            on_words=schedule_form.ON_WORDS,
            problem=problem,
        )
        return (html, 422) if problem else html

    @expose("/schedule/next")
    def next_times(self) -> ResponseReturnValue:
        """The next times of a schedule that is being typed, for the sources that are ticked."""
        it = self._house()
        if not it.syncs:
            abort(404)
        keys = [sync.key for sync in _ticked(it, request.args)]
        coming = schedule_form.coming(_lead(it), request.args, db.session(), utcnow(), keys)
        return self.render("parts/next_times.html", coming=coming)

    @expose("/done")
    def done(self) -> ResponseReturnValue:
        """What will run when, where to look, and the first real sync."""
        it, session, now = self._house(), db.session(), utcnow()
        return self._page(
            "done",
            now=now,
            coming=[(sync, schedule_form.coming(sync, None, session, now)) for sync in it.syncs],
            ready={sync.key for sync in it.ready},
            missing={
                sync.key: settings_form.missing(sync, it.values[sync.id], but_lists=False)
                for sync in it.syncs
            },
            synced=any(sync.last_success_at for sync in it.syncs),
        )

    @expose("/begin", methods=["POST"])
    def begin(self) -> ResponseReturnValue:
        """«نخستین همگام‌سازی»: ask for a run of each source that is ready."""
        answers = [asking.ask(sync) for sync in self._house().ready]
        if not answers:
            return base.done(False, _("The settings must be completed first."), self._at("done"))
        return answers[-1]

    @expose("/leave", methods=["POST"])
    def leave(self) -> ResponseReturnValue:
        """Out of the demonstration: the real house is prepared, this person goes with us, and `up` starts it."""
        door = demo.door()
        if door is None or not base.config().demo:
            abort(404)
        try:
            demo.leave(door, load(demo=False), db.session.get_one(User, current_user.id))
        except (ConfigError, NotWell, HalfRestored, MigrationError, DBAPIError, OSError) as error:
            reason = "" if isinstance(error, DBAPIError) else str(error)
            text = _(
                "Your own panel could not be prepared, so the demonstration goes on. %(reason)s",
                reason=reason,
            )
            return base.done(False, text, url_for("first_steps.index"))
        return self.render("first_steps/leaving.html", user=current_user.username)

    def _settings(self, step: str, names: Sequence[str]) -> ResponseReturnValue:
        """A page with some boxes of the settings form."""
        it, session, config, now = self._house(), db.session(), base.config(), utcnow()
        if it.gateway is None:
            abort(404)
        problems: dict[str, str] = {}
        sync = it.gateway
        if request.method == "POST":
            typed = {name: request.form.get(name, "") for name in names}
            problems = settings_form.save(
                sync, typed, session, config, current_user.username, request.remote_addr, now
            )
            values = settings.resolved(sync, session, config).values
            for name in names:
                if not values.get(name):
                    problems.setdefault(name, say("missing", {}))
            if not problems:
                return self._saved(step)
            session.rollback()
            it = self._house()
            sync = it.gateway or sync
        form = settings_form.form(sync, session, config, now, request.form, problems)
        shared = show.some([one.key for one in it.behind], sources.label) if len(it.behind) > 1 else ""
        html = self._page(step, boxes=_boxes(form, names), problems=problems, shared=shared)
        return (html, 422) if problems else html

    def _saved(self, step: str) -> ResponseReturnValue:
        db.session.commit()
        doorbell.ring(base.config().instance)
        return redirect(self._next(step))

    def _page(self, name: str, template: str = "", **more: Any) -> str:
        """A step's page. template: instead, what of it moves."""
        it = self._house()
        found = steps.steps(it, db.session(), base.config())
        names = [step.name for step in found]
        if name not in (*names, "start", "done"):
            abort(404)
        place = names.index(name) if name in names else None
        return self.render(
            f"first_steps/{template or name.replace('-', '_')}.html",
            steps=found,
            current=name,
            place=place,
            at=self._at,
            before=self._at(names[place - 1]) if place else url_for("first_steps.index"),
            after=self._next(name) if place is not None else None,
            undone=steps.undone(found),
            house=it,
            label=sources.label,
            **more,
        )

    def _next(self, name: str) -> str:
        found = steps.steps(self._house(), db.session(), base.config())
        return self._at(steps.after(found, name) or "done")

    @staticmethod
    def _at(name: str) -> str:
        return url_for(f"first_steps.{name.replace('-', '_')}")

    @staticmethod
    def _house() -> steps.House:
        return steps.house(db.session(), base.config())


def _boxes(form: settings_form.Form, names: Sequence[str]) -> list[settings_form.Box]:
    """These boxes of the settings form, in this order."""
    found = {box.name: box for box in (*form.main, *form.advanced)}
    return [found[name] for name in names]


def _read(typed: str, content: bytes) -> tuple[campuses.Reading | None, str | None]:
    """What was typed, or else what is in the file; and why that is no list."""
    if not content:
        return campuses.read_typed(typed), None
    try:
        return campuses.read_csv(content), None
    except campuses.CampusFileError as error:
        return None, _("The file was not taken: %(reason)s", reason=_(error.text, **error.params))


def _planned(sync: DataSync, now: datetime) -> str:
    """How many parts a source has, or why that cannot be said yet."""
    if not settings.active_campuses(db.session()):
        return _("How many parts that is will be known when there are campuses.")
    try:
        planned = parts.planned(sync, db.session(), base.config(), now)
    except parts.CannotChoose as error:
        return _(error.text, **error.params)
    counts = {name: len(values) for name, values in parts.choices(planned).items()}
    return _(
        "%(campuses)s campuses in %(terms)s terms each: %(parts)s parts in all.",
        campuses=show.number(counts.get("campus", 0)),
        terms=show.number(counts.get("term", 0)),
        parts=show.number(len(planned)),
    )


def _begins(sync: DataSync, now: datetime) -> Mapping[str, str]:
    """The part that is offered for a rehearsal: the first one whose term has begun."""
    try:
        planned = parts.planned(sync, db.session(), base.config(), now)
    except parts.CannotChoose:
        return {}
    return next((part.partition for part in planned if part.begun), {})


def _rehearsed(now: datetime) -> dict[str, Any]:
    """The newest rehearsal, for its place on the page."""
    run = steps.newest(db.session(), SyncRun.dry_run.is_(True))
    told: dict[str, Any] = {"run": run, "active": False, "now": now, "seconds": base.IDLE_SECONDS}
    if run is None:
        return told
    active = run.status in ACTIVE
    return told | {
        "active": active,
        "seconds": base.ACTIVE_SECONDS if active else base.IDLE_SECONDS,
        "source": sources.label(run.sync.fetcher),
        "why": run_page.explanation(run, now),
        "progress": run_page.progress(run, db.session(), now),
        "counts": run_page.counts(run, db.session()),
        "foretold": run_page.rehearsed(run, base.config()),
    }


def _ticked(it: steps.House, typed: Mapping[str, str]) -> list[DataSync]:
    """The sources that a schedule is for."""
    return [sync for sync in it.syncs if f"for.{sync.key}" in typed]


def _lead(it: steps.House) -> DataSync:
    """The source whose schedule is shown: the first that has one."""
    return next((sync for sync in it.syncs if sync.schedule_kind != "off"), it.syncs[0])


def _scheduled(ticked: Sequence[DataSync], typed: Mapping[str, str], now: datetime) -> str | None:
    """Write the schedule into each of these sources; what is wrong, if something is. A pause stays as it is."""
    if not ticked:
        return _("Tick at least one source.")
    for sync in ticked:
        mine = {**typed, "paused_until": schedule_form.until_text(sync.paused_until)}
        wrong = schedule_form.save(sync, mine, db.session(), current_user.username, request.remote_addr, now)
        if wrong:
            return wrong
    return None
