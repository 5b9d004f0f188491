"""Both themes are readable: WCAG's contrast of every pair of tokens that meet on a page (1.4.3 and 1.4.11)."""

import re

import pytest

from tests.conftest import ROOT

STYLE = (ROOT / "static" / "hamgam.css").read_text(encoding="utf-8")
DARK = (ROOT / "static" / "dark.css").read_text(encoding="utf-8")

GROUNDS = ("page", "surface", "surface-2", "wait-soft")
STATUSES = ("ok", "run", "wait", "bad", "hold", "stop")
TEXTS = ("ink", "ink-2", "ink-3", "brand", "brand-strong", "danger", "danger-strong", *STATUSES)
# Text on its ground: 4.5 to 1.
READ = [
    *((text, ground) for text in TEXTS for ground in GROUNDS),
    *((text, f"{status}-soft") for status in STATUSES for text in ("ink", "ink-2", status)),
    ("brand-strong", "brand-soft"),
    ("brand", "brand-soft"),
    ("danger-strong", "bad-soft"),
    ("on-brand", "brand"),
    ("on-brand", "brand-strong"),
    ("on-alarm", "alarm"),
    ("on-alarm", "alarm-strong"),
    ("on-demo", "demo"),
    ("on-tip", "tip"),
    *((text, "log") for text in ("log-ink", "log-time", "log-warning", "log-error")),
]
# Edges of controls, marks without words, the focus: 3 to 1.
SEEN = [
    *(("edge", ground) for ground in ("page", "surface", "surface-2")),
    *(("focus", ground) for ground in (*GROUNDS, "brand-soft", "log", *(f"{one}-soft" for one in STATUSES))),
    *((f"{status}-mark", ground) for status in STATUSES for ground in ("page", "surface", "surface-2")),
    *((f"{status}-mark", f"{status}-soft") for status in STATUSES),
    *((f"{status}-mark", "run-soft") for status in STATUSES),  # the track of a progress bar
    ("brand", "surface"),
    ("alarm", "surface"),
]
# Parts cards and rows; says nothing alone.
DECORATION = {"line", "line-2", "shade", "more", "shadow", "shadow-l"}


def tokens(css: str) -> dict[str, str]:
    """Name and value of every token of a stylesheet's :root."""
    [block] = re.findall(r":root \{(.*?)\n\}", css, re.S)
    return dict(re.findall(r"--([\w-]+): ([^;]+);", block))


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it, of #rrggbb."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def too_weak(colours: dict[str, str]) -> list[str]:
    """The pairs that a person with weak eyes could not tell apart."""
    return [
        f"{front} on {ground}: {contrast(colours[front], colours[ground]):.2f} < {least}"
        for pairs, least in ((READ, 4.5), (SEEN, 3.0))
        for front, ground in pairs
        if contrast(colours[front], colours[ground]) < least
    ]


THEMES = {"light": tokens(STYLE), "dark": tokens(STYLE) | tokens(DARK)}


@pytest.mark.parametrize("theme", THEMES)
def test_every_pair_of_colours_that_meet_is_readable(theme: str) -> None:
    assert too_weak(THEMES[theme]) == []


def test_the_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)


@pytest.mark.parametrize(
    ("name", "colour"), [("ink-3", "#8a93a3"), ("edge", "#cdd5e1"), ("on-brand", "#7fb9bd")]
)
def test_a_colour_that_is_too_weak_is_found(name: str, colour: str) -> None:
    """A negative control."""
    assert any(one.startswith(f"{name} on ") for one in too_weak(THEMES["light"] | {name: colour}))


def test_the_dark_theme_has_every_colour_and_each_is_compared_with_another() -> None:
    light = THEMES["light"]
    colours = {name for name in light if light[name].startswith("#") or "rgb" in light[name]}
    assert set(tokens(DARK)) == colours
    compared = {name for pair in (*READ, *SEEN) for name in pair}
    assert colours - compared == DECORATION


def test_no_rule_names_a_colour_past_the_tokens() -> None:
    """Else it would be the same in the dark; paper alone is black on white."""
    rules = re.sub(r"/\*.*?\*/", "", STYLE + DARK, flags=re.S)
    rules = re.sub(r":root \{.*?\n\}", "", rules, flags=re.S)
    rules = re.sub(r"@media print \{.*?\n\}", "", rules, flags=re.S)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(|:\s*(?:white|black)\b", rules) == []


def test_no_rule_asks_for_a_token_that_there_is_not() -> None:
    assert set(re.findall(r"var\(--([\w-]+)", STYLE + DARK)) <= set(THEMES["light"])
