"""A gateway that answers by script: Login, Students_2 and Faculty over a real socket, each campus as a test says.

What has no script is answered as a sane gateway would, page by page, from `rows`.
"""

import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fetchers.raw_server import Line, RawServer, Request, Turn, answer

USERNAME, PASSWORD = "maryam", "canary-گذرواژه-5417"
TOKEN = "canary-token"  # the beginning of each token
PERSON = "قناری"  # stands in every honest record, as the father's name or the family
FACULTY = ""  # the name of the one part that is not a campus

Record = dict[str, Any] | bytes  # bytes: JSON exactly as it is sent


@dataclass(frozen=True)
class Asked:
    """One question: which part and page, with which token, and when."""

    part: str
    term: str
    page: int
    size: int
    token: str
    at: float


Script = list[Turn | None]  # one for each question, the last one for ever; None: honestly


def student(number: int, campus: str, **changes: Any) -> dict[str, Any]:
    """A student as a sane gateway sends one; all 28 keys."""
    return {
        "studentnum": f"403112{number:05d}",
        "firstname": "مریم",
        "familyname": f"نمونه {number % 10}",
        "firstnameeng": "Maryam",
        "familynameeng": "Sample",
        "fathername": PERSON,
        "codvaziayat": "1",
        "vazeiyat": "مشغول به تحصیل",
        "birthdate": "1384/05/12",
        "birthplace": "تهران",
        "city": "تهران",
        "address": "خیابان نمونه",
        "phonenum": "09120000000",
        "email": "a@example.invalid",
        "sex": "خانم",
        "course": "1101",
        "course_name": "آموزش ابتدایی",
        "grade": "3",
        "gradname": "کارشناسی پیوسته",
        "degsdate": "1403/07/01",
        "last_degree": "دیپلم",
        "uniname": "دانشگاه فرهنگیان",
        "sub_uniname": "پردیس نمونه",
        "sub_num": "1810",
        "provinceCode": 8,
        "code_Markaz": campus,
        "province": "تهران",
        "term": "4051",
        **changes,
    }


def national_code(number: int) -> str:
    """A valid national code of the prefix that nobody has (DOMAIN.md 1.5)."""
    digits = f"999{number:06d}"
    rest = sum(int(digit) * (10 - place) for place, digit in enumerate(digits)) % 11
    return digits + str(rest if rest < 2 else 11 - rest)


def member(number: int, **changes: Any) -> dict[str, Any]:
    """A member of the faculty as a sane gateway sends one; all 21 keys."""
    return {
        "id": number,
        "professorCode": f"{100_000 + number}",
        "name": "علی",
        "family": f"{PERSON} {number}",
        "field": "علوم تربیتی",
        "code": "1203",
        "mobile": "09120000000",
        "nationalcode": national_code(number),
        "email": "a@example.invalid",
        "personelid": f"{90_000_000 + number}",
        "code_Markaz": "1810",
        "markaz": "پردیس نمونه تهران",
        "city": "تهران",
        "sex": 1,
        "scope": "دانشگاه فرهنگیان استان تهران",
        "scope_ID": "22",
        "employ_state": "شاغل",
        "employtype": "1",
        "employtype_title": "هیات علمی",
        "estekhdamtype": "3",
        "estekhdamtype_title": "پیمانی",
        **changes,
    }


def data(records: list[Record], **beside: Any) -> bytes:
    """The body of an answer with these records."""
    texts = [one if isinstance(one, bytes) else _text(one) for one in records]
    rest = "".join(f",{json.dumps(key)}:{json.dumps(value)}" for key, value in beside.items())
    return b'{"data":[' + b",".join(texts) + b"]" + rest.encode() + b"}"


def _text(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode()


class ScriptedGateway:
    """`scripts` and `rows` by campus (FACULTY for the other source), `login` for the login itself.

    Where `rows` has "campus,term", that goes before the campus alone.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        """context: speak TLS."""
        self.server = RawServer(context)
        self.url = self.server.url
        self.rows: dict[str, list[Record]] = {FACULTY: [member(n) for n in range(1, 61)]}
        self.scripts: dict[str, Script] = {}
        self.login: Script = []
        self.logins = 0
        self.asked: list[Asked] = []
        self.beside: Callable[[int, int], dict[str, Any]] = lambda page, total: {"totalCount": total}
        self.expired: set[str] = set()
        self._lock = threading.Lock()
        self._times: Counter[str] = Counter()
        self.server.will(self._turn)

    def close(self) -> None:
        self.server.close()

    def forget(self) -> None:
        """Scripts begin anew, and what was asked is forgotten."""
        with self._lock:
            self._times.clear()
            self.asked.clear()
            self.logins = 0

    def times_asked(self, part: str) -> int:
        return sum(one.part == part for one in self.asked)

    def honest(self, asked: Asked) -> bytes:
        """What a sane gateway answers."""
        rows = self.rows.get(f"{asked.part},{asked.term}", self.rows.get(asked.part, []))
        start = (asked.page - 1) * asked.size
        return answer(
            data(rows[start : start + asked.size], **self.beside(asked.page, len(rows))),
        )

    def _turn(self, server: RawServer, request: Request, line: Line) -> bytes | None:
        if request.path == "/Login":
            with self._lock:
                self.logins += 1
                turn = self._next("login", self.login)
                fresh = answer({"data": {"token": f"{TOKEN}-{self.logins}"}, "isSuccess": True})
            if turn is None:
                return fresh
            return turn if isinstance(turn, bytes) else turn(server, request, line)
        asked = question(request)
        with self._lock:
            self.asked.append(asked)
            if asked.token in self.expired:
                return answer(b"", 401, 'WWW-Authenticate: Bearer error="invalid_token"')
            turn = self._next(asked.part, self.scripts.get(asked.part, []))
        if turn is None:
            return self.honest(asked)
        if isinstance(turn, bytes):
            return turn
        return turn(server, request, line)

    def _next(self, name: str, script: Script) -> Turn | None:
        if not script:
            return None
        place = min(self._times[name], len(script) - 1)
        self._times[name] += 1
        return script[place]


def question(request: Request) -> Asked:
    """What a request for data asks."""
    body = request.json
    paging = body.get("paging", body)
    return Asked(
        body.get("codePardis", FACULTY),
        body.get("term", ""),
        paging["pageNumber"],
        paging["pageSize"],
        request.headers.get("authorization", "").removeprefix("Bearer "),
        time.monotonic(),
    )
