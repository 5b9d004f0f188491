"""Judge what would vanish, over all that a run is about, before any of it does (DESIGN.md 4.4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from fetchers.core.errors import Shrunk

NAMED_PARTS = 20  # in an error's params; the events name all


@dataclass(frozen=True)
class Limits:
    """A part, and a run's parts together, may lose so many rows, or so many percent: over both is held."""

    part_rows: int = 20
    part_percent: float = 30.0
    total_rows: int = 50
    total_percent: float = 10.0


@dataclass(frozen=True)
class Loss:
    """What one part would lose. moved: rows whose person appears in another part of the same run.

    full: its answer ends where a page was full, and no total says that there is no more (core/wire/paging.py).
    """

    part: str
    rows_before: int
    rows_after: int
    gone: int
    moved: int = 0
    full: bool = False

    @property
    def vanishing(self) -> int:
        """Rows that leave and do not turn up elsewhere."""
        return self.gone - self.moved


def judge(losses: Sequence[Loss], rows_before: int, limits: Limits) -> Shrunk | None:
    """Whether these losses may be published. None: yes. Else why not, naming the parts that must wait.

    rows_before: rows of all parts of the run before it. A part that comes to nothing always waits.
    """
    total = sum(loss.vanishing for loss in losses)
    if total > limits.total_rows and total > rows_before * limits.total_percent / 100:
        held = [loss.part for loss in losses]
        reason = "total"
    else:
        too_many = [loss for loss in losses if too_much(loss, limits)]
        held = [loss.part for loss in too_many]
        reason = "part" if any(_over(loss, limits) for loss in too_many) else "full"
    if not held:
        return None
    names = frozenset(held)
    gone = sum(loss.vanishing for loss in losses if loss.part in names)
    return Shrunk(
        f"{gone} of {rows_before} rows would vanish; the old data are kept.",
        reason=reason,
        gone=gone,
        before=rows_before,
        held=names,
        parts=held[:NAMED_PARTS],
    )


def too_much(loss: Loss, limits: Limits) -> bool:
    """Whether a part, by itself, loses more than it may: one that looks cut off may lose nothing."""
    return _over(loss, limits) or (loss.full and loss.vanishing > 0)


def _over(loss: Loss, limits: Limits) -> bool:
    if loss.rows_after == 0:
        return True
    over = loss.vanishing > loss.rows_before * limits.part_percent / 100
    return over and loss.vanishing > limits.part_rows
