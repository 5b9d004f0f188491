"""The environment: what is refused and how, which house is meant, and the key."""

import multiprocessing
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from panel.config import Config, ConfigError, load
from panel.secret_key import SecretKeyError, check_key, file_keys

GOOD_KEY = "Zq8-vTn3kWx0bRj5mLc7yHd2fGs9pUe4"


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("PANEL_PORT", "eighty", "1 to 65535"),
        ("PANEL_PORT", "0", "1 to 65535"),
        ("PANEL_PORT", "65536", "1 to 65535"),
        ("PANEL_PORT", "۸۰۰۰", "1 to 65535"),
        ("PANEL_PORT", "-1", "1 to 65535"),
        ("PANEL_HOST", "127.0.0.256", "127.0.0.1"),
        ("PANEL_HOST", "http://localhost", "127.0.0.1"),
        ("PANEL_ENGINE", "celery", "not in this version"),
        ("PANEL_ENGINE", "magic", "embedded or inline"),
        ("PANEL_LOG_LEVEL", "loud", "debug, info, warning or error"),
        ("PANEL_LANGUAGE", "tlh", "fa or en"),
        ("PANEL_DEMO", "maybe", "1 or 0"),
        ("PANEL_WEB_WORKERS", "0", "1 to 32"),
        ("PANEL_RUNS_AT_ONCE", "33", "1 to 32"),
        ("PANEL_SECRET_KEY", "short", "at least 32"),
        ("PANEL_SECRET_KEY", "change-me-change-me-change-me-change-me-1234", "sample"),
        ("PANEL_SECRET_KEY", "a" * 64, "sample"),
        ("PANEL_DATABASE_URL", "mysql://root@localhost/panel", "sqlite:///"),
        ("PANEL_DATABASE_URL", "panel.db", "sqlite:///"),
        ("PANEL_DATABASE_URL", "sqlite://", "must name a file"),
        ("PANEL_DATABASE_URL", "sqlite:////no/such/folder/panel.db", "does not exist"),
        ("DATA_DATABASE_URL", "mysql://reader@localhost/data", "sqlite:///"),
        ("DATA_DATABASE_URL", "sqlite:///:memory:", "must name a file"),
        ("PANEL_ADMIN_USERNAME", "maryam; drop", "letters"),
        ("GOLESTAN_BASE_URL", "ftp://gateway.example", "https://"),
        ("GOLESTAN_BASE_URL", "https://", "https://"),
        ("GOLESTAN_BASE_URL", "https://gateway.example:99999", "https://"),
        ("GOLESTAN_BASE_URL", "https://reza:pass@gateway.example", "GOLESTAN_USERNAME"),
        ("GOLESTAN_FIRST_TERM", "4004", "4001"),
        ("GOLESTAN_CAMPUSES", "no/such/file.csv", "CSV file"),
    ],
)
def test_nonsense_refuses_to_start_and_names_the_variable(
    tmp_path: Path, variable: str, value: str, allowed: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load({"PANEL_INSTANCE": str(tmp_path), variable: value})
    assert variable in str(refused.value)
    assert allowed in str(refused.value)


def test_a_refusal_never_repeats_a_secret(tmp_path: Path) -> None:
    for variable, value in [
        ("PANEL_SECRET_KEY", "canary-short"),
        ("PANEL_DATABASE_URL", "mysql://root:canary@localhost/panel"),
        ("GOLESTAN_BASE_URL", "https://reza:canary@gateway.example"),
    ]:
        with pytest.raises(ConfigError) as refused:
            load({"PANEL_INSTANCE": str(tmp_path), variable: value})
        assert "canary" not in str(refused.value)


def test_the_configuration_shows_no_secret_when_printed(tmp_path: Path) -> None:
    config = load(
        {
            "PANEL_INSTANCE": str(tmp_path),
            "PANEL_SECRET_KEY": GOOD_KEY,
            "PANEL_ADMIN_PASSWORD": "canary-admin",
            "GOLESTAN_PASSWORD": "canary-gateway",
            "PANEL_DATABASE_URL": "postgresql://maryam:canary-db@127.0.0.1/panel",
        }
    )
    assert config.panel_database_url.startswith("postgresql+psycopg://")
    assert "canary" not in repr(config)
    assert GOOD_KEY not in repr(config)


def test_blank_means_not_set(tmp_path: Path) -> None:
    config = load({"PANEL_INSTANCE": str(tmp_path), "PANEL_PORT": " ", "GOLESTAN_BASE_URL": ""})
    assert config.port == 8000
    assert config.variable("GOLESTAN_BASE_URL") is None


def test_one_database_for_both_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/one.db"
    with pytest.raises(ConfigError, match="same database"):
        load({"PANEL_INSTANCE": str(tmp_path), "PANEL_DATABASE_URL": url, "DATA_DATABASE_URL": url})


def test_the_real_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "site.env"
    file.write_text(
        "\ufeffPANEL_PORT=9001\nGOLESTAN_PASSWORD='a$b${c}'\nPANEL_LANGUAGE=en\n", encoding="utf-8"
    )
    monkeypatch.setenv("PANEL_ENV_FILE", str(file))
    monkeypatch.setenv("PANEL_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.setenv("PANEL_LANGUAGE", "fa")
    config = load()
    assert (config.port, config.language) == (9001, "fa")
    assert config.variable("GOLESTAN_PASSWORD") == "a$b${c}"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from the file\n")
    environ = {"PANEL_INSTANCE": str(tmp_path), "GOLESTAN_PASSWORD_FILE": str(file)}
    assert load(environ).variable("GOLESTAN_PASSWORD") == "from the file"
    with pytest.raises(ConfigError, match="GOLESTAN_PASSWORD_FILE are both set"):
        load({**environ, "GOLESTAN_PASSWORD": "another"})
    with pytest.raises(ConfigError, match="GOLESTAN_PASSWORD_FILE"):
        load({"PANEL_INSTANCE": str(tmp_path), "GOLESTAN_PASSWORD_FILE": str(tmp_path / "none")})


def test_a_demonstration_looks_at_nothing_of_the_real_house(tmp_path: Path) -> None:
    environ = {
        "PANEL_INSTANCE": str(tmp_path),
        "PANEL_DATABASE_URL": f"sqlite:///{tmp_path}/real.db",
        "PANEL_SECRET_KEY": GOOD_KEY,
        "GOLESTAN_BASE_URL": "https://gateway.example",
        "GOLESTAN_PASSWORD": "real",
    }
    real, demo = load(environ), load(environ, demo=True)
    assert demo.instance == tmp_path / "demo"
    assert demo.panel_database_url == f"sqlite:///{tmp_path}/demo/panel.db"
    assert demo.data_database_url == f"sqlite:///{tmp_path}/demo/faculty_data.db"
    assert demo.secret_key != real.secret_key
    assert demo.variable("GOLESTAN_BASE_URL") is None
    assert "GOLESTAN_PASSWORD" not in demo.environ
    assert real.variable("GOLESTAN_BASE_URL") == "https://gateway.example"


def test_the_key_is_made_once_with_mode_0600(tmp_path: Path) -> None:
    first = load({"PANEL_INSTANCE": str(tmp_path)})
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert load({"PANEL_INSTANCE": str(tmp_path)}).secret_key == first.secret_key
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]


def test_an_emptied_key_file_is_not_silently_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("")
    with pytest.raises(ConfigError, match="secret.key is empty"):
        load({"PANEL_INSTANCE": str(tmp_path)})


def test_an_older_key_stays_below_a_new_one(tmp_path: Path) -> None:
    old = file_keys(tmp_path, make=True)[0]
    (tmp_path / "secret.key").write_text(f"{GOOD_KEY}\n{old}\n")
    config = load({"PANEL_INSTANCE": str(tmp_path)})
    assert (config.secret_key, config.previous_secret_keys) == (GOOD_KEY, (old,))


def test_the_published_sample_of_flask_is_refused() -> None:
    with pytest.raises(SecretKeyError, match="sample"):
        check_key("192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf", "PANEL_SECRET_KEY")


def _first_start(
    folder: str, gate: "multiprocessing.synchronize.Barrier", out: "multiprocessing.Queue"
) -> None:
    gate.wait(30)
    out.put(file_keys(Path(folder), make=True)[0])


def test_many_first_starts_at_once_end_with_one_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    for _ in range(3):
        (tmp_path / "secret.key").unlink(missing_ok=True)
        gate, out = context.Barrier(4), context.Queue()
        starts = [context.Process(target=_first_start, args=(str(tmp_path), gate, out)) for _ in range(4)]
        for start in starts:
            start.start()
        keys = {out.get(timeout=60) for _ in starts}
        for start in starts:
            start.join(30)
        assert keys == {file_keys(tmp_path, make=False)[0]}


def test_importing_the_configuration_brings_no_flask(instance: Config) -> None:
    program = "import sys, panel.config, panel.vault; sys.exit('flask' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
