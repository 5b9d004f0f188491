"""The migrations lead to the schema of the models, once, whatever happens on the way."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from panel import backup, migrations
from panel.config import Config, load
from panel.db import intent_to_write, open_engine
from panel.models import Base


def schema(path: Path) -> dict[str, str]:
    """Every object of an SQLite file with its statement, written in one way."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        ).fetchall()
    return {
        f"{kind} {name}": sql if kind == "trigger" else ""
        for kind, name, sql in found
        if name != "alembic_version"
    }


def test_the_migrated_schema_is_the_schema_of_the_models(instance: Config, tmp_path: Path) -> None:
    assert migrations.upgrade(instance)
    engine = open_engine(instance.panel_database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()
    straight = open_engine(f"sqlite:///{tmp_path}/straight.db")
    with intent_to_write():
        Base.metadata.create_all(straight)
    straight.dispose()
    assert schema(instance.instance / "panel.db") == schema(tmp_path / "straight.db")
    assert "trigger sync_runs_terminal_stays" in schema(tmp_path / "straight.db")


@pytest.mark.postgres
def test_the_migrated_schema_is_the_schema_of_the_models_on_postgresql(
    tmp_path: Path, postgres_database: str
) -> None:
    config = load({"PANEL_INSTANCE": str(tmp_path), "PANEL_DATABASE_URL": postgres_database})
    engine = open_engine(config.panel_database_url)
    try:
        assert migrations.upgrade(config)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
    finally:
        with engine.begin() as connection:
            Base.metadata.drop_all(connection)
            connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
        engine.dispose()


def test_the_newest_number_is_the_head_of_the_chain(instance: Config) -> None:
    script = ScriptDirectory(str(migrations.HOME))
    assert script.get_heads() == [migrations.head()]


def test_migrating_again_changes_nothing_and_copies_nothing(instance: Config) -> None:
    assert migrations.upgrade(instance)
    assert migrations.current(instance) == migrations.head()
    assert not migrations.upgrade(instance)
    assert not instance.backups.exists()


def test_before_an_older_database_is_migrated_a_backup_is_made(
    instance: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations.upgrade(instance)
    head = migrations.head()
    monkeypatch.setattr(migrations, "head", lambda: "9999")
    upgraded = migrations.upgrade(instance)
    assert upgraded is not None and upgraded.backup is not None
    assert upgraded.backup.name.endswith("-before-9999")
    assert backup.read(upgraded.backup).schema == head
    assert schema(upgraded.backup / "panel.db") == schema(instance.instance / "panel.db")


def test_a_database_of_a_newer_version_is_left_alone(instance: Config) -> None:
    migrations.upgrade(instance)
    with closing(sqlite3.connect(instance.instance / "panel.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(migrations.MigrationError, match="newer version"):
        migrations.upgrade(instance)


def test_a_database_of_another_program_is_left_alone(instance: Config) -> None:
    with closing(sqlite3.connect(instance.instance / "panel.db")) as connection:
        connection.execute("CREATE TABLE grades (id)")
        connection.commit()
    with pytest.raises(migrations.MigrationError, match="grades"):
        migrations.upgrade(instance)


def test_a_migration_that_fails_leaves_an_empty_database(
    instance: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "_check_references", lambda connection: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        migrations.upgrade(instance)
    assert schema(instance.instance / "panel.db") == {}


def test_first_starts_at_once_migrate_once(instance: Config) -> None:
    done: list[migrations.Upgraded | Exception | None] = []

    def start() -> None:
        try:
            done.append(migrations.upgrade(instance))
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            done.append(error)

    starts = [threading.Thread(target=start) for _ in range(4)]
    for thread in starts:
        thread.start()
    for thread in starts:
        thread.join(60)
    assert len(done) == 4 and done.count(None) == 3
    assert migrations.Upgraded(before=None, backup=None) in done
