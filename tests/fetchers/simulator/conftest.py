"""A simulator inside the test's own process, and a naive client for both kinds."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from fetchers.golestan.simulator.control import Control
from fetchers.golestan.simulator.gateway import Gateway
from fetchers.golestan.simulator.options import Options
from fetchers.golestan.simulator.wire import Request, Response

DAY = date(2026, 11, 22)


@dataclass
class Inside:
    """A gateway without its socket: the same requests, answered at once."""

    gateway: Gateway
    control: Control
    token: str = ""

    def post(self, path: str, body: Any, token: str | None = None, **headers: str) -> Response:
        sent = {
            "content-type": "application/json",
            "authorization": f"Bearer {token or self.token}",
            **headers,
        }
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.gateway.answer(Request("POST", path, "", sent, data))

    def students(self, campus: str, term: str, page: int = 1, size: int = 1000) -> Response:
        paging = {"pageNumber": page, "pageSize": size}
        return self.post(
            "/API/Golestan/Students_2", {"codePardis": campus, "term": term, "paging": paging, "Filter": {}}
        )

    def faculty(self, page: int = 1, size: int = 1000) -> Response:
        return self.post("/API/Golestan/Faculty", {"pageNumber": page, "pageSize": size})

    def login(self, username: str = "hamgam", password: str = "simulator") -> Response:
        return self.post("/Login", {"userName": username, "password": password})

    def tell(self, name: str, body: Any = None, method: str = "POST") -> Any:
        path, _, query = name.partition("?")
        sent = json.dumps(body).encode() if body is not None else b""
        response = self.control.answer(Request(method, f"/__sim__/{path}", query, {}, sent))
        whole = response.body if isinstance(response.body, bytes) else b"".join(response.body)
        if "ndjson" in response.headers["Content-Type"]:
            return [json.loads(line) for line in whole.decode().splitlines()]
        return json.loads(whole)

    def look(self, name: str) -> Any:
        return self.tell(name, method="GET")

    def units(self) -> list[tuple[str, str]]:
        return self.gateway.world.units()


def content(response: Response) -> Any:
    assert isinstance(response.body, bytes)
    return json.loads(response.body)


def rows(response: Response) -> list[dict[str, Any]]:
    assert response.status == 200
    return content(response)["data"]


@pytest.fixture
def inside() -> Callable[..., Inside]:
    """Make a simulator of these options: `inside(profile="realistic", seed=3)`."""

    def make(**options: Any) -> Inside:
        chosen = Options(**{"today": DAY, **options})
        gateway = Gateway(chosen)
        made = Inside(gateway, Control(gateway, chosen))
        made.token = gateway.tokens.issue(chosen.username, chosen.password) or ""
        return made

    return make
