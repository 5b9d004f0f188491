"""Commands that look and change, without running anything."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from panel.cli import main

Type = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, seeded_database: Path) -> Type:
    """Type a command in an instance whose database is there already."""
    instance = tmp_path / "instance"
    instance.mkdir(mode=0o700)
    (instance / "panel.db").write_bytes(seeded_database.read_bytes())

    def run(*arguments: str, typed: str = "", **environ: str) -> Result:
        return CliRunner().invoke(
            main, arguments, input=typed, env={"PANEL_INSTANCE": str(instance), **environ}
        )

    return run


def test_bare_help_names_every_command_of_the_design(run: Type) -> None:
    text = run("--help").output
    for command in [
        "up",
        "web",
        "engine",
        "sync",
        "status",
        "runs",
        "cancel",
        "schedule",
        "set",
        "campuses",
        "user",
        "token",
        "doctor",
        "migrate",
    ]:
        assert f"\n  {command} " in text


def test_a_first_command_makes_the_database(tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["status", "--json"], env={"PANEL_INSTANCE": str(tmp_path / "new")})
    assert answer.exit_code == 0
    assert {sync["key"] for sync in json.loads(answer.stdout)} >= {"faculty", "students"}
    assert (tmp_path / "new" / "panel.db").exists()


def test_nonsense_in_the_environment_ends_with_2_and_a_sentence(run: Type) -> None:
    answer = run("status", PANEL_PORT="eighty")
    assert answer.exit_code == 2
    assert "PANEL_PORT=eighty: it must be a whole number" in answer.output
    assert "Traceback" not in answer.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("sync", "nobody"),
        ("sync",),
        ("sync", "faculty", "--partition", "campus=1110"),
        ("sync", "students", "--partition", "planet=mars"),
        ("sync", "students", "--partition", "campus"),
        ("status", "nobody"),
        ("cancel", "77"),
        ("cancel", "first"),
        ("runs", "--sync", "nobody"),
        ("runs", "--limit", "0"),
        ("set", "students", "first_term"),
        ("set", "students", "first_term=4059"),
        ("set", "students", "no_such_setting=1"),
        ("schedule", "nobody"),
        ("schedule", "faculty", "--every", "0"),
        ("schedule", "faculty", "--every", "-5"),
        ("schedule", "faculty", "--every", "abc"),
        ("schedule", "faculty", "--cron", "99 * * * *"),
        ("schedule", "faculty", "--every", "5", "--off"),
        ("campuses", "import", "no-such-file.csv"),
        ("user", "role", "nobody", "admin"),
        ("user", "add", "a b", "--random"),
        ("token", "create", "nobody", "reports"),
        ("token", "revoke", "5"),
        ("nonsense",),
    ],
)
def test_wrong_use_ends_with_2(run: Type, arguments: tuple[str, ...]) -> None:
    answer = run(*arguments)
    assert answer.exit_code == 2, answer.output
    assert "Error: " in answer.output


def test_settings_are_set_listed_and_shared_by_the_sources_of_one_gateway(run: Type) -> None:
    answer = run("set", "faculty", "base_url=http://gateway.example", "username=reza", "page_size=500")
    assert answer.output == (
        "faculty: base_url, page_size, username changed\n"
        "The gateway's own settings were saved for students too.\n"
    )
    assert run("set", "students", "password=-", typed="canary\n").exit_code == 0
    listed = run("set", "students").output
    assert "base_url=http://gateway.example\n" in listed
    assert "password=--------\n" in listed
    assert "page_size=1000  (default)\n" in listed
    assert "canary" not in listed
    run("set", "faculty", "page_size=")
    assert "page_size=1000  (default)\n" in run("set", "faculty").output


def test_a_schedule_is_switched_on_and_off(run: Type) -> None:
    assert run("schedule", "faculty", "--every", "30").output.startswith("faculty: every 30 min, next at ")
    assert json.loads(run("status", "faculty", "--json").stdout)["schedule"] == {
        "kind": "interval",
        "interval_minutes": 30,
        "cron": None,
        "calendar": None,
    }
    assert "cron 0 5 * * 6" in run("schedule", "faculty", "--cron", "0 5 * * 6").output
    assert run("schedule", "faculty", "--off").output == "faculty: off\n"
    assert json.loads(run("status", "faculty", "--json").stdout)["next_run_at"] is None


def test_campuses_are_imported_and_what_is_odd_is_told(run: Type, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("pardis_code,name,province_code,type\n1110 ,پردیس نمونه,8,1\n1110,,,\nx y!,,,\n۱۲۱۰,,,\n")
    answer = run("campuses", "import", str(file))
    assert "2 added, 0 changed, 0 unchanged" in answer.output
    assert "line 3: 1110 is there twice" in answer.output
    assert "is not a campus code" in answer.output
    file.write_text("pardis_code\n1210\n")
    assert "1 unchanged, 1 no longer fetched" in run("campuses", "import", str(file), "--only-these").output
    listed = run("campuses", "list").output
    assert "1110" in listed
    assert "1210" in listed


def test_people_are_added_changed_and_shut_out(run: Type) -> None:
    assert run("user", "add", "maryam", "--role", "admin", typed="orange-lamp-42\n").exit_code == 0
    assert run("user", "add", "Maryam", typed="orange-lamp-42\n").exit_code == 2
    assert run("user", "add", "reza", typed="12345678\n").exit_code == 2
    assert "Password: " in run("user", "add", "reza", "--role", "operator", "--random").output
    assert run("user", "disable", "maryam").exit_code == 2, "the only administrator stays"
    assert run("user", "role", "maryam", "viewer").exit_code == 2
    assert run("user", "role", "reza", "admin").exit_code == 0
    assert run("user", "disable", "maryam").exit_code == 0
    assert run("user", "password", "reza", typed="green-chair-17\n").exit_code == 0
    listed = run("user", "list").output
    assert "maryam" in listed
    assert "orange" not in listed


def test_a_token_is_shown_once_and_kept_as_a_hash(run: Type, tmp_path: Path) -> None:
    run("user", "add", "reza", "--role", "operator", typed="green-chair-17\n")
    secret = run("token", "create", "reza", "reports", "--write", "--days", "30").stdout.strip()
    assert secret.startswith("hamgam_")
    assert secret not in run("token", "list").output
    files = b"".join(file.read_bytes() for file in (tmp_path / "instance").glob("panel.db*"))
    assert secret.encode() not in files
    assert run("token", "revoke", "1").exit_code == 0
    assert "revoked" in run("token", "list").output


def test_what_the_commands_change_is_in_the_trail_without_secrets(run: Type, tmp_path: Path) -> None:
    run("user", "add", "maryam", "--role", "admin", typed="orange-lamp-42\n")
    run("set", "faculty", "password=-", typed="canary\n")
    run("schedule", "faculty", "--every", "30")
    with closing(sqlite3.connect(tmp_path / "instance" / "panel.db")) as connection:
        trail = connection.execute(
            "SELECT actor, action, subject, details FROM audit_entries ORDER BY id"
        ).fetchall()
    assert [entry[:3] for entry in trail] == [
        ("cli", "user_added", "maryam"),
        ("cli", "settings_changed", "faculty"),
        ("cli", "schedule_changed", "faculty"),
    ]
    assert "canary" not in str(trail)
    assert "orange" not in str(trail)


def test_the_doctor_names_what_is_wrong_and_what_to_do(run: Type, tmp_path: Path) -> None:
    well = run("doctor", "--offline", "--json")
    states = {finding["text"]: finding["state"] for finding in json.loads(well.stdout)}
    assert well.exit_code == 0, states
    assert states["no engine is running: schedules wait"] == "warn"
    (tmp_path / "instance" / "secret.key").chmod(0o644)
    ill = run("doctor", "--offline")
    assert ill.exit_code == 1
    assert "chmod 600" in ill.output


def test_the_doctor_sees_a_damaged_database(run: Type, tmp_path: Path) -> None:
    run("status")
    (tmp_path / "instance" / "faculty_data.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    ill = run("doctor", "--offline")
    assert ill.exit_code == 1
    assert "is damaged" in ill.output
