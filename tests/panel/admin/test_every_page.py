"""No page is forgotten by those who go through all of them: pictures, and the tests with a browser."""

from flask import Flask

from tools.every_page import PAGES

# What answers GET and is no page of its own.
FRAGMENTS = {
    "admin.rows",
    "runs.live",
    "syncs.chosen",
    "syncs.next_times",
    "first_steps.live",
    "first_steps.next_times",
    "first_steps.planned",
}
NO_PAGES = {
    *FRAGMENTS,
    *("health.healthz", "runs.log", "runs.log_file", "runs.held_export"),  # JSON, and files
    *("syncs.index", "data.index", "sources.index"),  # lead elsewhere
    "sources.trend",  # JSON too: what the charts of a source draw
    "auth.login",  # for strangers alone: both go there first
    *("data.exported", "data.exported_live", "data.export_file"),  # of an export that was asked for
    "admin.letter",  # of a gateway that is down; it looks like that of a run
}
# Flask-Admin makes these routes for every list; a view may have switched them off.
OPTIONAL = {"ajax_lookup", "create_view", "details_view", "edit_view", "export"}
FACTS = ("ended", "failed", "attempts", "held", "changed", "rehearsal", "person")


def shown(app: Flask) -> set[str]:
    """The endpoints of `PAGES`."""
    adapter = app.url_map.bind("localhost")
    known = [address for name, address in PAGES.items() if name != "no-such-page"]
    return {adapter.match(one.format_map(dict.fromkeys(FACTS, "1")).partition("?")[0])[0] for one in known}


def opening_a_page(app: Flask) -> set[str]:
    """Every endpoint that answers GET for people and is not switched off."""
    views = {view.endpoint: view for view in app.extensions["admin"][0]._views}
    found = set()
    for rule in app.url_map.iter_rules():
        blueprint, _, name = rule.endpoint.rpartition(".")
        if "GET" not in (rule.methods or ()) or name == "static" or blueprint == "api":
            continue
        switch = f"can_{name.removesuffix('_view')}"
        if name not in OPTIONAL or getattr(views.get(blueprint), switch, False):
            found.add(rule.endpoint)
    return found


def test_every_page_is_on_the_list(app: Flask) -> None:
    assert opening_a_page(app) - shown(app) - NO_PAGES == set()


def test_a_page_that_is_not_on_the_list_is_found(app: Flask) -> None:
    """A negative control."""
    assert opening_a_page(app) - (shown(app) - {"changes.index"}) - NO_PAGES == {"changes.index"}
