"""F22: random bytes in a database. A start names the file and the command that mends it, and writes nothing."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from panel import backup, migrations, seed, startup
from panel.cli import main
from panel.clock import utcnow
from panel.config import Config
from panel.restore import restore
from tests import first_version
from tests.first_version.house import old, rows

__all__ = ["old"]

SEED = 22


def databases(config: Config) -> dict[str, Path]:
    found = {
        "control": backup.sqlite_path(config.panel_database_url),
        "data": backup.sqlite_path(config.data_database_url),
    }
    return {name: path for name, path in found.items() if path is not None}


def dd(path: Path, place: int, length: int = 4096) -> None:
    """What a dying disk leaves: other bytes, in the same place."""
    with path.open("r+b") as file:
        file.seek(place)
        file.write(random.Random(SEED).randbytes(length))


def a_used_page(path: Path) -> int:
    """Where the root of the largest table is."""
    with closing(sqlite3.connect(path)) as db:
        [(page,)] = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name IN ('sync_runs', 'student_terms')"
        )
        return (int(page) - 1) * 4096


@pytest.mark.parametrize("which", ["control", "data"])
@pytest.mark.parametrize("where", ["header", "page"])
def test_f22_a_start_refuses_names_the_file_and_the_mend_and_writes_nothing(
    old: Config, which: str, where: str
) -> None:
    backup.take(old, utcnow())
    path = databases(old)[which]
    good = rows(path)
    dd(path, 0 if where == "header" else a_used_page(path))
    before = {file: file.read_bytes() for file in old.instance.rglob("*") if file.is_file()}
    own = {"PANEL_INSTANCE": str(old.instance), "PANEL_SECRET_KEY": first_version.KEY}
    done = CliRunner().invoke(main, ["--no-demo", "up", "--no-demo"], env=own)
    assert done.exit_code == 2, done.output
    assert str(path) in done.output and "python -m panel restore newest" in done.output
    assert "Nothing was written" in done.output and len(done.output.replace(str(path), "")) <= 500
    now = {file: file.read_bytes() for file in old.instance.rglob("*") if file.is_file()}
    assert {file: data for file, data in now.items() if not file.name.endswith(("-shm", "-wal"))} == before
    # The mend: what was there is moved aside, and everything is there again.
    aside = restore(old, backup.finished(old.backups)[0].folder, utcnow())
    assert path.name in {moved.name.split(".before-restore-")[0] for moved in aside}
    assert rows(path) == good
    startup.refuse_what_is_not_well(old, closely=True)
    assert seed.prepare(old).upgraded is not None
    assert migrations.current(old) == migrations.head()


def test_f22_a_damaged_database_is_not_migrated_nor_kept_as_a_backup(old: Config) -> None:
    dd(databases(old)["control"], a_used_page(databases(old)["control"]))
    with pytest.raises(migrations.MigrationError, match="damaged|malformed"):
        migrations.upgrade(old)
    assert migrations.current(old) == "0004"
    assert backup.finished(old.backups) == []


def test_f22_what_is_whole_starts(old: Config, tmp_path: Path) -> None:
    """The control of the looks: an empty place, an empty file, and a sound database are well."""
    startup.refuse_what_is_not_well(old, closely=True)
    databases(old)["data"].write_bytes(b"")
    startup.refuse_what_is_not_well(old, closely=True)
    shutil.rmtree(old.instance)
    old.instance.mkdir()
    startup.refuse_what_is_not_well(old, closely=True)
