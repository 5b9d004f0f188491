"""Commands on a disk of their own that is too small or takes no writes: nobody else sees it, and it ends with them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

SMALL = 'mount -t tmpfs -o size="$SIZE",mode=0700 tmpfs "$FOLDER"'
READ_ONLY = 'mount --bind "$FOLDER" "$FOLDER" && mount -o remount,bind,ro "$FOLDER"'


def unavailable() -> str | None:
    """Why this machine lets us mount nothing; None if it does."""
    if os.geteuid() != 0:
        return "only root may mount a disk"
    if shutil.which("unshare") is None:
        return "unshare(1) is not installed"
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
    return None if done.returncode == 0 else f"no mounts of our own: {done.stderr.strip()[:200]}"


def panel(
    mount: str, folder: Path, *words: str, size: str = "", then: str = "true", **environ: str
) -> subprocess.CompletedProcess[str]:
    """`python -m panel …` while a folder is such a disk; its exit code is the command's.

    then: what the shell does afterwards, with the disk still there.
    """
    script = f'set -e; {mount}; set +e; "$@"; code=$?; {then}; exit $code'
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-m", "panel", "--no-demo", *words],
        cwd=ROOT,
        env={**os.environ, **environ, "FOLDER": str(folder), "SIZE": size},
        capture_output=True,
        text=True,
        timeout=120,
    )
