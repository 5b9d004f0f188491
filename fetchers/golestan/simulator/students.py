"""The true students: who is where in which term, and the row that a perfect reader would keep.

Each campus has a fixed number of slots. A slot holds one person after the other: two to four years from an
intake in term 1, then the next one. All that a person is follows from a digest of (seed, campus, slot, intake),
so any part can be made by itself, in any order, again and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from struct import Struct
from typing import Any, NamedTuple

from .calendar import month_days
from .campuses import Campus, Plan
from .words import (
    CITIES,
    COURSES,
    DEGREES,
    FAMILIES,
    GRADES,
    MEN,
    PROVINCES,
    STATUSES,
    STREETS,
    UNIVERSITY,
    WOMEN,
)

KEYS = (
    "studentnum",
    "firstname",
    "familyname",
    "firstnameeng",
    "familynameeng",
    "fathername",
    "codvaziayat",
    "vazeiyat",
    "birthdate",
    "birthplace",
    "city",
    "address",
    "phonenum",
    "email",
    "sex",
    "course",
    "course_name",
    "grade",
    "gradname",
    "degsdate",
    "last_degree",
    "uniname",
    "sub_uniname",
    "sub_num",
    "provinceCode",
    "code_Markaz",
    "province",
    "term",
)
COLUMNS = ("codePardis", *KEYS)
Row = dict[str, Any]

_numbers = Struct("<32H").unpack
_FULL = 65536


def share(rate: float) -> int:
    return round(rate * _FULL)


_LEAVES, _MOVES, _SUMMER, _PHONE = share(0.01), share(0.02), share(0.15), share(0.03)


class Person(NamedTuple):
    home: int  # campus where they were admitted
    slot: int
    intake: int  # Jalali year
    digest: bytes
    guest: bool  # listed here by the campus that they only visit


def _digest(seed: int, home: int, slot: int, intake: int) -> bytes:
    return blake2b(f"{seed}|{home}|{slot}|{intake}".encode()).digest()


def _mix(seed: int, home: int, slot: int) -> int:
    x = (slot * 2654435761 + home * 40503 + seed * 69069 + 12345) & 0xFFFFFFFF
    x ^= x >> 15
    x = (x * 2246822519) & 0xFFFFFFFF
    return x ^ (x >> 13)


def number(person: Person) -> str:
    """Student number: entry year, campus, slot; one in a hundred has the old form that begins with 97."""
    tail = f"{person.home + 1:03d}{person.slot:05d}"
    if person.digest[63] < 3:
        return f"97{person.intake % 100:02d}{tail}"
    return f"{person.intake - 1000:03d}{tail}"


class Students:
    """Everybody who studies, before any change made from outside."""

    def __init__(self, plan: Plan, seed: int, two_campus: float) -> None:
        self.plan = plan
        self.seed = seed
        self._guests = 0 if plan.steady else share(two_campus)
        self._visitors = {c.ring: c for c in plan.campuses if c.ring != c.index}  # who sends people to whom

    def roster(self, campus: Campus, term: int) -> Iterator[Person]:
        """The people of a part in their order: the campus's own, then those who came from elsewhere."""
        if not campus.is_open(term):
            return
        if self.plan.steady:
            yield from self._steady(campus, term)
            return
        yield from (p for p, away, _ in self._admitted(campus, term) if not away)
        source = self._visitors.get(campus.index)
        if source is not None and source.is_open(term):
            for person, away, visits in self._admitted(source, term):
                if away or visits:
                    yield person._replace(guest=not away)

    def _steady(self, campus: Campus, term: int) -> Iterator[Person]:
        part = campus.index * 16 + (term - self.plan.first)
        order = self._part_order().get(part, 0)
        for slot in range(campus.slots + (order < self.plan.extra)):
            intake = self.plan.first // 3 - 1
            yield Person(campus.index, slot, intake, _digest(self.seed, campus.index, slot, intake), False)

    def _part_order(self) -> dict[int, int]:
        if not hasattr(self, "_order"):
            parts = [
                c.index * 16 + n
                for c in self.plan.campuses
                for n in range(16)
                if c.is_open(self.plan.first + n)
            ]
            self._order = {part: n for n, part in enumerate(parts)}
        return self._order

    def _admitted(self, campus: Campus, term: int) -> Iterator[tuple[Person, bool, bool]]:
        """Those whom the campus admitted and who still study: (person, moved away, visits another campus)."""
        year, season = divmod(term, 3)
        for slot in range(campus.slots):
            mixed = _mix(self.seed, campus.index, slot)
            life = 2 + mixed % 3
            age = (year + (mixed >> 8)) % life
            intake = year - age
            digest = _digest(self.seed, campus.index, slot, intake)
            d = _numbers(digest)
            passed = age * 3 + season
            if season == 2 and (d[20] + term * 7919) % _FULL >= _SUMMER:
                continue
            if d[21] < _LEAVES and passed >= 2 + d[22] % (life * 3):
                continue
            moved = d[23] < _MOVES and campus.ring != campus.index and passed >= 2 + d[24] % (life * 3 - 2)
            visits = not moved and d[25] < self._guests and campus.ring != campus.index
            yield Person(campus.index, slot, intake, digest, False), moved, visits

    def newcomer(self, campus: Campus, slot: int, term: int) -> Person:
        """Somebody who was not there at the start."""
        intake = term // 3
        return Person(campus.index, slot, intake, _digest(self.seed, campus.index, slot, intake), False)

    def row(self, person: Person, campus: Campus, term: int, code: str) -> Row:
        """The true row of a person in a part."""
        d = _numbers(person.digest)
        passed = term - person.intake * 3
        home = self.plan.campuses[person.home]
        woman = d[0] & 1
        first, first_latin = (WOMEN if woman else MEN)[d[1] % 20]
        family, family_latin = FAMILIES[d[2] % 32]
        if d[3] < 66:  # the two names in each other's place
            first, family = family, first
        latin = None if d[4] < 39322 else first_latin
        second_latin = None if d[4] < 38000 else (family if d[4] > 64880 else family_latin)
        status = _status(d, passed, person.guest, home, term)
        province = home.province
        course, course_name = COURSES[d[9] % 12]
        grade = "3" if d[10] < 45000 else ("2", "4", "1", "5")[d[10] % 4]
        markaz = campus.code if not person.guest else home.code
        if d[11] < 328 and not self.plan.steady:  # another centre than the one that was asked
            markaz = self.plan.campuses[(campus.index + 1) % len(self.plan.campuses)].code
        return {
            "codePardis": campus.code,
            "studentnum": number(person),
            "firstname": first,
            "familyname": family,
            "firstnameeng": latin,
            "familynameeng": second_latin,
            "fathername": MEN[d[3] % 20][0],
            "codvaziayat": status,
            "vazeiyat": _status_text(status, d[18]),
            "birthdate": _birth(d, person.intake),
            "birthplace": None if d[8] % 1000 < 100 else CITIES[d[8] % 31],
            "city": None if d[26] % 1000 < 100 else CITIES[home.province - 1],
            "address": _address(d, home.province),
            "phonenum": _phone(d, passed),
            "email": _email(d, first_latin, person),
            "sex": _sex(d[28], woman),
            "course": course,
            "course_name": course_name
            if d[29] > 655
            else course_name.replace("آموزش ابتدایی", "آموزش‌ابتدایی"),
            "grade": None if d[10] % 1000 < 3 else grade,
            "gradname": GRADES["4" if d[17] < 197 else grade],
            "degsdate": None if d[30] < 1311 else f"{person.intake}/07/{1 + d[30] % 9:02d}",
            "last_degree": None if d[31] < 9830 else DEGREES[d[31] % 4],
            "uniname": UNIVERSITY if d[19] > 655 else None,
            "sub_uniname": _place(campus.name, d[19]),
            "sub_num": campus.code,
            "provinceCode": None if 131 <= d[27] < 786 else province,
            "code_Markaz": markaz,
            "province": None if d[16] < 655 else PROVINCES[province % 31 if d[27] < 131 else province - 1],
            "term": code,
        }


