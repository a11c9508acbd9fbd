"""The secrets a database alone must not give away: one master key outside it, everything else derived from it.

The key is `GREENROOM_SECRET_KEY`, else the file `secret.key` in the data folder (made on first start, mode 0600).
Derivation is HKDF-SHA256 (RFC 5869), encryption is Fernet (AES-128-CBC with HMAC-SHA256).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import Invalid

MIN_LENGTH = 32


class Vault:
    """Encrypts what must be read back, hashes what need only be recognised."""

    def __init__(self, master: str) -> None:
        if len(master) < MIN_LENGTH:
            raise Invalid(
                f"The secret key is shorter than {MIN_LENGTH} characters.",
                hint="Set GREENROOM_SECRET_KEY to a long random text, or remove it to have one made.",
            )
        self._master = master.encode()
        self._fernet = Fernet(base64.urlsafe_b64encode(self.derive("fernet")))
        self._pepper = self.derive("api-keys")

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose; knowing them tells nothing of the master or of other purposes."""
        hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"greenroom:{purpose}".encode())
        return hkdf.derive(self._master)

    def encrypt(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def decrypt(self, cipher: bytes) -> str:
        """The text again. Raises: Invalid when the secret key is not the one it was encrypted under."""
        try:
            return self._fernet.decrypt(cipher).decode()
        except InvalidToken:
            raise Invalid(
                "A stored key cannot be read with this installation's secret key.",
                code="wrong_secret_key",
                hint="Restore secret.key (or GREENROOM_SECRET_KEY), or enter the backend's key again.",
            ) from None

    def digest(self, text: str) -> bytes:
        """HMAC-SHA256 of an API key: recognises it, cannot be turned back or guessed without the master key."""
        return hmac.digest(self._pepper, text.encode(), hashlib.sha256)


def open_vault(data_dir: Path, secret_key: str = "") -> Vault:
    """The vault of this installation; makes the key file on first use."""
    if secret_key:
        return Vault(secret_key)
    file = data_dir / "secret.key"
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return Vault(file.read_text(encoding="utf-8").strip())
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(secrets.token_urlsafe(48))
    return Vault(file.read_text(encoding="utf-8").strip())
