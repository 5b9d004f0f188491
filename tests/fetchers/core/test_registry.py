"""The catalogue of fetcher files, and what is none."""

import pkgutil
from collections.abc import Iterator

import pytest

from fetchers.core import registry


def test_whatever_is_in_the_catalogue_can_be_loaded() -> None:
    listings = registry.catalogue()
    assert {"faculty", "students"} <= set(listings)
    assert all(listing.error is None for listing in listings.values())


@pytest.mark.parametrize(
    "name",
    ["core", "golestan", "__main__", "_hidden", "../fetchers/faculty", "core.spec", "", "a" * 300, "x\0y"],
)
def test_what_is_no_fetcher_file_is_none(name: str) -> None:
    listing = registry.load(name)
    assert listing.fetcher is None and "there is no file" in str(listing.error)


def test_a_known_file_is_found_without_listing_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(*_: object) -> Iterator[object]:
        raise AssertionError("the folder was listed")

    monkeypatch.setattr(pkgutil, "iter_modules", listed)
    assert registry.load("faculty").fetcher is not None
