"""What a script is told, and the gateway's words; shared by the scripts that Hamgam is compared with."""

import json
import sys
from dataclasses import dataclass

# The 28 keys of a student in the order in which the gateway sends them, behind the campus that was asked for.
COLUMNS = (
    "codePardis", "studentnum", "firstname", "familyname", "firstnameeng", "familynameeng", "fathername",
    "codvaziayat", "vazeiyat", "birthdate", "birthplace", "city", "address", "phonenum", "email", "sex", "course",
    "course_name", "grade", "gradname", "degsdate", "last_degree", "uniname", "sub_uniname", "sub_num",
    "provinceCode", "code_Markaz", "province", "term",
)  # fmt: skip
KEY = ("codePardis", "term", "studentnum")
CREATE = (
    f"CREATE TABLE IF NOT EXISTS student_terms ({', '.join(f'{column} TEXT' for column in COLUMNS)},"
    f" PRIMARY KEY ({', '.join(KEY)}))"
)


@dataclass(frozen=True)
class Order:
    """One cell of the benchmark."""

    url: str
    username: str
    password: str
    parts: list[list[str]]  # campus and term
    page_size: int
    connections: int
    database: str
    first: bool  # the database is empty

    def login(self) -> dict[str, str]:
        """The body of the login."""
        return {"userName": self.username, "password": self.password}

    def question(self, campus: str, term: str, page: int) -> dict[str, object]:
        """The body that asks for one page of students."""
        return {
            "codePardis": campus,
            "term": term,
            "Filter": {},
            "paging": {"pageNumber": page, "pageSize": self.page_size},
        }


def read() -> Order:
    """The order: the first line of stdin."""
    return Order(**json.loads(sys.stdin.readline()))
