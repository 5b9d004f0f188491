"""What a child is told to do: one JSON object, the first line of its stdin."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class GuardLimits(BaseModel):
    """See core/load/guard.py."""

    part_rows: int = 20
    part_percent: float = 30.0
    total_rows: int = 50
    total_percent: float = 10.0


class GatewayBudget(BaseModel):
    """How gently a gateway is to be asked by all its sources together. requests_per_second: 0 means no limit."""

    connections: int
    requests_per_second: float


class Gateways(BaseModel):
    """Where what is known of the gateways is kept for all (core/wire/gateway.py); "": by this job for itself.

    budgets: the gentlest settings among the sources of each gateway, by its key.
    """

    folder: str = ""
    budgets: dict[str, GatewayBudget] = Field(default_factory=dict)


class Spec(BaseModel):
    """One job. `check`: only test address and login. `preview`: only look at the first page.

    run: the run's UUID, under which the ledger knows it. epoch: of the engine's lease; the destination refuses an
    older one. partitions: which parts, each as some of its values; None: all. resume: UUIDs of earlier, unfinished
    runs whose completed parts need not be asked for again. staging: folder for parts that wait for the verdict.
    new_fields: what becomes of fields that the fetcher does not declare, see core/load/drift.py.
    about: the run that mode `approve` publishes the held parts of, or that mode `undo` takes back. rehearsals: folder
    for what a dry run would publish; it writes no data anywhere else.
    """

    model_config = ConfigDict(extra="forbid")

    source: str
    settings: dict[str, Any] = Field(default_factory=dict)
    check: bool = False
    preview: bool = False
    run: str = ""
    attempt: int = 1
    epoch: int = 0
    database: str = ""
    staging: str = ""
    rehearsals: str = ""
    mode: str = Field("incremental", pattern="^(incremental|full|approve|undo)$")
    about: str = ""
    dry_run: bool = False
    partitions: list[dict[str, str]] | None = None
    resume: list[str] = Field(default_factory=list)
    guard: GuardLimits = Field(default_factory=GuardLimits)
    gateways: Gateways = Field(default_factory=Gateways)
    new_fields: str = Field("add", pattern="^(add|ignore|freeze)$")
    now: datetime

    @model_validator(mode="after")
    def _a_dry_run_has_a_place(self) -> Self:
        if self.dry_run and not self.rehearsals:
            raise ValueError("a dry run needs a folder for its rehearsal")
        return self
