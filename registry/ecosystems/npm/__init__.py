"""npm: packuments, tarballs, dist-tags, and what npm, pnpm, yarn and bun ask for.

The record, and nothing else: each module beside this one has its namesake in every other ecosystem.
"""

from __future__ import annotations

from registry.ecosystems.npm.contents import inspect
from registry.ecosystems.npm.index import read_index, settled_tags
from registry.ecosystems.npm.locks import LOCK_FILES, read_lock
from registry.ecosystems.npm.names import parse_name, parse_pattern, parse_range, version_key
from registry.ecosystems.npm.negotiation import FULL, INSTALL, negotiate
from registry.ecosystems.npm.paths import artifact_path, index_path, parse_ask
from registry.ecosystems.npm.publication import parse_document, parse_upload
from registry.ecosystems.npm.refusal import render_error, render_refusal
from registry.ecosystems.npm.render import render_index, render_manifest, stream_index
from registry.model.ecosystem import Ecosystem


def _is_tombstone(_filename: str) -> bool:
    return False


NPM = Ecosystem(
    name="npm",
    title="npm",
    parse_name=parse_name,
    parse_pattern=parse_pattern,
    parse_range=parse_range,
    version_key=version_key,
    lock_files=LOCK_FILES,
    read_lock=read_lock,
    parse_ask=parse_ask,
    index_path=index_path,
    artifact_path=artifact_path,
    source_path=index_path,
    # The full document: the abbreviated one has no `time`.
    source_accept="application/json",
    negotiate=negotiate,
    representations=(FULL, INSTALL),
    read_index=read_index,
    render_index=render_index,
    stream_index=stream_index,
    settle_tags=settled_tags,
    render_manifest=render_manifest,
    render_tombstone=None,
    tombstone_filename=None,
    is_tombstone=_is_tombstone,
    render_projects=None,
    parse_upload=parse_upload,
    parse_document=parse_document,
    offer_metadata=None,
    lists_sizes=False,
    inspect=inspect,
    render_refusal=render_refusal,
    render_error=render_error,
)
