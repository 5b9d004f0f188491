"""The parts of the documentation that are made from the code: commands, variables, settings, routes, errors.

Each function answers the Markdown that stands between the two marks of its name on a page.
"""

import ast
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import annotated_types
import click
from babel.messages.pofile import read_po
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from fetchers.core import errors, registry
from panel import causes, config, persian, settings

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "panel" / "translations" / "fa" / "LC_MESSAGES" / "messages.po"
VARIABLE = re.compile(r"(PANEL|DATA|GOLESTAN)_[A-Z_]*[A-Z]")
CODE = re.compile(r"E_[A-Z_]*[A-Z]")

# What each variable is for. Names, defaults and limits come from panel/config.py itself.
VARIABLES: Mapping[str, str] = {
    "GOLESTAN_BASE_URL": "Address of the gateway, without `/API` at the end. While it is set it wins over the form.",
    "GOLESTAN_USERNAME": "User name at the gateway. While it is set it wins over the form.",
    "GOLESTAN_PASSWORD": "Password at the gateway. While it is set it wins over the form.",
    "GOLESTAN_CAMPUSES": "Read at the first start only: campus codes separated by commas, or the path of a CSV file "
    "with the columns `pardis_code,name,province_code,type`.",
    "GOLESTAN_FIRST_TERM": "Read at the first start only: the first term that is fetched, such as `4001`.",
    "PANEL_HOST": "Address that the panel listens on.",
    "PANEL_PORT": "Port that the panel listens on.",
    "PANEL_PROXIES": "How many proxies stand before the panel, each adding one `X-Forwarded-*` entry.",
    "PANEL_TRUSTED_HOSTS": "Names, separated by commas, under which browsers may ask for the panel.",
    "PANEL_LANGUAGE": "Language of people who have not chosen one.",
    "PANEL_LOG_LEVEL": "How much the processes write into their logs.",
    "PANEL_RUNS_AT_ONCE": "Runs that execute at the same time; others wait their turn, longest waiting first.",
    "PANEL_WEB_WORKERS": "Processes that answer browsers.",
    "PANEL_WEB_THREADS": "Threads in each of them.",
    "PANEL_ADMIN_USERNAME": "User name of the first administrator.",
    "PANEL_ADMIN_PASSWORD": "Password of the first administrator. Without it one is made and printed once.",
    "PANEL_INSTANCE": "Folder of databases, key and logs.",
    "PANEL_DATABASE_URL": "The control database: `sqlite:///…` or `postgresql://…`.",
    "DATA_DATABASE_URL": "The destination: `sqlite:///…` or `postgresql://user:password@host/database`.",
    "PANEL_SECRET_KEY": "Signs sessions and seals the gateway's password; at least 32 random characters.",
    "PANEL_ENGINE": "`embedded`: `up` runs the engine beside the panel. `inline`: it does not; runs wait for a "
    "`python -m panel sync` or a `python -m panel engine`.",
    "PANEL_KEEP_RUNS_DAYS": "How many days the list of runs goes back. `0`: for ever. "
    "[What stays longer](operations.md#what-is-kept-and-for-how-long).",
    "PANEL_KEEP_DETAILS_DAYS": "How many days the log and the parts of a run stay, and the file of a rehearsal. "
    "`0`: as long as the run.",
    "PANEL_KEEP_TRAIL_DAYS": "How many days the audit trail goes back. `0`: for ever.",
    "PANEL_HEARTBEAT_URL": "An address of a watchdog outside, to which the engine posts "
    "[signs of life](operations.md#signs-of-life); `{source}` in it stands for each source.",
    "PANEL_HEARTBEAT_MINUTES": "Minutes between two of them.",
    "PANEL_DEMO": "`1`: always the demonstration. `0`: never.",
    "PANEL_ENV_FILE": "Another file to read instead of `.env`.",
}
DEFAULTS: Mapping[str, str] = {
    "PANEL_DATABASE_URL": "`panel.db` in the instance folder",
    "DATA_DATABASE_URL": "`faculty_data.db` in the instance folder",
    "PANEL_SECRET_KEY": "made at the first start, in `secret.key` of the instance folder",
    "PANEL_DEMO": "the demonstration, until a gateway or a user is known",
    "PANEL_ENV_FILE": "`.env` in the project's folder",
}
# Codes that the engine gives itself (panel/engine/verdict.py), and tries again.
ENGINE_TRIES_AGAIN = {"E_LOST", "E_OOM", "E_STALLED", "E_INTERRUPTED"}
# Codes that several classes share, and faces that differ from their code (fetchers/core/errors.py).
TRIED_AGAIN = {
    "E_CONNECT": True, "E_CONNECT:tls": False, "E_CONNECT:tls_expired": False, "E_CONNECT:tls_name": False,
    "E_CONNECT:tls_authority": False, "E_TIMEOUT:run": False, "E_STORAGE:busy": True, "E_STORAGE:gone": True,
    "E_MOVED": False, "E_INTERNAL": False,
}  # fmt: skip


# -- commands ---------------------------------------------------------------------------------------------


