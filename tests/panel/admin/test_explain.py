"""Every error code in plain words."""

import pytest
from flask import Flask

from fetchers.core import errors
from panel.admin import show
from panel.causes import CAUSES
from panel.explain import english, explain, message

OURS = (
    "E_LOST",
    "E_STALLED",
    "E_INTERRUPTED",
    "E_INTERNAL",
    "E_CANCELLED",
    "E_PLAN",
    "E_SETTINGS",
    "E_FETCHER",
)


def codes_of(kind: type[errors.FetchError]) -> set[str]:
    return {kind.code}.union(*(codes_of(child) for child in kind.__subclasses__()))


@pytest.mark.parametrize("code", sorted(codes_of(errors.FetchError) | set(OURS)))
def test_every_code_says_what_happened_whether_the_data_are_safe_and_what_to_do(code: str) -> None:
    found = english(code)
    assert code in CAUSES
    assert found.what and found.safe and found.todo
    assert "{" not in str(found), "a param that did not come must leave no hole"


def test_a_param_that_came_is_told() -> None:
    assert "401" in english("E_AUTH", {"host": "gateway.example", "status": 401}).what
    assert "401" not in english("E_AUTH", {"host": "gateway.example"}).what


def test_a_param_is_never_a_format_of_its_own() -> None:
    told = english("E_CONFIG", {"setting": "{0.__class__} {missing} %s"}).what
    assert "{0.__class__} {missing} %s" in told


def test_a_param_cannot_forge_a_line_nor_flood_the_row() -> None:
    told = message("E_CONFIG", {"setting": "disk full\nERROR all is lost\x1b[31m" + "x" * 5000})
    assert "\n" not in told and "\x1b" not in told
    assert len(told) <= 500


def test_the_deadline_decides_the_words() -> None:
    deadlines = ("name", "connect", "silence", "request", "run")
    told = {english("E_TIMEOUT", {"deadline": deadline}).what for deadline in deadlines}
    assert len(told | {english("E_TIMEOUT").what}) == 6
    assert english("E_TIMEOUT", {"deadline": "check"}).what == english("E_TIMEOUT").what


def test_a_full_disk_and_an_unknown_name_have_words_of_their_own() -> None:
    assert "disk is full" in english("E_STORAGE", {"reason": "disk_full"}).what
    assert "gateway.example" in english("E_CONNECT", {"reason": "dns", "host": "gateway.example"}).what
    assert english("E_STORAGE", {"reason": "unheard_of"}) == english("E_STORAGE")


def test_an_unknown_code_is_explained_as_our_own_fault() -> None:
    assert message("E_NEVER_HEARD_OF") == message("E_INTERNAL")


def test_outside_a_page_the_words_are_english() -> None:
    assert explain("E_AUTH") == english("E_AUTH")


def test_on_a_persian_page_the_words_are_persian_and_the_stored_ones_stay_english(app: Flask) -> None:
    with app.test_request_context("/?lang=fa"):
        assert explain("E_AUTH").what.startswith("درگاه")
        assert message("E_AUTH").startswith("The gateway")


def test_a_setting_is_called_as_the_form_calls_it(app: Flask) -> None:
    with app.test_request_context("/?lang=fa"):
        assert "«سطر در هر صفحه»" in show.explained("E_CONFIG", {"setting": "page_size"}).what
        missing = show.explained("E_SETTINGS", {"missing": ["base_url", "password"]}).what
        assert missing.endswith("نشانی درگاه، گذرواژهٔ درگاه")
    with app.test_request_context("/?lang=en"):
        assert "“Rows per page”" in show.explained("E_CONFIG", {"setting": "page_size"}).what
        assert "user name is not set" in show.explained("E_CONFIG", {"setting": "username"}).what
