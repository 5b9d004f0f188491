"""Students of a Golestan gateway: one part per campus and term."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import StringConstraints

from fetchers import (
    Clash,
    Code,
    ConfigError,
    Email,
    Facet,
    Integer,
    JalaliDate,
    Label,
    LatestTable,
    Page,
    Partition,
    Phone,
    Province,
    Setting,
    Text,
    stream,
)
from fetchers.golestan import GolestanFetcher, GolestanSettings, terms

# Nothing that could be taken for a part's name or for two campuses.
Campus = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9A-Za-z]{1,16}$")]


class StudentsSettings(GolestanSettings):
    """What the gateway cannot tell: which campuses there are, and since when."""

    campuses: list[Campus] = Setting(list, title=Label("پردیس‌ها", "Campuses"), filled_from="campuses")
    first_term: str = Setting(
        "4001",
        title=Label("نخستین نیمسال", "First term"),
        help=Label(
            "سه رقم آخر سال تحصیلی (405 برای ۱۴۰۵)، سپس 1 برای نیمسال نخست، 2 برای نیمسال دوم یا 3 برای تابستان؛ "
            "4051 یعنی نیمسال نخست ۱۴۰۵.",
            "The last three digits of the academic year (405 for 1405), then 1 for the first semester, 2 for the "
            "second or 3 for the summer: 4051 is the first term of 1405.",
        ),
        seed_env="GOLESTAN_FIRST_TERM",
        pattern=r"^\d{3}[123]$",
    )
    open_terms: int = Setting(
        3,
        title=Label("نیمسال‌های باز", "Open terms"),
        help=Label(
            "تازه‌ترین نیمسال‌هایی که در هر همگام‌سازی پرسیده می‌شوند، با نیمسال جاری؛ نیمسال پیش رو نیز همیشه.",
            "The newest terms that every sync asks for, the current one included, and always a coming term.",
        ),
        ge=1,
        le=100,
    )
    closed_every_days: int = Setting(
        7,
        title=Label("فاصلهٔ پرسیدن نیمسال‌های بسته (روز)", "Ask closed terms every (days)"),
        help=Label(
            "نیمسال‌های قدیمی‌تر در این چند روز یک بار پرسیده می‌شوند، هر کدام در روز خود. صفر یعنی هر بار.",
            "Older terms are asked for once in so many days, each on a day of its own. Zero means each time.",
        ),
        ge=0,
        le=365,
    )


class Students(GolestanFetcher):
    """Every student of every campus, term by term, newest term first."""

    label = Label("دانشجویان", "Students")
    Settings = StudentsSettings
    settings: StudentsSettings

    @stream(
        table="student_terms",
        label=Label("نیمسال‌های دانشجویان", "Student terms"),
        primary_key=("codePardis", "term", "studentnum"),
        partitions="campus_terms",
        partition_columns={"codePardis": "campus", "term": "term"},
        every_days="term_every_days",
        fields={
            "studentnum": Code(Label("شمارهٔ دانشجویی", "Student number")),
            "firstname": Text(Label("نام", "First name")),
            "familyname": Text(Label("نام خانوادگی", "Family name")),
            "firstnameeng": Text(Label("نام لاتین", "First name (Latin)")),
            "familynameeng": Text(Label("نام خانوادگی لاتین", "Family name (Latin)")),
            "fathername": Text(Label("نام پدر", "Father's name"), personal=True),
            "codvaziayat": Code(Label("کد وضعیت", "Status code")),
            "vazeiyat": Text(Label("وضعیت", "Status")),
            "birthdate": JalaliDate(Label("تاریخ تولد", "Date of birth"), birth=True, personal=True),
            "birthplace": Text(Label("محل تولد", "Place of birth"), personal=True),
            "city": Text(Label("شهر", "City")),
            "address": Text(Label("نشانی", "Address"), personal=True),
            "phonenum": Phone(Label("تلفن", "Telephone"), personal=True),
            "email": Email(Label("رایانامه", "E-mail"), personal=True),
            "sex": Text(Label("جنسیت", "Sex")),
            "course": Code(Label("کد رشته", "Field of study code")),
            "course_name": Text(Label("رشته", "Field of study")),
            "grade": Code(Label("کد مقطع", "Degree code")),
            "gradname": Text(Label("مقطع", "Degree")),
            "degsdate": JalaliDate(Label("تاریخ شروع مقطع", "Start of degree")),
            "last_degree": Text(Label("آخرین مدرک", "Last degree")),
            "uniname": Text(Label("دانشگاه", "University")),
            "sub_uniname": Text(Label("نام پردیس", "Campus name")),
            "sub_num": Code(Label("شمارهٔ پردیس", "Campus number")),
            "provinceCode": Integer(Label("کد استان", "Province code")),
            "code_Markaz": Code(Label("کد پردیس در رکورد", "Campus code in the record")),
            "province": Province(Label("استان", "Province")),
            "term": Code(Label("نیمسال", "Term")),
        },
        latest=LatestTable(
            table="Students",
            key="studentnum",
            newest="term",
            ceiling="current_term",
            prefer_equal=("codePardis", "code_Markaz"),
            label=Label("دانشجویان", "Students"),
        ),
        echoes={"code_Markaz": "campus"},
        clashes=(Clash("two_names", same="studentnum", differ=("firstname", "familyname")),),
        search=("firstname", "familyname", "studentnum", "course_name", "sub_uniname"),
        summary=(
            "studentnum",
            "firstname",
            "familyname",
            "term",
            "course_name",
            "gradname",
            "vazeiyat",
            "province",
        ),
        facets=(
            Facet("codePardis"),
            Facet("term"),
            Facet("codvaziayat", words="vazeiyat"),
            Facet("grade", words="gradname"),
        ),
        order=("familyname", "firstname"),
        days=("degsdate",),
    )
    def student_terms(self, campus: str, term: str) -> Iterator[Page]:
        """One campus in one term. All four keys must be there, campus and term as text (DOMAIN.md G4)."""
        body = {"codePardis": campus, "term": term, "Filter": {}}
        yield from self.pages("/API/Golestan/Students_2", body, what=f"campus {campus}, term {term}")

    def campus_terms(self) -> Iterator[Partition]:
        """Every campus in every term, newest term first: what people ask for most is there soonest."""
        if not self.settings.campuses:
            raise ConfigError("The list of campuses is empty.", setting="campuses")
        newest = terms.newest(self.session.now)
        for term in reversed(list(terms.between(self.settings.first_term, newest))):
            for campus in self.settings.campuses:
                yield {"campus": campus, "term": term}

    def term_every_days(self, campus: str, term: str) -> int:
        """An open term each time, a closed one once in some days: little changes in it, and slowly."""
        oldest_open = terms.earlier(self.current_term(), self.settings.open_terms - 1)
        return 0 if term >= oldest_open else self.settings.closed_every_days

    def current_term(self) -> str:
        """The newest term that has begun: rows of later ones do not make a student's newest row."""
        return terms.current(self.session.now)
