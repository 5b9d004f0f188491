"""What the environment says: read once at the start, checked, and frozen.

Every variable of the panel is read here and nowhere else. `.env` in the project's root is read too; the real
environment wins. Nonsense refuses to start with a sentence that names the variable and what it may be.

A demonstration (`up --demo`) is a house of its own in `<instance>/demo/`: there the databases, the key and
the gateway of the environment are not looked at, and no real start reads what is in it.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from dotenv import dotenv_values
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from panel.secret_key import SecretKeyError, check_key, file_keys

ROOT = Path(__file__).resolve().parent.parent

ENGINES = ("embedded", "inline")
LOG_LEVELS = ("debug", "info", "warning", "error")
LANGUAGES = ("fa", "en")
USERNAME = re.compile(r"[\w.@+-]{1,150}")
# These may be given as a file, for secrets that a service manager hands over: NAME_FILE=/run/secrets/x.
FILE_VARIANTS = ("PANEL_SECRET_KEY", "PANEL_ADMIN_PASSWORD", "GOLESTAN_PASSWORD", "PANEL_HEARTBEAT_URL")
# The gateway and the databases of a real house: a demonstration looks at none of them.
REAL_HOUSE_ONLY = (
    "PANEL_DATABASE_URL",
    "DATA_DATABASE_URL",
    "PANEL_SECRET_KEY",
    "GOLESTAN_BASE_URL",
    "GOLESTAN_USERNAME",
    "GOLESTAN_PASSWORD",
    "GOLESTAN_CAMPUSES",
    "GOLESTAN_FIRST_TERM",
    "PANEL_HEARTBEAT_URL",
)
SOURCE = "{source}"  # in PANEL_HEARTBEAT_URL: the name of each source


class ConfigError(Exception):
    """The environment cannot work. The sentence names the variable and what it may be."""


@dataclass(frozen=True)
class Keep:
    """For how many days the control database remembers; 0: for ever (panel/engine/history.py)."""

    runs: int
    details: int  # parts and log lines of a run, the file of a rehearsal
    trail: int


@dataclass(frozen=True)
class Config:
    """The checked environment. Secrets are kept out of its repr."""

    panel_database_url: str = field(repr=False)  # may hold PostgreSQL's password
    data_database_url: str = field(repr=False)  # likewise
    host: str
    port: int
    proxies: int  # how many proxies stand in front of it, each adding one X-Forwarded-* entry
    instance: Path
    engine: str
    runs_at_once: int  # the others wait their turn
    secret_key: str = field(repr=False)
    previous_secret_keys: tuple[str, ...] = field(repr=False)
    log_level: str
    language: str
    demo: bool
    admin_username: str
    admin_password: str | None = field(repr=False)
    web_workers: int
    web_threads: int
    trusted_hosts: tuple[str, ...]  # names under which browsers may ask for the panel, beside its own address
    campuses: str | None  # GOLESTAN_CAMPUSES: codes, or the path of a CSV file
    keep: Keep
    heartbeat_url: str | None = field(repr=False)  # whoever knows it can say that all is well
    heartbeat_minutes: int
    environ: Mapping[str, str] = field(repr=False)

    def variable(self, name: str | None) -> str | None:
        """What the environment says for a setting; null when it says nothing, or in a demonstration."""
        if not name or self.demo:
            return None
        return self.environ.get(name)

    @property
    def staging(self) -> Path:
        """Where a run's rows wait before they are published."""
        return self.instance / "staging"

    @property
    def backups(self) -> Path:
        return self.instance / "backups"

    @property
    def logs(self) -> Path:
        return self.instance / "logs"


