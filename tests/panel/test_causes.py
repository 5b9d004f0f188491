"""Every error that can reach a person has its sentences: the codes and faces are read off the code that raises them."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import fetchers.core
from fetchers.core import errors, registry
from fetchers.core.store import disk, sql
from fetchers.core.wire import http
from fetchers.golestan import client
from panel import explain
from panel.causes import CAUSES, FACES

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"E_[A-Z_]*[A-Z]")
Use = tuple[str, str]  # code and face, "" where it has none

# Faces that say no more to a person than the code alone: the log has the difference.
PLAIN: dict[str, set[str]] = {
    "E_TRUNCATED": {"short", "gzip", "json"},
    "E_ENVELOPE": {
        "status", "error_body", "list", "not an object", "missing", "null", "text", "empty object", "not a list",
    },
    "E_PAGING": {"moved"},
    "E_SCHEMA": {"renamed", "lost"},
    "E_SHRUNK": {"total", "part"},
    "E_STORAGE": {"other"},
    "E_TIMEOUT": {"check"},
    "E_CONFIG": {
        name for one in registry.catalogue().values() if one.fetcher for name in one.fetcher.Settings.model_fields
    },
}  # fmt: skip

# What a name stands for where the code does not write the face itself, by file and code.
KNOWN: dict[tuple[str, str], set[str]] = {
    ("fetchers/core/wire/http.py", "E_CONNECT"): {*http.CERTIFICATE.values(), "tls", *http.NO_WAY.values(), "refused"},
    ("fetchers/core/wire/http.py", "E_TIMEOUT"): {"name", "connect", "silence", "request"},
    # The id of a request is no face.
    **{("fetchers/core/wire/http.py", code): set() for code in ("E_REDIRECT", "E_RATE", "E_SERVER")},
    ("fetchers/core/wire/envelope.py", "E_ENVELOPE"): {"missing", "null", "text", "empty object", "not a list"},
    ("fetchers/core/load/guard.py", "E_SHRUNK"): {"total", "part", "full"},
    ("fetchers/core/load/job.py", "E_CONFIG"): PLAIN["E_CONFIG"],
    ("fetchers/core/spool.py", "E_STORAGE"): {*disk._BY_ERRNO.values(), "io"},
    ("fetchers/core/store/sql.py", "E_STORAGE"): {*sql._SENTENCES, *disk._BY_ERRNO.values(), "other"},
    ("fetchers/core/store/postgres.py", "E_STORAGE"): {
        "disk_full", "read_only", "busy", "value", "rights", "login", "gone",
    },
    ("fetchers/golestan/client.py", "E_AUTH"): {"forbidden"},
    ("fetchers/golestan/client.py", "E_GATEWAY"): {one["reason"] for one in client._REFUSALS.values()},
    ("fetchers/golestan/__init__.py", "E_CONFIG"): {"base_url", "username", "password"},
    ("panel/engine/verdict.py", ""): {""},  # what the child said: its own error
}  # fmt: skip


def kinds() -> dict[str, str]:
    """The error classes by name, and their codes; all of the data plane's."""
    for module in pkgutil.walk_packages(fetchers.core.__path__, "fetchers.core."):
        importlib.import_module(module.name)
    found: dict[str, str] = {}
    waiting: list[type[errors.FetchError]] = [errors.FetchError]
    while waiting:
        kind = waiting.pop()
        found[kind.__name__] = kind.code
        waiting += kind.__subclasses__()
    return found


def uses(source: str, path: str) -> Iterator[Use]:
    """The codes and faces that a file raises or names. A face that cannot be read off is looked up in KNOWN."""
    codes = kinds()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
            yield node.value, ""
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in codes:
            yield codes[name], ""
            for keyword in node.keywords:
                if keyword.arg is None or keyword.arg in FACES:
                    yield from ((codes[name], face) for face in faces(keyword.value, path, codes[name]))
        elif name in ("Fault", "_no") and len(node.args) > 1 and isinstance(node.args[1], ast.Dict):
            code = node.args[0].value if isinstance(node.args[0], ast.Constant) else "E_TIMEOUT"
            for key, value in zip(node.args[1].keys, node.args[1].values, strict=True):
                if isinstance(key, ast.Constant) and key.value in FACES:
                    yield from ((str(code), face) for face in faces(value, path, str(code)))


def faces(value: ast.expr, path: str, code: str) -> set[str]:
    """What a face may be, where it is written down: a text, or one of two."""
    if isinstance(value, ast.Constant):
        return {str(value.value)}
    if isinstance(value, ast.IfExp):
        return faces(value.body, path, code) | faces(value.orelse, path, code)
    known = KNOWN.get((path, code))
    assert known is not None, f"{path}: a face of {code} that this test does not know ({ast.unparse(value)})"
    return known


