"""Backups: all that can't be fetched again, in one signed archive; made while the appliance runs.

    manifest.json      what is in the archive: size and sha256 of each file
    manifest.sig       Ed25519 over the manifest, by the log's key
    data/registry.db   a snapshot by SQLite's backup API
    data/...           keys, htpasswd, private packages
    config/...         registry.toml, policy.toml

The database is copied first: files come before their rows, so every row in the copy has its file. The public
files on the LAN volume are not in it: they are fetched again, and have to be what their pins say.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import secrets
import shutil
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO

import apsw
import msgspec

from registry.errors import Conflict, Malformed, Unavailable
from registry.model.checkpoints import Checkpoint, Link
from registry.provenance.checkpoints import LogKey, VerifyingKey
from registry.provenance.verification import Walk
from registry.storage.connections import connect
from registry.storage.database import Row
from registry.storage.durable import sync_directory
from registry.storage.schema import MIGRATIONS

FORMAT = 1
_KEY = "data/keys/log-key"
_DATABASE = "data/registry.db"
_SKIPPED = frozenset({"volume", "spool", "shelf", "indexes", "log", "tmp", "bad", "lock"})
"""Folders below the data directory, and below private/, that are made again or nobody needs."""
_LARGEST_MANIFEST = 256 << 20
_PAGES = 4_096
"""Database pages that are copied at a time: others get the disk in between."""
_CHUNK = 1 << 20


class Member(msgspec.Struct, frozen=True):
    """One file of an archive."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is in an archive."""

    format: int
    made: datetime
    release: str
    schema: int
    rows: int
    """Number of the log's newest row."""
    head: str
    """Its hash."""
    files: Mapping[str, Member]


class _Signature(msgspec.Struct, frozen=True):
    key: str
    signature: str


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
        with os.fdopen(descriptor, "wb") as file, _snapshot(data / "registry.db", target.parent) as snapshot:
            schema, rows, head = _describe(snapshot)
            files: dict[str, Member] = {}
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
                files[_DATABASE] = _add(archive, snapshot, _DATABASE)
                for path in _worth_keeping(data, volume):
                    name = f"data/{path.relative_to(data).as_posix()}"
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
                signature = _Signature(key.public.fingerprint, key.sign(body))
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


