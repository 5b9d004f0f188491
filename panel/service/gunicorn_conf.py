"""gunicorn's settings, from the panel's own configuration."""

import gc
import os
from pathlib import Path

from panel.config import load

_config = load()

bind = f"[{_config.host}]:{_config.port}" if ":" in _config.host else f"{_config.host}:{_config.port}"
worker_class = "gthread"
workers = _config.web_workers
threads = _config.web_threads
timeout = 60
graceful_timeout = 10
keepalive = 5
# A socket through which workers can be commanded: nobody needs one here.
control_socket_disable = True
# The heartbeat file: on a disk under load its touches would wait, and a healthy worker be killed.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() and os.access("/dev/shm", os.W_OK) else None
loglevel = _config.log_level
accesslog = None
proc_name = "hamgam-web"


def on_starting(_server: object) -> None:
    """Load the panel's modules once, in the master, which opens nothing: each worker then makes its own app.

    So a worker that is started anew answers in a moment instead of seconds, and shares the modules' memory. (New
    code needs a restart, not a HUP.)
    """
    from panel import create_app

    create_app(_config)


def post_worker_init(_worker: object) -> None:
    """Count what a worker has loaded as there for good: else the collector walks through all of it again and again.

    With a thousand sources, one status page of twenty took over 98 ms, and takes over 78 ms so
    (https://docs.python.org/3/library/gc.html#gc.freeze).
    """
    gc.collect()
    gc.freeze()
