"""Secrets at rest: sealed with a key derived from the secret key, which is not in the database."""

import base64
import json
from collections.abc import Iterable
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class VaultError(Exception):
    """What was sealed cannot be opened with the keys at hand."""


class Vault:
    """Seals dictionaries. Older keys open what they sealed; sealing is done with the newest."""

    def __init__(self, secret_key: str, previous: Iterable[str] = ()) -> None:
        self._fernet = MultiFernet([Fernet(_derived(key)) for key in (secret_key, *previous)])

    def seal(self, secrets: dict[str, Any]) -> bytes:
        """Encrypted and authenticated."""
        return self._fernet.encrypt(json.dumps(secrets, ensure_ascii=False).encode())

    def open(self, sealed: bytes | None) -> dict[str, Any]:
        """What `seal` was given; nothing for nothing."""
        if not sealed:
            return {}
        try:
            opened = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken as error:
            raise VaultError(
                "The saved passwords were sealed with another secret key. Put instance/secret.key "
                "(or PANEL_SECRET_KEY) back from the backup of the same day, or enter the passwords again."
            ) from error
        if not isinstance(opened, dict):
            raise VaultError("What was sealed is not a set of secrets.")
        return opened


def _derived(secret_key: str) -> bytes:
    # Another purpose, another key: who learns the vault's key cannot sign sessions.
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"hamgam vault 1").derive(secret_key.encode())
    return base64.urlsafe_b64encode(key)
