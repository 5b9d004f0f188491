"""What browsers load beside the pages: styles, scripts, icons and the font, packed small and asked for once.

The files are read when the panel starts. Their addresses carry the version of all of them together (`?v=…`): while
that is the one we have, a browser need not ask again for a year (RFC 8246). The font, which the style sheet names
without it, is good for a week. Only files are packed: pages carry secrets of their reader, whose length would tell
about them (the attack called BREACH).
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, request

YEAR, WEEK = 365 * 24 * 3600, 7 * 24 * 3600  # seconds
PACKED = (".css", ".js", ".svg")
ENDPOINT = "static"


@dataclass(frozen=True)
class Asset:
    """One file. tag: its content's own, for `If-None-Match` (RFC 9110, 8.8.3)."""

    name: str
    body: bytes = field(repr=False)

    @property
    def may_be_packed(self) -> bool:
        """Whether it is a text: a font is packed already."""
        return self.name.endswith(PACKED)

    @cached_property
    def packed(self) -> bytes:
        """It with gzip, packed when somebody asks for the first time."""
        return gzip.compress(self.body, 9, mtime=0)

    @cached_property
    def tag(self) -> str:
        return hashlib.blake2b(self.body, digest_size=8).hexdigest()

    @cached_property
    def kind(self) -> str:
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"


def read(folder: Path) -> dict[str, Asset]:
    """All files of the folder and what is below it, by their names as addresses have them."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in paths]
    return {name: Asset(name, path.read_bytes()) for name, path in zip(names, paths, strict=True)}


def version(files: dict[str, Asset]) -> str:
    """Changes when any of the files does: the same in every process that serves them."""
    told = "\n".join(f"{name} {asset.tag}" for name, asset in sorted(files.items()))
    return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()


def install(app: Flask, folder: Path) -> None:
    """Serve the folder below /static/, and put the version into its addresses."""
    files = read(folder)
    newest = version(files)

    def serve(filename: str) -> Response:
        asset = files.get(filename)
        if asset is None:
            abort(404)
        return _answer(asset, newest)

    def with_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == ENDPOINT and values["filename"].endswith(PACKED):
            values.setdefault("v", newest)

    app.add_url_rule("/static/<path:filename>", ENDPOINT, serve)
    app.url_defaults(with_version)


def _answer(asset: Asset, newest: str) -> Response:
    packs = asset.may_be_packed and request.accept_encodings["gzip"] > 0
    response = Response(asset.packed if packs else asset.body, mimetype=asset.kind)
    response.set_etag(f"{asset.tag}-gzip" if packs else asset.tag)
    if packs:
        response.content_encoding = "gzip"
    if asset.may_be_packed:
        response.vary.add("Accept-Encoding")
    told = request.args.get("v")
    if told is None or told == newest:
        response.cache_control.public = True
        response.cache_control.max_age = YEAR if told else WEEK
        response.cache_control.immutable = told is not None
    else:  # of another version than ours: perhaps another process is being brought up to date just now
        response.cache_control.no_cache = True
    response.make_conditional(request.environ)
    return response
