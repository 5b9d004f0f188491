"""Statements are compiled once and found again: else each visit of a page would compile them, and keep them, anew."""

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from panel.config import Config
from panel.destination import reader
from panel.extensions import db
from tests.web import routes

House = sessionmaker[Session]
MORE = (
    "/data/faculty",
    "/data/student_terms",
    "/data/Students?search=کریمی",
    "/data/Students/row?studentnum=40011003",
    "/changes/?search=کیوان",
)


def compiled(*engines: Engine) -> int:
    """How many statements they keep (SQLAlchemy's cache of 500; it has no public door)."""
    return sum(len(engine._compiled_cache or ()) for engine in engines)


def test_whoever_comes_back_to_a_page_finds_its_statements_compiled(
    app: Flask, house: House, maryam: FlaskClient, web_config: Config
) -> None:
    paths = [
        path
        for path, rule in routes(app)
        if "GET" in (rule.methods or ()) and "logout" not in path and "static" not in path
    ]
    with app.app_context():
        control = db.engine
    engines = (control, reader(web_config.data_database_url))
    for path in (*paths, *MORE):
        maryam.get(path, headers={"Accept": "text/html"}).close()
        before = compiled(*engines)
        maryam.get(path, headers={"Accept": "text/html"}).close()
        assert compiled(*engines) == before, path
    assert compiled(*engines) > 20, "nothing was asked"
