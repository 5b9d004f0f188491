"""The quickest wire and parser that Python has: threads with pycurl fetch and parse (orjson)."""

import io
import queue
import threading
from collections.abc import Iterator
from typing import Any

import orjson
import pycurl
from order import Order

WAITING_PARTS = 4


class Wire:
    """One kept connection. without_nul: leave out the sign that some databases do not take (U+0000)."""

    def __init__(self, order: Order, *, without_nul: bool = False) -> None:
        self._order = order
        self._without_nul = without_nul
        self._curl = pycurl.Curl()
        self._curl.setopt(pycurl.TCP_NODELAY, 1)
        self._headers = ["Content-Type: application/json", "Expect:"]

    def post(self, path: str, body: object) -> Any:
        answer = io.BytesIO()
        curl = self._curl
        curl.setopt(pycurl.URL, self._order.url + path)
        curl.setopt(pycurl.HTTPHEADER, self._headers)
        curl.setopt(pycurl.POSTFIELDS, orjson.dumps(body))
        curl.setopt(pycurl.WRITEFUNCTION, answer.write)
        curl.perform()
        if (status := curl.getinfo(pycurl.RESPONSE_CODE)) != 200:
            raise RuntimeError(f"{path} answered {status}")
        text: Any = answer.getbuffer()
        if self._without_nul:
            text = answer.getvalue().replace(rb"\u0000", b"")
        return orjson.loads(text)["data"]

    def log_in(self) -> str:
        return str(self.post("/Login", self._order.login())["token"])

    def use(self, token: str) -> None:
        self._headers.append(f"Authorization: Bearer {token}")


def fetch(
    order: Order, wire: Wire, todo: "queue.SimpleQueue[list[str] | None]", done: "queue.Queue[Any]"
) -> None:
    """Fetch parts until none is left; a part is passed on when it is whole."""
    try:
        while (part := todo.get()) is not None:
            campus, term = part
            records: list[dict[str, Any]] = []
            page = 0
            while True:
                page += 1
                data = wire.post("/API/Golestan/Students_2", order.question(campus, term, page))
                records += data
                if len(data) < order.page_size:
                    break
            done.put((campus, term, records))
    except BaseException as error:
        done.put(error)
        raise


def parts(order: Order, *, without_nul: bool = False) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of one part after the other, as they come, with the campus and term that were asked for."""
    token = Wire(order).log_in()
    todo: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()
    done: queue.Queue[Any] = queue.Queue(maxsize=WAITING_PARTS)
    for part in order.parts:
        todo.put(part)
    for _ in range(order.connections):
        wire = Wire(order, without_nul=without_nul)
        wire.use(token)
        todo.put(None)
        threading.Thread(target=fetch, args=(order, wire, todo, done), daemon=True).start()
    for _ in order.parts:
        found = done.get()
        if isinstance(found, BaseException):
            raise found
        campus, term, records = found
        rows = []
        for record in records:
            if record["studentnum"] is not None:
                record["term"] = term
                rows.append((campus, *record.values()))
        yield rows
