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

from registry.storage.backup.manifest import Manifest
from registry.storage.backup.reading import verify
from registry.storage.backup.restoring import restore
from registry.storage.backup.writing import create

__all__ = ["Manifest", "create", "restore", "verify"]
