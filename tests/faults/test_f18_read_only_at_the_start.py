"""F18: the disk of the installation takes no writes. A start says so, and what to do; nothing is changed."""

from collections.abc import Callable

import pytest

from panel.config import Config
from tests import first_version
from tests.faults import small_disk
from tests.first_version.house import old

__all__ = ["old"]


@pytest.mark.parametrize("command", [("up", "--no-demo"), pytest.param(("status",), marks=pytest.mark.slow)])
def test_f18_a_start_on_a_read_only_disk_says_so(
    old: Config, command: tuple[str, ...], require_services: Callable[[str], None]
) -> None:
    if (why := small_disk.unavailable()) is not None:
        require_services(why)
    before = {path: path.read_bytes() for path in old.instance.rglob("*") if path.is_file()}
    own = {"PANEL_INSTANCE": str(old.instance), "PANEL_SECRET_KEY": first_version.KEY}
    done = small_disk.panel(small_disk.READ_ONLY, old.instance, *command, **own)
    assert done.returncode == 2, done.stderr
    assert "its disk is read-only. Nothing was changed." in done.stderr and "dmesg" in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr) <= 500
    assert {path: path.read_bytes() for path in old.instance.rglob("*") if path.is_file()} == before
