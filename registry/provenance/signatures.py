"""Registry signatures as npm checks them: ECDSA P-256 over `name@version:integrity`, keys by their id.

Pure: bytes and keys in, verdicts out. Whose keys count is the line's business.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from registry.model.artifacts import Digest, Signature

KEYTYPE = "ecdsa-sha2-nistp256"

Verdict = Literal["verified", "bad", "expired", "unsigned", "unknown key", "unknown"]
"""`unknown`: there are no keys to check by; `expired`: its key was no longer in use when it was published."""

_ALGORITHM = ec.ECDSA(hashes.SHA256())


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of npm's key list, as it stands there."""

    keyid: str
    key: str
    """SubjectPublicKeyInfo (DER) in base64."""
    keytype: str = KEYTYPE
    scheme: str = KEYTYPE
    expires: str | None = None


class _Keys(msgspec.Struct):
    keys: list[msgspec.Raw] = []


def message(name: str, version: str, integrity: Digest) -> bytes:
    """What a signature is over; `integrity` as it stands in the packument."""
    encoded = base64.b64encode(bytes.fromhex(integrity.hex)).decode()
    return f"{name}@{version}:{integrity.algorithm}-{encoded}".encode()


def read_keys(document: bytes) -> tuple[Key, ...]:
    """The keys of a key list that we can check by; the others are passed over. Raises ValueError for a
    document that isn't a key list."""
    try:
        raw = msgspec.json.decode(document, type=_Keys).keys
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise ValueError("not a key list") from None
    return tuple(key for each in raw if (key := _key(each)) is not None)


def listed(document: bytes | None, own: Key) -> bytes:
    """A key list as its registry sent it, with our own key at its end. Raises ValueError like `read_keys`."""
    if document is None:
        return msgspec.json.encode({"keys": [own]})
    try:
        fields = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
        keys = msgspec.json.decode(fields.get("keys", msgspec.Raw(b"[]")), type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise ValueError("not a key list") from None
    return msgspec.json.encode(fields | {"keys": [*keys, own]})


def judge(
    signed: bytes, signatures: Sequence[Signature], keys: Mapping[str, Key], published: datetime | None
) -> Verdict:
    """What the signatures are worth. One that a known key made and that doesn't fit makes all of it `bad`."""
    if not keys:
        return "unknown"
    if not signatures:
        return "unsigned"
    found: Verdict = "unknown key"
    for signature in signatures:
        key = keys.get(signature.keyid)
        if key is None:
            continue
        if not _fits(signed, signature, key):
            return "bad"
        ended = _moment(key.expires)
        late = ended is not None and (published is None or published >= ended)
        found = "verified" if found == "verified" or not late else "expired"
    return found


class RegistryKey:
    """A private key, and what it says of itself."""

    def __init__(self, pem: str) -> None:
        """Raises ValueError for anything but a P-256 private key."""
        loaded = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey) or not isinstance(loaded.curve, ec.SECP256R1):
            raise ValueError("The signing key is no P-256 key; move it away, and another one is made.")
        self._private = loaded
        public = loaded.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        keyid = f"SHA256:{base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip('=')}"
        self.public = Key(keyid=keyid, key=base64.b64encode(public).decode())

    @staticmethod
    def make() -> str:
        """A new key, as PEM."""
        return (
            ec.generate_private_key(ec.SECP256R1())
            .private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            .decode()
        )

    def sign(self, signed: bytes) -> Signature:
        """A signature; the same for the same bytes, so that what it stands in keeps its ETag (RFC 6979)."""
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        return Signature(self.public.keyid, base64.b64encode(self._private.sign(signed, algorithm)).decode())


def _key(raw: msgspec.Raw) -> Key | None:
    try:
        key = msgspec.json.decode(raw, type=Key)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return key if key.scheme == KEYTYPE and _public(key) is not None else None


def _public(key: Key) -> ec.EllipticCurvePublicKey | None:
    try:
        loaded = serialization.load_der_public_key(base64.b64decode(key.key))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return None
    fits = isinstance(loaded, ec.EllipticCurvePublicKey) and isinstance(loaded.curve, ec.SECP256R1)
    return loaded if isinstance(loaded, ec.EllipticCurvePublicKey) and fits else None


def _fits(signed: bytes, signature: Signature, key: Key) -> bool:
    public = _public(key)
    if public is None:
        return False
    try:
        public.verify(base64.b64decode(signature.sig, validate=True), signed, _ALGORITHM)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
