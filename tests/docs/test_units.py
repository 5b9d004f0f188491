"""The systemd units that deploy/ offers: their commands exist, and their times and folders fit what the code does."""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from panel.cli import main
from panel.service import supervisor
from tests.conftest import ROOT

UNITS = sorted((ROOT / "deploy").glob("hamgam*.service"))
HOME = "/opt/hamgam"


def unit(path: Path) -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[method-assign,assignment]
    found.read_string(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_calls_a_command_that_there_is_as_an_account_that_may_write_into_the_instance_alone(
    path: Path,
) -> None:
    service = unit(path)["Service"]
    python, module, panel, *words = shlex.split(service["ExecStart"])
    assert (python, module, panel) == (f"{HOME}/.venv/bin/python", "-m", "panel")
    command: click.Command = main
    for word in words:
        if word.startswith("-"):
            assert word in [name for one in command.params for name in (*one.opts, *one.secondary_opts)]
        else:
            assert isinstance(command, click.Group)
            command = command.commands[word]
    assert (service["User"], service["UMask"]) == ("hamgam", "0077")
    assert (service["ProtectSystem"], service["ReadWritePaths"]) == ("strict", f"{HOME}/instance")
    assert service["WorkingDirectory"] == HOME


def test_a_stop_is_given_the_time_that_it_needs() -> None:
    """TERM goes to `up` alone, which ends the others in order; the kill comes after all its patience."""
    service = unit(ROOT / "deploy" / "hamgam.service")["Service"]
    assert service["KillMode"] == "mixed"
    assert float(service["TimeoutStopSec"]) > supervisor.PATIENCE + 5
    assert service["RestartPreventExitStatus"] == "2"


def test_the_timer_is_of_the_backup() -> None:
    timer = unit(ROOT / "deploy" / "hamgam-backup.timer")
    assert timer["Timer"]["OnCalendar"] and timer["Timer"]["Persistent"] == "yes"
    assert (ROOT / "deploy" / "hamgam-backup.service").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_understands_the_units() -> None:
    names = [str(path) for path in (*UNITS, ROOT / "deploy" / "hamgam-backup.timer")]
    done = subprocess.run(["systemd-analyze", "verify", *names], capture_output=True, text=True)
    # That the installation is not there is all that it may miss.
    said = [line for line in done.stderr.splitlines() if "is not executable" not in line]
    assert said == []
