"""How long a run usually takes, learned from the last successes; and which run is far from that.

A success that came suspiciously quickly, or took far too long, is still a success, and worth a look.
"""

from dataclasses import dataclass
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from panel.models import SyncRun

LONG, SHORT = "long", "short"
OF = 10  # successes
ENOUGH = 5  # of them; fewer tell too little to call another one unusual
# Far from usual: beyond the median by this factor, beyond all of the last successes by the other, and by so many
# seconds that a person would notice. A run that has closed parts to fetch takes longer; the last successes show it.
FROM_MEDIAN, FROM_ALL = 3.0, 1.5
MARGIN = 10.0


@dataclass(frozen=True)
class Usual:
    """What the last successes took, in seconds; of: how many they are."""

    median: float
    shortest: float
    longest: float
    of: int

    def far_from(self, seconds: float) -> str | None:
        """`long` or `short` for a duration that is far from usual, else None."""
        if self.of < ENOUGH:
            return None
        if seconds > max(FROM_MEDIAN * self.median, FROM_ALL * self.longest, self.median + MARGIN):
            return LONG
        if seconds < min(self.median / FROM_MEDIAN, self.shortest / FROM_ALL, self.median - MARGIN):
            return SHORT
        return None


def usual(session: Session, sync_id: int, mode: str, before: int | None = None) -> Usual | None:
    """What the last whole successes of this mode took, before a run if one is named; None without any."""
    of = [
        SyncRun.sync_id == sync_id,
        SyncRun.status == "success",
        SyncRun.mode == mode,
        SyncRun.dry_run.is_(False),
        SyncRun.is_whole(),
        SyncRun.duration_seconds.is_not(None),
    ]
    if before is not None:
        of.append(SyncRun.id < before)
    newest = select(SyncRun.duration_seconds).where(*of).order_by(SyncRun.id.desc()).limit(OF)
    took = [seconds for seconds in session.scalars(newest) if seconds is not None]
    return Usual(median(took), min(took), max(took), len(took)) if took else None
