"""An engine as a process of its own, with quick times and stub children.

python -m tests.panel.engine.engine_process INSTANCE DATABASE LEASE: the folder, the control database, seconds.
"""

import sys
from pathlib import Path

from panel import config as configuration
from panel.engine.worker import Engine, Pace
from tests.panel.engine.workshop import STUB, as_written

instance, database, lease = sys.argv[1:4]
config = configuration.load(
    {"PANEL_INSTANCE": instance, "PANEL_DATABASE_URL": database}, root=Path(instance).parent
)
pace = Pace(lease=float(lease), renew=0.3, tick=0.2, sweep=0.5, standby=0.2, at_once=2)
Engine(config, pace=pace, child=STUB, grace=2.0, resolve=as_written).run_forever()
