"""The secret key: signs sessions and, by derivation, seals the secrets in the control database.

`instance/secret.key` holds one key a line. The first is in use; those below it may still open what they
sealed, so a key is changed by writing a new one on top. The file is made at the first start, with mode 0600.
"""

import os
import secrets
from pathlib import Path

SHORTEST = 32
_SAMPLES = (
    "changeme",
    "secretkey",
    "yoursecret",
    "mysecret",
    "isasecret",
    "example",
    "replaceme",
    "password",
)
_PUBLISHED = (
    # Flask's documentation shows this one; many copy it.
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
)


class SecretKeyError(Exception):
    """A key that protects nothing."""


def check_key(key: str, where: str) -> str:
    """The key itself, if it is long enough and nobody's sample. The key is never repeated in the error."""
    advice = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
    if len(key) < SHORTEST:
        raise SecretKeyError(f"{where} is too short ({len(key)} characters, at least {SHORTEST}); {advice}.")
    plain = "".join(character for character in key.lower() if character.isalnum())
    if key in _PUBLISHED or len(set(key)) < 10 or any(sample in plain for sample in _SAMPLES):
        raise SecretKeyError(f"{where} is a sample or can be guessed; {advice}.")
    return key


def file_keys(instance: Path, *, make: bool) -> list[str]:
    """The keys of instance/secret.key; the file is made if there is none and `make` is set."""
    path = instance / "secret.key"
    if not path.exists():
        if not make:
            return []
        _create(path)
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretKeyError(f"{path} cannot be read: {error}") from error
    keys = [check_key(line.strip(), str(path)) for line in lines if line.strip()]
    if not keys:
        raise SecretKeyError(
            f"{path} is empty. Put the key back from a backup; or delete the file for a new key, "
            "and enter the gateway's password again."
        )
    return keys


def _create(path: Path) -> None:
    """Write a new key so that two first starts at once end with one key, and nobody ever reads half of one.

    1. Write it to a file of our own. 2. Link it to the final name: that fails if somebody was first.
    """
    draft = path.with_name(f".secret.key.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return  # somebody else's key is there, and it is as good
    except OSError as error:
        raise SecretKeyError(f"{path} cannot be written: {error}") from error
    finally:
        draft.unlink(missing_ok=True)
