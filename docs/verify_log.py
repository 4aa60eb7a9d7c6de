"""Check a log that `registry audit export` wrote, without any of the registry's own code.

    python verify_log.py EXPORT.jsonl KEY.pem [CHECKPOINT.json]

Needs Python 3.9 and `cryptography`. CHECKPOINT.json is one that `registry audit checkpoint` printed at some
time and that was kept elsewhere since: up to its row nothing was changed, taken out, put in or moved. The
format is in audit.md. Exit status 1 when something is wrong.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

DESCRIBED = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def read_keys(text: bytes) -> dict[str, Ed25519PublicKey]:
    """The log's keys by their names, the oldest first."""
    blocks = [block + b"-----END PUBLIC KEY-----" for block in text.split(b"-----END PUBLIC KEY-----")[:-1]]
    keys = [load_pem_public_key(block) for block in blocks]
    return {hashlib.sha256(key.public_bytes(*DESCRIBED)).hexdigest()[:16]: key for key in keys}


def require_signature(keys: dict[str, Ed25519PublicKey], point: dict) -> int:
    """A checkpoint's signature, checked; which of the keys made it. Raises ValueError."""
    text = "registry log {kind} 1\n{seq}\n{hash}\n{at}\n".format(**point)
    try:
        keys[point["key"]].verify(bytes.fromhex(point["signature"]), text.encode("ascii"))
    except (InvalidSignature, KeyError):
        raise ValueError(f"the checkpoint of row {point['seq']} has a wrong signature") from None
    return list(keys).index(point["key"])


def check(lines: list[bytes], keys: dict[str, Ed25519PublicKey], held: list[dict]) -> tuple[int, str]:
    """Number and hash of the last row, where all is well. Raises ValueError that says which row isn't."""
    for point in held:
        require_signature(keys, point)
    newest_key = 0
    seq, last, expected = 0, "0" * 64, {point["seq"]: point["hash"] for point in held}
    for number, line in enumerate(lines):
        head, is_row, event = line.partition(b',"event":')
        found = json.loads(head + b"}" if is_row else head)
        if is_row:
            digest = hashlib.sha256(last.encode() + b"\n" + event[:-1]).hexdigest()
            if (found["seq"], found["previous"], found["hash"]) != (seq + 1, last, digest):
                raise ValueError(f"row {seq + 1} is missing, moved or changed")
            seq, last = found["seq"], digest
            if expected.pop(seq, last) != last:
                raise ValueError(f"row {seq}, or one before it, was written anew since the checkpoint")
            continue
        point = found["checkpoint"]
        made_by = require_signature(keys, point)
        if point["kind"] == "base" and number == 0:  # what was before it was taken out on purpose
            seq, last = point["seq"], point["hash"]
        elif point["kind"] != "head" or (point["seq"], point["hash"]) != (seq, last):
            raise ValueError(f"row {seq} doesn't fit its checkpoint")
        elif made_by < newest_key:
            raise ValueError(f"the checkpoint of row {seq} is signed by a key that had been replaced before")
        else:
            newest_key = made_by
    if any(row > seq for row in expected):
        raise ValueError(f"row {seq + 1} is missing: the end was cut off")
    return seq, last


if __name__ == "__main__":
    export, pem, *points = (Path(argument).read_bytes() for argument in sys.argv[1:])
    try:
        checkpoints = [json.loads(point)["checkpoint"] for point in points]
        row, row_hash = check(export.removesuffix(b"\n").split(b"\n"), read_keys(pem), checkpoints)
    except ValueError as wrong:
        sys.exit(f"WRONG: {wrong}")
    sys.stdout.write(f"whole up to row {row}, {row_hash}\n")
