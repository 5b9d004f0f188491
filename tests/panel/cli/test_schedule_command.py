"""schedule and calendar on the command line."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fetchers.core.clean import to_jalali
from panel.cli import main
from panel.clock import utcnow
from panel.zones import TEHRAN

Type = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, seeded_database: Path) -> Type:
    """`run("schedule", "faculty")` in a house of its own."""
    (tmp_path / "panel.db").write_bytes(seeded_database.read_bytes())

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, env={"PANEL_INSTANCE": str(tmp_path)})

    return run


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--at", "02:30"], "02:30 on working days, not on holidays, next at "),
        (["--at", "14:00,02:30", "--on", "all", "--holidays"], "02:30 14:00, on holidays too, next at "),
        (["--at", "۰۲:۳۰", "--on", "12/last"], "02:30 on 12/last, not on holidays, next at "),
        (
            ["--every", "30", "--quiet", "22:00-06:00"],
            "every 30 min, quiet 22:00-06:00, not on holidays, next at ",
        ),
        (
            ["--at", "02:30", "--registration", "15", "--weeks", "14,21"],
            "every 15 min in registration weeks (by the terms), 02:30 on working days otherwise, not on holidays",
        ),
    ],
)
def test_a_schedule_by_the_calendar_is_said_back(run: Type, options: list[str], words: str) -> None:
    answer = run("schedule", "faculty", *options)
    assert answer.exit_code == 0 and answer.output.startswith(f"faculty: {words}"), answer.output
    assert json.loads(run("status", "faculty", "--json").stdout)["schedule"]["kind"] == "calendar"


def test_the_next_five_times_are_shown_in_jalali_days(run: Type) -> None:
    run("schedule", "faculty", "--at", "02:30", "--on", "12/last")
    shown = run("schedule", "faculty").output
    times = re.findall(r"^  (\d{4})/12/(29|30) 02:30 \w{3}  \(\d{4}-03-\d\d\)$", shown, re.M)
    assert len(times) == 5 and [int(year) for year, _ in times] == list(
        range(int(times[0][0]), int(times[0][0]) + 5)
    )
    assert "No holidays are listed" in shown
    told = json.loads(run("schedule", "faculty", "--json").stdout)
    assert len(told["next"]) == 5 and told["schedule"]["calendar"]["usual"] == {
        "on": "12/last",
        "at": ["02:30"],
    }


@pytest.mark.parametrize(
    "options",
    [
        ["--at", "25:00"],
        ["--at", "02:30", "--every", "5"],
        ["--on", "sat"],
        ["--at", "02:30", "--on", "someday"],
        ["--at", "02:30", "--quiet", "22:00"],
        ["--at", "02:30", "--quiet", "22:00-06:00"],
        ["--registration", "15"],
        ["--at", "02:30", "--off"],
        ["--pause-until", "yesterday"],
        ["--pause-until", "1390/01/01"],
        ["--resume", "--cron", "0 2 * * *"],
    ],
)
def test_what_cannot_be_a_schedule_ends_with_2(run: Type, options: list[str]) -> None:
    answer = run("schedule", "faculty", *options)
    assert answer.exit_code == 2 and "Traceback" not in answer.output, answer.output
    assert run("schedule", "faculty").output == "faculty: off\n"


def test_a_pause_is_set_shown_and_lifted(run: Type) -> None:
    end = (utcnow().astimezone(TEHRAN) + timedelta(days=30)).replace(hour=8, minute=0)
    until = f"{end:%Y-%m-%d %H:%M}"
    run("schedule", "faculty", "--every", "60")
    paused = run("schedule", "faculty", "--pause-until", f"{to_jalali(end)} 8:00")
    assert paused.output == f"faculty: paused until {until} (Tehran)\n"
    shown = run("schedule", "faculty").output
    assert "It goes on by itself then" in shown and f"\n  {to_jalali(end)} 08:" in shown
    assert f"faculty: paused until {until}" in run("status").output
    assert json.loads(run("status", "faculty", "--json").stdout)["paused_until"]
    assert run("schedule", "faculty", "--resume").output == "faculty: goes on, every 60 min\n"
    run("schedule", "faculty", "--pause-until", until)
    assert run("schedule", "faculty", "--every", "30").output.startswith("faculty: every 30 min, next at ")


def test_a_calendar_is_imported_listed_and_rules_the_schedules(run: Type, tmp_path: Path) -> None:
    file = tmp_path / "days.csv"
    file.write_text("1405/01/01,1405/01/04,نوروز\n1404/12/30,none\n1405/06/15,1405/06/20,ثبت‌نام\n", "utf-8")
    done = run("calendar", "import", str(file))
    assert done.exit_code == 0
    assert "2 added, 0 renamed, 0 unchanged, 0 removed" in done.output
    assert "days.csv, line 2: The Jalali calendar has no day 1404/12/30." in done.output
    listed = run("calendar", "list", "--year", "1405").output
    assert "1405/01/01  1405/01/04  نوروز" in listed and "registration  1405/06/15" in listed
    assert "working days: sat, sun, mon, tue, wed" in listed and "clock: Asia/Tehran" in listed
    assert "1405" not in run("calendar", "list", "--year", "1400").output

    changed = run("calendar", "set", "--working-days", "sat,wed", "--zone", "Europe/Berlin")
    assert changed.output == "working days: sat, wed; clock: Europe/Berlin\n"
    run("schedule", "faculty", "--at", "02:30")
    assert "Its clock is that of Europe/Berlin" in run("schedule", "faculty").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("calendar", "import", "no-such-file.csv"),
        ("calendar", "set"),
        ("calendar", "set", "--zone", "Mars/Phobos"),
        ("calendar", "set", "--working-days", "someday"),
    ],
)
def test_wrong_use_of_the_calendar_ends_with_2(run: Type, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_file_without_a_day_is_refused(run: Type, tmp_path: Path) -> None:
    file = tmp_path / "days.csv"
    file.write_text("1404/12/30,none\n", "utf-8")
    answer = run("calendar", "import", str(file))
    assert answer.exit_code == 2 and "there is no day in it" in answer.output


def test_the_doctor_says_that_the_list_of_holidays_is_missing(run: Type) -> None:
    assert "holidays" not in run("doctor", "--offline").output
    run("schedule", "faculty", "--at", "02:30")
    assert (
        "warn No holidays are listed, so these sources will be synced on holidays too: faculty."
        in run("doctor", "--offline").output
    )