def _status(d: tuple[int, ...], passed: int, guest: bool, home: Campus, term: int) -> str | None:
    if guest:
        return "6"
    roll = (d[5] * 31 + passed * 40503) % _FULL
    if roll < 655:
        return None
    if roll < 786:
        return "9"  # a code that no list explains
    if passed >= 6 + d[5] % 48:  # who has graduated has done so for good
        return "2"
    if roll < 2200:
        return "5"
    if roll < 2600:
        return ("3", "4", "8", "7")[roll % 4]
    return "1"


def _status_text(status: str | None, roll: int) -> str | None:
    if status is None or roll < 655:
        return None
    if status == "1" and roll > 62259:
        return "در حال تحصیل"
    return STATUSES.get(status, "سایر")


def _birth(d: tuple[int, ...], intake: int) -> str | None:
    if d[7] < 1966:
        return None
    month = 1 + d[6] % 12
    year = intake - 18 - d[6] // 12 % 5
    return f"{year}/{month:02d}/{1 + d[7] % month_days(year, month):02d}"


def _address(d: tuple[int, ...], province: int) -> str | None:
    roll = d[12]
    if roll < 6554:
        return None
    text = f"{CITIES[province - 1]}، خیابان {STREETS[roll % 10]}، کوچه {STREETS[d[13] % 10]}، پلاک {d[13] % 200 + 1}"
    if roll < 6620:
        return text + "، نشانی کامل" * 50
    if roll < 7200:
        return ("=" if roll & 1 else "+") + text
    return text


def _phone(d: tuple[int, ...], passed: int) -> str | None:
    if d[14] < 3277:
        return None
    lives = 6
    change = d[15] % (lives * 3)
    shift = d[15] < _PHONE * lives and passed >= change  # three in a hundred change it in a term
    tail = (d[13] * 7 + d[14] + (4711 if shift else 0)) % 10000
    first = f"09{(12, 13, 35, 1)[d[14] % 4]:02d}000{tail:04d}"
    if d[14] < 3900:
        return f"{first} / 0912000{(tail + 1) % 10000:04d}"
    return first


def _email(d: tuple[int, ...], latin: str, person: Person) -> str | None:
    if d[16] % 100 < 30:
        return None
    return f"{latin.lower().replace(' ', '.')}.{person.intake % 100:02d}{person.home:03d}{person.slot}@example.invalid"


def _sex(roll: int, woman: int) -> str | None:
    if roll < 131:
        return None
    if roll < 786:
        return "زن" if woman else "مرد"
    return "خانم" if woman else "آقا"


def _place(name: str, roll: int) -> str:
    if roll > 58982:
        return name.replace("پردیس ", "پ. ")
    return name
