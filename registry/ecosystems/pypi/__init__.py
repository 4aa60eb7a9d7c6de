"""The Python world: names, paths, index, publication and refusal as pip, uv and twine speak of them.

PYPI is the record; `registry/model/ecosystem.py` says what each of its functions owes.
"""

from __future__ import annotations

from registry.ecosystems.pypi.contents import inspect
from registry.ecosystems.pypi.gaps import fill_gaps, gap_path
from registry.ecosystems.pypi.index import SOURCE_ACCEPT, read_index
from registry.ecosystems.pypi.locks import LOCK_FILES, read_lock
from registry.ecosystems.pypi.names import ECOSYSTEM, parse_name, parse_pattern, parse_range, version_key
from registry.ecosystems.pypi.negotiation import REPRESENTATIONS, negotiate
from registry.ecosystems.pypi.paths import artifact_path, index_path, parse_ask, source_path
from registry.ecosystems.pypi.publication import adopt, parse_upload, project_of
from registry.ecosystems.pypi.refusal import is_tombstone, render_error, render_refusal, tombstone_filename
from registry.ecosystems.pypi.render import (
    offer_metadata,
    render_index,
    render_manifest,
    render_projects,
    render_tombstone,
)
from registry.model.ecosystem import Ecosystem

PYPI = Ecosystem(
    name=ECOSYSTEM,
    title="PyPI",
    parse_name=parse_name,
    parse_pattern=parse_pattern,
    parse_range=parse_range,
    version_key=version_key,
    lock_files=LOCK_FILES,
    read_lock=read_lock,
    parse_ask=parse_ask,
    index_path=index_path,
    artifact_path=artifact_path,
    source_path=source_path,
    source_accept=SOURCE_ACCEPT,
    negotiate=negotiate,
    representations=REPRESENTATIONS,
    read_index=read_index,
    gap_path=gap_path,
    fill_gaps=fill_gaps,
    render_index=render_index,
    settle_tags=None,
    render_manifest=render_manifest,
    render_tombstone=render_tombstone,
    tombstone_filename=tombstone_filename,
    is_tombstone=is_tombstone,
    render_projects=render_projects,
    parse_upload=parse_upload,
    project_of=project_of,
    adopt=adopt,
    offer_metadata=offer_metadata,
    lists_sizes=True,
    inspect=inspect,
    render_refusal=render_refusal,
    render_error=render_error,
)

__all__ = ["PYPI"]
