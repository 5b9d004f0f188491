"""Every page of the panel with something on it: what has to happen in a demonstration first, and where it is seen then.

Pictures are taken of these pages (tools/screenshots.py), and the browser tests go through them. Who adds a page adds
it to `PAGES`, or says in `tests/browser/test_accessibility.py` why it is none.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 300.0
ENDED = ("success", "failed", "cancelled", "held")
PEOPLE = {"reza": "operator", "sara": "viewer"}
# Braces are filled in by what `Story.tell` has learned: numbers of runs, somebody's key.
PAGES = {
    "status": "/",
    "runs": "/runs/",
    "run-ended": "/runs/{ended}",
    "run-failed": "/runs/{failed}",
    "letter": "/runs/{failed}/letter",
    "run-attempts": "/runs/{attempts}",
    "run-held": "/runs/{held}",
    "run-part": "/runs/{ended}?row=1110&column=4051#parts",
    "timeline": "/timeline/",
    "timeline-source": "/timeline/?source=faculty",
    "run-changes": "/runs/{changed}/changes",
    "vanishing": "/runs/{held}/held",
    "rehearsal": "/runs/{rehearsal}",
    "rehearsal-changes": "/runs/{rehearsal}/changes",
    "undo": "/runs/{changed}/undo",
    "source": "/sources/students",
    "report": "/reports/?source=students",
    "diary": "/changes/",
    "data-faculty": "/data/faculty",
    "data-students": "/data/Students",
    "data-terms": "/data/student_terms",
    "data-search": "/data/Students?search=علي",
    "data-nothing": "/data/Students?search=zzzz",
    "person": "/data/Students/row?studentnum={person}",
    "quality": "/quality/",
    "quality-students": "/quality/?source=students",
    "quality-rows": "/quality/rows",
    "settings": "/syncs/students/settings",
    "schema": "/syncs/students/schema",
    "choose": "/syncs/students/parts",
    "campuses": "/campuses/",
    "new-campus": "/campuses/new/",
    "edit-campus": "/campuses/edit/?id=1",
    "calendar": "/calendar/",
    "users": "/users/",
    "new-user": "/users/new/",
    "edit-user": "/users/edit/?id=2",
    "tokens": "/tokens/",
    "new-token": "/tokens/new/",
    "audit": "/audit/",
    "account": "/account/",
    "first-steps": "/first-steps/",
    "first-steps-gateway": "/first-steps/gateway",
    "first-steps-login": "/first-steps/login",
    "first-steps-test": "/first-steps/test",
    "first-steps-campuses": "/first-steps/campuses",
    "first-steps-term": "/first-steps/first-term",
    "first-steps-rehearsal": "/first-steps/rehearsal",
    "first-steps-schedule": "/first-steps/schedule",
    "first-steps-done": "/first-steps/done",
    "no-such-page": "/nowhere",
}
HOLIDAYS_FILE = "holidays-1405.csv"  # the audit trail names it
HOLIDAYS = """1405/09/14,1405/09/16,تعطیلات میان‌نیمسال
1405/11/01,1405/11/12,ثبت‌نام نیمسال دوم,registration
1405/11/22,پیروزی انقلاب اسلامی
1405/12/29,ملی شدن صنعت نفت
1406/01/01,1406/01/04,نوروز
"""


@dataclass
class Story:
    """A running demonstration, and what befalls it. `environ`: that of its processes, for commands."""

    url: str
    environ: Mapping[str, str]
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._opener = build_opener(ProxyHandler({}))
        self._token = self._command("token", "create", "maryam", "story", "--write").split()[-1]
        self._gateway = next(
            line.partition("=")[2].split()[0]
            for line in self._command("set", "faculty").splitlines()
            if line.startswith("base_url=")
        )

    def tell(self) -> dict[str, str]:
        """Let everything happen that pages have a face for; returns the address of each page.

        In the end the faculty waits for a decision, and the students are in step.
        """
        for name, role in PEOPLE.items():
            self._command("user", "add", name, "--role", role, typed=self.environ["PANEL_ADMIN_PASSWORD"])
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / HOLIDAYS_FILE
            file.write_text(HOLIDAYS, encoding="utf-8")
            self._command("calendar", "import", str(file))
        self._command("schedule", "students", "--every", "720")
        self.facts["ended"] = self._sync("students")
        self._sync("faculty")
        self._becomes_another({"added": 3, "changed": 5, "gone": 2, "stream": "students"})
        self._becomes_another({"added": 2, "changed": 4, "gone": 1, "stream": "faculty"})
        self.facts["changed"] = self._sync("students")
        self._sync("faculty")
        lines = self._ask(f"/api/v1/runs/{self.facts['changed']}/changes?kind=changed")["changes"]
        self.facts["person"] = lines[0]["key"]
        self.facts["attempts"] = self._tried_twice()
        with self._fault(kind="unauthorized"):
            self.facts["failed"] = self._sync("faculty")
        self._sync("faculty")
        with self._fault(kind="half", endpoint="faculty"):
            self.facts["rehearsal"] = self._sync("faculty", dry_run=True)
            self.facts["held"] = self._sync("faculty")
        return {name: address.format(**self.facts) for name, address in PAGES.items()}

    def _tried_twice(self) -> int:
        """A run that succeeds at its second attempt."""
        self._command("set", "faculty", "retry_budget=1", "retry_wait_seconds=0")
        with self._fault(kind="server_error", endpoint="faculty"):
            run = self._start("faculty")
            self._until(lambda: self._ask(f"/api/v1/runs/{run}")["attempt"] > 1)
        self._until(lambda: self._ask(f"/api/v1/runs/{run}")["status"] in ENDED)
        self._command("set", "faculty", "retry_budget=", "retry_wait_seconds=60")
        return run

    def _sync(self, key: str, **wish: Any) -> int:
        run = self._start(key, **wish)
        self._until(lambda: self._ask(f"/api/v1/runs/{run}")["status"] in ENDED)
        return run

    def _start(self, key: str, **wish: Any) -> int:
        return int(self._ask(f"/api/v1/syncs/{key}/runs", wish)["run"]["id"])

    def _becomes_another(self, delta: Mapping[str, Any]) -> None:
        self._open(Request(f"{self._gateway}/__sim__/delta", data=json.dumps(delta).encode()))

    def _fault(self, **script: Any) -> "_Fault":
        return _Fault(self, script)

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        return json.loads(self._open(Request(f"{self.url}{path}", data=data, headers=headers)))

    def _open(self, request: Request) -> bytes:
        with self._opener.open(request, timeout=60) as answer:
            return bytes(answer.read())

    def _command(self, *words: str, typed: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "panel", "--demo", *words],
            cwd=ROOT,
            env={**os.environ, **self.environ},
            input=f"{typed}\n{typed}\n" if typed else None,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    @staticmethod
    def _until(true: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > deadline:
                raise TimeoutError("the demonstration did not get there")
            time.sleep(0.2)


@dataclass
class _Fault:
    """A fault of the simulated gateway, for ever; healed on leaving."""

    story: Story
    script: Mapping[str, Any]

    def __enter__(self) -> None:
        body = json.dumps({**self.script, "times": None}).encode()
        self.story._open(Request(f"{self.story._gateway}/__sim__/fault", data=body))

    def __exit__(self, *_error: object) -> None:
        self.story._open(Request(f"{self.story._gateway}/__sim__/fault", method="DELETE"))
