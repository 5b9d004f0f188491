"""All that the product's processes load, loaded by the one that tests fork them from (tests/warm.py)."""

import gc
import importlib

for _name in (
    "alembic.command",
    "fetchers.core.decide.approve",
    "fetchers.core.decide.undo",
    "fetchers.core.load.job",
    "fetchers.core.store.postgres",
    "fetchers.faculty",
    "fetchers.golestan.simulator.__main__",
    "fetchers.students",
    "panel.auth.passwords",
    "panel.backup",
    "panel.cli",
    "panel.engine.worker",
    "panel.migrations",
    "panel.seed",
    "panel.settings",
):
    importlib.import_module(_name)
gc.freeze()
