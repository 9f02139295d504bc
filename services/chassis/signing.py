"""Keys derived from the one secret: signed and sealed texts, and opaque bearer tokens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
# 128 bits cannot be guessed online or offline, and keep a QR code small.
SIGNATURE_BYTES = 16
NONCE_BYTES = 12
# 256 bits of chance: a token is its own proof, so its digest needs no slow hash.
TOKEN_BYTES = 32


def derive_key(secret: str, purpose: str) -> bytes:
    """A key for one purpose; knowing it tells nothing of the secret or of other purposes' keys."""
    return HKDF(
        algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"meche/{purpose}".encode()
    ).derive(secret.encode())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    """The bytes of a url-safe text, or None when it is not the one spelling of any bytes."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    # Stray low bits would let several texts stand for one token.
    return raw if _encode(raw) == text else None


class Signer:
    """Signs short texts that others may read but not make (HMAC-SHA256, first 128 bits)."""

    def __init__(self, secret: str, purpose: str) -> None:
        self._key = derive_key(secret, f"sign/{purpose}")

    def _signature(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, hashlib.sha256)[:SIGNATURE_BYTES]

    def sign(self, payload: bytes) -> str:
        """The payload with its signature, as a url-safe text."""
        return _encode(self._signature(payload) + payload)

    def verify(self, token: str) -> bytes | None:
        """The payload when we signed it for this purpose, else None; in constant time."""
        raw = _decode(token)
        if raw is None or len(raw) < SIGNATURE_BYTES:
            return None
        signature, payload = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        return payload if hmac.compare_digest(signature, self._signature(payload)) else None


class Unsealable(Exception):
    """The bytes were not sealed by us for this purpose, or were changed since."""


class Sealer:
    """Encrypts what may be stored but not read from the store (AES-256-GCM)."""

    def __init__(self, secret: str, purpose: str) -> None:
        self._cipher = AESGCM(derive_key(secret, f"seal/{purpose}"))

    def seal(self, plain: bytes) -> bytes:
        """Encrypt; the same bytes give another result each time."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, None)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt; raises `Unsealable` for anything that `seal` did not make."""
        if len(sealed) <= NONCE_BYTES:
            raise Unsealable
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
        except InvalidTag:
            raise Unsealable from None


def new_token(prefix: str) -> str:
    """A fresh opaque bearer token whose prefix says what it opens."""
    return f"{prefix}_{secrets.token_urlsafe(TOKEN_BYTES)}"


def token_digest(token: str) -> bytes:
    """What is stored of a token: enough to recognise it, too little to use it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
