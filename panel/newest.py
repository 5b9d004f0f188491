"""The newest runs of each source, for all of them in one statement that reads no other run."""

from collections.abc import Callable
from typing import TypeVarTuple

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import aliased

from panel.models import DataSync, SyncRun

Columns = TypeVarTuple("Columns")
Fits = Callable[[type[SyncRun]], list[ColumnElement[bool]]]


def of_each_sync(chosen: Select[*Columns], many: int, fits: Fits) -> Select[*Columns]:
    """What was chosen of runs, for the newest `many` of each sync that fit; DataSync can be asked for more.

    It begins, for each sync, at the oldest of them, which an index finds; a window function would read all its runs.
    """
    other = aliased(SyncRun)
    oldest = (
        select(other.id)
        .where(other.sync_id == DataSync.id, *fits(other))
        .order_by(other.id.desc())
        .offset(many - 1)
        .limit(1)
        .scalar_subquery()
    )
    belongs = and_(SyncRun.sync_id == DataSync.id, SyncRun.id >= func.coalesce(oldest, 0))
    return chosen.select_from(DataSync).join(SyncRun, belongs).where(*fits(SyncRun))