def all_uses() -> set[Use]:
    found: set[Use] = set()
    for package in ("fetchers", "panel"):
        for file in sorted((ROOT / package).rglob("*.py")):
            path = str(file.relative_to(ROOT))
            if (
                not path.startswith(("panel/causes/", "fetchers/golestan/simulator/"))
                and path != "panel/config.py"
            ):
                found |= set(uses(file.read_text(encoding="utf-8"), path))
    return found  # fmt: skip


def unexplained(found: Iterable[Use]) -> list[str]:
    """Codes without an entry; faces that have none and are not known to need none."""
    missing = []
    for code, face in sorted(set(found)):
        key = f"{code}:{face}" if face else code
        if key not in CAUSES and face not in PLAIN.get(code, set()):
            missing.append(key)
    return missing


USES = all_uses()


def test_every_code_and_face_that_can_reach_a_person_is_explained() -> None:
    assert len(USES) > 80, "the walk does not see what the code raises"
    assert unexplained(USES) == []


def test_a_new_code_or_face_that_nobody_explained_is_noticed() -> None:
    """The walk's negative control."""
    new = (
        'raise errors.NotJson("x", reason="upside_down")\n'
        'raise TimedOut("x", deadline="lunch" if late else "silence", seconds=1)\n'
        'fault = Fault("E_STORAGE", {"reason": "moth"})\n'
        'code = "E_BRAND_NEW"\n'
    )
    missing = ["E_BRAND_NEW", "E_NOT_JSON:upside_down", "E_STORAGE:moth", "E_TIMEOUT:lunch"]
    assert unexplained(uses(new, "fetchers/new.py")) == missing
    with pytest.raises(AssertionError, match="does not know"):
        list(uses("raise StorageError('x', reason=word)", "fetchers/new.py"))


def test_nothing_is_explained_that_nothing_raises() -> None:
    raised = {f"{code}:{face}" if face else code for code, face in USES}
    assert sorted(key for key in CAUSES if key not in raised) == []


PARAMS = {
    "announced": 230_000, "before": 230_000, "by": "maryam.registrar", "detail": "ModuleNotFoundError: No module",
    "failed": 1_568, "fields": ["codePardis", "studentnum", "nationalcode", "code_Markaz", "provinceCode"],
    "file": "/var/lib/hamgam/instance/faculty_data.db", "folder": "/var/lib/hamgam/instance", "free": 0.1,
    "gone": 57_000, "got": 12_345, "host": "gateway.of.a.long.name.example.ac.ir:8443",
    "location": "https://portal.of.a.long.name.example.ac.ir:8443", "minutes": 15, "missing": ["base_url", "password"],
    "planned": 1_568, "said": "One or more validation errors occurred. Filter: The Filter field is required.",
    "seconds": 300, "status": 503,
}  # fmt: skip
# What people must type or find under this very name; and codes.
AS_WRITTEN = re.compile(
    r"\(python -m panel restore newest\)|\(instance/secret\.key\)|https://gateway\.example\.ac\.ir|"
    r"\b(DNS|PostgreSQL|DATA_DATABASE_URL|UTF-8|gzip|https?)\b"
)


def shown(key: str, language: str, *, bare: bool) -> explain.Explanation:
    code, _, face = key.partition(":")
    params = {name: face for name in FACES if face} | ({} if bare else PARAMS)
    return explain.in_language(language, code, params)


@pytest.mark.parametrize("language", ["en", "fa"])
@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("key", sorted(CAUSES))
def test_each_says_what_happened_whether_the_data_are_safe_and_what_to_do(
    key: str, bare: bool, language: str
) -> None:
    told = shown(key, language, bare=bare)
    assert told.what and told.safe and told.todo
    assert "{" not in str(told), "a param that did not come must leave no hole"
    assert len(str(told)) <= explain.LIMIT


@pytest.mark.parametrize("key", sorted(CAUSES))
def test_in_persian_there_is_no_english_word_but_what_must_be_typed_or_looked_for(key: str) -> None:
    told = AS_WRITTEN.sub("", str(shown(key, "fa", bare=True)))
    assert re.findall(r"[A-Za-z]+|[0-9]+|[يكة]", told) == []
    assert re.search("[آ-ی]", told)


def test_a_path_inside_a_persian_sentence_stays_in_one_piece() -> None:
    told = shown("E_STORAGE:disk_full", "fa", bare=False)
    assert "\u2068/var/lib/hamgam/instance\u2069" in told.what
    assert "\u2068" not in str(shown("E_STORAGE:disk_full", "en", bare=False))
