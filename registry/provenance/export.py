"""The log as a file: one JSON object a line, rows and checkpoints, for anyone to check and to search.

    {"seq":1,"previous":"<hex>","hash":"<hex>","event":{...}}
    {"checkpoint":{"kind":"head","seq":1,"hash":"<hex>","at":"...","key":"...","signature":"<hex>"}}

What stands between `"event":` and the last brace is, byte for byte, what the row's hash is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from registry.errors import Malformed
from registry.model.checkpoints import Checkpoint, Link
from registry.provenance.chain import Break
from registry.provenance.checkpoints import VerifyingKey
from registry.provenance.verification import Walk

_EVENT = b',"event":'


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    seq: int
    previous: str
    hash: str


class _Stated(msgspec.Struct, forbid_unknown_fields=True):
    checkpoint: Checkpoint


def row_line(link: Link) -> bytes:
    """A row, without the line's end. Line breaks can only be in one that was tampered with; as blanks they
    still don't fit its hash."""
    head = msgspec.json.encode(_Head(link.seq, link.previous, link.hash))
    return head[:-1] + _EVENT + link.body.replace(b"\n", b" ").replace(b"\r", b" ") + b"}"


def checkpoint_line(checkpoint: Checkpoint) -> bytes:
    """A checkpoint, without the line's end."""
    return msgspec.json.encode(_Stated(checkpoint))


def read_line(line: bytes) -> Link | Checkpoint:
    """The inverse of both. Raises Malformed."""
    head, event, body = line.rstrip(b"\r\n").partition(_EVENT)
    try:
        if not event:
            return msgspec.json.decode(line, type=_Stated).checkpoint
        found = msgspec.json.decode(head + b"}", type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Malformed(f"This line is neither a row of the log nor a checkpoint: {line[:60]!r}.") from None
    return Link(found.seq, found.previous, found.hash, body[:-1])


def read_checkpoints(text: bytes) -> tuple[Checkpoint, ...]:
    """The checkpoints of a file, or of an export, in its order. Raises Malformed."""
    found = (read_line(line) for line in text.splitlines() if line.strip())
    return tuple(each for each in found if isinstance(each, Checkpoint))


def verify(
    lines: Iterable[bytes], key: VerifyingKey, held: Iterable[Checkpoint] = ()
) -> tuple[Walk, Break | None]:
    """Walk along an exported log: how far it is sound, and the first row that isn't.

    `held` are checkpoints that the verifier kept elsewhere; all of them have to be genuine, and to fit.
    Raises Malformed for a line that is none.
    """
    for checkpoint in held:
        if not key.genuine(checkpoint):
            return Walk(), _unsigned(checkpoint, checkpoint.seq)
    parsed = (read_line(line) for line in lines if line.strip())
    first = next(parsed, None)
    base = first if isinstance(first, Checkpoint) and first.kind == "base" else None
    if base is not None and not key.genuine(base):
        return Walk(), _unsigned(base, base.seq + 1)
    walk = Walk(held, base, age=key.age)
    rest = parsed if base is not None or first is None else _before(first, parsed)
    for part in rest:
        if isinstance(part, Link):
            found = walk.step(part)
        elif part.kind == "base" or not key.genuine(part):
            found = _unsigned(part, walk.proved + 1)
        elif part.seq != walk.rows:
            found = Break(walk.rows + 1, f"the checkpoint of row {part.seq} stands after row {walk.rows}.")
        else:
            walk.expect(part)
            found = walk.settle()
        if found is not None:
            return walk, found
    return walk, walk.end()


def _before(first: Link | Checkpoint, rest: Iterator[Link | Checkpoint]) -> Iterator[Link | Checkpoint]:
    yield first
    yield from rest


def _unsigned(checkpoint: Checkpoint, seq: int) -> Break:
    return Break(seq, f"the checkpoint of row {checkpoint.seq} ({checkpoint.at}) isn't signed by this key.")
