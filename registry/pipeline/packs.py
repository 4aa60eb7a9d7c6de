"""A rendered body as it lies on the shelf: gzipped, with its ETag, and in a file where it is large."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import msgspec
from isal import igzip

from registry.model.indexes import Rendition
from registry.pipeline.large import GZIP_LEVEL, etag_of

FILED = 64 * 1024
"""Bytes of a gzipped body above which it lies in a file."""


def pack(
    body: bytes,
    content_type: str,
    revision: str,
    headers: tuple[tuple[str, str], ...] = (),
    scratch: str = "",
) -> Rendition:
    """Compress a body and give it its strong ETag, which differs by bytes, form and policy revision. Where
    there is a directory for it, a large one is put into a file there, which whoever gets it removes: the
    kernel sends it, and our memory is spared."""
    gzipped = igzip.compress(body, GZIP_LEVEL, mtime=0)
    rendition = Rendition(
        content_type=content_type,
        etag=etag_of(hashlib.sha256(body).digest(), content_type, revision),
        gzipped=gzipped,
        size=len(body),
        headers=headers,
    )
    if not scratch or len(gzipped) <= FILED:
        return rendition
    descriptor, path = tempfile.mkstemp(dir=scratch, prefix="rendition-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(gzipped)
    return msgspec.structs.replace(rendition, gzipped=b"", path=path, packed=len(gzipped))


def unpack(rendition: Rendition) -> bytes:
    """The body as it was before gzip. Raises OSError where its file is gone."""
    gzipped = Path(rendition.path).read_bytes() if rendition.path else rendition.gzipped
    body: bytes = igzip.decompress(gzipped)  # type: ignore[no-untyped-call]
    return body
