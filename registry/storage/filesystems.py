"""Which kind of file system a path is on: a database must not lie on a network one, and a file on one is
touched in threads only."""

from __future__ import annotations

import os
import re
from pathlib import Path

_REMOTE = frozenset({
    "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs",
    "vboxsf", "virtiofs", "vmhgfs",
})  # fmt: skip
"""Types that are shared between machines, or between a machine and its guest."""

_MOUNTS = Path("/proc/self/mountinfo")


def filesystem_of(path: Path, mounts: str | None = None) -> str:
    """The type (`ext4`, `nfs4`, `fuse.sshfs`) of the file system that `path` is or would be on.

    Empty where the system doesn't say (no /proc). `mounts` is the text of /proc/self/mountinfo (proc(5)).
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    place = os.path.realpath(path)
    best, kind = "", ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields, rest = left.split(" "), right.split(" ")
        if len(fields) < 5 or not rest[0]:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        # of two mounts on one point the later hides the earlier
        if inside and len(point) >= len(best):
            best, kind = point, rest[0]
    return kind


def is_remote(kind: str) -> bool:
    """Whether a file system of this type can hang, or break the locks that SQLite needs. FUSE counts: what is
    behind it can't be known."""
    return kind in _REMOTE or kind == "fuse" or kind.startswith("fuse.")
