r"""Signed checkpoints: what makes the log's chain provable to whoever holds one of them and the public key.

    signed   "registry log " + kind + " 1\n" + seq + "\n" + hash + "\n" + at + "\n", in ASCII, by Ed25519

The chain alone can be forged as a whole by whoever may write the database. A checkpoint that left the machine
can't: every row up to it hangs on its hash. `docs/audit.md` has the format for those who check without us.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from registry.errors import Malformed
from registry.model.checkpoints import Checkpoint

_NO_KEY = "That is no Ed25519 public key in PEM; `registry audit key` prints the right one."
_PRIVATE = re.compile("-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?", re.ASCII)
_PUBLIC = re.compile("-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----\n?", re.ASCII)


def new_key() -> str:
    """A fresh private key, as PEM."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class VerifyingKey:
    """Tells genuine checkpoints from others: the log's key, after those that it has replaced."""

    def __init__(self, pem: str) -> None:
        """`pem` has one key or more, the oldest first. Raises Malformed for anything but Ed25519 keys."""
        keys = [_public(block) for block in _PUBLIC.findall(pem)]
        if not keys:
            raise Malformed(_NO_KEY)
        self._keys = {_fingerprint(key): key for key in keys}
        self.pem = "".join(map(_pem, self._keys.values()))
        self.fingerprint = list(self._keys)[-1]
        """Of the newest."""

    def signed(self, signature: str, message: bytes) -> bool:
        """Whether the owner of the keys signed the message, with any of them."""
        return any(_fits(key, signature, message) for key in self._keys.values())

    def genuine(self, checkpoint: Checkpoint) -> bool:
        """Whether the checkpoint was made with the key that it names, for this very statement."""
        c, key = checkpoint, self._keys.get(checkpoint.key)
        return key is not None and _fits(key, c.signature, statement(c.kind, c.seq, c.hash, c.at))

    def age(self, checkpoint: Checkpoint) -> int:
        """How many keys came before the one that made a genuine checkpoint; along a log it never falls."""
        return list(self._keys).index(checkpoint.key)


class LogKey:
    """Makes checkpoints."""

    def __init__(self, pem: str) -> None:
        """`pem` has the private key, and after it the public ones that it has replaced, the oldest first.

        Raises Malformed for anything but Ed25519 keys."""
        private, former = _PRIVATE.search(pem), "".join(_PUBLIC.findall(pem))
        try:
            key = serialization.load_pem_private_key(private[0].encode(), None) if private else None
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise Malformed("The log's key is no Ed25519 key in PEM; bring keys/log-key back from a backup.")
        self._key = key
        self.public = VerifyingKey(former + _pem(key.public_key()))

    def replaced(self) -> str:
        """A fresh key that remembers this one, as PEM: what the next LogKey is made of."""
        return new_key() + self.public.pem

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


def _public(pem: str) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise Malformed(_NO_KEY)
    return key


def _pem(key: Ed25519PublicKey) -> str:
    encoding = serialization.Encoding.PEM
    return key.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _fingerprint(key: Ed25519PublicKey) -> str:
    described = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(described).hexdigest()[:16]


def _fits(key: Ed25519PublicKey, signature: str, message: bytes) -> bool:
    try:
        key.verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def statement(kind: str, seq: int, row_hash: str, at: str) -> bytes:
    """The bytes that a checkpoint's signature is over."""
    return f"registry log {kind} 1\n{seq}\n{row_hash}\n{at}\n".encode("ascii", "replace")
