"""Making an archive of an appliance that runs."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import tarfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from registry.errors import Conflict, Unavailable
from registry.provenance.checkpoints import LogKey
from registry.storage.backup.manifest import CHUNK, DATABASE, FORMAT, Manifest, Member, Signature
from registry.storage.backup.snapshot import describe, snapshot_of
from registry.storage.durable import sync_directory

_SKIPPED = frozenset({"volume", "spool", "shelf", "indexes", "processes", "log", "tmp", "bad", "lock"})
"""Folders below the data directory, and below private/, that are made again or nobody needs."""


def create(
    data: Path,
    volume: Path,
    config: Sequence[Path],
    target: Path,
    *,
    key: LogKey,
    release: str,
    now: datetime,
) -> Manifest:
    """Write an archive to the new file `target`, mode 0600; it appears there when it is complete.

    Blocks. `data` is the data directory of an appliance that may be running; its LAN `volume` is left out,
    should it lie below. Raises Conflict when `target`
    exists, Unavailable when something can't be read or written.
    """
    if target.exists():
        raise Conflict(f"{target} exists already; name a new file.")
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with (
            os.fdopen(descriptor, "wb") as file,
            snapshot_of(data / "registry.db", target.parent) as snapshot,
        ):
            schema, rows, head = describe(snapshot)
            files: dict[str, Member] = {}
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
                files[DATABASE] = _add(archive, snapshot, DATABASE)
                for path in _worth_keeping(data, volume):
                    name = f"data/{path.relative_to(data).as_posix()}"
                    with contextlib.suppress(FileNotFoundError):  # was taken away since: no row has it
                        files[name] = _add(archive, path, name)
                for path in config:
                    files[f"config/{path.name}"] = _add(archive, path, f"config/{path.name}")
                manifest = Manifest(
                    format=FORMAT,
                    made=now.astimezone(UTC),
                    release=release,
                    schema=schema,
                    rows=rows,
                    head=head,
                    files=files,
                )
                body = msgspec.json.encode(manifest, order="sorted")
                _add_bytes(archive, "manifest.json", body)
                signature = Signature(key.public.fingerprint, key.sign(body))
                _add_bytes(archive, "manifest.sig", msgspec.json.encode(signature))
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, target)  # fails where somebody was faster, which a rename doesn't
        sync_directory(target.parent)
    except FileExistsError:
        raise Conflict(f"{target} exists already; name a new file.") from None
    except OSError as error:
        raise Unavailable(f"The backup could not be made: {error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return manifest


def _worth_keeping(data: Path, volume: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(data):
        here = Path(folder)
        top = here in {data, data / "private", data / "private" / "blobs"}
        folders[:] = sorted(
            name for name in folders if not (top and name in _SKIPPED) and here / name != volume
        )
        for name in sorted(names):
            path = here / name
            ours = here == data and name.startswith(("registry.db", "."))
            if not ours and name not in _SKIPPED and path.is_file() and not path.is_symlink():
                yield path


def _add(archive: tarfile.TarFile, path: Path, name: str) -> Member:
    """Put a file into the archive as it is at this moment, hashed on the way."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        hashing = _Hashing(file, size)
        archive.addfile(_entry(name, size), hashing)
        return Member(size, hashing.sha256.hexdigest())


def _add_bytes(archive: tarfile.TarFile, name: str, body: bytes) -> None:
    archive.addfile(_entry(name, len(body)), io.BytesIO(body))


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry


class _Hashing(io.RawIOBase):
    """A file as tarfile reads it, and the digest of what it read. One that shrank meanwhile is an error."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        super().__init__()
        self._file = file
        self._left = size
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, no more than there were at first."""
        data = self._file.read(min(size if size >= 0 else CHUNK, self._left))
        self._left -= len(data)
        self.sha256.update(data)
        return data
