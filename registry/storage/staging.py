"""A blob on its way in: spooled, hashed while it arrives, and nobody's until it is committed.

Of a small one nothing is on disk before that: one thread makes the file, writes, syncs and names it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Awaitable, Callable, Sequence

from registry.errors import IntegrityFailed, Unavailable
from registry.model.artifacts import STRENGTH, Digest
from registry.storage.durable import digest_of, make_file, seal, temp_path, write_all
from registry.storage.volume import Volume

_BUFFER = 256 << 10
"""Bytes that are collected before a thread writes and hashes them: a hop costs more than a small chunk."""
_LINGER = 0.25
"""Seconds after which less is written too, so that who reads along sees a slow download move."""

Committed = Callable[[str, os.stat_result], None]
Failed = Callable[[Unavailable], Awaitable[None]]


class FileStaging:
    """A temp file on the volume. Its calls are awaited one after the other; `discard` may come any time."""

    def __init__(self, volume: Volume, committed: Committed, failed: Failed, size_hint: int = 0) -> None:
        """`committed` is told sha256 and stat of the blob once it is in place, `failed` why it never will be
        where the volume is to blame; `size_hint` bytes must be free."""
        self.path = temp_path(volume.temp)
        self.size = 0
        """Bytes that are in the file, and so readable at `path`; up to 256 KiB more may be on their way."""
        self.digests: tuple[Digest, ...] = ()
        """sha512 and sha256 as computed, once committed."""
        self._volume = volume
        self._committed = committed
        self._failed = failed
        self._size_hint = size_hint
        self._begun = False
        """Whether a thread was ever sent to the file."""
        self._descriptor: int | None = None
        self._abandoned = False
        self._descriptor_lock = threading.Lock()
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._written_at = time.monotonic()
        self._sha256 = hashlib.sha256()
        self._sha512 = hashlib.sha512()

    async def write(self, chunk: bytes) -> None:
        """Append. Raises Unavailable when the volume is full or broken."""
        self._pending.append(chunk)
        self._pending_size += len(chunk)
        if self._pending_size >= _BUFFER or time.monotonic() - self._written_at >= _LINGER:
            data = self._taken()
            self._begun = True
            try:
                await self._volume.run(lambda: self._append(data), work=len(data))
            except Unavailable as error:
                await self._failed(error)
                raise
            self.size += len(data)
            self._written_at = time.monotonic()

    async def commit(self, expected: Sequence[Digest], size: int | None = None) -> str:
        """Check every expected digest (and size), make durable and visible; gives the sha256 (hex).

        Raises IntegrityFailed and Unavailable; then nothing was kept.
        """
        rest = self._taken()
        work = self.size + len(rest)
        self._begun = True
        try:
            sha256, status = await self._volume.run(lambda: self._finish(rest, expected, size), work=work)
        except BaseException as error:
            await self.discard()
            if isinstance(error, Unavailable):
                await self._failed(error)
            raise
        self._committed(sha256, status)
        return sha256

    async def discard(self) -> None:
        """Throw it away; safe to call at any time, also after commit (then without effect)."""
        self._pending.clear()
        if not self._begun:
            self._abandoned = True
        elif not self._abandoned and not self.digests:
            try:
                await self._volume.run(self.abandon)
            except Unavailable:  # it hangs: the descriptor is closed when it is back
                self._volume.later(self.abandon)

    def abandon(self) -> None:
        """Blocks. Close and remove the temp file; one that wasn't made yet never will be."""
        with self._descriptor_lock:
            self._abandoned = True
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
                with contextlib.suppress(OSError):
                    self.path.unlink()

    def _taken(self) -> bytes:
        data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending.clear()
        self._pending_size = 0
        return data

    def _append(self, data: bytes) -> None:
        # The lock keeps `abandon` from closing a descriptor whose number another file would get meanwhile.
        with self._descriptor_lock:
            if self._abandoned:
                raise Unavailable("The download was given up meanwhile; try again.")
            if self._descriptor is None:
                self._volume.require_identity()
                self._volume.require_space(self._size_hint)
                self._descriptor = make_file(self.path)
            write_all(self._descriptor, data)
        self._sha256.update(data)
        self._sha512.update(data)

    def _finish(
        self, rest: bytes, expected: Sequence[Digest], size: int | None
    ) -> tuple[str, os.stat_result]:
        self._append(rest)
        length = self.size + len(rest)
        if size is not None and length != size:
            raise IntegrityFailed(
                f"{length} bytes arrived where {size} were announced; nothing was kept, try again later."
            )
        sha256 = self._sha256.hexdigest()
        computed = {"sha256": sha256, "sha512": self._sha512.hexdigest()}
        for digest in expected:
            if digest.algorithm not in STRENGTH:
                raise IntegrityFailed(
                    f"The announced digest {digest} is of a kind that can't be checked; nothing was kept."
                )
            actual = computed.get(digest.algorithm) or digest_of(self.path, digest.algorithm)
            if actual != digest.hex:
                raise IntegrityFailed(
                    f"The bytes that arrived are {digest.algorithm}:{actual}, announced were {digest};"
                    " nothing was kept, try again later or report it to whoever runs the registry."
                )
        with self._descriptor_lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is None:
                raise Unavailable("The download was given up meanwhile; try again.")
            try:
                seal(descriptor)
                target = self._volume.blob(sha256)
                status = self._volume.settle(self.path, target)
            except (OSError, Unavailable):
                with contextlib.suppress(OSError):
                    self.path.unlink()
                raise
        self.path = target
        self.size = length
        self.digests = (Digest("sha512", computed["sha512"]), Digest("sha256", sha256))
        return sha256, status
