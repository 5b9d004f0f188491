"""What a fetcher may declare."""

import pytest

from fetchers import Label, LatestTable, Text, stream
from fetchers.core import registry


def test_a_personal_field_cannot_be_searched():
    name = Text(Label("نام", "Name"), personal=True)
    with pytest.raises(ValueError, match="personal"):
        stream(table="t", label=Label("t", "t"), primary_key=("id",), fields={"name": name}, search=("name",))


def test_rows_that_the_table_of_newest_rows_could_not_tell_apart_are_refused():
    latest = LatestTable("newest", "number", "term", "current", ("campus", "home"), Label("t", "t"))
    fields = {"number": Text(Label("ش", "Number")), "course": Text(Label("درس", "Course"))}
    key = ("campus", "term", "number")
    stream(table="t", label=Label("t", "t"), primary_key=key, fields=fields, latest=latest)
    with pytest.raises(ValueError, match="course"):
        stream(table="t", label=Label("t", "t"), primary_key=(*key, "course"), fields=fields, latest=latest)


def test_no_fetcher_of_ours_searches_what_it_masks():
    for listing in registry.catalogue().values():
        assert listing.fetcher is not None
        for declared in listing.fetcher.streams():
            assert not [column for column in declared.search if declared.fields[column].personal]
