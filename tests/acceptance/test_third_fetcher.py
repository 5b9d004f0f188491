"""A third source is one file, dropped in: a copy of the tracked files and nothing else is edited."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fetchers.raw_server import RawServer, answer

DORMITORIES = '''"""Rooms of the dormitories: a plain JSON list by REST."""

from fetchers import Code, Fetcher, HttpSettings, Integer, Label, Page, Setting, Text, stream


class DormitorySettings(HttpSettings):
    base_url: str = Setting("", title=Label("نشانی", "Address"))


class Dormitories(Fetcher):
    label = Label("خوابگاه‌ها", "Dormitories")
    Settings = DormitorySettings

    @stream(
        table="rooms",
        label=Label("اتاق‌ها", "Rooms"),
        primary_key=("room_no",),
        fields={
            "room_no": Code(Label("شماره", "Number")),
            "building": Text(Label("ساختمان", "Building")),
            "beds": Integer(Label("تخت", "Beds")),
        },
        search=("building",),
    )
    def rooms(self):
        print("a print of the author's")
        from fetchers.core.wire import envelope

        answer = self.session.patiently(
            lambda: self.session.post_json(f"{self.settings.base_url}/rooms", {}, {}), "rooms"
        )
        found = envelope.read(answer.body, answer.headers)
        yield Page(envelope.records(found.get("data"), "the dormitory"))
'''

ROOMS = [
    {"room_no": "۰۱", "building": "خوابگاه علامه طباطبايي ", "beds": "4"},
    {"room_no": "02", "building": "خوابگاه شهيد بهشتي", "beds": 6, "unknown": True},
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The tracked files as they stand, and the new file beside them."""
    folder = tmp_path_factory.mktemp("copy")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", "fetchers", "panel", "templates", "wsgi.py"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "fetchers" / "dormitories.py").write_text(DORMITORIES, encoding="utf-8")
    (folder / "fetchers" / "broken.py").write_text("import a_module_that_is_not_there\n")
    (folder / "fetchers" / "quits.py").write_text("raise SystemExit(3)\n")
    (folder / "fetchers" / "empty.py").write_text('"""No fetcher in it."""\n')
    (folder / "fetchers" / "_notes.py").write_text("raise RuntimeError\n")
    return folder


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_registry_lists_the_new_file_and_the_broken_ones_with_their_errors(copy):
    show = (
        "import json; from fetchers.core import registry;"
        "print(json.dumps({k: [v.label('en'), v.error] for k, v in registry.catalogue().items()}))"
    )
    done = python(copy, "-c", show)
    found = json.loads(done.stdout)
    assert found["dormitories"] == ["Dormitories", None]
    assert found["faculty"] == ["Faculty", None]
    assert found["students"] == ["Students", None]
    assert "ModuleNotFoundError" in found["broken"][1]
    assert "SystemExit" in found["quits"][1]
    assert "must define one Fetcher" in found["empty"][1]
    assert "_notes" not in found


@pytest.fixture
def command(copy, server: RawServer, tmp_path: Path):
    server.will(answer({"data": ROOMS}))
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"base_url": server.url}))

    def run(source: str) -> subprocess.CompletedProcess[str]:
        return python(
            copy, "-m", "fetchers", source, "--settings", str(settings),
            "--database", f"sqlite:///{tmp_path / 'data.db'}", "--json",
        )  # fmt: skip

    return run


def test_it_runs_by_hand_and_stores_cleaned_rows(command, tmp_path):
    import sqlite3
    from contextlib import closing

    done = command("dormitories")
    assert done.returncode == 0, done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["counts"]["added"] == 2
    assert "a print of the author's" in done.stderr
    with closing(sqlite3.connect(tmp_path / "data.db")) as db:
        assert db.execute("SELECT * FROM rooms ORDER BY room_no").fetchall() == [
            ("01", "خوابگاه علامه طباطبایی", 4),
            ("02", "خوابگاه شهید بهشتی", 6),
        ]
    assert json.loads(command("dormitories").stdout.splitlines()[-1])["counts"]["unchanged"] == 2


@pytest.mark.parametrize("source", ["broken", "quits", "empty"])
def test_a_broken_file_tells_what_is_wrong_with_it(command, source):
    done = command(source)
    error = json.loads(done.stdout.splitlines()[-1])["error"]
    assert (done.returncode, error["code"]) == (1, "E_FETCHER")
    assert source in error["message"]
    assert error["params"]["detail"]
