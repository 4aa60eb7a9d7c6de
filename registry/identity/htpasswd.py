"""The htpasswd file: user names and bcrypt hashes, shared by the workers of one appliance.

Only bcrypt counts. The format also knows plain text and hashes of the last century; a line with one of
those is kept as it is and matches no password.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from passlib.apache import HtpasswdFile
from passlib.context import CryptContext

from registry.errors import Unavailable
from registry.identity.keys import replace_secret

COST = 12
"""bcrypt's logarithmic cost: about a quarter of a second of one core."""


class Htpasswd:
    """Reads the file again when it changed; writes it whole, under a lock."""

    def __init__(self, path: Path, cost: int = COST) -> None:
        self._path = path
        self._context: Any = CryptContext(schemes=["bcrypt"], bcrypt__rounds=cost, bcrypt__ident="2y")
        self._stamp: tuple[int, int, int] | None = None
        self._hashes: dict[str, str] = {}
        self._nobody: str = self._context.hash("nobody has this password")

    def find(self, user: str) -> str | None:
        """The hash of a user, None for a name that isn't in the file. Raises Unavailable (broken file)."""
        stamp = self._current_stamp()
        if stamp != self._stamp:
            file = self._read()
            self._hashes = {name: file.get_hash(name).decode("ascii", "replace") for name in file.users()}
            self._stamp = stamp
        return self._hashes.get(user)

    def matches(self, password: str, found: str | None) -> bool:
        """Whether the password is the one behind the hash. Slow; as slow for a user that isn't there."""
        try:
            right = bool(self._context.verify(password, found or self._nobody))
        except ValueError:  # no bcrypt hash, or a password that bcrypt can't take (72 bytes, NUL)
            return False
        return right and found is not None

    def hash(self, password: str) -> str:
        """A new hash. Slow."""
        return str(self._context.hash(password))

    def put(self, user: str, hashed: str) -> None:
        """Add or replace a user's line."""
        with self._rewriting() as file:
            file.set_hash(user, hashed)

    def drop(self, user: str) -> None:
        """Remove a user's line, if there is one."""
        with self._rewriting() as file:
            file.delete(user)

    def _current_stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        # A rewrite makes a new inode, an editor may keep it: all three together notice both.
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> Any:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            content = b""
        try:
            return HtpasswdFile.from_string(content, context=self._context, default_scheme="bcrypt")
        except ValueError:
            raise Unavailable(
                "Passwords can't be checked, because the htpasswd file has a line that isn't `user:hash`; "
                "an operator has to mend it."
            ) from None

    @contextmanager
    def _rewriting(self) -> Iterator[Any]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            file = self._read()
            yield file
            replace_secret(self._path, file.to_string())
        finally:
            os.close(lock)
