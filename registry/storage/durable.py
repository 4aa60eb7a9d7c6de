"""How bytes become durable: the system calls, in order, and what their failures mean to a person.

    openat   tmp/<random>  O_WRONLY O_CREAT O_EXCL O_NOFOLLOW      make_file
    write    until all is written                                 write_all
    fsync    the file; an error is final, it is never tried again  seal
    close    its errors count too (NFS reports a full disk here)
    openat   <directory>  O_DIRECTORY O_NOFOLLOW                   move_into
             only when missing: mkdir, fsync its parent, openat again
    renameat tmp/<random> -> <directory>/<name>
    fsync    the directory

Temp and final place are on one volume, so the rename is atomic. After `move_into` returned, a power cut
leaves the whole file under its name; before that, nothing under its name. Everything here blocks.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from registry.errors import Unavailable

_LOG = logging.getLogger(__name__)
_READ_SIZE = 1 << 20
_READ_SIZE_LEAST = 1 << 12

_REASONS = {
    errno.ENOSPC: "is full; free some space on it or give it a larger disk",
    errno.EDQUOT: "has used up its quota; raise the quota or free some space",
    errno.EROFS: "is mounted read-only; mount it writable again",
    errno.EIO: "reported an I/O error; look at the disk or NAS behind it",
    errno.ESTALE: "no longer knows a file that was open (ESTALE); mount it again",
    errno.ENOENT: "lacks a directory that should be there; is it mounted?",
    errno.ENOTDIR: "has a file where a directory should be; move that file away",
    errno.ELOOP: "has a symbolic link where a file or directory should be; remove the link",
    errno.EMFILE: "can't be used, this process has too many open files; raise its limit (ulimit -n)",
    errno.ETIMEDOUT: "did not answer in time; look at the network and the NAS",
}
_SLOW_TO_HEAL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


def explain(error: OSError, place: str, root: Path | None = None) -> Unavailable:
    """The failure of a system call on `place` ('the LAN volume') as a sentence that says what to do; where in
    it, is told from `root` on."""
    code = error.errno or 0
    if code in {errno.EACCES, errno.EPERM}:
        reason = f"does not let user id {os.geteuid()} {_act(root, error.filename)}"
    else:
        reason = _REASONS.get(code, f"failed with '{os.strerror(code)}'; look at the disk or NAS behind it")
    sentence = f"{place[:1].upper()}{place[1:]} {reason}."
    return Unavailable(sentence, retry_after=60 if code in _SLOW_TO_HEAL else 10)


def _act(root: Path | None, path: object) -> str:
    """What isn't allowed below `root`, and what to do: about a directory that is closed, else the file."""
    if root is not None and isinstance(path, str | Path):
        top = next((top for top in (root, root.resolve()) if Path(path).is_relative_to(top)), None)
        if top is not None:
            place = top
            for part in Path(path).relative_to(top).parts:
                if not os.access(place, os.X_OK):
                    break
                place /= part
            where = "its top directory" if place == top else f"'{place.relative_to(top).as_posix()}'"
            return f"use {where}; correct the owner or the permissions of that"
    return "do that; correct its owner or permissions"


def temp_path(directory: Path) -> Path:
    """A random name for a file that isn't made yet."""
    return directory / secrets.token_hex(16)


def make_file(path: Path) -> int:
    """Make an empty file where there is none: a descriptor for writing."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o644)


def temp_file(directory: Path) -> tuple[int, Path]:
    """A new empty file with a random name: descriptor (for writing) and path."""
    path = temp_path(directory)
    return make_file(path), path


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte; a short write is continued."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def seal(descriptor: int) -> None:
    """Fsync and close, closing also when fsync fails."""
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def move_into(path: Path, directory: Path, name: str) -> os.stat_result:
    """Give a sealed temp file its final name, durably; gives its stat back.

    `directory` is made when it is missing, its parent is not: a volume that is not mounted stays empty.
    """
    try:
        descriptor = _open_directory(directory)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):  # another thread was first: synced by both
            directory.mkdir(mode=0o755)
        sync_directory(directory.parent)
        descriptor = _open_directory(directory)
    try:
        os.rename(path, name, dst_dir_fd=descriptor)
        _sync(descriptor)
        return os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Make the directory's entries durable."""
    descriptor = _open_directory(directory)
    try:
        _sync(descriptor)
    finally:
        os.close(descriptor)


def _open_directory(directory: Path) -> int:
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def read_whole(path: Path) -> bytes:
    """A file's bytes, never through a symbolic link."""
    descriptor = open_nofollow(path)  # a file object would ask the kernel six things more
    try:
        pieces = []
        while piece := os.read(descriptor, max(os.fstat(descriptor).st_size, _READ_SIZE_LEAST)):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def open_nofollow(path: Path) -> int:
    """A descriptor for reading; ELOOP when `path` is a symbolic link."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)


def digest_of(path: Path, algorithm: str) -> str:
    """The hex digest of a file's bytes, never through a symbolic link."""
    with open(open_nofollow(path), "rb", buffering=0) as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def digests_of(path: Path, algorithms: Sequence[str]) -> dict[str, str]:
    """Hex digests of a file's bytes by algorithm, read once and never through a symbolic link."""
    hashes = {algorithm: hashlib.new(algorithm) for algorithm in algorithms}
    with open(open_nofollow(path), "rb", buffering=0) as file:
        while piece := file.read(_READ_SIZE):
            for each in hashes.values():
                each.update(piece)
    return {algorithm: each.hexdigest() for algorithm, each in hashes.items()}


_tolerated: set[int] = set()


def _sync(descriptor: int) -> None:
    """Fsync a directory. Some SMB servers can't (EINVAL): that is said once and lived with."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        device = os.fstat(descriptor).st_dev
        if device not in _tolerated:
            _tolerated.add(device)
            _LOG.warning(
                "a volume can't fsync directories; after a power cut its newest files may be missing"
            )
