"""Which fetchers there are: `ls fetchers` is the catalogue, and nothing else is edited to add one.

A module directly below `fetchers/` whose name has no leading underscore is a fetcher file and must define exactly
one subclass of Fetcher. A file that cannot be imported is listed with its error, and harms no other.
"""

import importlib
import os
import pkgutil
import sys
from dataclasses import dataclass
from pathlib import Path

from fetchers.core.fetcher import Fetcher, Label

HOME = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Listing:
    """A fetcher file: its key (the module's name) and either its class or why it cannot be used."""

    key: str
    fetcher: type[Fetcher] | None
    error: str | None = None

    @property
    def label(self) -> Label:
        """What people call it; a broken file is called by its name."""
        return self.fetcher.label if self.fetcher else Label(fa=self.key, en=self.key)


def keys() -> list[str]:
    """The fetcher files, by name, without importing any."""
    return sorted(
        module.name
        for module in pkgutil.iter_modules([str(HOME)])
        if not module.ispkg and not module.name.startswith("_")
    )


def load(key: str) -> Listing:
    """Import one fetcher file. Never raises for what the file does: its error is in the listing."""
    if not _is_there(key):
        return Listing(key, None, f"there is no file fetchers/{key}.py")
    try:
        module = importlib.import_module(f"fetchers.{key}")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a file of somebody else's: whatever it raises, we list it
        sys.modules.pop(f"fetchers.{key}", None)
        return Listing(key, None, f"{type(error).__name__}: {error}"[:400])
    found = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Fetcher) and thing.__module__ == module.__name__
    ]
    if len(found) != 1:
        return Listing(key, None, f"fetchers/{key}.py must define one Fetcher, it defines {len(found)}")
    return Listing(key, found[0])


def _is_there(key: str) -> bool:
    """Whether the folder has this fetcher file. One look: a status page asks it for each of a thousand sources."""
    if not key or key.startswith("_") or not set("./\\").isdisjoint(key):
        return False
    return os.path.isfile(HOME / f"{key}.py")


def catalogue() -> dict[str, Listing]:
    """Every fetcher file with its class or its error, by key."""
    return {key: load(key) for key in keys()}
