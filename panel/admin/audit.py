"""The trail: who did what, when, from where. It is read here, and changed nowhere."""

from datetime import datetime
from typing import Any

from flask import request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from markupsafe import Markup
from sqlalchemy import false

from fetchers.core import registry
from panel import browse, days
from panel.admin import day_boxes, sources
from panel.admin.guarded import GuardedModelView
from panel.admin.settings_form import LIMIT_WORDS
from panel.admin.show import digits, exact, moment, number, some
from panel.admin.tokens import SCOPE_WORDS
from panel.admin.users import ROLE_WORDS
from panel.auth.locale import current
from panel.models import AuditEntry
from panel.settings import extra

MOST_NAMED = 20  # of a list in one entry

ACTION_WORDS = {
    "login": lazy("signed in"),
    "login_failed": lazy("failed to sign in"),
    "logout": lazy("signed out"),
    "password_changed": lazy("changed a password"),
    "user_added": lazy("added a user"),
    "user_changed": lazy("changed a user"),
    "role_changed": lazy("changed a role"),
    "user_disabled": lazy("disabled a user"),
    "user_enabled": lazy("enabled a user"),
    "token_created": lazy("made an API token"),
    "token_revoked": lazy("revoked an API token"),
    "campus_added": lazy("added a campus"),
    "campus_changed": lazy("changed a campus"),
    "campuses_imported": lazy("imported campuses"),
    "settings_changed": lazy("changed settings"),
    "schedule_changed": lazy("changed a schedule"),
    "calendar_imported": lazy("imported a calendar"),
    "calendar_changed": lazy("changed the calendar"),
    "connection_tested": lazy("tested the connection"),
    "first_page_previewed": lazy("looked at the first page of a source"),
    "run_requested": lazy("started a sync"),
    "rehearsal_requested": lazy("started a rehearsal"),
    "run_cancelled": lazy("cancelled a run"),
    "diary_exported": lazy("exported the change diary"),
    "quality_exported": lazy("exported the notes about data quality"),
    "report_exported": lazy("saved a monthly report"),
    "data_exported": lazy("exported data"),
    "hold_exported": lazy("saved the list of a hold"),
    "hold_accepted": lazy("accepted what was held"),
    "hold_rejected": lazy("kept the old data"),
    "hold_lapsed": lazy("let a hold lapse: nobody decided in time"),
    "hold_superseded": lazy("let a newer run supersede a hold"),
    "run_undone": lazy("undid a run"),
    "sync_paused": lazy("paused automatic sync"),
    "sync_resumed": lazy("resumed automatic sync"),
    "pause_ended": lazy("went on after a pause"),
    "diary_cut": lazy("removed what was older than the change diary goes back"),
    "history_cut": lazy("removed old runs and what belongs to them"),
    "databases_moved": lazy("moved the databases to PostgreSQL"),
}


# What the programs that act for nobody call themselves.
PROGRAM_WORDS = {
    "cli": lazy("The command line"),
    "start": lazy("The first start"),
    "engine": lazy("The engine"),
    "demo": lazy("The demonstration"),
}
ABOUT_A_SOURCE = (
    "run_requested",
    "rehearsal_requested",
    "run_cancelled",
    "settings_changed",
    "schedule_changed",
    "sync_paused",
    "sync_resumed",
    "pause_ended",
    "connection_tested",
    "first_page_previewed",
    "report_exported",
)
RUNS = {"run": "", "by": lazy("superseded by"), "by_run": lazy("published by"), "undoes": lazy("undone")}
DETAIL_WORDS = {
    "acts_for": lazy("acts for"),
    "active": lazy("may sign in"),
    "added": lazy("added"),
    "changed": lazy("changed"),
    "columns": lazy("columns"),
    "due_times": lazy("due times"),
    "entries": lazy("entries of the trail"),
    "file": lazy("file"),
    "kind": lazy("kind"),
    "lines": lazy("lines"),
    "mode": lazy("kind"),
    "month": lazy("month"),
    "name": lazy("name"),
    "names": lazy("settings"),
    "parts": lazy("parts"),
    "prefix": lazy("token prefix"),
    "role": lazy("role"),
    "runs": lazy("runs"),
    "schedule": lazy("schedule"),
    "scope": lazy("permission"),
    "shared_with": lazy("also for"),
    "token": lazy("by the token"),
    "until": lazy("until"),
    "removed": lazy("removed"),
}
VALUE_WORDS = {
    "role": ROLE_WORDS,
    "scope": SCOPE_WORDS,
    "kind": {
        "off": lazy("by hand only"),
        "interval": lazy("at a fixed interval"),
        "cron": lazy("by cron"),
        "calendar": lazy("by the calendar"),
    },
    "mode": {"full": lazy("full comparison"), "incremental": lazy("ordinary")},
}
CHANGED_WORDS = {
    "full_name": lazy("full name"),
    "role": lazy("role"),
    "active": lazy("may sign in"),
    "password": lazy("password"),
}


