"""Start a module so that it ends with the process that started it, even when that one is killed.

`python -m panel.service.lifeline gunicorn --workers 2 …` runs the module gunicorn. The number of an inherited
pipe is in HAMGAM_LIFELINE; its other end is held by `up` alone, so that its end of file says: `up` is gone.
(PR_SET_PDEATHSIG would tell of the parent's thread instead, and exists on Linux only.)
"""

import os
import runpy
import signal
import sys
import threading
import time

VARIABLE = "HAMGAM_LIFELINE"
PATIENCE = 20.0


def watch(descriptor: int) -> None:
    """End this process in order when the pipe ends, and by force if order takes too long."""
    while os.read(descriptor, 1024):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(1)


def main() -> None:
    descriptor = os.environ.pop(VARIABLE, None)
    if descriptor is not None:
        threading.Thread(target=watch, args=(int(descriptor),), name="lifeline", daemon=True).start()
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
