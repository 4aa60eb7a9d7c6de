"""Rendered indexes on local disk, so that a restart renders nothing again. All of it may be deleted any time.

    <directory>/<recipe>/ab/<project>-<key>            16 bytes of BLAKE2b over the rest; the SHA-256 of
                                                       the body, zeros where there is none; the entry
    <directory>/<recipe>/ab/<project>-<sha256>.body    a large body, which is sent from here

Names are hex. `recipe` names all that an entry depends on beside its key: the program and its settings.
Nothing is fsynced or renamed: an entry that is half written, or torn by a crash, fails its check and is
rendered again. A directory for each project would take longer to make than the files in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import threading
from pathlib import Path

from registry.errors import Unavailable
from registry.storage.durable import digest_of, read_whole
from registry.storage.pool import Pool

_Key = tuple[str, ...]
_CHECK = 16
_NO_BODY = bytes(32)
_ENTRY = _CHECK + len(_NO_BODY)
"""Where the entry begins in its file."""
_PATIENCE = 5.0
_SPARED = 0.8
"""How much of its bound is left of a shelf that has grown over it."""

_LOG = logging.getLogger(__name__)


class ShelfFiles:
    """Bytes by key; every key begins with (ecosystem, project). Used from one event loop."""

    def __init__(self, directory: Path, recipe: str, max_bytes: int) -> None:
        """What other recipes left in `directory` is removed, behind the caller's back."""
        self._root = directory / hashlib.sha256(recipe.encode()).hexdigest()[:32]
        self._max = max_bytes
        self._bytes = 0
        self._waiting: dict[Path, tuple[bytes, str]] = {}
        """Entries that are still to be written, and where their bodies are."""
        self._lock = threading.Lock()
        self._pool = Pool("the shelf", 1)
        self._pool.post(lambda: self._tidy(directory))

    def get(self, key: _Key) -> tuple[bytes, str] | None:
        """What was put under the key, if it is written and whole, and the path of its body."""
        try:
            data = read_whole(self._path(key))
            if _check(data[_CHECK:]) != data[:_CHECK]:
                return None
            digest, entry = data[_CHECK:_ENTRY], data[_ENTRY:]
            if digest == _NO_BODY:
                return entry, ""
            body = self._body(key[:2], digest)
            return (entry, str(body)) if digest_of(body, "sha256") == digest.hex() else None
        except OSError:
            return None

    def put(self, key: _Key, entry: bytes, body: str = "") -> None:
        """Keep it, soon, and that file as its body; a failure is nobody's concern."""
        path = self._path(key)
        with self._lock:
            self._waiting[path] = (entry, body)
        self._pool.post(lambda: self._write(key[:2], path))

    def drop(self, project: _Key) -> None:
        """Forget all entries of (ecosystem, project), at once."""
        folder, start = self._place(project)
        with self._lock:
            for path in [path for path in self._waiting if path.name.startswith(start)]:
                del self._waiting[path]
            with contextlib.suppress(OSError):
                for path in folder.glob(f"{start}*"):
                    path.unlink()

    async def settle(self) -> None:
        """Wait until what was put is written. Raises Unavailable when the disk hangs."""
        await self._pool.run(lambda: None, _PATIENCE)

    async def close(self) -> None:
        """Write what waits, then end the thread."""
        with contextlib.suppress(Unavailable):
            await self.settle()
        self._pool.close()

    def _place(self, project: _Key) -> tuple[Path, str]:
        """Where the entries of (ecosystem, project) lie, and what their names begin with."""
        name = _hex(project)
        return self._root / name[:2], f"{name}-"

    def _path(self, key: _Key) -> Path:
        folder, start = self._place(key[:2])
        return folder / (start + _hex(key))

    def _body(self, project: _Key, digest: bytes) -> Path:
        folder, start = self._place(project)
        return folder / f"{start}{digest.hex()}.body"

    def _write(self, project: _Key, path: Path) -> None:
        with self._lock:
            waiting = self._waiting.get(path)
        if waiting is None:
            return
        entry, body = waiting
        try:
            digest = bytes.fromhex(digest_of(Path(body), "sha256")) if body else _NO_BODY
            with self._lock:
                if self._waiting.get(path) is not waiting:  # forgotten meanwhile, or put anew
                    return
                _write(path, _check(digest + entry) + digest + entry)
                if body:
                    self._bytes += _link(Path(body), self._body(project, digest))
        except OSError as error:
            _LOG.debug("the shelf on disk kept nothing: %s", error)
            return
        finally:
            with self._lock:
                if self._waiting.get(path) is waiting:
                    del self._waiting[path]
        self._bytes += _ENTRY + len(entry)
        if self._bytes > self._max:
            self._shrink()

    def _tidy(self, directory: Path) -> None:
        with contextlib.suppress(OSError):
            for other in directory.iterdir():
                if other != self._root:
                    shutil.rmtree(other, ignore_errors=True)
        self._shrink()

    def _shrink(self) -> None:
        """Count what is here, and remove the entries written longest ago where it is too much."""
        found = sorted(_files(self._root))
        self._bytes = sum(size for _, size, _ in found)
        for _, size, path in found if self._bytes > self._max else ():
            if self._bytes <= self._max * _SPARED:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            self._bytes -= size


def _hex(key: _Key) -> str:
    return hashlib.sha256("\n".join(key).encode()).hexdigest()[:32]


def _write(path: Path, data: bytes) -> None:
    """Write a file, in a directory that is made where it is missing."""
    try:
        path.write_bytes(data)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)


def _link(body: Path, target: Path) -> int:
    """Give a file this name; gives its size."""
    target.unlink(missing_ok=True)  # it has these bytes, or is damaged
    target.hardlink_to(body)
    return target.stat().st_size


def _check(entry: bytes) -> bytes:
    return hashlib.blake2b(entry, digest_size=_CHECK).digest()


def _files(root: Path) -> list[tuple[float, int, Path]]:
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
    return found
