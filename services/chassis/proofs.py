"""What shows that an address is a member's: made by whoever wrote to it, judged by enrollment."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.chassis.signing import Signer, derive_key

PURPOSE: Final = "address-proof"
_ID_BYTES: Final = 16
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Whose address it is, and its keyed digest: neither phone nor e-mail can be read from it."""

    chain_id: UUID
    member_id: UUID
    digest: bytes


class AddressProofs:
    """Makes and reads proofs of addresses: short signed texts that fit into a link."""

    def __init__(self, secret: str) -> None:
        self._signer = Signer(secret, PURPOSE)
        self._key = derive_key(secret, f"digest/{PURPOSE}")

    def make(self, *, chain_id: UUID, member_id: UUID, address: str) -> str:
        """A proof that this address is the member's; to be shown to nobody but that address."""
        return self._signer.sign(chain_id.bytes + member_id.bytes + self._digest(address))

    def read(self, text: str) -> Proof | None:
        """What a proof says; None for what we did not make."""
        payload = self._signer.verify(text)
        if payload is None or len(payload) != 2 * _ID_BYTES + _DIGEST_BYTES:
            return None
        return Proof(
            chain_id=UUID(bytes=payload[:_ID_BYTES]),
            member_id=UUID(bytes=payload[_ID_BYTES : 2 * _ID_BYTES]),
            digest=payload[2 * _ID_BYTES :],
        )

    def is_of(self, proof: Proof, address: str) -> bool:
        """Whether a proof is about this address."""
        return bool(address) and hmac.compare_digest(proof.digest, self._digest(address))

    def _digest(self, address: str) -> bytes:
        plain = address.strip().casefold().encode()
        return hmac.digest(self._key, plain, hashlib.sha256)[:_DIGEST_BYTES]
