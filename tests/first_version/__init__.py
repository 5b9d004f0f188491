"""An installation as the first complete version left it, in the middle of a run: `house.tar.xz`.

Its people are invented, its passwords open nothing, its key is the one below. `make.py` made it, and says how.
"""

import tarfile
from pathlib import Path

ARCHIVE = Path(__file__).with_name("house.tar.xz")
KEY = "of-the-first-version-and-no-secret"  # seals the password of a simulated gateway
GATEWAY_PASSWORD = "simulator"
# What a simulator must be told to be the gateway of that installation, as it was when the engine was killed.
WORLD = ("--size", "tiny", "--seed", "5", "--totals", "present", "--today", "2026-11-22")
DELTAS = (
    {"added": 6, "changed": 9, "gone": 2, "stream": "students"},
    {"added": 3, "changed": 4, "gone": 1, "stream": "faculty"},
    {"added": 4, "changed": 5, "gone": 3, "stream": "students"},
    {"gone": 60, "stream": "faculty"},
    {
        "added": 20,
        "changed": 30,
        "gone": 5,
        "stream": "students",
    },  # of this the run in flight has published a part
)


def unpack(folder: Path) -> Path:
    """Put the installation into a folder; its instance."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "instance"
