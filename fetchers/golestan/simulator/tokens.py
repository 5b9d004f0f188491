"""Logins: tokens that end, and a throttle on wrong passwords."""

from __future__ import annotations

import base64
import hmac
import secrets
import threading
import time
from collections import deque

from .options import Options

_BAD_A_MINUTE = 10


class Tokens:
    def __init__(self, options: Options) -> None:
        self.options = options
        self._lock = threading.Lock()
        self._live: dict[str, list[float]] = {}  # token -> [end, uses left]
        self._bad: deque[float] = deque()
        self.issued = 0
        self.refused = 0

    def issue(self, username: str, password: str) -> str | None:
        """A token for the right name and password."""
        right = hmac.compare_digest(
            f"{username}\0{password}".encode(),
            f"{self.options.username}\0{self.options.password}".encode(),
        )
        with self._lock:
            if not right:
                self.refused += 1
                self._bad.append(time.monotonic())
                return None
            self.issued += 1
            header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
            token = f"{header}.{secrets.token_urlsafe(48)}.{secrets.token_urlsafe(32)}"
            uses = float(self.options.token_uses or "inf")
            self._live[token] = [time.monotonic() + self.options.token_life, uses]
            return token

    def is_throttled(self) -> bool:
        """More than ten wrong logins within a minute."""
        with self._lock:
            while self._bad and self._bad[0] < time.monotonic() - 60:
                self._bad.popleft()
            return len(self._bad) >= _BAD_A_MINUTE

    def accepts(self, authorization: str | None) -> bool:
        """Whether the bearer may pass; counts the use."""
        scheme, _, token = (authorization or "").partition(" ")
        with self._lock:
            live = self._live.get(token.strip()) if scheme.lower() == "bearer" else None
            if live is None:
                return False
            if live[0] <= time.monotonic() or live[1] < 1:
                del self._live[token.strip()]
                return False
            live[1] -= 1
            return True

    def revoke_all(self) -> int:
        with self._lock:
            count = len(self._live)
            self._live.clear()
            return count
