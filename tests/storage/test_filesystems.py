"""Which file system a path is on, out of the kernel's own table."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.storage.filesystems import filesystem_of, is_remote

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:30 / /srv/lan rw,relatime shared:9 master:2 - nfs4 nas:/export rw,vers=4.2
31 22 0:31 / /srv/lan/inner rw - tmpfs tmpfs rw
32 22 0:32 / /srv/with\\040space rw - fuse.sshfs host:/ rw
33 22 0:33 / /srv/twice rw - ext4 /dev/vdb rw
34 22 0:34 / /srv/twice rw - cifs //nas/share rw
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/registry.db", "ext4"),
        ("/srv/lan", "nfs4"),
        ("/srv/lan/blobs/ab", "nfs4"),
        ("/srv/lan/inner/x", "tmpfs"),
        ("/srv/language", "ext4"),
        ("/srv/with space/x", "fuse.sshfs"),
        ("/srv/twice/x", "cifs"),
    ],
)
def test_the_innermost_and_latest_mount_counts(path: str, kind: str) -> None:
    assert filesystem_of(Path(path), MOUNTS) == kind


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/srv/lan")
    assert filesystem_of(tmp_path / "link" / "registry.db", MOUNTS) == "nfs4"


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse", "fuse.sshfs", "ceph"])
def test_shared_file_systems_are_remote(kind: str) -> None:
    assert is_remote(kind)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", ""])
def test_local_ones_and_unknown_ones_are_not(kind: str) -> None:
    assert not is_remote(kind)
