"""The limit: the quickest wire, parser and writer that Python has, and nothing cleaned or compared.

Threads with pycurl fetch and parse (orjson), the main one writes (apsw). Into an empty database it only inserts;
into a full one it overwrites every column of every row, which is what "blind upsert" means here.
"""

import io
import queue
import threading
from typing import Any

import apsw
import orjson
import pycurl
from order import COLUMNS, CREATE, KEY, Order, read


class Wire:
    """One kept connection."""

    def __init__(self, order: Order) -> None:
        self._order = order
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
        return orjson.loads(answer.getbuffer())["data"]

    def log_in(self) -> str:
        return str(self.post("/Login", self._order.login())["token"])

    def use(self, token: str) -> None:
        self._headers.append(f"Authorization: Bearer {token}")


def fetch(
    order: Order, token: str, todo: "queue.SimpleQueue[list[str] | None]", done: "queue.Queue[Any]"
) -> None:
    """Fetch parts until none is left; a part is passed on when it is whole."""
    try:
        wire = Wire(order)
        wire.use(token)
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


def main() -> None:
    order = read()
    token = Wire(order).log_in()
    todo: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()
    done: queue.Queue[Any] = queue.Queue(maxsize=4)
    for part in order.parts:
        todo.put(part)
    for _ in range(order.connections):
        todo.put(None)
        threading.Thread(target=fetch, args=(order, token, todo, done), daemon=True).start()

    db = apsw.Connection(order.database)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -65536"):
        db.execute(f"PRAGMA {pragma}").fetchall()
    db.execute(CREATE)
    insert = f"INTO student_terms ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
    if order.first:
        statement = f"INSERT OR IGNORE {insert}"
    else:
        others = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS if column not in KEY)
        statement = f"INSERT {insert} ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET {others}"
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
        with db:
            db.executemany(statement, rows)
    db.close()


if __name__ == "__main__":
    main()
