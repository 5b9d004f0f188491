"""The map of a run's parts, whatever a fetcher calls them by."""

from panel import part_map

CAMPUS_TERMS = [
    (f"campus={campus},term={term}", "done") for term in (4051, 4043, 4042) for campus in (1110, 1120)
]


def keys(lines: list[part_map.Line]) -> list[str]:
    return [line.key for line in lines]


def test_campus_and_term_are_rows_and_columns_in_the_order_of_the_plan() -> None:
    [one] = part_map.maps(CAMPUS_TERMS, {})
    assert (one.down, one.across) == ("campus", "term")
    assert keys(one.rows) == ["1110", "1120"] and keys(one.columns) == ["4051", "4043", "4042"]
    assert one.states == [["done"] * 3] * 2


def test_an_order_is_kept_also_where_the_plan_has_another_one() -> None:
    """Parts that are not due come behind all others in a plan, so their terms do not come in turn."""
    parts = [
        ("campus=1,term=4051", "done"),
        ("campus=1,term=3991", "done"),
        ("campus=1,term=4043", "not_due"),
    ]
    [one] = part_map.maps(parts, {"term": lambda term: -int(term)})
    assert keys(one.columns) == ["4051", "4043", "3991"]
    assert one.states == [["done", "not_due", "done"]]


def test_a_part_that_was_not_planned_leaves_its_cell_empty() -> None:
    [one] = part_map.maps([("campus=1,term=4051", "done"), ("campus=2,term=4042", "failed")], {})
    assert one.states == [["done", part_map.NOWHERE], [part_map.NOWHERE, "failed"]]
    assert one.at("1", "4042") is None and one.at("2", "4042") == (1, 1) and one.at("9", "9") is None


def test_one_name_gives_a_strip() -> None:
    [one] = part_map.maps([("day=1405/07/01", "done"), ("day=1405/07/02", "planned")], {})
    assert (one.down, one.across) == (None, "day")
    assert keys(one.columns) == ["1405/07/01", "1405/07/02"] and one.states == [["done", "planned"]]
    assert one.at("", "1405/07/02") == (0, 1)


def test_of_three_names_the_first_two_make_the_map_and_a_cell_shows_the_worst_of_its_parts() -> None:
    parts = [
        (
            f"faculty={faculty},year={year},month={month}",
            "failed" if (faculty, month) == ("law", 2) else "done",
        )
        for faculty in ("law", "art")
        for year in (1404, 1405)
        for month in (1, 2)
    ]
    [one] = part_map.maps(parts, {})
    assert (one.down, one.across) == ("faculty", "year")
    assert one.states == [["failed", "failed"], ["done", "done"]]
    assert one.parts[(0, 1)] == ["faculty=law,year=1405,month=1", "faculty=law,year=1405,month=2"]


def test_each_stream_has_a_map_of_its_own_and_a_whole_one_has_none() -> None:
    parts = [
        ("rooms/floor=1", "done"),
        ("rooms/floor=2", "done"),
        ("keys/", "done"),
        ("staff/unit=7", "done"),
    ]
    [one] = part_map.maps(parts, {})
    assert (one.stream, one.across) == ("rooms", "floor")
    assert part_map.maps([("", "done")], {}) == []


def test_a_value_may_hold_a_comma_or_a_slash() -> None:
    assert part_map.named("unit=a,b/c,term=1") == ("", {"unit": "a,b/c", "term": "1"})
    assert part_map.named("rooms/unit=a/b") == ("rooms", {"unit": "a/b"})
    assert part_map.named("") == ("", {})


def test_a_map_that_would_be_too_large_puts_neighbours_into_one_cell() -> None:
    parts = [
        (f"campus={campus},term={term}", "failed" if (campus, term) == (7, 9) else "done")
        for campus in range(200)
        for term in range(60)
    ]
    [one] = part_map.maps(parts, {})
    cells = len(one.rows) * len(one.columns)
    assert cells <= part_map.MOST_CELLS and sum(map(len, one.parts.values())) == len(parts)
    row, column = next(place for place, found in one.parts.items() if "campus=7,term=9" in found)
    assert one.states[row][column] == "failed"
    assert sum(state == "failed" for line in one.states for state in line) == 1
    assert one.at(one.rows[row].key, one.columns[column].key) == (row, column)


def test_thousands_of_one_name_and_of_another_are_not_too_many() -> None:
    for parts in (
        [(f"day={day}", "done") for day in range(9_000)],
        [(f"id={one},x=1", "done") for one in range(9_000)],
    ):
        [one] = part_map.maps(parts, {})
        assert 0 < len(one.rows) * len(one.columns) <= part_map.MOST_CELLS


def test_the_shape_is_another_one_only_where_the_cells_are_others() -> None:
    def shape(parts: list[tuple[str, str]]) -> str:
        return part_map.maps(parts, {})[0].shape()

    assert shape(CAMPUS_TERMS) == shape([(part, "failed") for part, _state in CAMPUS_TERMS])
    assert shape(CAMPUS_TERMS) != shape(CAMPUS_TERMS[:-1])
