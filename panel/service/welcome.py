"""What `up` says to the person in front of it, once the panel answers."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from panel.config import Config
from panel.seed import Seeded

PATIENCE = 90.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def address(config: Config) -> str:
    """The panel's address for a browser on this machine."""
    host = EVERYWHERE.get(config.host, config.host)
    return f"http://[{host}]:{config.port}" if ":" in host else f"http://{host}:{config.port}"


def wait_until_healthy(config: Config, alive: Callable[[], bool]) -> bool:
    """Wait until the panel answers; False if its process ends first, or it takes too long."""
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + PATIENCE
    while alive() and time.monotonic() < deadline:
        try:
            with opener.open(f"{address(config)}/healthz", timeout=5) as answer:
                if json.load(answer)["status"] == "ok":
                    return True
        except HTTPError as error:
            if _says_disk(error):  # it answers, and people must be able to read what is wrong
                return True
            time.sleep(0.1)
        except (URLError, OSError, ValueError, KeyError):
            time.sleep(0.1)
    return False


def _says_disk(answer: HTTPError) -> bool:
    try:
        return json.load(answer)["status"] in ("disk_full", "read_only", "io")
    except (OSError, ValueError, KeyError):
        return False


def welcome(config: Config, seeded: Seeded, logs: Path | None = None) -> str:
    """Address, login, how to stop; and what kind of house this is."""
    command = f"{_python()} -m panel" + (" --demo" if config.demo else "")
    lines = ["", f"  Hamgam is ready:  {address(config)}", ""]
    if seeded.made_password is not None:
        lines += [
            f"    User name   {seeded.administrator}",
            f"    Password    {seeded.made_password}",
            "",
            f"  The password is shown this once. To change it: {command} user password {seeded.administrator}",
        ]
    elif seeded.administrator is not None:
        lines += [f"    User name   {seeded.administrator}, with the password of PANEL_ADMIN_PASSWORD"]
    else:
        lines += [f"  Forgotten the password? {command} user password {config.admin_username}"]
    if config.demo:
        lines += [
            "",
            "  This is the demonstration: a simulated gateway with invented people, in a house of its own.",
            "  For your own gateway, press “Set up my own gateway” in it; or copy .env.example to .env, fill it in,",
            "  and start again.",
        ]
    if config.host in EVERYWHERE or config.host not in ("127.0.0.1", "::1", "localhost"):
        lines += [
            "",
            f"  Careful: the panel listens on {config.host} without encryption. Passwords can be read on the way;",
            "  put a proxy with https before it.",
        ]
    if seeded.upgraded is not None and seeded.upgraded.before is not None:
        kept = seeded.upgraded.backup or "was not made, as you said"
        lines += ["", f"  The control database was brought to this version. The backup of before: {kept}"]
    lines += [f"  {problem}" for problem in seeded.campus_problems]
    lines += ["", "  Ctrl-C stops it." + (f" Logs: {logs}" if logs else ""), ""]
    return "\n".join(lines)


def _python() -> str:
    """How to call this interpreter from the folder where `up` was started."""
    here = Path.cwd()
    path = Path(sys.executable)
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