def load(environ: Mapping[str, str] | None = None, *, demo: bool | None = None, root: Path = ROOT) -> Config:
    """Read and check the environment; makes the instance folder and, at the first start, the secret key.

    1. Gather: `.env`, over it the real environment, over it the *_FILE variants.
    2. Settle which house this is: the real one, or the demonstration.
    3. Check each variable.

    environ: instead of the real environment and `.env` (tests).
    demo: overrules PANEL_DEMO.
    """
    values = gathered(environ, root)
    if demo is None:
        demo = _flag(values, "PANEL_DEMO")
    instance = _folder(values, root)
    if demo:
        instance = instance / "demo"
        values = {name: value for name, value in values.items() if name not in REAL_HOUSE_ONLY}
    _make(instance)
    key, previous = _secret_key(values, instance)
    panel_url = _database(values, "PANEL_DATABASE_URL", "panel.db", instance, root)
    data_url = _database(values, "DATA_DATABASE_URL", "faculty_data.db", instance, root)
    if panel_url == data_url:
        raise ConfigError(
            "DATA_DATABASE_URL and PANEL_DATABASE_URL name the same database; they must be two, "
            "since loading data and keeping statuses must not wait for each other."
        )
    _check_gateway(values, root)
    return Config(
        panel_database_url=panel_url,
        data_database_url=data_url,
        host=_host(values),
        port=_number(values, "PANEL_PORT", 8000, 1, 65535),
        proxies=_number(values, "PANEL_PROXIES", 0, 0, 5),
        instance=instance,
        engine=_engine(values),
        runs_at_once=_number(values, "PANEL_RUNS_AT_ONCE", 4, 1, 32),
        secret_key=key,
        previous_secret_keys=previous,
        log_level=_choice(values, "PANEL_LOG_LEVEL", "info", LOG_LEVELS),
        language=_choice(values, "PANEL_LANGUAGE", "fa", LANGUAGES),
        demo=demo,
        admin_username=_username(values),
        admin_password=values.get("PANEL_ADMIN_PASSWORD"),
        web_workers=_number(values, "PANEL_WEB_WORKERS", 2, 1, 32),
        web_threads=_number(values, "PANEL_WEB_THREADS", 4, 1, 64),
        trusted_hosts=_hosts(values),
        campuses=values.get("GOLESTAN_CAMPUSES"),
        keep=Keep(
            runs=_days(values, "PANEL_KEEP_RUNS_DAYS", 180, 7),
            details=_days(values, "PANEL_KEEP_DETAILS_DAYS", 30, 1),
            trail=_days(values, "PANEL_KEEP_TRAIL_DAYS", 1095, 365),
        ),
        heartbeat_url=_heartbeat(values),
        heartbeat_minutes=_number(values, "PANEL_HEARTBEAT_MINUTES", 5, 1, 60),
        environ=MappingProxyType(values),
    )


def gathered(environ: Mapping[str, str] | None, root: Path = ROOT) -> dict[str, str]:
    """`.env` (or the file that PANEL_ENV_FILE names) under the real environment; blank means not set."""
    values: dict[str, str] = {}
    if environ is None:
        environ = os.environ
        # Not interpolated: a password may hold a dollar sign.
        file = Path(environ.get("PANEL_ENV_FILE") or root / ".env")
        if environ.get("PANEL_ENV_FILE") and not file.exists():
            raise ConfigError(f"PANEL_ENV_FILE={file}: there is no such file.")
        try:
            read = dotenv_values(file, interpolate=False, encoding="utf-8-sig") if file.exists() else {}
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file.name} cannot be read: {error}") from error
        values.update({name: value for name, value in read.items() if value is not None})
    values.update(environ)
    values = {name: value.strip() for name, value in values.items() if value.strip()}
    for name in FILE_VARIANTS:
        path = values.pop(f"{name}_FILE", None)
        if path is None:
            continue
        if name in values:
            raise ConfigError(f"{name} and {name}_FILE are both set; set one of them.")
        try:
            values[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{name}_FILE={path}: the file cannot be read ({error}).") from error
        if not values[name]:
            raise ConfigError(f"{name}_FILE={path}: the file is empty.")
    return values


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"PANEL_INSTANCE={folder}: the folder cannot be made ({error}).") from error


def _folder(values: Mapping[str, str], root: Path) -> Path:
    folder = root / values.get("PANEL_INSTANCE", "instance")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"PANEL_INSTANCE={folder}: this is a file; it must be a folder.")
    return folder.resolve()


def _secret_key(values: Mapping[str, str], instance: Path) -> tuple[str, tuple[str, ...]]:
    """The key, and older ones that may still open what they sealed."""
    given = values.get("PANEL_SECRET_KEY")
    try:
        if given is None:
            current, *older = file_keys(instance, make=True)
            return current, tuple(older)
        return check_key(given, "PANEL_SECRET_KEY"), tuple(file_keys(instance, make=False))
    except SecretKeyError as error:
        raise ConfigError(str(error)) from error


def _database(values: Mapping[str, str], name: str, file: str, instance: Path, root: Path) -> str:
    """The address of a database as SQLAlchemy writes it; by default a file in the instance."""
    given = values.get(name)
    if given is None:
        return f"sqlite:///{instance / file}"
    scheme = _scheme(given, name)
    if scheme == "sqlite":
        return _sqlite(given, name, root)
    if scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        return "postgresql+psycopg" + given[given.index("://") :]
    raise ConfigError(
        f"{name}: {scheme}:// is not known here; it may be sqlite:///path/to/{file} "
        "or postgresql://user:password@host/database."
    )


def _scheme(url: str, name: str) -> str:
    # The URL itself is not repeated in the error: it may hold a password.
    try:
        return make_url(url).drivername
    except (ArgumentError, ValueError):
        raise ConfigError(
            f"{name} is not a database's address; it looks like sqlite:///path/to/file.db."
        ) from None


def _sqlite(url: str, name: str, root: Path) -> str:
    database = make_url(url).database
    if not database or database == ":memory:" or database.startswith("file:"):
        raise ConfigError(f"{name} must name a file: sqlite:///path/to/file.db.")
    path = (root / database).resolve()
    if path.is_dir():
        raise ConfigError(f"{name}={url}: this is a folder; it must be a file.")
    if not path.parent.is_dir():
        raise ConfigError(f"{name}={url}: the folder {path.parent} does not exist.")
    return f"sqlite:///{path}"


