"""Files that lay on the volume before this database knew of them, read by order of an admin.

An adopted file is nobody's: no row names it, and nothing serves it. It waits for a source to announce a file
with its digests; then it is taken instead of being fetched, and hashed once more. What nothing announces is
an orphan again after a month.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import apsw

from registry.model.artifacts import Digest
from registry.model.warehouse import Verified
from registry.storage.blobs import Blobs
from registry.storage.database import Database, Row
from registry.storage.durable import digests_of
from registry.storage.volume import Volume

WAITS = 30 * 24 * 3_600
"""Seconds for which an adopted file waits to be announced."""
_REMEMBERED = ("sha256", "sha512")


class Adoptions:
    """The port's implementation over a volume and the `adopted` table."""

    def __init__(self, volume: Volume, database: Database, blobs: Blobs) -> None:
        self._volume = volume
        self._database = database
        self._blobs = blobs

    async def adopt(self, sha256: str, size: int) -> bool:
        """Read a file of `size` bytes, and remember what they are. One that was adopted before isn't read
        again, and waits anew.

        False for one that is gone, or isn't what it is called: that is put aside with an alarm. Raises
        Unavailable.
        """
        where = (self._volume.key, sha256)
        row = self._database.row("SELECT sha512, size FROM adopted WHERE volume = ? AND sha256 = ?", where)
        if row is not None:
            await self._remember(sha256, str(row[0]), int(row[1]))
            return True
        path = self._volume.blob(sha256)

        def read() -> Mapping[str, str] | None:
            try:
                return digests_of(path, _REMEMBERED)
            except FileNotFoundError:
                return None

        digests = await self._volume.run(read, work=size)
        if digests is None or digests["sha256"] != sha256:
            await self._blobs.recheck(sha256)
            return False
        await self._remember(sha256, digests["sha512"], size)
        return True

    async def announced(self, digests: Sequence[Digest], size: int | None) -> Verified | None:
        """The adopted file that has all of these digests (and the size, where one is known), with its bytes
        looked at again. Raises Unavailable."""
        known = {digest.algorithm: digest.hex for digest in digests}
        if not known or not known.keys() <= set(_REMEMBERED):
            return None  # another kind isn't remembered: the file is fetched, and checked by it
        row = self._database.row(
            "SELECT sha256, sha512, size FROM adopted WHERE volume = ? AND (sha256 = ? OR sha512 = ?)",
            (self._volume.key, known.get("sha256"), known.get("sha512")),
        )
        if row is None:
            return None
        sha256, length = str(row[0]), int(row[2])
        computed = (Digest("sha512", str(row[1])), Digest("sha256", sha256))
        if not set(digests) <= set(computed) or size not in {None, length}:
            return None
        if not await self._blobs.renew(sha256):
            return None
        path = self._volume.blob(sha256)
        return Verified(path=path, sha256=sha256, size=length, digests=computed)

    async def waiting(self) -> frozenset[str]:
        """Names of the adopted files that still wait, and didn't too long."""
        key, oldest = self._volume.key, int(time.time()) - WAITS

        def job(connection: apsw.Connection) -> frozenset[str]:
            rows: list[Row] = connection.execute(
                "SELECT sha256 FROM adopted WHERE volume = ? AND at >= ?", (key, oldest)
            ).fetchall()
            return frozenset(str(row[0]) for row in rows)

        return await self._database.scan(job)

    async def _remember(self, sha256: str, sha512: str, size: int) -> None:
        row = (self._volume.key, sha256, sha512, size, int(time.time()))
        await self._database.write(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO adopted (volume, sha256, sha512, size, at) VALUES (?, ?, ?, ?, ?)",
                row,
            )
        )
