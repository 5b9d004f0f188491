"""What a fetcher is: a class that declares its settings and streams, and yields pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic import Field as _PydanticField

if TYPE_CHECKING:
    from fetchers.core.clean import Field
    from fetchers.core.wire.envelope import Page
    from fetchers.core.wire.http import Session

Partition = Mapping[str, str]


class Label(NamedTuple):
    """A text that people see, in both languages."""

    fa: str
    en: str

    def __call__(self, locale: str) -> str:
        """The text for a locale; Persian unless English is asked for."""
        return self.en if locale.startswith("en") else self.fa


def Setting(
    default: Any = ...,
    *,
    title: Label,
    help: Label | None = None,
    env: str | None = None,
    seed_env: str | None = None,
    filled_from: str | None = None,
    placeholder: str | None = None,
    advanced: bool = False,
    **limits: Any,
) -> Any:
    """Declare one setting of a fetcher.

    env: environment variable that wins over the form while it is set.
    seed_env: environment variable that gives the row its value at the first start only.
    filled_from: not on the form; the panel fills it from its own list ("campuses").
    placeholder, advanced: how the form shows it. limits: as pydantic's Field (ge, le, pattern, max_length …).
    """
    extra: dict[str, Any] = {
        "title_fa": title.fa,
        "title_en": title.en,
        "help_fa": help.fa if help else None,
        "help_en": help.en if help else None,
        "env": env,
        "seed_env": seed_env,
        "filled_from": filled_from,
        "placeholder": placeholder,
        "advanced": advanced,
    }
    if default is list:
        return _PydanticField(default_factory=list, title=title.en, json_schema_extra=extra, **limits)
    return _PydanticField(default, title=title.en, json_schema_extra=extra, **limits)


class HttpSettings(BaseModel):
    """What every fetcher over HTTP can be told; a fetcher's own Settings extend it."""

    model_config = ConfigDict(extra="forbid", validate_default=False)

    connections: int = Setting(
        4,
        title=Label("اتصال‌های هم‌زمان", "Connections at once"),
        help=Label(
            "درگاه در روزهای ثبت‌نام هم کار می‌کند. همهٔ منبع‌های آن در این عدد شریک‌اند و کوچک‌ترین به حساب می‌آید.",
            "The gateway also serves registration day. All its sources share them; the smallest number counts.",
        ),
        ge=1,
        le=16,
        advanced=True,
    )
    requests_per_second: float = Setting(
        4.0,
        title=Label("درخواست در ثانیه", "Requests per second"),
        help=Label(
            "همهٔ منبع‌های درگاه در آن شریک‌اند و کوچک‌ترین به حساب می‌آید. صفر یعنی بی‌محدودیت.",
            "All sources of the gateway share them; the smallest number counts. Zero means no limit.",
        ),
        ge=0,
        le=1000,
        advanced=True,
    )
    connect_timeout: float = Setting(
        10.0,
        title=Label("مهلت اتصال (ثانیه)", "Connect deadline (seconds)"),
        help=Label(
            "اگر در این زمان به درگاه وصل نشویم، نرسیدن به درگاه شمرده می‌شود.",
            "No connection within this time counts as a gateway that cannot be reached.",
        ),
        gt=0,
        le=300,
        advanced=True,
    )
    silence_timeout: float = Setting(
        60.0,
        title=Label("مهلت سکوت (ثانیه)", "Silence deadline (seconds)"),
        help=Label(
            "درگاه در میانهٔ یک پاسخ تا این اندازه می‌تواند ساکت بماند.",
            "For so long the gateway may be silent in the middle of an answer.",
        ),
        gt=0,
        le=3600,
        advanced=True,
    )
    request_timeout: float = Setting(
        300.0,
        title=Label("مهلت یک درخواست (ثانیه)", "One request (seconds)"),
        help=Label(
            "از پرسش تا پایان پاسخ؛ درخواستی که بیشتر طول بکشد قطع و دوباره پرسیده می‌شود.",
            "From the question to the end of its answer; one that takes longer is cut off and asked again.",
        ),
        gt=0,
        le=7200,
        advanced=True,
    )
    retry_budget: float = Setting(
        600.0,
        title=Label("زمان تلاش دوباره برای هر بخش (ثانیه)", "Time for repeating each part (seconds)"),
        help=Label(
            "تا این زمان، پرسشی که بی‌پاسخ مانده تکرار می‌شود؛ پس از آن آن بخش ناموفق است و بقیه ادامه می‌یابند.",
            "For so long a question that failed is repeated; then that part has failed, and the others go on.",
        ),
        ge=0,
        le=7200,
        advanced=True,
    )


