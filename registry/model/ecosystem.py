"""The shape of a packaging world: a record of pure functions, so that a third one is one folder.

Nothing here or in `ecosystems/` waits, opens files or sockets, or reads a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

import msgspec

from registry.errors import Malformed
from registry.model.artifacts import Artifact
from registry.model.asks import Ask
from registry.model.decisions import Decision, Refusal
from registry.model.indexes import Document, Index, Representation
from registry.model.locks import LockFile
from registry.model.names import Project
from registry.model.publications import Contents, Publication, Upload
from registry.model.targets import Target


class RefusalBody(msgspec.Struct, frozen=True):
    """A refusal in the form that an ecosystem's clients print."""

    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class RenderIndex(Protocol):
    """index → the body of one representation."""

    def __call__(
        self, index: Index, withheld: Mapping[str, Refusal], base: str, representation: Representation
    ) -> bytes:
        """Render `index`.

        `withheld` maps file names to their refusals: they are rendered so that resolvers fall back and the
        reason is shown (PyPI: yanked with the reason; npm: left out and told in `policyRestrictions`).
        `base` is the ecosystem's public base URL without a trailing slash: `http://host:8080/npm`.
        """


class StreamIndex(Protocol):
    """index → the body of one representation, piece by piece."""

    def __call__(
        self, index: Index, withheld: Mapping[str, Refusal], base: str, representation: Representation
    ) -> Iterator[bytes]:
        """The same bytes that `RenderIndex` gives, none of it kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ecosystem:
    """All that the line needs to know about one packaging world."""

    name: str
    """`pypi`, `npm`: the prefix of its URLs, the first part of its keys."""
    title: str
    """As people write it."""

    # names
    parse_name: Callable[[str], Project]
    """Any spelling → the canonical project. Raises Malformed."""
    parse_pattern: Callable[[str], str]
    """A name or glob of the policy file (`Acme_*`, `@acme/*`) → canonical spelling. Raises Malformed."""
    parse_range: Callable[[str], Callable[[str], bool]]
    """A version range (PEP 440 specifier, npm range) → does this version lie in it? Raises Malformed."""
    version_key: Callable[[str], Any]
    """A version → what it is ordered by, None for what is no version. Equal keys are one version."""

    # lock files
    lock_files: tuple[str, ...]
    """Their names, as globs."""
    read_lock: Callable[[str, bytes], LockFile | None]
    """(file name, bytes) → what is pinned; None where the name is none of them. Raises Malformed."""

    # paths
    parse_ask: Callable[[Target], Ask]
    """A path below the prefix → what is asked. Raises Malformed, NotFound, NotAllowed."""
    index_path: Callable[[Project], str]
    """Where we offer the index, below the prefix, no leading slash."""
    artifact_path: Callable[[Artifact], str]
    """Where we offer the file, percent-encoded, below the prefix, no leading slash."""
    source_path: Callable[[Project], str]
    """Where a source of this kind offers the index, below the source's base URL."""
    source_accept: str
    """The Accept header that asks a source for the document `read_index` likes best."""

    # index
    negotiate: Callable[[str | None], Representation]
    """An Accept header → the representation of an index. Raises NotAcceptable."""
    representations: tuple[Representation, ...]
    """Every form that an index of this ecosystem has."""
    read_index: Callable[[Project, Document], Index]
    """A source's document → the canonical index; forged or broken entries dropped. Raises SourceFailed."""
    gap_path: Callable[[Project, Document], str | None] | None = None
    """Where a source may say what its document leaves out, from its base URL; None if that is nothing."""
    fill_gaps: Callable[[Project, Document, bytes], Document] | None = None
    """(project, document, what was found there) → the document with what that adds to it."""
    render_index: RenderIndex
    stream_index: StreamIndex | None = None
    """`render_index` in pieces, for documents too large for memory; None where there are none."""
    settle_tags: Callable[[Mapping[str, str], Collection[str]], Mapping[str, str]] | None
    """(tags, versions that aren't withheld) → the tags as the index shows them; None without tags."""
    render_manifest: Callable[[Index, Mapping[str, Refusal], str, str | None], bytes | None]
    """(index, withheld, base, selector) → one version as JSON, or None when there is no such version."""
    render_tombstone: Callable[[Project, Decision, Representation, str], bytes] | None
    """(project, decision, representation, base) → an index whose one file tells why the name is refused;
    None where a client shows the reason of a refused index itself (npm)."""
    tombstone_filename: Callable[[Project, Decision], str] | None
    """The one file name in that index; asking for it is refused with the reason."""
    is_tombstone: Callable[[str], bool]
    """Whether a file name is one of a tombstone."""
    render_projects: Callable[[tuple[str, ...], Representation], bytes] | None
    """The project list, where the ecosystem has one."""

    # publication
    parse_upload: Callable[[Upload, IO[bytes]], Publication]
    """A form upload and its spooled file → a publication. Raises Malformed (digests, names, structure)."""
    parse_document: Callable[[Project, bytes, IO[bytes]], Publication | None] | None = None
    """A publish document (npm's PUT) with the file inside it, which is written to another, empty one → a
    publication, or None when it only changes what is published (deprecation, owners). Raises Malformed,
    TooLarge. None where there are only forms."""
    project_of: Callable[[str], Project] | None = None
    """Whose a file is by its name alone. Raises Malformed. None where names don't say."""
    adopt: Callable[[Upload, IO[bytes]], Publication] | None = None
    """A file that lies in the private back end, without a form → a publication. Raises Malformed. None where
    the back end tells all about its files itself."""
    offer_metadata: Callable[[bytes, Representation, str, str], bytes] | None
    """(a rendered index, its representation, a file's name, the SHA-256 of its core metadata) → what is
    rendered once this is known; None where clients ask for no metadata beside a file (PEP 658)."""
    lists_sizes: bool
    """Whether its indexes tell the sizes of files: then one that wasn't known is worth a new rendering."""
    inspect: Callable[[Artifact, IO[bytes]], Contents | None]
    """Name, version and metadata inside a verified file, read without unpacking to disk; None where the kind
    of file says nothing. Raises Malformed for a file that lies or tries a trick."""

    # refusal
    render_refusal: Callable[[Refusal], RefusalBody]
    """A refusal as the body (and headers) that this world's clients print."""
    render_error: Callable[[int, str, str], RefusalBody]
    """(status, title, message) → an error body in this world's form."""


def find_ecosystem(ecosystems: Mapping[str, Ecosystem], name: str) -> Ecosystem:
    """The ecosystem of that name. Raises Malformed."""
    if name not in ecosystems:
        raise Malformed(f"There is no ecosystem `{name}`; there are {', '.join(ecosystems)}.")
    return ecosystems[name]