def _host(values: Mapping[str, str]) -> str:
    host = values.get("PANEL_HOST", "127.0.0.1")
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        # A mistyped number (127.0.0.256) is no name, though it has the letters of one.
        if not re.fullmatch(r"(?![\d.]+$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", host):
            raise ConfigError(
                f"PANEL_HOST={host}: it must be an address of this machine, such as 127.0.0.1 or 0.0.0.0."
            ) from None
    return host.strip("[]")


def _hosts(values: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(
        name.strip().lower() for name in values.get("PANEL_TRUSTED_HOSTS", "").split(",") if name.strip()
    )
    for name in names:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[?[0-9a-f:]+\]?", name):
            raise ConfigError(
                f"PANEL_TRUSTED_HOSTS={name}: it must be names without port, separated by commas, "
                "such as hamgam.example.ac.ir."
            )
    return names


def _engine(values: Mapping[str, str]) -> str:
    if values.get("PANEL_ENGINE") == "celery":
        raise ConfigError("PANEL_ENGINE=celery: not in this version; it may be embedded or inline.")
    return _choice(values, "PANEL_ENGINE", "embedded", ENGINES)


def _username(values: Mapping[str, str]) -> str:
    name = values.get("PANEL_ADMIN_USERNAME", "admin")
    if not USERNAME.fullmatch(name):
        raise ConfigError(
            f"PANEL_ADMIN_USERNAME={name}: it may hold letters, digits and . @ + - _, at most 150 of them."
        )
    return name


def _choice(values: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = values.get(name, default).lower()
    if value not in allowed:
        raise ConfigError(f"{name}={values[name]}: it may be {', '.join(allowed[:-1])} or {allowed[-1]}.")
    return value


def _number(values: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    given = values.get(name, str(default))
    # isascii: int() would take Persian digits, and the next program to read the variable would not.
    if not (given.isascii() and given.isdigit() and least <= int(given) <= most):
        raise ConfigError(f"{name}={given}: it must be a whole number from {least} to {most}.")
    return int(given)


def _days(values: Mapping[str, str], name: str, default: int, least: int) -> int:
    """How long something is kept: for ever, or long enough not to be missed."""
    days = _number(values, name, default, 0, 36500)
    if 0 < days < least:
        raise ConfigError(f"{name}={days}: it must be 0 (for ever) or at least {least} days.")
    return days


def _flag(values: Mapping[str, str], name: str) -> bool:
    given = values.get(name, "0").lower()
    if given in ("1", "true", "yes", "on"):
        return True
    if given in ("0", "false", "no", "off"):
        return False
    raise ConfigError(f"{name}={given}: it may be 1 or 0.")


def _heartbeat(values: Mapping[str, str]) -> str | None:
    url = values.get("PANEL_HEARTBEAT_URL")
    if url is None:
        return None
    try:
        parts = urlsplit(url.replace(SOURCE, "source"))
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        usable = usable and not parts.fragment and re.fullmatch(r"[\x21-\x7e]+", url) is not None
        usable = usable and not re.search("[{}]", parts.geturl())
    except ValueError:
        usable = False
    if not usable:  # it is not repeated: it is a secret
        raise ConfigError(
            "PANEL_HEARTBEAT_URL: it must look like https://hc.example.ac.ir/ping/0d3a6ba2-…, where {source} may stand "
            "for the name of each source."
        )
    return url


def _check_gateway(values: Mapping[str, str], root: Path) -> None:
    address = values.get("GOLESTAN_BASE_URL")
    if address is not None:
        try:
            parts = urlsplit(address)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
            parts = urlsplit("")
        if not usable:
            raise ConfigError("GOLESTAN_BASE_URL: it must look like https://gateway.example.ac.ir.")
        if parts.username or parts.password:
            raise ConfigError(
                "GOLESTAN_BASE_URL must not hold the login; that goes into GOLESTAN_USERNAME "
                "and GOLESTAN_PASSWORD."
            )
    term = values.get("GOLESTAN_FIRST_TERM")
    if term is not None and not re.fullmatch(r"[0-9]{3}[123]", term):
        raise ConfigError(
            f"GOLESTAN_FIRST_TERM={term}: it must be four digits, the last 1, 2 or 3, such as 4001 "
            "(the first term of 1400)."
        )
    campuses = values.get("GOLESTAN_CAMPUSES")
    if campuses is None or re.fullmatch(r"\s*\w+(\s*[,،]\s*\w+)*[,،]?\s*", campuses):
        return
    if not (root / campuses).is_file():
        raise ConfigError(
            f"GOLESTAN_CAMPUSES={campuses}: it may be codes separated by commas, such as 1110,1210, or the "
            "path of a CSV file with the columns pardis_code,name,province_code,type; there is no such file."
        )
