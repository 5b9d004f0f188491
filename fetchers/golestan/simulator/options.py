"""What a simulator was told at its start; every part of it can be changed through the control address."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from .calendar import term_of, today_in_tehran
from .campuses import Plan, even, university

# Rates per request, except: paging, rename and extra_key per unit; outage as a number of windows.
FAULTS = (
    "unauthorized",
    "throttled",
    "server_error",
    "slow",
    "broken",
    "html",
    "error_body",
    "empty",
    "charset",
    "paging",
    "outage",
    "rename",
    "extra_key",
)
PROFILES: dict[str, dict[str, float]] = {
    "calm": {},
    "realistic": {
        "throttled": 0.005,
        "server_error": 0.01,
        "slow": 0.005,
        "broken": 0.003,
        "html": 0.001,
        "error_body": 0.002,
        "empty": 0.0005,
        "charset": 0.001,
        "paging": 0.002,
        "outage": 1,
        "extra_key": 0.05,
    },
    "hostile": {
        "unauthorized": 0.01,
        "throttled": 0.05,
        "server_error": 0.08,
        "slow": 0.03,
        "broken": 0.03,
        "html": 0.01,
        "error_body": 0.02,
        "empty": 0.01,
        "charset": 0.01,
        "paging": 0.05,
        "outage": 3,
        "rename": 0.01,
        "extra_key": 0.05,
    },
}
_CAPS = {"tiny": 20, "small": 100, "full": 500}
_UNKNOWN = {"calm": 400, "realistic": 404, "hostile": 200}


@dataclass
class Options:
    profile: str = "calm"
    size: str = "tiny"
    seed: int = 1
    rows: int | None = None  # benchmark: so many student rows in so many parts
    parts: int | None = None
    today: date | None = None  # None: the day in Tehran
    username: str = "hamgam"
    password: str = "simulator"
    faults: dict[str, float] = field(default_factory=dict)  # over the profile's
    dirt: float = 1.0
    two_campus: float = 0.001
    latency: float = 0.0  # milliseconds
    rate_limit: float | None = None  # requests a second
    page_cap: int | None = None  # None: by profile; 0: none
    whole: bool = False  # a gateway that knows no pages: all rows of a part come at once, then nothing
    totals: str | None = None  # present, absent, wrong; None: by profile
    unknown_campus: int | None = None  # 400, 404, or 200 with []
    hang: float = 2.0  # seconds of silence and dripping
    retry_after: int = 1  # greatest Retry-After, seconds
    outage_requests: int | None = None  # length of an outage, in requests
    outage_seconds: float = 20.0  # after which it is over in any case
    token_life: float = 1200.0
    token_uses: int | None = None  # requests that a token is good for
    cache_mb: int = 4096

    def clock(self) -> date:
        return self.today or today_in_tehran()

    def plan(self) -> Plan:
        newest = term_of(self.clock())
        if self.rows is not None:
            return even(self.rows, self.parts or 100, newest)
        return university(self.size, newest, self.seed)

    def rate(self, fault: str) -> float:
        return self.faults.get(fault, PROFILES[self.profile].get(fault, 0.0))

    @property
    def cap(self) -> int | None:
        if self.page_cap is not None:
            return self.page_cap or None
        return 1000 if self.profile == "calm" or self.rows is not None else _CAPS[self.size]

    @property
    def heals(self) -> bool:
        """Whether a request that failed is answered rightly the next time."""
        return self.profile != "hostile"

    @property
    def unknown(self) -> int:
        return _UNKNOWN[self.profile] if self.unknown_campus is None else self.unknown_campus

    @property
    def outage_length(self) -> int:
        if self.outage_requests is not None:
            return self.outage_requests
        return 20 if self.profile == "hostile" else 10


def checked(changes: dict[str, object]) -> dict[str, object]:
    """Changes of options, or ValueError with the name of the one that is nonsense."""
    if (profile := changes.get("profile")) is not None and profile not in PROFILES:
        raise ValueError(f"profile is one of {', '.join(PROFILES)}, not {profile!r}")
    if changes.get("totals") not in (None, "present", "absent", "wrong"):
        raise ValueError("totals is present, absent or wrong")
    faults = changes.get("faults", {})
    if not isinstance(faults, dict) or (strange := set(faults) - set(FAULTS)):
        raise ValueError(
            f"faults are {', '.join(FAULTS)}" + (f", not {strange}" if isinstance(faults, dict) else "")
        )
    if unknown := set(changes) - set(Options.__dataclass_fields__):
        raise ValueError(f"no such option: {', '.join(sorted(unknown))}")
    for name in changes.keys() & _NUMBERS:
        if changes[name] is not None and type(changes[name]) not in (int, float):
            raise ValueError(f"{name} is a number, not {changes[name]!r}")
    return changes


_NUMBERS = {
    *(
        "seed",
        "rows",
        "parts",
        "dirt",
        "two_campus",
        "latency",
        "rate_limit",
        "page_cap",
        "unknown_campus",
        "hang",
    ),
    *("retry_after", "outage_requests", "outage_seconds", "token_life", "token_uses", "cache_mb"),
}
