"""Reading an archive: nothing of it is believed before all of it was verified."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from registry.errors import Malformed
from registry.provenance.checkpoints import LogKey, VerifyingKey
from registry.storage.backup.manifest import CHUNK, DATABASE, FORMAT, KEY, Manifest, Member, Signature
from registry.storage.backup.soundness import require_sound
from registry.storage.schema import MIGRATIONS

_LARGEST_MANIFEST = 256 << 20


def verify(archive: Path, key: VerifyingKey | None = None) -> Manifest:
    """Read all of an archive: is it complete, unedited, and are its database and log sound?

    Blocks. It has to be signed by `key`, or without one by the key inside, which shows damage but no forgery.
    Raises Malformed that says what is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="registry-verify-", dir=archive.absolute().parent) as folder:
        return extract(archive, Path(folder), key, only=frozenset({DATABASE, KEY}))


def extract(
    archive: Path, folder: Path, key: VerifyingKey | None, only: frozenset[str] | None = None
) -> Manifest:
    """Verify everything, writing the files to `folder` (those of `only`, where that is given)."""
    seen: dict[str, Member] = {}
    special: dict[str, bytes] = {}
    try:
        with gzip.open(archive) as packed:  # first to the checksum at its very end, which tarfile never sees
            while packed.read(CHUNK):
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
    require_sound(folder / DATABASE, folder / KEY)
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
        while chunk := file.read(CHUNK):
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
        signature = msgspec.json.decode(special["manifest.sig"], type=Signature)
        known = key or LogKey((folder / KEY).read_text("utf-8")).public
    except (KeyError, OSError, UnicodeDecodeError, msgspec.DecodeError):
        raise Malformed("The archive is cut off, or no backup of an appliance.") from None
    if not known.signed(signature.signature, body):
        raise Malformed("The archive's manifest isn't signed by the log's key; it was edited.")
    if manifest.format != FORMAT:
        raise Malformed("The backup has a format of another release; restore it with that one.")
    return manifest