@dataclass(frozen=True)
class LatestTable:
    """A second table with one row per person: their newest row in the stream's table (DESIGN.md part 7)."""

    table: str
    key: str  # column that names the person
    newest: str  # column whose greatest value wins …
    ceiling: str  # … unless it is above what this method of the fetcher answers: then it comes last
    prefer_equal: tuple[str, str]  # ties: rows where these two agree go first, then the smaller first one
    label: Label


@dataclass(frozen=True)
class Clash:
    """A contradiction that only shows over several rows of a table (DOMAIN.md part 3, row 29).

    Rows that have one value of `same` must have one value of each of `differ`, however it is spelled. `reason` is a
    word of `clean.flags.FLAGS`.
    """

    reason: str
    same: str
    differ: tuple[str, ...]


@dataclass(frozen=True)
class Facet:
    """A column by whose values a list is narrowed. `words`: the column that says what a code means, if there is one."""

    column: str
    words: str | None = None


@dataclass(frozen=True)
class Stream:
    """A named kind of record, and where it lands."""

    name: str
    table: str
    label: Label
    primary_key: tuple[str, ...]
    fields: Mapping[str, Field]
    partition_columns: Mapping[str, str]  # key column -> name in the partition: {"codePardis": "campus"}
    partitions: str | None  # name of the method that plans the parts; None: one whole
    method: str  # name of the method that yields pages
    required: tuple[str, ...]  # fields without which a record cannot be kept
    latest: LatestTable | None = None
    search: tuple[str, ...] = ()  # columns that the panel's search looks into
    summary: tuple[str, ...] = ()  # columns that lists show first
    echoes: Mapping[str, str] = dataclass_field(
        default_factory=dict
    )  # field that names a part's own -> its name there
    clashes: tuple[Clash, ...] = ()
    every_days: str | None = None  # name of the method that says which parts are closed; None: none is
    facets: tuple[Facet, ...] = ()  # by what lists are narrowed, with counts
    order: tuple[str, ...] = ()  # in whose alphabetical order lists of any length can be shown
    days: tuple[str, ...] = ()  # dates by which lists are narrowed

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the table in order: what was asked for, then upstream's own."""
        asked = tuple(column for column in self.partition_columns if column not in self.fields)
        return asked + tuple(self.fields)

    @property
    def counted(self) -> tuple[str, ...]:
        """The columns whose values are counted within each part (core/store/facets.py)."""
        named = [column for facet in self.facets for column in (facet.column, facet.words) if column]
        return tuple(column for column in dict.fromkeys(named) if column not in self.partition_columns)


