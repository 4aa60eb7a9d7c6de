"""Documents too large for memory: kept as a gzip file from the moment that this shows."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from isal import igzip

from registry.errors import Unavailable
from registry.model.indexes import IN_MEMORY

_LEVEL = 2


class Spool:
    """A body that grows: in memory while it is small, in a file of `directory` once it isn't."""

    def __init__(self, directory: Path | None) -> None:
        """Without a directory it stays in memory."""
        self._directory = directory
        self._body = io.BytesIO()
        self._file: BinaryIO | None = None
        self._packer: igzip.IGzipFile | None = None
        self.path = ""
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Append. Raises Unavailable when the disk can't take it."""
        self.size += len(piece)
        if self._packer is None and self._directory is not None and self.size > IN_MEMORY:
            self._begin(self._directory)
        try:
            if self._packer is None:
                self._body.write(piece)
            else:
                self._packer.write(piece)  # type: ignore[no-untyped-call]
        except OSError as error:
            raise _full(error) from error

    def finish(self) -> bytes:
        """The body where it is in memory; else nothing, and `path` names the file, which is the caller's."""
        if self._packer is None or self._file is None:
            return self._body.getvalue()
        try:
            self._packer.close()
            self._file.close()
        except OSError as error:
            raise _full(error) from error
        return b""

    def discard(self) -> None:
        """Throw a file away that nobody wants."""
        if self._file is not None:
            self._file.close()
        if self.path:
            with suppress(OSError):
                os.unlink(self.path)  # noqa: PTH108 - as it was made

    def _begin(self, directory: Path) -> None:
        try:
            descriptor, self.path = tempfile.mkstemp(dir=directory, prefix="document-")
            self._file = os.fdopen(descriptor, "wb")
            self._packer = igzip.IGzipFile(fileobj=self._file, mode="wb", compresslevel=_LEVEL, mtime=0)  # type: ignore[no-untyped-call]
            self._packer.write(self._body.getvalue())  # type: ignore[no-untyped-call]
        except OSError as error:
            raise _full(error) from error
        self._body = io.BytesIO()


def _full(error: OSError) -> Unavailable:
    return Unavailable(f"A large index can't be spooled ({error.strerror}); check the local disk.")
