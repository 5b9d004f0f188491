"""REST under /api/v1: bearer tokens, JSON, one error shape. A thin door: the verbs are in panel/runs.py."""

from panel.api import (  # noqa: F401  (they register their routes)
    decisions,
    gateways,
    quality,
    runs,
    schedule,
    syncs,
    undo,
)
from panel.api.door import api

__all__ = ["api"]
