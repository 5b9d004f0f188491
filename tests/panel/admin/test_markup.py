"""What every page keeps: a strict content policy, our own files only, both languages whole."""

import re
import shutil
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from tests.panel.admin.conftest import read
from tools import check_translations, translations

House = sessionmaker[Session]
PAGES = (
    "/",
    "/status/rows",
    "/runs/",
    "/runs/4",
    "/runs/8",
    "/timeline/",
    "/data/faculty",
    "/data/faculty/row?id=1",
    "/syncs/students/settings",
    "/campuses/",
    "/campuses/new/",
    "/calendar/",
    "/users/",
    "/users/new/",
    "/tokens/",
    "/audit/",
)
# What the policy forbids, and what would go elsewhere.
FORBIDDEN = {
    "an inline handler": re.compile(r"<[^>]+\son\w+\s*=", re.I),
    "an inline style": re.compile(r"<[^>]+\sstyle\s*=|<style\b", re.I),
    "a javascript: address": re.compile(r"javascript:", re.I),
    "a foreign address": re.compile(r"""(?:src|href|action)\s*=\s*["'](?:https?:)?//""", re.I),
    "a script without a nonce": re.compile(r"<script(?![^>]*\bnonce=\"[^\"]+\")", re.I),
}


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["fa", "en"])
def test_a_page_keeps_the_content_policy(house: House, maryam: FlaskClient, path: str, language: str) -> None:
    page = read(maryam, f"{path}{'&' if '?' in path else '?'}lang={language}")
    for what, pattern in FORBIDDEN.items():
        found = pattern.search(page)
        assert not found, f"{what}: {found.group()}"


@pytest.mark.parametrize("what", list(FORBIDDEN))
def test_the_patterns_find_what_they_forbid(what: str) -> None:
    bad = {
        "an inline handler": '<button onclick="go()">',
        "an inline style": '<p style="color: red">',
        "a javascript: address": '<a href="javascript:void(0)">',
        "a foreign address": '<script nonce="x" src="https://cdn.example/x.js">',
        "a script without a nonce": '<script src="/static/x.js">',
    }
    assert FORBIDDEN[what].search(bad[what])


@pytest.mark.parametrize("path", [path for path in PAGES if path != "/status/rows"])
def test_a_page_has_one_title_one_language_and_a_heading(
    house: House, maryam: FlaskClient, path: str
) -> None:
    page = read(maryam, f"{path}{'&' if '?' in path else '?'}lang=fa")
    assert page.count("<h1") == 1
    assert '<html lang="fa" dir="rtl" ' in page
    assert re.search(r"<title>[^<]+· همگام</title>", page)


def test_deleting_asks_first(house: House, maryam: FlaskClient) -> None:
    """Flask-Admin's own button asks by an inline handler, which the policy silences."""
    from flask import render_template_string

    app = maryam.application
    with app.test_request_context("/"):
        html = render_template_string(
            "{% import 'admin/model/row_actions.html' as row_actions with context %}"
            "{{ row_actions.delete_row(none, '1', none) }}",
            get_url=lambda *_args, **_kwargs: "/x/delete/",
            get_pk_value=lambda _row: "1",
            delete_form=type(
                "Form", (), {"id": staticmethod(lambda **_: ""), "url": staticmethod(lambda **_: "")}
            ),
        )
    assert re.search(r'<form method="POST"[^>]*data-confirm="[^"]+"', html)


def test_every_text_has_its_persian_and_no_page_speaks_past_gettext() -> None:
    assert check_translations.problems() == []


def test_the_check_finds_a_translation_of_what_nothing_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = shutil.copytree(translations.PARTS, tmp_path / "parts")
    (parts / "zz.po").write_text('msgid "Gone long ago"\nmsgstr "رفته"\n', encoding="utf-8")
    monkeypatch.setattr(translations, "PARTS", parts)
    assert check_translations.problems() == ["zz.po: nothing says 'Gone long ago' any more"]


def test_the_check_hears_a_text_that_no_translation_can_reach() -> None:
    template = (
        '{% if x %}\n<p title="Look here">{{ _("Fine") }}</p>\n'
        "<b>Spoken plainly</b>{% endif %}<code>left alone</code>"
    )
    assert check_translations.outside_gettext(template) == [(2, "Look here"), (3, "Spoken plainly")]
