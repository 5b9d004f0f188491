"""One contestant's process, measured whole: from before it exists until the kernel says what it cost."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ERRORS_SHOWN = 600


@dataclass(frozen=True)
class Cost:
    """seconds: by the clock. cpu: user and system time. peak: most resident memory, in MB."""

    seconds: float
    cpu: float
    peak: float
    code: int
    late: bool
    said: str  # the end of stderr

    @property
    def failed(self) -> bool:
        """It did not end by itself, or not well."""
        return self.late or self.code != 0


def run(command: list[str], order: str, output: Path, environment: dict[str, str], deadline: float) -> Cost:
    """Run a command with an order as the first line of its stdin, which stays open until it ends."""
    os.sync()  # what one contestant left to be written is not the next one's to wait for
    late = threading.Event()
    errors = output.with_suffix(".err")
    with output.open("wb") as out, errors.open("wb") as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            env=environment,
            cwd=Path(__file__).resolve().parent.parent,
            start_new_session=True,
        )

        def stop() -> None:
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(deadline, stop)
        timer.start()
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it may die before it listens; its exit code tells
            process.stdin.write(order.encode() + b"\n")
            process.stdin.flush()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # we are told to end: nobody is left behind
            timer.cancel()
            os.killpg(process.pid, signal.SIGKILL)
            raise
        seconds = time.perf_counter() - started
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdin.close()
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(
        seconds=seconds,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=usage.ru_maxrss * unit / 1e6,
        code=process.returncode,
        late=late.is_set(),
        said=errors.read_text(errors="replace")[-ERRORS_SHOWN:].strip(),
    )
