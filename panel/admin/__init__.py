"""The pages. `panel.create_app` calls `build`, then `register`; who adds a page adds a line to `register`."""

from flask import Flask
from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme

from panel.web.headers import csp_nonce


def build(app: Flask) -> Admin:
    """Flask-Admin at the root of the site, with the status table as its home and our own frame."""
    from panel.admin import show
    from panel.admin.status import StatusView

    show.install(app)
    return Admin(
        app,
        name="Hamgam",
        url="/",
        index_view=StatusView(),
        theme=Bootstrap4Theme(),
        csp_nonce_generator=csp_nonce,
    )


def register(app: Flask, admin: Admin) -> None:
    """The pages beside the status table, in the order of the menu."""
    from panel.admin.changes import ChangesView
    from panel.admin.data import DataView
    from panel.admin.first_steps import FirstStepsView
    from panel.admin.quality import QualityView
    from panel.admin.reports import ReportsView
    from panel.admin.runs import RunsView
    from panel.admin.source_page import SourcesView
    from panel.admin.syncs import SyncsView
    from panel.admin.timeline_page import TimelineView

    admin.add_view(RunsView())
    admin.add_view(ChangesView())
    admin.add_view(DataView())
    admin.add_view(QualityView())
    admin.add_view(ReportsView())
    admin.add_view(SourcesView())
    admin.add_view(SyncsView())
    admin.add_view(TimelineView())
    admin.add_view(FirstStepsView())
