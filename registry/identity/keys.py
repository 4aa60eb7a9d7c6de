"""Secrets in files: of mode 0600 from the first byte on, whole or not there at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

ADMIN_TOKEN = "admin-token"  # noqa: S105 - the name of the file
ADMIN_PASSWORD = "admin-password"  # noqa: S105 - the name of the file


def replace_secret(path: Path, content: bytes) -> None:
    """Write a secret durably in place of what was there."""
    staged = _stage(path, content)
    try:
        staged.replace(path)
    except OSError:
        staged.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def ensure_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret in the file, made first where there is none; of two processes that make it, one wins."""
    if not path.exists():
        staged = _stage(path, make().encode() + b"\n")
        try:
            with contextlib.suppress(FileExistsError):
                # A link, not a rename: it fails where another process was faster.
                path.hardlink_to(staged)
        finally:
            staged.unlink()
        _sync_folder(path.parent)
    return path.read_text(encoding="utf-8").strip()


def ensure_admin_token(data: Path) -> str:
    """The token that the `registry` command uses, in `keys/admin-token` of the data directory."""
    return ensure_secret(data / "keys" / ADMIN_TOKEN, lambda: f"rga_{secrets.token_urlsafe(32)}")


def _stage(path: Path, content: bytes) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(staged, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return staged


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
