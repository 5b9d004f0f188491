"""Which parts a run asks for: open and closed ones, what is owed, what an earlier run has done, and what is chosen."""

import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fetchers import Page
from fetchers.core import registry
from fetchers.core.decide.undo import Undo
from fetchers.core.errors import TimedOut
from fetchers.core.events import Events
from fetchers.core.load.job import Job
from fetchers.core.load.plan import is_due
from fetchers.core.spec import Spec
from fetchers.core.store import sql
from fetchers.students import Students
from tests.fetchers.core.conftest import raw

NOW = datetime(2026, 11, 22, 22, 30, tzinfo=UTC)  # term 4051, at night in Tehran
OPEN = ("4051", "4043", "4042")
CLOSED = ("4041", "4033", "4032", "4031")
CAMPUSES = ("1110", "1210")
DAY = timedelta(days=1)


def names(*terms: str, campuses: tuple[str, ...] = CAMPUSES) -> set[str]:
    return {f"campus={campus},term={term}" for campus in campuses for term in terms}


ALL = names(*OPEN, *CLOSED)


class University:
    """Two campuses and seven terms in memory; three are open."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.settings: dict[str, Any] = {
            "base_url": "http://127.0.0.1:9",
            "username": "x",
            "password": "y",
            "campuses": list(CAMPUSES),
            "first_term": "4031",
            "connections": 1,
            "requests_per_second": 0,
        }
        self.fail: set[str] = set()
        self.sizes: Counter[str] = Counter()  # rows of a part; one where nothing is said
        self.asked: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.last = ""

    def answer(self, campus: str, term: str) -> list[dict[str, Any]]:
        part = f"campus={campus},term={term}"
        self.asked.append(part)
        if part in self.fail:
            raise TimedOut("late", deadline="request")
        numbers = range(self.sizes.get(part, 1))
        return [{"studentnum": f"{campus}{term}{n:04}", "code_Markaz": campus, "term": term} for n in numbers]

    def sync(self, now: datetime = NOW, code: int = 0, **spec: Any) -> set[str]:
        """Run; the parts that were asked for, none of them twice without need."""
        self.asked.clear()
        self.events.clear()
        self.last = spec.pop("run", None) or str(uuid.uuid4())
        settings = self.settings | spec.pop("settings", {})
        order = Spec(
            run=self.last, epoch=1, source="students", settings=settings, database=self.url,
            staging=str(self.folder / "staging"), now=now, **spec,
        )  # fmt: skip
        assert Job(order, Events(self.events.append)).run() == code, self.events[-1]
        return set(self.asked)

    def told(self, kind: str) -> dict[str, Any]:
        return next(event for event in self.events if event["event"] == kind)

    @property
    def planned(self) -> set[str]:
        return set(self.told("plan")["parts"])

    @property
    def not_due(self) -> set[str]:
        return set(self.told("plan")["not_due"])

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        db = sql.connect(self.url)
        try:
            return [tuple(row) for row in db.execute(statement).fetchall()]
        finally:
            db.close()


@pytest.fixture
def empty(destination: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[University]:
    university = University(destination, tmp_path)

    class InMemory(Students):
        def student_terms(self, campus: str, term: str) -> Iterator[Page]:
            yield Page(raw(*university.answer(campus, term)))

        student_terms.stream = Students.student_terms.stream  # type: ignore[attr-defined]

    for room in ("job", "approve", "undo"):
        place = "load" if room == "job" else "decide"
        monkeypatch.setattr(f"fetchers.core.{place}.{room}.load", lambda key: registry.Listing(key, InMemory))
    yield university


@pytest.fixture
def university(empty: University) -> University:
    """In step since this night."""
    assert empty.sync() == ALL
    return empty


# -- open and closed ----------------------------------------------------------------------------------------


def test_the_first_run_asks_for_everything(empty: University) -> None:
    assert empty.sync() == ALL == empty.planned
    assert empty.not_due == set()


def test_the_next_run_asks_for_open_terms_and_says_how_many_parts_it_leaves_out(
    university: University,
) -> None:
    assert university.sync(NOW + timedelta(minutes=5)) == names(*OPEN) == university.planned
    assert university.not_due == names(*CLOSED)
    assert university.told("result")["partitions"] == {"planned": 6, "done": 6, "failed": 0, "held": 0}
    assert "6 parts to fetch; 8 closed ones are not due" in university.told("log")["message"]
    assert university.rows("SELECT count(*) FROM student_terms") == [(14,)]


def test_each_closed_term_comes_once_in_seven_days_on_a_night_of_its_own(university: University) -> None:
    nights = [university.sync(NOW + night * DAY) - names(*OPEN) for night in range(1, 16)]
    for part in names(*CLOSED):
        came = [night for night, asked in enumerate(nights) if part in asked]
        assert came[0] < 7
        assert {late - early for early, late in zip(came, came[1:], strict=False)} == {7}
    # Whole terms, so that who moves to another campus is seen to arrive there.
    assert all(asked in (set(), *(names(term) for term in CLOSED)) for asked in nights)


def test_zero_days_ask_for_everything_each_time(university: University) -> None:
    assert university.sync(NOW + timedelta(minutes=5), settings={"closed_every_days": 0}) == ALL
    assert university.not_due == set()


def test_how_many_terms_are_open_is_a_setting(university: University) -> None:
    asked = university.sync(NOW + timedelta(minutes=5), settings={"open_terms": 1})
    assert asked == names("4051")


def test_a_full_run_asks_for_everything(university: University) -> None:
    assert university.sync(NOW + timedelta(minutes=5), mode="full") == ALL


def test_chosen_parts_are_asked_for_though_they_are_closed(university: University) -> None:
    wishes = [{"campus": "1110", "term": "4031"}, {"term": "4051"}]
    asked = university.sync(NOW + timedelta(minutes=5), partitions=wishes)
    assert asked == names("4051") | names("4031", campuses=("1110",)) == university.planned
    assert university.not_due == set()


def test_a_rehearsal_plans_what_the_real_run_does_and_counts_as_no_answer(university: University) -> None:
    before = university.rows("SELECT * FROM _hamgam_checked ORDER BY 1, 2")
    rehearsed = university.sync(NOW + 3 * DAY, dry_run=True, rehearsals=str(university.folder / "rehearsal"))
    assert university.rows("SELECT * FROM _hamgam_checked ORDER BY 1, 2") == before
    assert university.sync(NOW + 3 * DAY) == rehearsed
    assert names(*OPEN) < rehearsed < ALL


# -- when terms begin and end -------------------------------------------------------------------------------


def test_when_a_term_begins_the_oldest_open_one_closes(university: University) -> None:
    eve, day = datetime(2027, 1, 20, 20, 29, tzinfo=UTC), datetime(2027, 1, 20, 20, 30, tzinfo=UTC)
    university.sync(eve)
    # The coming term is asked for before it begins, and does not close another one by that.
    assert names("4052", *OPEN) <= university.planned
    assert university.sync(day) == names("4052", "4051", "4043")
    assert names("4042") <= university.not_due
    later = [university.sync(day + night * DAY) for night in range(1, 8)]
    assert sum(names("4042") <= asked for asked in later) == 1


def test_a_new_campus_and_an_earlier_first_term_are_asked_for_whole(university: University) -> None:
    soon = NOW + timedelta(minutes=5)
    campuses = (*CAMPUSES, "1310")
    asked = university.sync(soon, settings={"campuses": list(campuses), "first_term": "4023"})
    assert asked == names(*OPEN) | names(*OPEN, *CLOSED, campuses=("1310",)) | names(
        "4023", campuses=campuses
    )


# -- what is owed -------------------------------------------------------------------------------------------


def test_a_closed_part_that_failed_is_asked_for_next_time(university: University) -> None:
    university.fail = names("4031", campuses=("1110",))
    university.sync(NOW + timedelta(minutes=5), code=1, mode="full")
    university.fail = set()
    assert university.sync(NOW + timedelta(minutes=10)) == names(*OPEN) | names("4031", campuses=("1110",))
    assert university.sync(NOW + timedelta(minutes=15)) == names(*OPEN)


def test_a_closed_part_that_is_held_is_asked_for_next_time(university: University) -> None:
    held = names("4031", campuses=("1110",))
    university.sizes = Counter(dict.fromkeys(held, 0))
    assert university.sync(NOW + timedelta(minutes=5), code=3, mode="full") == ALL
    assert university.sync(NOW + timedelta(minutes=10), code=3) == names(*OPEN) | held


def test_a_closed_part_that_was_undone_is_asked_for_next_time(university: University) -> None:
    changed = names("4031", campuses=("1110",))
    university.sizes = Counter(dict.fromkeys(changed, 2))
    university.sync(NOW + timedelta(minutes=5), mode="full")
    undone = university.last
    spec = Spec(
        run=str(uuid.uuid4()), epoch=1, source="students", database=university.url, mode="undo", about=undone,
        now=NOW + timedelta(minutes=6),
    )  # fmt: skip
    assert Undo(spec, Events(university.events.append)).run() == 0
    assert university.sync(NOW + timedelta(minutes=10)) == names(*OPEN) | changed


@pytest.mark.parametrize("other", [{"base_url": "http://127.0.0.2:9"}, {}], ids=["gateway", "rules"])
def test_answers_of_another_gateway_or_by_other_rules_are_asked_for_again(
    university: University, monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
) -> None:
    if not other:
        monkeypatch.setattr("fetchers.core.load.plan.rules_version", lambda fields: "others")
    assert university.sync(NOW + timedelta(minutes=5), settings=other) == ALL
    assert university.sync(NOW + timedelta(minutes=9), settings=other) == names(*OPEN)


def test_a_destination_of_an_earlier_version_is_asked_for_everything_once(university: University) -> None:
    db = sql.connect(university.url)
    db.execute("DROP TABLE _hamgam_checked")
    db.close()
    assert university.sync(NOW + timedelta(minutes=5)) == ALL
    assert university.sync(NOW + timedelta(minutes=10)) == names(*OPEN)


# -- after a failure ----------------------------------------------------------------------------------------


def test_the_successor_of_a_failed_run_asks_only_for_what_is_missing_of_the_same_plan(
    university: University,
) -> None:
    night = NOW + 20 * DAY  # everything is due
    university.fail = names("4051", "4033", campuses=("1210",))
    assert university.sync(night, code=1) >= ALL
    first, plan = university.last, university.planned
    university.fail = set()
    missing = names("4051", "4033", campuses=("1210",))
    # Fewer are due now, since closed ones were done; it is the same plan all the same.
    assert university.sync(night + timedelta(hours=1), resume=[first]) == missing
    assert university.planned == plan
    assert set(university.told("plan")["resumed"]) == plan - missing
    assert university.not_due == set()


def test_a_later_attempt_keeps_to_the_plan_of_the_first_though_midnight_has_passed(
    university: University,
) -> None:
    evening = NOW + timedelta(minutes=50)
    lost = names("4051", campuses=("1110",))
    university.fail = set(lost)
    university.sync(evening, code=1)
    run, plan = university.last, university.planned
    university.fail = set()
    assert university.sync(evening + 3 * DAY, run=run, attempt=2) == lost
    assert university.planned == plan
    # Another run at that time would be about more.
    assert university.sync(evening + 3 * DAY) > names(*OPEN)


# -- the guard ----------------------------------------------------------------------------------------------


def quarter_off_the_open_parts(university: University) -> None:
    """Closed parts are large: what the open ones lose is little of the whole, and much of what is asked for."""
    large = dict.fromkeys(names(*CLOSED), 200)
    university.sizes = Counter({**large, **dict.fromkeys(names(*OPEN), 40)})
    university.sync(NOW + timedelta(minutes=1), mode="full")
    university.sizes = Counter({**large, **dict.fromkeys(names(*OPEN), 30)})


def test_a_quarter_off_every_open_part_is_held_however_large_the_closed_ones_are(
    university: University,
) -> None:
    quarter_off_the_open_parts(university)
    university.sync(NOW + timedelta(minutes=5), code=3)
    said = university.told("held")["error"]["params"]
    assert (said["reason"], said["gone"], said["before"]) == ("total", 60, 240)
    assert university.rows("SELECT count(*) FROM student_terms") == [(8 * 200 + 6 * 40,)]


def test_a_quarter_off_every_chosen_part_is_held_however_large_the_others_are(university: University) -> None:
    quarter_off_the_open_parts(university)
    wishes = [{"term": term} for term in OPEN]
    university.sync(NOW + timedelta(minutes=5), code=3, partitions=wishes)
    assert university.told("held")["error"]["params"]["before"] == 240
    # The same loss in a run about everything is a small one.
    university.sync(NOW + timedelta(minutes=9), mode="full")


def test_after_an_interruption_losses_are_judged_against_all_that_the_run_is_about(
    university: University, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Parts that remove rows wait for the verdict, so they alone are left for the second attempt.
    quarter_off_the_open_parts(university)
    with monkeypatch.context() as patch:
        patch.setattr(Job, "_settle", lambda self, streams: 1 / 0)
        university.sync(NOW + timedelta(minutes=5), code=1, mode="full")
    asked = university.sync(NOW + timedelta(minutes=9), run=university.last, attempt=2, mode="full")
    assert asked == names(*OPEN)


# -- the rule by itself -------------------------------------------------------------------------------------


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 1, 1, hour, tzinfo=UTC) + day * DAY


@pytest.mark.parametrize("every_days", [1, 2, 7, 30])
@pytest.mark.parametrize("place", [0, 1, 5, 15])
def test_a_closed_part_is_due_once_in_its_days_and_never_later(every_days: int, place: int) -> None:
    last, came = at(0), []
    for day in range(1, 100):
        if is_due(last, at(day), every_days, place):
            last = at(day)
            came.append(day)
    assert came[0] <= every_days
    assert {late - early for early, late in zip(came, came[1:], strict=False)} == {every_days}
    assert not is_due(last, last + timedelta(hours=1), every_days, place)


@pytest.mark.parametrize("place", range(7))
def test_what_a_missed_night_would_have_asked_for_comes_in_the_next_run(place: int) -> None:
    nightly = any(is_due(at(0), at(day), 7, place) for day in range(1, 6))
    assert is_due(at(0), at(5), 7, place) is nightly


def test_places_share_the_days_out() -> None:
    first = Counter(
        next(day for day in range(1, 8) if is_due(at(0), at(day), 7, place)) for place in range(14)
    )
    assert first == dict.fromkeys(range(1, 8), 2)


def test_an_open_part_one_that_is_owed_and_one_of_a_wrong_clock_are_due() -> None:
    assert is_due(at(0), at(0), 0, 3)
    assert is_due(None, at(0), 7, 3)
    assert is_due(at(1), at(0), 7, 3)


def test_a_run_at_the_same_hour_is_not_late_for_a_few_seconds() -> None:
    # Days are counted, not hours: else a nightly run that begins a little earlier would wait for the next night.
    last = datetime.combine(date(2026, 1, 1), datetime.min.time(), UTC) + timedelta(hours=2, seconds=9)
    assert is_due(last, last + 7 * DAY - timedelta(seconds=5), 7, 3)
