"""The trail: who did what, when, from where. It is read here, and changed nowhere."""

from typing import Any

from flask_babel import lazy_gettext as lazy

from panel.admin.guarded import GuardedModelView
from panel.admin.show import moment

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
    "connection_tested": lazy("tested the connection"),
    "run_requested": lazy("started a sync"),
    "run_cancelled": lazy("cancelled a run"),
}


def written_out(details: dict[str, Any] | None) -> str:
    """role=admin, changed=password, active"""
    if not details:
        return "–"
    return "; ".join(
        f"{name}={', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in details.items()
    )


class Trail(GuardedModelView):
    column_list = ("at", "actor", "action", "subject", "address", "details")
    column_sortable_list = ("at", "actor", "action")
    column_default_sort = ("id", True)
    column_searchable_list = ("actor", "action", "subject", "address")
    column_labels = {
        "at": lazy("When"),
        "actor": lazy("Who"),
        "action": lazy("What"),
        "subject": lazy("Of what"),
        "address": lazy("From"),
        "details": lazy("Details"),
    }
    column_formatters = {
        "at": lambda view, context, entry, name: moment(entry.at),
        "action": lambda view, context, entry, name: ACTION_WORDS.get(entry.action, entry.action),
        "subject": lambda view, context, entry, name: entry.subject or "–",
        "address": lambda view, context, entry, name: entry.address or "–",
        "details": lambda view, context, entry, name: written_out(entry.details),
    }
