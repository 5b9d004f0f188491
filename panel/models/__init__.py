"""The control database's tables. They import nothing of ours, so everything may import them."""

from panel.models.access import ApiToken, AuditEntry, LoginAttempt, User
from panel.models.base import Base, UtcDateTime
from panel.models.calendar import CalendarSettings, CalendarSpan
from panel.models.engine import EngineLease
from panel.models.guards import create_guards
from panel.models.lists import ColumnChoice, SavedView
from panel.models.places import Campus
from panel.models.runs import (
    ACTIVE,
    STATUSES,
    TERMINAL,
    RunAttempt,
    RunLog,
    RunPartition,
    SkippedTick,
    SyncRun,
)
from panel.models.syncs import DataSync

__all__ = [
    "ACTIVE",
    "ApiToken",
    "AuditEntry",
    "Base",
    "CalendarSettings",
    "CalendarSpan",
    "Campus",
    "ColumnChoice",
    "DataSync",
    "EngineLease",
    "LoginAttempt",
    "RunAttempt",
    "RunLog",
    "RunPartition",
    "STATUSES",
    "SavedView",
    "SkippedTick",
    "SyncRun",
    "TERMINAL",
    "User",
    "UtcDateTime",
    "create_guards",
]
