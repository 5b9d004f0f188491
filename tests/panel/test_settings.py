"""Where settings come from, how they are saved, and that secrets stay secret."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from fetchers.core import registry
from fetchers.core.fetcher import Fetcher, HttpSettings, Label, Setting
from panel import explain, runs, settings
from panel.clock import utcnow
from panel.config import Config, load
from panel.db import open_engine, writing
from panel.engine import spec
from panel.engine.verdict import Fault
from panel.migrations import upgrade
from panel.models import AuditEntry, Campus, DataSync
from panel.seed import seed
from panel.vault import Vault, VaultError

CANARY = "canary-Xy7"


class Gateway(HttpSettings):
    base_url: str = Setting(title=Label("نشانی", "Address"), env="GOLESTAN_BASE_URL", pattern="^https?://")
    username: str = Setting(title=Label("نام", "User"), env="GOLESTAN_USERNAME")
    password: SecretStr = Setting(title=Label("گذرواژه", "Password"), env="GOLESTAN_PASSWORD")


class People(Fetcher):
    label = Label("کارکنان", "People")
    Settings = Gateway
    default_timeout_seconds = 3600


class Courses(Fetcher):
    label = Label("درس‌ها", "Courses")

    class Settings(Gateway):
        campuses: list[str] = Setting(list, title=Label("پردیس‌ها", "Campuses"), filled_from="campuses")
        first_term: str = Setting(
            "4001",
            title=Label("نخستین", "First term"),
            seed_env="GOLESTAN_FIRST_TERM",
            pattern=r"^\d{3}[123]$",
        )
        last_term: str = Setting("4993", title=Label("آخرین", "Last term"))

        @model_validator(mode="after")
        def in_order(self) -> "Courses.Settings":
            if self.first_term > self.last_term:
                raise ValueError("the last term is before the first")
            return self


CATALOGUE = {
    "people": registry.Listing("people", People),
    "courses": registry.Listing("courses", Courses),
    "broken": registry.Listing("broken", None, "SyntaxError: invalid syntax"),
}


@pytest.fixture
def fetchers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "catalogue", lambda: CATALOGUE)
    monkeypatch.setattr(registry, "load", CATALOGUE.__getitem__)


@pytest.fixture
def factory(instance: Config, fetchers: None) -> Iterator[sessionmaker[Session]]:
    upgrade(instance)
    engine = open_engine(instance.panel_database_url)
    factory = sessionmaker(engine, expire_on_commit=False)
    with writing(factory) as session:
        seed(session, instance, utcnow(), administrator=False)
    yield factory
    engine.dispose()


def find(session: Session, key: str) -> DataSync:
    return session.scalars(select(DataSync).where(DataSync.key == key)).one()


def save(factory: sessionmaker[Session], config: Config, key: str, **changes: object) -> settings.Saved:
    with writing(factory) as session:
        return settings.save(find(session, key), changes, session, config, "maryam")


def resolve(factory: sessionmaker[Session], config: Config, key: str) -> settings.Resolved:
    with factory() as session:
        return settings.resolved(find(session, key), session, config)


LOGIN = {"base_url": "http://gateway.example", "username": "maryam", "password": CANARY}


def test_every_fetcher_file_gets_a_sync_and_a_broken_one_shows_its_error(
    factory: sessionmaker[Session], instance: Config
) -> None:
    with factory() as session:
        assert {sync.key: sync.timeout_seconds for sync in session.scalars(select(DataSync))} == {
            "people": 3600,
            "courses": 7200,
            "broken": 7200,
        }
    assert resolve(factory, instance, "broken").problems == [("", "SyntaxError: invalid syntax")]


def test_seeding_again_changes_nothing(factory: sessionmaker[Session], instance: Config) -> None:
    with writing(factory) as session:
        again = seed(session, instance, utcnow(), administrator=False)
    assert (again.syncs, again.campuses, again.administrator) == ((), 0, None)


def test_what_is_missing_is_named_and_the_sync_is_not_configured(
    factory: sessionmaker[Session], instance: Config
) -> None:
    assert {name for name, _ in resolve(factory, instance, "people").problems} == set(LOGIN)
    with factory() as session:
        assert not settings.configured(find(session, "people"), session, instance)
    assert save(factory, instance, "people", **LOGIN).problems == []
    with factory() as session:
        assert settings.configured(find(session, "people"), session, instance)


def test_the_gateway_is_saved_to_every_source_that_asks_it(
    factory: sessionmaker[Session], instance: Config
) -> None:
    saved = save(factory, instance, "people", **LOGIN)
    assert saved.shared_with == ("courses",)
    values = resolve(factory, instance, "courses").values
    assert {name: values[name] for name in LOGIN} == LOGIN


def test_of_a_shared_setting_only_those_sources_are_told_that_had_another_value(
    factory: sessionmaker[Session], instance: Config
) -> None:
    save(factory, instance, "people", **LOGIN)
    saved = save(factory, instance, "people", connections="7", **LOGIN)
    assert (saved.changed, saved.shared_with) == (("connections",), ())
    with writing(factory) as session:
        find(session, "courses").settings = {
            **find(session, "courses").settings,
            "base_url": "https://old.test",
        }
    saved = save(factory, instance, "people", **LOGIN)
    assert (saved.changed, saved.shared_with) == ((), ("courses",))
    with factory() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "settings_changed")).all()
    assert [entry.details for entry in entries[1:]] == [
        {"names": ["connections"]},
        {"names": ["base_url"], "shared_with": ["courses"]},
    ]


def test_a_setting_of_one_source_stays_there(factory: sessionmaker[Session], instance: Config) -> None:
    assert save(factory, instance, "courses", connections="7").shared_with == ()
    save(factory, instance, "people", **LOGIN)
    assert resolve(factory, instance, "courses").values["connections"] == 7
    assert resolve(factory, instance, "people").values["connections"] == 4


def test_the_environment_wins_while_it_is_set_and_cannot_be_changed_here(
    factory: sessionmaker[Session], instance: Config
) -> None:
    save(factory, instance, "people", **LOGIN)
    there = load({"PANEL_INSTANCE": str(instance.instance), "GOLESTAN_USERNAME": "reza"})
    found = resolve(factory, there, "people")
    assert (found.values["username"], found.origins["username"]) == ("reza", "environment")
    assert found.origins["base_url"] == "row"
    refused = save(factory, there, "people", username="sara")
    assert refused.problems == [
        ("username", "This is set in the environment (GOLESTAN_USERNAME) and can be changed only there.")
    ]
    assert resolve(factory, instance, "people").values["username"] == "maryam"


def test_a_secret_is_sealed_in_the_file_and_never_shown_by_the_form(
    factory: sessionmaker[Session], instance: Config
) -> None:
    save(factory, instance, "people", **LOGIN)
    with factory() as session:
        form = settings.form_values(find(session, "people"), session, instance)
        assert CANARY not in repr(form)
        assert form["password"].value == settings.MASK
        assert CANARY not in json.dumps([entry.details for entry in session.scalars(select(AuditEntry))])
    assert CANARY not in repr(resolve(factory, instance, "people"))
    files = b"".join(file.read_bytes() for file in instance.instance.iterdir() if file.is_file())
    assert b"http://gateway.example" in files, "the search itself works"
    assert CANARY.encode() not in files


@pytest.mark.parametrize("untouched", ["", settings.MASK])
def test_an_untouched_password_box_keeps_the_password(
    factory: sessionmaker[Session], instance: Config, untouched: str
) -> None:
    save(factory, instance, "people", **LOGIN)
    assert save(factory, instance, "people", password=untouched, connections=2).changed == ("connections",)
    assert resolve(factory, instance, "people").values["password"] == CANARY


def test_null_takes_a_value_away(factory: sessionmaker[Session], instance: Config) -> None:
    save(factory, instance, "people", **LOGIN, connections=9)
    save(factory, instance, "people", password=None, connections=None)
    found = resolve(factory, instance, "people")
    assert [name for name, _ in found.problems] == ["password"]
    assert found.origins["connections"] == "default"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("connections", "many", "whole number"),
        ("connections", 17, "at most 16"),
        ("connections", 0, "at least 1"),
        ("base_url", "gateway.example", "right form"),
        ("no_such_thing", 1, "no such setting"),
        ("campuses", ["1110"], "no such setting"),
        ("retries", 99, "at most 20"),
        ("timeout_seconds", "soon", "whole number"),
    ],
)
def test_a_bad_value_is_refused_in_words_and_nothing_is_saved(
    factory: sessionmaker[Session], instance: Config, name: str, value: object, words: str
) -> None:
    saved = save(factory, instance, "courses", **{name: value}, requests_per_second=2)
    assert [wrong for wrong, _ in saved.problems] == [name]
    assert words in saved.problems[0][1]
    with factory() as session:
        assert find(session, "courses").settings == {}


def test_a_rule_over_two_settings_is_checked(factory: sessionmaker[Session], instance: Config) -> None:
    save(factory, instance, "courses", **LOGIN)
    saved = save(factory, instance, "courses", first_term="4051", last_term="4041")
    assert saved.problems == [("", "the last term is before the first")]


def test_limits_of_the_sync_are_saved_beside_its_settings(
    factory: sessionmaker[Session], instance: Config
) -> None:
    assert save(factory, instance, "people", retries="5", timeout_seconds=60).changed == (
        "retries",
        "timeout_seconds",
    )
    with factory() as session:
        assert (find(session, "people").retries, find(session, "people").timeout_seconds) == (5, 60)


def test_the_trail_names_what_was_changed_and_no_value(
    factory: sessionmaker[Session], instance: Config
) -> None:
    save(factory, instance, "people", **LOGIN)
    save(factory, instance, "people", **LOGIN)
    with factory() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "settings_changed")).all()
    assert [entry.details for entry in entries] == [
        {"names": ["base_url", "password", "username"], "shared_with": ["courses"]}
    ]
    assert entries[0].actor == "maryam"


def test_campuses_come_from_the_panels_list_active_ones_alone(
    factory: sessionmaker[Session], instance: Config
) -> None:
    with writing(factory) as session:
        session.add_all(
            [Campus(pardis_code="1210"), Campus(pardis_code="1110"), Campus(pardis_code="9", active=False)]
        )
    found = resolve(factory, instance, "courses")
    assert (found.values["campuses"], found.origins["campuses"]) == (["1110", "1210"], "list")


def test_the_environment_seeds_the_first_term_and_the_campuses_once(tmp_path: Path, fetchers: None) -> None:
    environ = {
        "PANEL_INSTANCE": str(tmp_path),
        "GOLESTAN_FIRST_TERM": "4031",
        "GOLESTAN_CAMPUSES": "۱۱۱۰، 1210,1110",
    }
    config = load(environ)
    upgrade(config)
    engine = open_engine(config.panel_database_url)
    factory = sessionmaker(engine, expire_on_commit=False)
    with writing(factory) as session:
        seeded = seed(session, config, utcnow(), administrator=False)
        assert seeded.campuses == 2
        assert seeded.campus_problems == ("GOLESTAN_CAMPUSES: 1110 is there twice; the first one counts",)
    save(factory, config, "courses", first_term="4041")
    with writing(factory) as session:
        seed(session, config, utcnow(), administrator=False)
    assert resolve(factory, config, "courses").values["first_term"] == "4041"
    engine.dispose()


def test_a_lost_key_is_a_clear_error_and_new_passwords_can_be_entered(
    factory: sessionmaker[Session], instance: Config
) -> None:
    save(factory, instance, "people", **LOGIN)
    (instance.instance / "secret.key").unlink()
    other = load({"PANEL_INSTANCE": str(instance.instance)})
    assert "another secret key" in resolve(factory, other, "people").problems[0][1]
    assert "another secret key" in save(factory, other, "people", connections=2).problems[0][1]
    assert save(factory, other, "people", password="new").problems == []
    assert resolve(factory, other, "people").values["password"] == "new"
    assert resolve(factory, other, "courses").values["password"] == "new"


def test_a_vault_opens_with_an_older_key_and_not_with_a_strange_one() -> None:
    sealed = Vault("old key " * 5).seal({"password": CANARY})
    assert CANARY.encode() not in sealed
    assert Vault("new key " * 5, ["old key " * 5]).open(sealed) == {"password": CANARY}
    with pytest.raises(VaultError, match="another secret key"):
        Vault("new key " * 5).open(sealed)
    assert Vault("new key " * 5).open(None) == {}


def test_a_run_whose_passwords_were_locked_with_another_key_says_so(
    factory: sessionmaker[Session], instance: Config
) -> None:
    save(factory, instance, "people", **LOGIN)
    (instance.instance / "secret.key").unlink()
    other = load({"PANEL_INSTANCE": str(instance.instance)})
    with writing(factory) as session:
        run = runs.request(session, find(session, "people"), triggered_by="panel", now=utcnow()).run
        made = spec.build(session, run, other, epoch=1, now=utcnow())
    assert made == Fault("E_SETTINGS", {"reason": "sealed"})
    assert "another secret key" in explain.message(made.code, made.params)
