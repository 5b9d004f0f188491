"""python -m panel.exports: make one file. The order comes on stdin, so that no password is in a list of processes."""

import json
import signal
import sys
from pathlib import Path
from types import FrameType

from panel.exports import making, orders

DEADLINE = 600  # seconds


def main() -> int:
    """0: the file is there; 1: it is not, and its state says why."""
    said = json.loads(sys.stdin.readline())
    place = Path(said["folder"])
    order = orders.read(place)
    if order is None:
        return 1
    making.gently()
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(DEADLINE)
    state = making.make(order, place, said["data_url"], said["panel_url"])
    return 0 if state.state == orders.DONE else 1


def _too_long(number: int, frame: FrameType | None) -> None:
    raise making.TooLong


if __name__ == "__main__":
    sys.exit(main())
