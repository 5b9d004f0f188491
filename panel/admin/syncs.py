"""The buttons and the settings of one source."""

from typing import Any

from flask import abort, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_login import current_user
from markupsafe import escape
from sqlalchemy import select

from fetchers.core.errors import StorageError
from panel import audit, doorbell, parts
from panel import settings as sync_settings
from panel.admin import (
    asking,
    base,
    choosing,
    fault_page,
    first_page,
    run_actions,
    schedule_form,
    schema_page,
    settings_form,
    show,
    sources,
    undoing,
)
from panel.auth.roles import requires
from panel.clock import utcnow
from panel.extensions import db
from panel.models import DataSync, SyncRun


class SyncsView(base.PanelView):
    """What can be done with one source. Not in the menu: the status table leads here."""

    below = "admin"

    def __init__(self) -> None:
        super().__init__(name=lazy("Settings"), url="/syncs", endpoint="syncs")

    def is_visible(self) -> bool:
        return False

    @expose("/")
    def index(self) -> ResponseReturnValue:
        return redirect(url_for("admin.index"))

    @expose("/<key>/run", methods=["POST"])
    @requires("operator")
    def run(self, key: str) -> ResponseReturnValue:
        """«همگام‌سازی»: ask for a run; where one is active already, that one is the answer."""
        sync = _sync(key)
        return asking.ask(sync, **_wish(sync), to_run=request.form.get("then") == "run")

    @expose("/<key>/parts", methods=["GET", "POST"])
    @requires("operator")
    def choose(self, key: str) -> ResponseReturnValue:
        """Pick campuses and terms, see how many parts that is, and start a run of them."""
        sync, now = _sync(key), utcnow()
        choice = choosing.choice(sync, request.form, db.session(), base.config(), now)
        if request.method == "POST":
            if not choice.wanted:
                text = choice.refused or choice.sentence
                return base.done(False, text, url_for("syncs.choose", key=key))
            return asking.ask(sync, partitions=choice.wanted, to_run=True)
        one = sources.source(sync, db.session(), base.config(), now)
        return self.render("choose.html", sync=sync, label=one.label, choice=choice, one=one)

    @expose("/<key>/parts/chosen")
    @requires("operator")
    def chosen(self, key: str) -> ResponseReturnValue:
        """How many parts are ticked, while they are being ticked."""
        choice = choosing.choice(_sync(key), request.args, db.session(), base.config(), utcnow())
        return str(escape(choice.refused or choice.sentence))

    @expose("/<key>/person", methods=["POST"])
    @requires("operator")
    def person(self, key: str) -> ResponseReturnValue:
        """Sync the parts in which one person is, or was, and the open terms of those campuses."""
        sync = _sync(key)
        try:
            wanted = parts.of_person(
                sync, request.form.get("number", ""), db.session(), base.config(), utcnow()
            )
        except parts.CannotChoose as error:
            return base.done(False, _(error.text, **error.params), url_for("data.index"))
        except StorageError as error:
            return base.done(False, show.explained(error.code, error.params).what, url_for("data.index"))
        return asking.ask(sync, partitions=wanted, to_run=True)

    @expose("/<key>/resume", methods=["POST"])
    @requires("operator")
    def resume(self, key: str) -> ResponseReturnValue:
        """«ادامه»: let the automatic sync go on that an undo has paused."""
        return undoing.resume(_sync(key))

    @expose("/<key>/settings", methods=["GET", "POST"])
    @requires("admin")
    def settings(self, key: str) -> ResponseReturnValue:
        session = db.session()
        sync = _sync(key)
        now = utcnow()
        listing = sources.listing(sync)
        if listing.fetcher is None:
            return self.render("settings_broken.html", label=sources.label(sync.fetcher), error=listing.error)
        problems: dict[str, str] = {}
        if request.method == "POST":
            problems = settings_form.save(
                sync, request.form, session, base.config(), current_user.username, request.remote_addr, now
            )
            if not problems:
                session.commit()
                doorbell.ring(base.config().instance)
                return base.done(True, _("The settings are saved."), url_for("syncs.settings", key=key))
            session.rollback()
            sync = _sync(key)
        form = settings_form.form(sync, session, base.config(), now, request.form, problems)
        html = self.render(
            "settings.html",
            form=form,
            sync=sync,
            label=sources.label(sync.fetcher),
            on_words=schedule_form.ON_WORDS,
            now=now,
        )
        return (html, 422) if problems else html

    @expose("/<key>/schema")
    def schema(self, key: str) -> ResponseReturnValue:
        """«ساختار داده»: the columns now, and the history of what the gateway sends."""
        return self.render("schema.html", **schema_page.page(_sync(key), utcnow()))

    @expose("/<key>/next")
    @requires("admin")
    def next_times(self, key: str) -> ResponseReturnValue:
        """The next times of a schedule that is being typed."""
        coming = schedule_form.coming(_sync(key), request.args, db.session(), utcnow())
        return self.render("parts/next_times.html", coming=coming)

    @expose("/<key>/check", methods=["POST"])
    @requires("operator")
    def check(self, key: str) -> ResponseReturnValue:
        """«مشکل از کجاست؟», «آزمایش اتصال»: log in once with the saved settings, and say where the way breaks."""
        session = db.session()
        sync = _sync(key)
        if fault_page.is_too_often(session, utcnow()):
            told = fault_page.too_often()
        else:
            resolved = sync_settings.resolved(sync, session, base.config())
            audit.record(session, current_user.username, fault_page.ACTION, key, request.remote_addr)
            session.commit()  # nothing is held while the gateway thinks
            told = fault_page.look(sync, resolved, base.config(), everything=current_user.can("admin"))
        if request.headers.get("X-Quiet"):
            html = self.render("parts/fault.html", told=told)
            return jsonify(ok=told.ok, message=told.message, html=html)
        label = sources.label(sync.fetcher)
        return self.render("fault.html", told=told, label=label, back=_came_from(key))

    @expose("/<key>/preview", methods=["POST"])
    @requires("admin")
    def preview(self, key: str) -> ResponseReturnValue:
        """«پیش‌نمایش صفحهٔ نخست»: what the gateway sends first with the saved settings; nothing is written."""
        session = db.session()
        sync = _sync(key)
        resolved = sync_settings.resolved(sync, session, base.config())
        audit.record(session, current_user.username, "first_page_previewed", key, request.remote_addr)
        session.commit()  # nothing is held while the gateway thinks
        return self.render("preview.html", **first_page.page_of(sync, resolved, base.config()))


def _came_from(key: str) -> str:
    """The page with the button: a run's, or the settings."""
    run = request.form.get("of_run", "")
    if run.isascii() and run.isdigit() and len(run) < 16:
        return url_for("runs.one", run_id=int(run))
    return url_for("syncs.settings", key=key) if current_user.can("admin") else url_for("admin.index")


def _wish(sync: DataSync) -> dict[str, Any]:
    """What the pressed button asks for. rehearsed: the number of a rehearsal, to be done for real as it was tried;
    again: that of a run, to be done once more."""
    for name, rehearsal in (("rehearsed", True), ("again", False)):
        text = request.form.get(name, "")
        if text:
            number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
            run = db.session.get(SyncRun, number)
            if run is None or run.dry_run is not rehearsal or run.sync_id != sync.id:
                abort(404)
            return run_actions.repeated(run)
    mode = "full" if request.form.get("mode") == "full" else "incremental"
    return {"mode": mode, "dry_run": "dry_run" in request.form}


def _sync(key: str) -> DataSync:
    sync = db.session.scalar(select(DataSync).where(DataSync.key == key))
    if sync is None:
        abort(404)
    return sync
