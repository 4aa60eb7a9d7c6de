"""Is a copied database whole, and its log what was signed?"""

from __future__ import annotations

from pathlib import Path

import apsw

from registry.errors import Malformed
from registry.model.checkpoints import Checkpoint, Link
from registry.provenance.checkpoints import LogKey, VerifyingKey
from registry.provenance.verification import Walk
from registry.storage.connections import connect


def require_sound(database: Path, key: Path) -> None:
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
    walk = Walk([p for p in points if p.kind == "head"], base, age=key.age)
    for seq, previous, digest, body in connection.execute(
        "SELECT seq, previous, hash, event FROM log WHERE seq > ? ORDER BY seq", (walk.rows,)
    ):
        broken = walk.step(Link(seq, previous.hex(), digest.hex(), body.encode()))
        if broken is not None:
            return broken.reason
    ended = walk.end()
    return ended.reason if ended else None
