"""Sentences that sum something up: the status page's first line, who started a run, what the trail tells."""

from typing import Any

import pytest
from flask import Flask

from panel import attention
from panel.admin import attention_card, show, sources
from panel.admin.audit import who, written_out
from panel.models import AuditEntry


@pytest.fixture
def english(app: Flask) -> Any:
    with app.test_request_context("/?lang=en"):
        yield


def source(state: str | None) -> sources.Standing:
    halts = {
        "failed": attention.Halt(attention.Setback(7, None, heals=False)),
        "heals": attention.Halt(attention.Setback(7, None, heals=True)),
    }
    return sources.Standing(
        1, "faculty", "Faculty", "failed" if state == "heals" else state, broken=None, missing=None,
        hold=attention.Hold(7, None) if state == "held" else None, halt=halts.get(state or ""),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        ((None, None), "Press “Sync” beside a source"),
        (("success", "success"), "All sources are in step."),
        (("success", None), "1 of 2 sources are in step"),
        (("success", "cancelled"), "1 of 2 sources are in step"),
        (("success", "running"), "1 source is being synced now."),
        (("failed", "running"), "Sources that need you: 1 of 2."),
        (("held", "success"), "Sources that need you: 1 of 2."),
        (("heals", "success"), "Nothing to do now."),
        (("heals", "held"), "Sources that need you: 1 of 2."),
        (("cancelled", "cancelled"), "Press “Sync” beside a source"),
    ],
)
def test_the_first_line_is_true_for_every_mix(
    english: None, states: tuple[str | None, ...], sentence: str
) -> None:
    assert attention_card.summary([source(state) for state in states]).startswith(sentence)


def test_the_command_line_names_no_user_but_a_person_is_named(english: None) -> None:
    assert "cli" not in show.starter("cli", "cli").striptags()
    assert "maryam" in show.starter("cli", "maryam").striptags()


def test_the_trail_tells_details_in_words(english: None) -> None:
    entry = AuditEntry(
        actor="cli",
        action="settings_changed",
        subject="students",
        details={"names": ["first_term"], "run": 3},
    )
    told = str(written_out(entry))
    assert "First term" in told and "Run 3" in told and "/runs/3" in told
    assert "first_term" not in told and who(entry) == "The command line"


def test_a_name_in_the_details_cannot_bring_markup(english: None) -> None:
    entry = AuditEntry(actor="reza", action="token_created", subject="x", details={"name": "<b>bold</b>"})
    assert "<b>" not in str(written_out(entry))
