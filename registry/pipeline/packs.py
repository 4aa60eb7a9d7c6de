"""A rendered body as it lies on the shelf: gzipped, with its ETag."""

from __future__ import annotations

import hashlib

from isal import igzip

from registry.model.indexes import Rendition
from registry.pipeline.large import GZIP_LEVEL, etag_of


def pack(
    body: bytes, content_type: str, revision: str, headers: tuple[tuple[str, str], ...] = ()
) -> Rendition:
    """Compress a body and give it its strong ETag, which differs by bytes, form and policy revision."""
    return Rendition(
        content_type=content_type,
        etag=etag_of(hashlib.sha256(body).digest(), content_type, revision),
        gzipped=igzip.compress(body, GZIP_LEVEL, mtime=0),
        size=len(body),
        headers=headers,
    )


def unpack(rendition: Rendition) -> bytes:
    """The body as it was before gzip."""
    body: bytes = igzip.decompress(rendition.gzipped)  # type: ignore[no-untyped-call]
    return body