def walk_commands() -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    """Every command with its words ("user", "add"), parents before their children."""
    from panel.cli import main

    def below(
        command: click.Command, words: tuple[str, ...], parent: click.Context | None
    ) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
        context = click.Context(
            command,
            parent=parent,
            info_name=words[-1] if words else "python -m panel",
            terminal_width=100,
            **command.context_settings,
        )
        yield words, command, context
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                assert child is not None
                yield from below(child, (*words, name), context)

    yield from below(main, (), None)


def commands() -> str:
    blocks = []
    for words, command, context in walk_commands():
        heading = f"### {' '.join(words)}\n\n" if words else ""
        blocks.append(f"{heading}```text\n{command.get_help(context).rstrip()}\n```")
    return "\n\n".join(blocks)


# -- environment ------------------------------------------------------------------------------------------


@cache
def variables() -> dict[str, tuple[str, str]]:
    """Every variable that the code reads, with its default and what it may be, as far as the code says so."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(ast.parse(Path(config.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value):
            found.setdefault(node.value, ("", ""))
        if isinstance(node, ast.Call):
            found |= _from_call(node)
    for listing in registry.catalogue().values():
        for info in (listing.fetcher.Settings.model_fields if listing.fetcher else {}).values():
            for kind in ("env", "seed_env"):
                if settings.extra(info).get(kind):
                    found.setdefault(settings.extra(info)[kind], ("", ""))
    return found


def _from_call(call: ast.Call) -> dict[str, tuple[str, str]]:
    """What `_number(values, "PANEL_PORT", 8000, 1, 65535)` and its like say."""
    function = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    given = [_value(argument) for argument in call.args]
    place = next(
        (n for n, value in enumerate(given) if isinstance(value, str) and VARIABLE.fullmatch(value)), None
    )
    if place is None:
        return {}
    name, rest = given[place], given[place + 1 :]
    if function == "_number" and len(rest) == 3:
        return {name: (f"`{rest[0]}`", f"{rest[1]}–{rest[2]}")}
    if function == "_days" and len(rest) == 2:
        return {name: (f"`{rest[0]}`", f"0, or {rest[1]} and more")}
    if function == "_choice" and len(rest) == 2:
        return {name: (f"`{rest[0]}`", ", ".join(f"`{one}`" for one in rest[1]))}
    if function == "_flag":
        return {name: ("", "`1`, `0`")}
    if function == "get" and rest and isinstance(rest[0], str) and rest[0]:
        return {name: (f"`{rest[0]}`", "")}
    return {}


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    return getattr(config, node.id, None) if isinstance(node, ast.Name) else None


def environment() -> str:
    rows = []
    for name in sorted(variables(), key=lambda one: list(VARIABLES).index(one) if one in VARIABLES else 99):
        default, allowed = variables()[name]
        also = f" Or `{name}_FILE`: a file that holds it." if name in config.FILE_VARIANTS else ""
        rows.append(
            (f"`{name}`", VARIABLES.get(name, "") + also, DEFAULTS.get(name, default) or "–", allowed or "–")
        )
    return table(("variable", "what it is", "default", "may be"), rows)


# -- settings of the sources ------------------------------------------------------------------------------


def _fields() -> tuple[list[str], dict[str, FieldInfo], dict[str, dict[str, FieldInfo]]]:
    """The sources, the settings that all of them have, and each one's own."""
    models = {
        key: dict(listing.fetcher.Settings.model_fields)
        for key, listing in registry.catalogue().items()
        if listing.fetcher is not None
    }
    first = next(iter(models.values()), {})
    common = {name: info for name, info in first.items() if all(name in fields for fields in models.values())}
    own = {
        key: {name: info for name, info in fields.items() if name not in common}
        for key, fields in models.items()
    }
    return list(models), common, own


def source_settings() -> str:
    keys, common, own = _fields()
    blocks = [f"Of every source ({', '.join(keys)}):", _settings_table(common)]
    for key, fields in own.items():
        if fields:
            blocks += [f"Of {key} alone:", _settings_table(fields)]
    return "\n\n".join(blocks)


def _settings_table(fields: Mapping[str, FieldInfo]) -> str:
    rows = []
    for name, info in fields.items():
        said = settings.extra(info)
        notes = [said.get("help_en") or ""]
        if said.get("env"):
            notes.append(f"`{said['env']}` wins while it is set.")
        if said.get("seed_env"):
            notes.append(f"`{said['seed_env']}` at the first start.")
        if said.get("filled_from"):
            notes.append(f"Filled from the panel's list of {said['filled_from']}.")
        rows.append(
            (
                f"`{name}`",
                said.get("title_en") or name,
                default_of(info),
                limits_of(info),
                " ".join(note for note in notes if note),
            )
        )
    return table(("name", "on the form", "default", "limits", "notes"), rows)


def run_limits() -> str:
    from panel.admin.settings_form import LIMIT_WORDS

    rows = [
        (f"`{name}`", str(LIMIT_WORDS[name][0]), default_of(info), limits_of(info))
        for name, info in settings.Limits.model_fields.items()
    ]
    return table(("name", "on the form", "default", "limits"), rows)


