"""Wheels as large as a test wants them."""

from __future__ import annotations

import io
import secrets
import zipfile

from tests.upstream import Distribution, make_wheel


def large_wheel(name: str, version: str, size: int) -> Distribution:
    """A wheel with a file of so many bytes that don't compress."""
    small = make_wheel(name, version)
    data = io.BytesIO(small.data)
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr(f"{name.replace('-', '_')}/noise.bin", secrets.token_bytes(size))
    return Distribution(name, version, small.filename, data.getvalue())
