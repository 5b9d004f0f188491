"""Which campuses exist, how large they are and in which terms they are open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b

from .calendar import term_code, term_index
from .words import CAMPUS_NAMES, CITIES

TWIN, CLOSED, LATE, LARGE, EMPTY = "1120", "1410", "1510", "1810", "2010"
SIZES = {
    # campuses, terms, students of a campus, spread (sigma of the logarithm), faculty
    "tiny": (4, 3, 30, 0.0, 60),
    "small": (12, 6, 200, 0.2, 400),
    "full": (98, 16, 1000, 0.5, 3000),
}
_FEW = {
    "tiny": ("1110", TWIN, LARGE, EMPTY),
    "small": ("1110", TWIN, "1210", "1310", CLOSED, LATE, "1610", "1710", LARGE, EMPTY, "2110", "2210"),
}


@dataclass(frozen=True)
class Campus:
    index: int
    code: str
    name: str  # canonical
    listed_name: str  # as the campus list spells it
    province: int  # 1..31
    type: int  # 1 campus, 2 centre
    slots: int  # students in a full term
    opens: int  # term indexes, both included
    closes: int
    ring: int  # campus that its movers go to; itself when nobody moves

    def is_open(self, term: int) -> bool:
        return self.opens <= term <= self.closes


@dataclass(frozen=True)
class Plan:
    """The frame of a world: campuses, first and newest term at the start, size of the faculty."""

    campuses: tuple[Campus, ...]
    first: int  # term index
    faculty: int
    steady: bool = False  # benchmark: everybody stays, in every term
    extra: int = 0  # steady: the first `extra` parts have one row more


def university(size: str, newest: str, seed: int) -> Plan:
    """The campuses of a named size, with its odd ones, up to the newest term."""
    count, terms, mean, sigma, faculty = SIZES[size]
    last = term_index(newest)
    first = last - terms + 1
    codes = _FEW.get(size) or _codes(count)
    shut = term_index("4023") if size == "full" else first + terms // 2 - 1
    opened = term_index("4041") if size == "full" else first + terms // 2
    ordinary = [i for i, code in enumerate(codes) if code not in (CLOSED, LATE, EMPTY)]
    before = {i: ordinary[n - 1] for n, i in enumerate(ordinary)}
    campuses = []
    for index, code in enumerate(codes):
        slots = max(5, round(mean * math.exp(sigma * _normal(seed, code) - sigma * sigma / 2)))
        if code == LARGE:
            slots = 5000 if size == "full" else 3 * mean
        elif code == EMPTY:
            slots = 0
        name = _name(codes.index("1110") if code == TWIN else index, codes)
        campuses.append(
            Campus(
                index=index,
                code=code,
                name=name,
                listed_name=name.replace("ی", "ي") if code == TWIN else name,
                province=int(code[:2]) - 10,
                type=1 if index * 64 // 98 < (index + 1) * 64 // 98 else 2,
                slots=slots,
                opens=opened if code == LATE else 0,
                closes=shut if code == CLOSED else 10**6,
                ring=before.get(index, index),
            )
        )
    return Plan(tuple(campuses), first, faculty)


def even(rows: int, parts: int, newest: str, faculty: int = 3000) -> Plan:
    """Exactly `rows` student rows in exactly `parts` non-empty parts, as even as can be."""
    terms = next(
        (n for n in range(min(16, parts), 0, -1) if parts % n == 0 and parts // n <= 279), min(16, parts)
    )
    count = -(-parts // terms)
    last = term_index(newest)
    first = last - terms + 1
    codes = _codes(count)
    short = count * terms - parts  # the last campus opens later, so that the number of parts is exact
    campuses = tuple(
        Campus(
            index=index,
            code=code,
            name=_name(index, codes),
            listed_name=_name(index, codes),
            province=int(code[:2]) - 10,
            type=1,
            slots=rows // parts,
            opens=first + short if index == count - 1 else first,
            closes=last,
            ring=index,
        )
        for index, code in enumerate(codes)
    )
    return Plan(campuses, first, faculty, steady=True, extra=rows % parts)


def _codes(count: int) -> tuple[str, ...]:
    """Campus codes: province + number + "0". Tehran has nine, Ilam two, the rest three, until more are asked."""
    each = dict.fromkeys(range(1, 32), 3) | {8: 9, 6: 2}
    while sum(each.values()) < count:
        each = {p: n + 1 for p, n in each.items()}
    codes = [f"{10 + p}{n}0" for p in range(1, 32) for n in range(1, each[p] + 1)]
    return tuple(codes[:count])


def _name(index: int, codes: tuple[str, ...]) -> str:
    code = codes[index]
    city = CITIES[int(code[:2]) - 11]
    return f"پردیس {CAMPUS_NAMES[int(code[2:]) // 10 % len(CAMPUS_NAMES)]} {city}"


def _normal(seed: int, code: str) -> float:
    digest = blake2b(f"{seed}|size|{code}".encode(), digest_size=16).digest()
    u, v = (int.from_bytes(digest[i : i + 8]) / 2**64 for i in (0, 8))
    return math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v)


def listing(plan: Plan) -> list[dict[str, object]]:
    """The campus list as the owner's database has it (its names are not clean)."""
    return [
        {"pardis_code": c.code, "name": c.listed_name, "province_code": c.province, "type": c.type}
        for c in plan.campuses
    ]


def terms_of(plan: Plan, newest: str) -> list[str]:
    return [term_code(i) for i in range(plan.first, term_index(newest) + 1)]
