"""The pages."""

from flask import Flask
from flask_admin import Admin, AdminIndexView

from panel.headers import csp_nonce


def build(app: Flask) -> Admin:
    return Admin(
        app, name="Hamgam", url="/", index_view=AdminIndexView(url="/"), csp_nonce_generator=csp_nonce
    )


def register(app: Flask, admin: Admin) -> None:
    """The status table and the other pages."""
