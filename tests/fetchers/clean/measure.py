"""How long cleaning takes, and how much it remembers: `python -m tests.fetchers.clean.measure`. Not a test.

The students' 28 fields, of invented people. The target is 16 µs a row with a warm memory.
"""

import random
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from fetchers.core.clean import compile_row
from fetchers.students import Students

ROWS = 4000
FIELDS = Students.streams()[0].fields
FIRST_NAMES = ("علي", "فاطمه", "محمد  ", "زهرا", "حسين", "مريم", "كاظم", "سارا")
FAMILY_NAMES = ("محمدي", "حسینی", "كريمي ", "رضایی", "عباسی‌نژاد", "موسوي")


def student(number: int, dice: random.Random) -> dict[str, Any]:
    """One record as the gateway writes it: Arabic letters, trailing blanks, half of the fields common to many."""
    return {
        "studentnum": f"403{number:08d}",
        "firstname": dice.choice(FIRST_NAMES),
        "familyname": f"{dice.choice(FAMILY_NAMES)} {dice.randrange(5000)}",
        "firstnameeng": "Fatemeh",
        "familynameeng": f"Moh{dice.randrange(5000)}",
        "fathername": dice.choice(FIRST_NAMES),
        "codvaziayat": "1",
        "vazeiyat": "مشغول به تحصيل",
        "birthdate": f"13{dice.randrange(78, 86)}/{dice.randrange(1, 13):02d}/{dice.randrange(1, 29):02d}",
        "birthplace": "تهران",
        "city": "كرمان ",
        "address": f"خيابان آزادي، كوچه {dice.randrange(100)}، پلاك {number}، واحد ۳",
        "phonenum": f"0912{number:07d}",
        "email": f"s{number}@example.invalid",
        "sex": "آقا  ",
        "course": "1101",
        "course_name": "آموزش ابتدايي",
        "grade": "3",
        "gradname": "كارشناسي پيوسته",
        "degsdate": "1403/07/01",
        "last_degree": "ديپلم",
        "uniname": "دانشگاه فرهنگيان",
        "sub_uniname": "پرديس نمونه",
        "sub_num": "1810",
        "provinceCode": 8,
        "code_Markaz": "1810",
        "province": "تهران",
        "term": "4041",
    }


def microseconds(clean: Callable[[list[dict[str, Any]]], object], records: list[dict[str, Any]]) -> float:
    """Processor time for one record, a thousand at once."""
    start = time.process_time()
    for at in range(0, len(records), 1000):
        clean(records[at : at + 1000])
    return (time.process_time() - start) / len(records) * 1e6


def main() -> None:
    dice = random.Random(1)
    clean = compile_row(FIELDS, ("studentnum",)).clean
    records = [student(number, dice) for number in range(ROWS)]
    others = [student(number, dice) for number in range(ROWS, 2 * ROWS)]
    print(f"first sight of everything  {microseconds(clean, records):5.1f} µs/row")
    print(f"seen before                {min(microseconds(clean, records) for _ in range(5)):5.1f} µs/row")
    print(f"new people, known words    {microseconds(clean, others):5.1f} µs/row")
    extra = [{**record, "extra": 1} for record in records]
    print(f"seen before, one more key  {min(microseconds(clean, extra) for _ in range(5)):5.1f} µs/row")
    del clean, records, others, extra
    tracemalloc.start()
    clean = compile_row(FIELDS, ("studentnum",)).clean
    for at in range(0, 10 * ROWS, 1000):
        clean([student(number, dice) for number in range(at, at + 1000)])
    print(
        f"remembered at most         {tracemalloc.get_traced_memory()[1] / 1e6:5.1f} MB after {10 * ROWS} people"
    )


if __name__ == "__main__":
    main()
