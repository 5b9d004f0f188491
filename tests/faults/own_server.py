"""A PostgreSQL server that a test started itself, and may stop at any moment. The machine's own is never touched."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.faults.injectors import Unavailable

ACCOUNT = "postgres"  # PostgreSQL refuses to run as root


class OwnServer:
    """A cluster in a folder of its own, on a port of its own."""

    def __init__(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            raise Unavailable("PostgreSQL's server programs are not installed (Debian: postgresql)")
        self._programs = found[-1].parent
        # Not below pytest's folder, which other accounts may not enter.
        self.folder = Path(tempfile.mkdtemp(prefix="hamgam-postgresql-"))
        self._as: list[str] = []
        if os.geteuid() == 0:
            try:
                user = pwd.getpwnam(ACCOUNT)
            except KeyError:
                raise Unavailable(f"there is no account {ACCOUNT} to run PostgreSQL") from None
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"postgresql://{ACCOUNT}@127.0.0.1:{self.port}/postgres"
        data = self.folder / "data"
        self._run("initdb", "-D", str(data), "-A", "trust", "-U", ACCOUNT, "-E", "UTF8", "-N", "--locale=C")
        options = f"port={self.port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories='{self.folder}'\n"
        with (data / "postgresql.conf").open("a") as file:
            file.write(options + "fsync=off\nmax_connections=60\n")
        self.start()

    def start(self) -> None:
        self._control("start", "-w", "-l", str(self.folder / "log"))

    def stop(self, mode: str = "immediate") -> None:
        """immediate: every session is thrown out, nothing is flushed; the next start recovers."""
        self._control("stop", "-w", "-m", mode)

    def restart(self) -> None:
        """As after a crash."""
        self.stop()
        self.start()

    def close(self) -> None:
        with suppress(Unavailable):  # it does not run
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), *words)

    def _run(self, program: str, *words: str) -> None:
        # Its output goes to a file: the server would keep a pipe open for as long as it lives.
        with (self.folder / "said").open("ab") as said:
            done = subprocess.run(
                [*self._as, str(self._programs / program), *words],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                timeout=120,
            )
        if done.returncode != 0:
            raise Unavailable(f"{program} failed ({done.returncode})")
