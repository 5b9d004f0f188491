"""Months of syncs that went well, behind a source that has none: for whatever tells how it went."""

from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import insert
from sqlalchemy.orm import Session

from panel.models import DataSync, SyncRun


def add(
    session: Session,
    sync: DataSync,
    now: datetime,
    days: int,
    *,
    a_day: int = 1,
    records: int = 1200,
    seconds: float = 60.0,
) -> list[int]:
    """So many syncs a day, the oldest first, the newest an hour ago; each has one record more. Their numbers."""
    many = days * a_day
    newest = now - timedelta(hours=1)
    rows = []
    for place in range(many):
        at = newest - timedelta(days=1) / a_day * (many - 1 - place)
        took = round(seconds * (1 + place % 7 / 10), 1)
        rows.append(
            {
                "uuid": str(uuid4()),
                "sync_id": sync.id,
                "status": "success",
                "triggered_by": "schedule",
                "requested_at": at - timedelta(seconds=took),
                "not_before": at - timedelta(seconds=took),
                "started_at": at - timedelta(seconds=took),
                "finished_at": at,
                "duration_seconds": took,
                "read": records + place,
                "unchanged": records + place,
                "records": records + place,
            }
        )
    ids = list(session.scalars(insert(SyncRun).returning(SyncRun.id, sort_by_parameter_order=True), rows))
    sync.last_run_id, sync.status, sync.error_code = ids[-1], "success", None
    sync.last_success_at = newest
    sync.data_as_of = newest - timedelta(minutes=1)
    sync.records, sync.records_delta = records + many - 1, 1
    sync.usual_seconds = seconds
    return ids