def who(entry: AuditEntry) -> str:
    """A person by name; a program, which has no address, in words."""
    word = PROGRAM_WORDS.get(entry.actor) if entry.address is None else None
    return str(word or entry.actor)


def subject(entry: AuditEntry) -> str:
    if not entry.subject:
        return "–"
    if entry.action == "data_exported":
        table = browse.tables().get(entry.subject)
        return table.label(current()) if table is not None else entry.subject
    return sources.label(entry.subject) if entry.action in ABOUT_A_SOURCE else entry.subject


def written_out(entry: AuditEntry) -> Markup | str:
    """The details in words: run 12 (a link); role: operator; settings: gateway address, first term."""
    pieces: list[Markup] = []
    for name, value in (entry.details or {}).items():
        if name in RUNS:
            link = Markup('<a class="num" href="{}">{}</a>').format(
                url_for("runs.one", run_id=value), _("Run %(number)s", number=digits(value))
            )
            pieces.append(link if name == "run" else Markup("{}: {}").format(RUNS[name], link))
        elif value is not None:
            word = DETAIL_WORDS.get(name, name)
            pieces.append(Markup("{}: <bdi>{}</bdi>").format(word, _value(entry, name, value)))
    return Markup("؛ " if current() == "fa" else "; ").join(pieces) if pieces else "–"


def _value(entry: AuditEntry, name: str, value: Any) -> str:
    if isinstance(value, list):
        return some(value, lambda one: _one(entry, name, one), MOST_NAMED)
    return _one(entry, name, value)


def _one(entry: AuditEntry, name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, int):
        return number(value)
    if name == "until":
        return exact(datetime.fromisoformat(value))
    if name == "names":
        return setting_title(entry.subject or "", value)
    if name == "shared_with":
        return sources.label(value)
    if name == "changed":
        return str(CHANGED_WORDS.get(value, value))
    return str(VALUE_WORDS.get(name, {}).get(value, value))


def setting_title(key: str, name: str) -> str:
    """What the form of this source calls a setting; its own name where the form no longer has it."""
    if name in LIMIT_WORDS:
        return str(LIMIT_WORDS[name][0])
    fetcher = registry.load(key).fetcher
    fields = {} if fetcher is None else fetcher.Settings.model_fields
    return str(extra(fields[name]).get(f"title_{current()}") or name) if name in fields else name


class Trail(GuardedModelView):
    list_template = "audit.html"
    column_list = ("at", "actor", "action", "subject", "address", "details")
    column_sortable_list = ("at", "actor", "action")
    column_default_sort = ("id", True)
    column_searchable_list = ("actor", "action", "subject", "address")
    column_labels = {
        "at": lazy("When"),
        "actor": lazy("Who"),
        "action": lazy("What"),
        "subject": lazy("Subject"),
        "address": lazy("IP address"),
        "details": lazy("Details"),
    }
    column_formatters = {
        "at": lambda view, context, entry, name: moment(entry.at),
        "actor": lambda view, context, entry, name: who(entry),
        "action": lambda view, context, entry, name: ACTION_WORDS.get(entry.action, entry.action),
        "subject": lambda view, context, entry, name: subject(entry),
        "address": lambda view, context, entry, name: entry.address or "–",
        "details": lambda view, context, entry, name: written_out(entry),
    }

    def search_placeholder(self) -> str:
        return _("Who, what, subject or IP address")

    def span(self) -> day_boxes.Span:
        """The days that this request asks for."""
        return day_boxes.span(request.args)

    def get_query(self) -> Any:
        return self._in_days(super().get_query())

    def get_count_query(self) -> Any:
        return self._in_days(super().get_count_query())

    def _in_days(self, query: Any) -> Any:
        """Entries of these days in Tehran; none where a day cannot be read, since nobody knows which are wanted."""
        span = self.span()
        if span.problems:
            return query.filter(false())
        if span.since is not None:
            query = query.filter(AuditEntry.at >= days.begins(span.since))
        if span.until is not None:
            query = query.filter(AuditEntry.at < days.ends(span.until))
        return query

    def _get_list_extra_args(self) -> Any:
        args = super()._get_list_extra_args()
        # Links that sort and turn pages keep the days.
        given = {name: request.args.get(name, "")[: day_boxes.LONGEST] for name in ("since", "until")}
        args.extra_args = {name: text for name, text in given.items() if text}
        return args
