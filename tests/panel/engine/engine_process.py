"""An engine as a process of its own, with quick times and stub children.

python -m tests.panel.engine.engine_process INSTANCE DATABASE LEASE [HEARTBEAT]: the folder, the control database,
seconds, and the address of a watchdog.
"""

import sys
from pathlib import Path

from panel import config as configuration
from panel.engine.worker import Engine, Pace
from tests.panel.engine.workshop import STUB, as_written

instance, database, lease = sys.argv[1:4]
values = {
    "PANEL_INSTANCE": instance,
    "PANEL_DATABASE_URL": database,
    "PANEL_HEARTBEAT_URL": "".join(sys.argv[4:]),
}
config = configuration.load(values, root=Path(instance).parent)
pace = Pace(lease=float(lease), renew=0.3, tick=0.2, sweep=0.5, standby=0.2, at_once=2, first_sign=1.0)
Engine(config, pace=pace, child=STUB, grace=2.0, resolve=as_written).run_forever()
