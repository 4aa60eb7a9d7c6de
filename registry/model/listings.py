"""What a source lists, packed: thousands of artifacts as a few pages of bytes.

A listing crosses processes and lies in the database as it is; a page is unpacked when one of its files is
asked for. So the pages of every release stay readable: a field of `Artifact` may be added with a default, and
is never renamed.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

import msgspec
from isal import igzip

from registry.model.artifacts import Artifact

FILES = 128
"""Files of a page: unpacking one takes a fifth of a millisecond."""
_LEVEL = 1

_ENTRIES = msgspec.msgpack.Decoder(tuple[Artifact, ...])


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some files of a listing, in the order of their names."""

    first: str
    """Name of the first file."""
    last: str
    undated: int
    """How many of them nobody tells the age of."""
    entries: bytes
    """The artifacts, without what is only carried: gzipped msgpack."""

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Its files, unpacked."""
        return unpacked(self.entries)


class Listing(msgspec.Struct, frozen=True):
    """The files of one project, each once."""

    pages: tuple[Page, ...] = ()

    @classmethod
    def of(cls, artifacts: Iterable[Artifact]) -> Listing:
        """Pack artifacts, which may come in any order."""
        ordered = sorted(artifacts, key=attrgetter("filename"))
        return cls(tuple(_page(ordered[at : at + FILES]) for at in range(0, len(ordered), FILES)))

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """All files, unpacked, in the order of their names."""
        return tuple(artifact for page in self.pages for artifact in page.artifacts)


def unpacked(entries: bytes) -> tuple[Artifact, ...]:
    """The artifacts of a page's `entries`."""
    return _ENTRIES.decode(igzip.decompress(entries))  # type: ignore[no-untyped-call]


def _page(artifacts: list[Artifact]) -> Page:
    bare = [msgspec.structs.replace(a, carried=b"") if a.carried else a for a in artifacts]
    return Page(
        first=bare[0].filename,
        last=bare[-1].filename,
        undated=sum(artifact.undated for artifact in bare),
        entries=igzip.compress(msgspec.msgpack.encode(bare), _LEVEL, mtime=0),
    )
