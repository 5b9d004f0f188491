"""The preview of a first page: one request, cleaned as a run would, and not a file left."""

from pathlib import Path
from typing import Any

import pytest

from fetchers import Page
from fetchers.core.errors import AuthError
from fetchers.core.events import Events
from fetchers.core.load import job, preview
from fetchers.students import Students
from tests.fetchers.core.conftest import raw
from tests.fetchers.core.test_holds import World, part, student, world

__all__ = ["world"]


def look(world: World, code: int = 0) -> dict[str, Any]:
    world.events.clear()
    assert preview.preview(world.spec(preview=True, database=""), Events(world.events.append)) == code
    [last] = [event for event in world.events if event["event"] in ("result", "error")]
    return dict(last["preview"] if code == 0 else last["error"])


def test_it_shows_cleaned_rows_oddities_strangers_and_empty_fields(world: World) -> None:
    world.there["1110"][0] |= {"firstname": "علي", "birthdate": "1399/13/45", "shoe_size": "43"}
    world.there["1110"].append({**student(500), "studentnum": ""})
    seen = look(world)
    assert (seen["part"], seen["read"], seen["rejected"], seen["tried"]) == (part("1110"), 41, 1, 1)
    rows = [dict(zip(seen["columns"], row, strict=True)) for row in seen["rows"]]
    assert len(rows) == preview.ROWS_SHOWN
    assert (rows[0]["firstname"], rows[0]["codePardis"]) == ("علی", "1110")
    assert seen["unknown"] == ["shoe_size"]
    assert {(one["field"], one["times"]) for one in seen["odd"]} >= {("birthdate", 1)}
    assert "email" in seen["empty"] and "firstname" not in seen["empty"]


def test_it_asks_once_and_writes_nothing(world: World, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    world.asked.clear()
    look(world)
    assert dict(world.asked) == {"1110": 1}
    assert sorted(tmp_path.rglob("*")) == before


def test_where_the_first_part_is_empty_the_next_one_is_shown(world: World) -> None:
    world.there["1110"] = []
    seen = look(world)
    assert (seen["part"], seen["tried"], seen["parts"]) == (part("1210"), 2, 2)


def test_where_all_are_empty_there_is_nothing_to_show(world: World) -> None:
    world.there = {str(1110 + number): [] for number in range(preview.PARTS_TRIED + 2)}
    world.asked.clear()
    seen = look(world)
    assert (seen["rows"], seen["tried"], seen["parts"]) == ([], preview.PARTS_TRIED, preview.PARTS_TRIED + 2)
    assert sum(world.asked.values()) == preview.PARTS_TRIED


def test_a_refusal_and_a_mistake_of_the_fetcher_are_told_as_in_a_run(world: World) -> None:
    world.next = {"1110": [AuthError("no", status=401)]}
    assert look(world, 1)["code"] == "E_AUTH"
    world.next = {"1110": [KeyError("40311234501")]}  # type: ignore[list-item]
    assert look(world, 1)["code"] == "E_FETCHER"


def test_only_the_first_page_is_asked_for_and_what_it_announces_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def pages(self: Students, campus: str, term: str) -> Any:
        def ask(number: int, size: int) -> Page:
            asked.append(number)
            return Page(raw(*(student(place) for place in range(10))), total=900)

        yield Page(self.session.read_whole(ask, 10))

    pages.stream = Students.student_terms.stream  # type: ignore[attr-defined]
    monkeypatch.setattr(job.load("students").fetcher, "student_terms", pages)
    seen = look(world)
    assert (asked, seen["read"], seen["total"]) == ([1], 10, 900)