def stream(
    *,
    table: str,
    label: Label,
    primary_key: tuple[str, ...],
    fields: Mapping[str, Field],
    partitions: str | None = None,
    partition_columns: Mapping[str, str] | None = None,
    every_days: str | None = None,
    required: tuple[str, ...] | None = None,
    latest: LatestTable | None = None,
    search: tuple[str, ...] = (),
    summary: tuple[str, ...] = (),
    echoes: Mapping[str, str] | None = None,
    clashes: tuple[Clash, ...] = (),
    facets: tuple[Facet, ...] = (),
    order: tuple[str, ...] = (),
    days: tuple[str, ...] = (),
) -> Callable[[Callable[..., Iterator[Page]]], Callable[..., Iterator[Page]]]:
    """Mark a method of a Fetcher as a stream: it yields the pages of one partition.

    echoes: {"code_Markaz": "campus"}: a field that should say what was asked for; kept as it is, with a note where it
    does not. clashes: contradictions between rows that get a note. facets, order, days: what lists are narrowed and
    sorted by, whatever their length.

    Raises ValueError where a personal field is to be searched, or lists narrowed or sorted by it: that would tell
    everybody what is masked; and where a person can have two rows that `latest` cannot tell apart.
    """
    of_facets = [column for facet in facets for column in (facet.column, facet.words) if column]
    told = [name for name in (*search, *of_facets, *order, *days) if name in fields and fields[name].personal]
    if told:
        raise ValueError(f"personal fields cannot be searched, sorted or counted: {', '.join(told)}")
    unknown = [
        name for name in (*of_facets, *order, *days) if name not in {*fields, *(partition_columns or ())}
    ]
    if unknown:
        raise ValueError(f"lists cannot be narrowed or sorted by what is no column: {', '.join(unknown)}")
    if latest is not None:
        mixed = set(primary_key) - {latest.key, latest.newest, latest.prefer_equal[0]}
        if mixed:
            raise ValueError(
                f"`latest` cannot tell rows apart that differ in {', '.join(sorted(mixed))} alone"
            )

    def mark(method: Callable[..., Iterator[Page]]) -> Callable[..., Iterator[Page]]:
        asked = dict(partition_columns or {})
        method.stream = Stream(  # type: ignore[attr-defined]
            name=method.__name__,
            table=table,
            label=label,
            primary_key=primary_key,
            fields=fields,
            partition_columns=asked,
            partitions=partitions,
            method=method.__name__,
            required=required or tuple(column for column in primary_key if column not in asked),
            latest=latest,
            search=search,
            summary=summary,
            echoes=dict(echoes or {}),
            clashes=clashes,
            every_days=every_days,
            facets=facets,
            order=order,
            days=days,
        )
        return method

    return mark


class Fetcher:
    """The one file that knows one kind of upstream. Subclass, declare, yield pages.

    A stream's method may call `self.settings`, `self.session`, its base class's way of asking, and `self.log`.
    """

    label: ClassVar[Label]
    Settings: ClassVar[type[HttpSettings]] = HttpSettings
    default_timeout_seconds: ClassVar[int] = 7200

    def __init__(self, settings: HttpSettings, session: Session) -> None:
        self.settings = settings
        self.session = session

    @classmethod
    def streams(cls) -> list[Stream]:
        """The streams in the order in which the class declares them; the first is the one that is counted."""
        found: dict[str, Stream] = {}
        for base in reversed(cls.__mro__):
            for value in vars(base).values():
                declared = getattr(value, "stream", None)
                if isinstance(declared, Stream):
                    found[declared.name] = declared
        return list(found.values())

    def plan(self, stream: Stream) -> Iterable[Partition]:
        """The parts of a stream, in the order in which they should be fetched."""
        if stream.partitions is None:
            return [{}]
        return getattr(self, stream.partitions)()

    def every_days(self, stream: Stream, partition: Partition) -> int:
        """In how many days an incremental run asks for a part once; 0: each time, since the part is open."""
        return 0 if stream.every_days is None else int(getattr(self, stream.every_days)(**partition))

    def log(self, message: str, level: str = "info") -> None:
        """Write a line into the run's log. Never a secret, never a person's data."""
        self.session.log(message, level)

    def check(self) -> str:
        """Ask the upstream the cheapest question that proves address and login; a sentence for people.

        Raises FetchError as a run would.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be tested")


__all__ = [
    "Clash",
    "Facet",
    "Fetcher",
    "HttpSettings",
    "Label",
    "LatestTable",
    "Partition",
    "Setting",
    "Stream",
    "stream",
]
