"""The Flask extensions, unbound; `panel.create_app` binds them to an application."""

from typing import Any

from flask import Flask
from flask_babel import Babel
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import Engine

from panel.db import prepare_engine
from panel.models import Base


class ControlDatabase(SQLAlchemy):
    """A session per request on the control database, with the same engine rules as the other processes."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        return prepare_engine(super()._make_engine(bind_key, options, app))


# What was committed stays readable without another transaction: a POST's would open with BEGIN IMMEDIATE.
db = ControlDatabase(model_class=Base, session_options={"expire_on_commit": False}, add_models_to_shell=False)
login_manager = LoginManager()
babel = Babel()
csrf = CSRFProtect()