def verify(archive: Path, key: VerifyingKey | None = None) -> Manifest:
    """Read all of an archive: is it complete, unedited, and are its database and log sound?

    Blocks. It has to be signed by `key`, or without one by the key inside, which shows damage but no forgery.
    Raises Malformed that says what is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="registry-verify-", dir=archive.absolute().parent) as folder:
        return _extract(archive, Path(folder), key, only=frozenset({_DATABASE, _KEY}))


def restore(
    archive: Path, data: Path, key: VerifyingKey | None = None, *, new_volume: bool = False
) -> Manifest:
    """Make a data directory out of an archive, once everything in it was verified.

    Blocks. `data` has to be missing or empty; it appears at once, whole. The files of config/ are put into
    its folder `restored`. With `new_volume` the LAN volume's id is forgotten, so that an empty one is
    accepted. Raises Conflict, Malformed, Unavailable.
    """
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise Conflict(f"{data} isn't empty; a backup is restored into an empty data directory only.")
    data.parent.mkdir(parents=True, exist_ok=True)
    staged = data.with_name(f".{data.name}.{secrets.token_hex(4)}")
    staged.mkdir(mode=0o700)
    try:
        manifest = _extract(archive, staged, key)
        root = staged / "data"
        if (staged / "config").exists():
            (staged / "config").rename(root / "restored")
        if new_volume:
            _forget_volume(root / "registry.db")
        root.chmod(0o700)
        _sync_tree(root)
        if data.exists():
            data.rmdir()
        root.rename(data)
        sync_directory(data.parent)
    except OSError as error:
        raise Unavailable(f"The backup could not be restored: {error}.") from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return manifest


# writing


@contextmanager
def _snapshot(database: Path, folder: Path) -> Iterator[Path]:
    """A copy of the database as it is at one moment, without stopping anybody."""
    path = folder / f".registry-snapshot-{secrets.token_hex(4)}"
    try:
        source = connect(database, readonly=True, busy_ms=10_000)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            copy = apsw.Connection(os.fspath(path))
            try:
                with copy.backup("main", source, "main") as backup:
                    backup.step()  # in one go: a step that others write in between begins anew
                copy.pragma("journal_mode", "delete")
            finally:
                copy.close()
        finally:
            source.close()
        yield path
    except apsw.Error as error:
        raise Unavailable(f"The database could not be copied: {error}.") from error
    finally:
        for leftover in (path, path.with_name(f"{path.name}-journal"), path.with_name(f"{path.name}-wal")):
            leftover.unlink(missing_ok=True)


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
            if not ours and name not in _SKIPPED and stat.S_ISREG(path.lstat().st_mode):
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
        data = self._file.read(min(size if size >= 0 else _CHUNK, self._left))
        self._left -= len(data)
        self.sha256.update(data)
        return data


# reading


def _extract(
    archive: Path, folder: Path, key: VerifyingKey | None, only: frozenset[str] | None = None
) -> Manifest:
    """Verify everything, writing the files to `folder` (those of `only`, where that is given)."""
    seen: dict[str, Member] = {}
    special: dict[str, bytes] = {}
    try:
        with gzip.open(archive) as packed:  # first to the checksum at its very end, which tarfile never sees
            while packed.read(_CHUNK):
                pass
        with tarfile.open(archive, mode="r:gz") as tar:
            for entry in tar:
                name = _safe(entry)
                if name in seen or name in special:
                    raise Malformed(f"The archive has '{name}' twice; it was tampered with.")
                file = tar.extractfile(entry)
                assert file is not None
                if name in {"manifest.json", "manifest.sig"}:
                    special[name] = file.read(_LARGEST_MANIFEST)
                else:
                    wanted = only is None or name in only
                    seen[name] = _copy(file, folder / name if wanted else None)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise Malformed(f"The archive is damaged or cut off ({error}); use another backup.") from None
    manifest = _authentic(special, folder, key)
    for name in sorted(manifest.files.keys() | seen.keys()):
        if manifest.files.get(name) != seen.get(name):
            raise Malformed(f"'{name}' isn't what the manifest says; the archive was edited or is damaged.")
    if manifest.schema > len(MIGRATIONS):
        raise Malformed("The backup is of a newer release; restore it with that one.")
    _require_sound(folder / _DATABASE, folder / _KEY)
    return manifest


def _safe(entry: tarfile.TarInfo) -> str:
    path = PurePosixPath(entry.name)
    known = path.parts[:1] in {("data",), ("config",)} or entry.name in {"manifest.json", "manifest.sig"}
    if not entry.isreg() or path.is_absolute() or ".." in path.parts or not known:
        raise Malformed(f"The archive has '{entry.name[:80]}', which no backup has; it was tampered with.")
    return path.as_posix()


def _copy(file: IO[bytes], target: Path | None) -> Member:
    digest, size = hashlib.sha256(), 0
    output: IO[bytes] | None = None
    if target is not None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        output = os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    try:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if output is not None:
                output.write(chunk)
    finally:
        if output is not None:
            output.close()
    return Member(size, digest.hexdigest())


def _authentic(special: Mapping[str, bytes], folder: Path, key: VerifyingKey | None) -> Manifest:
    try:
        body = special["manifest.json"]
        manifest = msgspec.json.decode(body, type=Manifest)
        signature = msgspec.json.decode(special["manifest.sig"], type=_Signature)
        known = key or LogKey((folder / _KEY).read_text("utf-8")).public
    except (KeyError, OSError, UnicodeDecodeError, msgspec.DecodeError):
        raise Malformed("The archive is cut off, or no backup of an appliance.") from None
    if not known.signed(signature.signature, body):
        raise Malformed("The archive's manifest isn't signed by the log's key; it was edited.")
    if manifest.format != FORMAT:
        raise Malformed("The backup has a format of another release; restore it with that one.")
    return manifest


def _require_sound(database: Path, key: Path) -> None:
    """The copy's own integrity, and that of the log in it."""
    try:
        connection = connect(database, readonly=True)
        try:
            problem = str(connection.pragma("integrity_check", 1))
            found = (
                problem if problem != "ok" else _broken_log(connection, LogKey(key.read_text("utf-8")).public)
            )
        finally:
            connection.close()
    except apsw.Error as error:
        found = str(error)
    if found is not None:
        raise Malformed(f"The database in the archive isn't sound ({found}); use another backup.")


def _broken_log(connection: apsw.Connection, key: VerifyingKey) -> str | None:
    points = [
        Checkpoint(kind=kind, seq=seq, hash=digest.hex(), at=at, key=made_by, signature=signature.hex())
        for kind, seq, digest, at, made_by, signature in connection.execute(
            "SELECT kind, seq, hash, at, key, signature FROM checkpoint ORDER BY seq"
        )
    ]
    if not all(key.genuine(point) for point in points):
        return "a checkpoint of its log isn't signed by its key"
    base = max((p for p in points if p.kind == "base"), key=lambda p: p.seq, default=None)
    walk = Walk([p for p in points if p.kind == "head"], base)
    for seq, previous, digest, body in connection.execute(
        "SELECT seq, previous, hash, event FROM log WHERE seq > ? ORDER BY seq", (walk.rows,)
    ):
        broken = walk.step(Link(seq, previous.hex(), digest.hex(), body.encode()))
        if broken is not None:
            return broken.reason
    ended = walk.end()
    return ended.reason if ended else None


def _describe(snapshot: Path) -> tuple[int, int, str]:
    """Schema, newest row of the log and its hash."""
    connection = connect(snapshot, readonly=True)
    try:
        newest: list[Row] = connection.execute(
            "SELECT seq, hash FROM log ORDER BY seq DESC LIMIT 1"
        ).fetchall()
        seq, digest = newest[0] if newest else (0, b"")
        return int(connection.pragma("user_version")), seq, digest.hex()
    finally:
        connection.close()


def _forget_volume(database: Path) -> None:
    connection = connect(database)
    try:
        connection.execute("DELETE FROM fact WHERE name = 'volume-id/lan'").fetchall()
    finally:
        connection.close()


def _sync_tree(root: Path) -> None:
    for folder, _, names in os.walk(root):
        for name in names:
            descriptor = os.open(Path(folder) / name, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(Path(folder))
