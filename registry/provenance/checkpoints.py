r"""Signed checkpoints: what makes the log's chain provable to whoever holds one of them and the public key.

    signed   "registry log " + kind + " 1\n" + seq + "\n" + hash + "\n" + at + "\n", in ASCII, by Ed25519

The chain alone can be forged as a whole by whoever may write the database. A checkpoint that left the machine
can't: every row up to it hangs on its hash. `docs/audit.md` has the format for those who check without us.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from registry.errors import Malformed
from registry.model.checkpoints import Checkpoint


def new_key() -> str:
    """A fresh private key, as PEM."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class VerifyingKey:
    """Tells genuine checkpoints from others."""

    def __init__(self, pem: str) -> None:
        """Raises Malformed for anything but an Ed25519 public key in PEM."""
        try:
            key = serialization.load_pem_public_key(pem.encode())
        except (ValueError, UnicodeEncodeError):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise Malformed(
                "That is no Ed25519 public key in PEM; `registry audit key` prints the right one."
            )
        self._key = key
        self.pem = pem
        described = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.fingerprint = hashlib.sha256(described).hexdigest()[:16]

    def signed(self, signature: str, message: bytes) -> bool:
        """Whether the key's owner signed the message."""
        try:
            self._key.verify(bytes.fromhex(signature), message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def genuine(self, checkpoint: Checkpoint) -> bool:
        """Whether the checkpoint was made with this key, for this very statement."""
        c = checkpoint
        return self.signed(c.signature, statement(c.kind, c.seq, c.hash, c.at))


class LogKey:
    """Makes checkpoints."""

    def __init__(self, pem: str) -> None:
        """Raises Malformed for anything but an Ed25519 private key in PEM."""
        try:
            key = serialization.load_pem_private_key(pem.encode(), None)
        except (ValueError, TypeError, UnicodeEncodeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise Malformed("The log's key is no Ed25519 key in PEM; bring keys/log-key back from a backup.")
        self._key = key
        self.public = VerifyingKey(
            key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    def sign(self, message: bytes) -> str:
        """A signature, in hex."""
        return self._key.sign(message).hex()

    def checkpoint(
        self, seq: int, row_hash: str, now: datetime, kind: Literal["head", "base"] = "head"
    ) -> Checkpoint:
        """The statement about one row, signed."""
        at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return Checkpoint(
            kind=kind,
            seq=seq,
            hash=row_hash,
            at=at,
            key=self.public.fingerprint,
            signature=self.sign(statement(kind, seq, row_hash, at)),
        )


def statement(kind: str, seq: int, row_hash: str, at: str) -> bytes:
    """The bytes that a checkpoint's signature is over."""
    return f"registry log {kind} 1\n{seq}\n{row_hash}\n{at}\n".encode("ascii", "replace")
