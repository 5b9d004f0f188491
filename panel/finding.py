"""What the doctor says of one thing that it looked at."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """check: which look this was, for programs. state: ok, warn, bad. todo: what to do about it."""

    check: str
    state: str
    text: str
    todo: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
