"""What pages load beside themselves: packed, kept by browsers, and anew as soon as a file is another one."""

import gzip
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from panel.web import assets
from tests.conftest import ROOT
from tests.panel.admin.conftest import read

STATIC = ROOT / "static"
PACKED = {"Accept-Encoding": "gzip, deflate, br"}


def loaded(page: str) -> list[str]:
    """The addresses of the styles, scripts and pictures of a page, each once."""
    return sorted(
        {address.partition("#")[0] for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page)}
    )


def test_everything_but_the_font_carries_the_version_and_is_kept_for_a_year(maryam: FlaskClient) -> None:
    addresses = loaded(read(maryam, "/?lang=fa"))
    assert len(addresses) > 5
    for address in addresses:
        told = maryam.get(address).cache_control
        if address.endswith(".woff2"):  # the style sheet names it too, without a version
            assert (told.max_age, told.immutable) == (assets.WEEK, False)
        else:
            assert address.endswith(f"?v={assets.version(assets.read(STATIC))}"), address
            assert (told.max_age, told.public, told.immutable) == (assets.YEAR, True, True)


def test_a_version_that_is_not_ours_is_not_kept(maryam: FlaskClient) -> None:
    answer = maryam.get("/static/hamgam.css?v=another")
    assert answer.status_code == 200 and answer.cache_control.no_cache
    assert answer.cache_control.max_age is None and not answer.cache_control.immutable


def test_the_version_is_that_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "a.css").write_text("a")
    first = assets.version(assets.read(tmp_path))
    (tmp_path / "vendor" / "a.css").write_text("b")
    second = assets.version(assets.read(tmp_path))
    (tmp_path / "vendor" / "a.css").rename(tmp_path / "vendor" / "b.css")
    assert len({first, second, assets.version(assets.read(tmp_path))}) == 3


def test_a_style_sheet_is_packed_for_who_can_unpack_it(maryam: FlaskClient) -> None:
    plain = maryam.get("/static/hamgam.css")
    packed = maryam.get("/static/hamgam.css", headers=PACKED)
    assert packed.headers["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.data) == plain.data == (STATIC / "hamgam.css").read_bytes()
    assert len(packed.data) * 3 < len(plain.data)
    assert "Accept-Encoding" in packed.vary and "Accept-Encoding" in plain.vary
    refused = maryam.get("/static/hamgam.css", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "Content-Encoding" not in refused.headers


@pytest.mark.parametrize("headers", [PACKED, {}])
def test_who_has_it_already_is_told_so(maryam: FlaskClient, headers: dict[str, str]) -> None:
    tag = maryam.get("/static/hamgam.js", headers=headers).headers["ETag"]
    again = maryam.get("/static/hamgam.js", headers={**headers, "If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")


def test_pages_are_not_packed_and_a_font_is_as_it_is(maryam: FlaskClient) -> None:
    for address in ("/", "/static/vendor/vazirmatn/vazirmatn.woff2"):
        assert "Content-Encoding" not in maryam.get(address, headers=PACKED).headers


@pytest.mark.parametrize(
    "address", ["/static/nothing.css", "/static/../wsgi.py", "/static/%2e%2e/wsgi.py", "/static/"]
)
def test_nothing_else_is_there(maryam: FlaskClient, address: str) -> None:
    assert maryam.get(address, headers=PACKED).status_code == 404


def test_a_page_weighs_less_than_200_kb_without_the_font(maryam: FlaskClient) -> None:
    page = maryam.get("/?lang=fa", headers=PACKED)
    weights = {address: len(maryam.get(address, headers=PACKED).data) for address in loaded(page.text)}
    without_font = {address: weight for address, weight in weights.items() if not address.endswith(".woff2")}
    assert len(without_font) < len(weights)
    assert len(page.data) + sum(without_font.values()) < 200_000, without_font