def settings_fa() -> str:
    _keys, common, own = _fields()
    fields = {**common, **{name: info for some in own.values() for name, info in some.items()}}
    rows = []
    for info in fields.values():
        said = settings.extra(info)
        if not said.get("filled_from"):
            default = default_of(info).replace("`", "")
            if not isinstance(info.default, str):  # a number is for people, a term is a code
                default = persian.digits(default, "fa")
            rows.append((said.get("title_fa") or "", default, said.get("help_fa") or "–"))
    return table(("تنظیم", "مقدار پیش‌فرض", "توضیح"), rows)


def default_of(info: FieldInfo) -> str:
    if info.annotation is SecretStr or info.is_required():
        return "–"
    value = info.get_default(call_default_factory=True)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "–" if value in ("", None, []) else f"`{value}`"


def limits_of(info: FieldInfo) -> str:
    said = [f"`{one}`" for one in get_args(info.annotation)] if get_origin(info.annotation) is Literal else []
    for rule in info.metadata:
        if isinstance(rule, annotated_types.Ge):
            said.append(f"at least {rule.ge}")
        elif isinstance(rule, annotated_types.Gt):
            said.append(f"more than {rule.gt}")
        elif isinstance(rule, annotated_types.Le):
            said.append(f"at most {rule.le}")
        elif isinstance(rule, annotated_types.MaxLen):
            said.append(f"at most {rule.max_length} characters")
    return ", ".join(said) or "–"


# -- REST -------------------------------------------------------------------------------------------------


@cache
def _routes() -> tuple[tuple[str, str, str], ...]:
    from panel import create_app

    with tempfile.TemporaryDirectory() as folder:
        app = create_app(config.load({"PANEL_INSTANCE": folder}))
        found = []
        for rule in app.url_map.iter_rules():
            if rule.rule.startswith("/api/") or rule.rule == "/healthz":
                said = (app.view_functions[rule.endpoint].__doc__ or "").strip()
                path = re.sub(r"<(?:int:)?run_id>", "{id}", rule.rule).replace("<key>", "{key}")
                for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                    found.append((method, path, said.replace("\n", " ")))
    return tuple(sorted(found, key=lambda one: (one[1], one[0])))


def routes() -> str:
    return table(
        ("", "path", "what it does"), [(method, f"`{path}`", said) for method, path, said in _routes()]
    )


def silent_routes() -> list[str]:
    """Routes of the API whose function does not say what it does."""
    return [
        f"{method} {path}" for method, path, said in _routes() if not said and path.startswith("/api/v1/")
    ]


# -- errors -----------------------------------------------------------------------------------------------


def codes_in_code() -> dict[str, str]:
    """Every error code that stands in the code as a text of its own, and one file where it does."""
    found: dict[str, str] = {}
    for path in sorted([*(ROOT / "panel").rglob("*.py"), *(ROOT / "fetchers").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                found.setdefault(node.value, str(path.relative_to(ROOT)))
    return found


@cache
def _persian() -> dict[str, str]:
    with CATALOGUE.open("rb") as file:
        return {
            message.id: str(message.string)
            for message in read_po(file, locale="fa")
            if isinstance(message.id, str) and message.string
        }


def causes_without_persian() -> list[str]:
    """Sentences of panel/causes/ that the catalogue does not have."""
    texts = [
        text for cause in causes.CAUSES.values() for text in (*cause.what, cause.safe, *cause.todo) if text
    ]
    return sorted({text for text in texts if text not in _persian()})


def _heals(code: str) -> bool:
    """Whether the run itself tries again."""
    name = code.partition(":")[0]
    known = {kind.code: kind.retryable for kind in _tree(errors.FetchError)} | TRIED_AGAIN
    return code in ENGINE_TRIES_AGAIN or known.get(code, known.get(name, False))


def _tree(kind: type[errors.FetchError]) -> Iterator[type[errors.FetchError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


def error_table() -> str:
    rows = []
    for code, cause in causes.CAUSES.items():
        again = "if a failed part may heal" if code == "E_PARTIAL" else "yes" if _heals(code) else "no"
        rows.append((_code(code), cause.what[-1], cause.safe, again, cause.todo[-1]))
    return table(("code", "what happened", "the data", "tried again by itself", "what to do"), rows)


def error_table_fa() -> str:
    words = _persian()
    rows = [
        (words.get(cause.what[-1], ""), words.get(cause.todo[-1], ""), _code(code))
        for code, cause in causes.CAUSES.items()
    ]
    return table(("چه شده است", "چه باید کرد", "کد"), rows)


def _code(code: str) -> str:
    name, _, deadline = code.partition(":")
    return f"`{name}`" + (f" (`{deadline}`)" if deadline else "")


# -- all of them ------------------------------------------------------------------------------------------


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [" | ".join(heads), " | ".join("---" for _ in heads)]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


PARTS: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "environment": environment,
    "source settings": source_settings,
    "run limits": run_limits,
    "routes": routes,
    "errors": error_table,
    "errors in Persian": error_table_fa,
    "settings in Persian": settings_fa,
}
