"""Where bytes and documents lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from registry.model.artifacts import Digest, Holding
from registry.model.blobs import Blob
from registry.model.indexes import Document
from registry.model.names import Project
from registry.model.warehouse import Kept, Taken, Verified

T = TypeVar("T")


class Place(Protocol):
    """Where files lie: a disk of this machine, or a volume each of whose calls may hang."""

    @property
    def local(self) -> bool:
        """Whether a call takes microseconds, so that it may be made on the loop."""

    async def quickly(self, function: Callable[[], T]) -> T:
        """Make calls that take microseconds on a local disk: there at once, elsewhere in a thread."""

    async def run(self, function: Callable[[], T], work: int = 0) -> T:
        """Make blocking calls in a bounded number of threads. `work` is about how many bytes they move, which
        gives them more time. Raises what they raise, system errors explained; Unavailable when it hangs."""

    def later(self, function: Callable[[], object]) -> None:
        """Make blocking calls in a thread some time, without waiting and without hearing how they ended."""


class Staging(Protocol):
    """A blob being written: it exists for nobody until it is committed."""

    path: Path
    """Where what is written can be read, once there is some; where the blob lies, once committed."""
    size: int
    """Bytes in the file so far, readable at `path`; an implementation may lag a little behind `write`."""
    digests: tuple[Digest, ...]
    """sha512 and sha256 as computed, once committed; empty before."""

    async def write(self, chunk: bytes) -> None:
        """Append. Raises Unavailable when the volume is full or broken."""

    async def commit(self, expected: Sequence[Digest], size: int | None = None) -> str:
        """Check every expected digest (and size), make durable and visible; gives the sha256 (hex).

        Raises IntegrityFailed (the message names both digests) and Unavailable; then nothing was kept.
        fsync file → rename → fsync directory, before this returns.
        """

    async def discard(self) -> None:
        """Throw it away; safe to call at any time, also after commit (then without effect)."""


class Blobs(Protocol):
    """Verified bytes by their sha256."""

    @property
    def place(self) -> Place:
        """Where their files, and those being staged, lie: whoever opens one asks it how."""

    async def stage(self, size_hint: int | None = None) -> Staging:
        """Begin a blob. Raises Unavailable (volume full, missing, another one, read-only), if not here then
        where bytes are written or committed."""

    async def find(self, sha256: str) -> Path | None:
        """Where the blob lies, if it is here and has the size it had when committed."""

    def at_once(self, sha256: str) -> Blob | None:
        """The same without waiting, where that can be done; None says nothing."""

    def note_use(self, sha256: str) -> None:
        """It is asked for now, by whoever needn't look for it."""

    async def put(self, data: bytes) -> str:
        """A small blob in one go; gives its sha256."""

    async def read(self, sha256: str) -> bytes | None:
        """A small blob's bytes, verified; None if it isn't here."""

    async def drop(self, sha256: str) -> None:
        """Remove a blob that no row names any more, if it is here. Raises Unavailable."""


class Documents(Protocol):
    """The sources' documents, kept so that an outage is invisible."""

    async def get(self, project: Project) -> Document | None:
        """The kept document, verified against its recorded sha256; None if there is none (or it rotted).
        One that is too large for memory comes as the path of its file, for whoever reads it to verify."""

    async def put(self, project: Project, document: Document) -> None:
        """Keep it, its file as a copy; only `checked`, `etag` and `last_modified` are rewritten when the body
        is unchanged."""

    async def drop(self, project: Project) -> None:
        """Forget it."""

    async def standing(self, project: Project) -> Document | None:
        """What is known about the kept document: its body isn't read, and left empty."""

    async def names(self, ecosystem: str) -> tuple[str, ...]:
        """Names of all projects with a kept document, sorted."""


class Warehouse(Protocol):
    """What lies on the volume of public files as a whole; private files aren't here."""

    async def measure(self) -> Kept:
        """Counted from the files. Raises Unavailable."""

    async def collect(self, *, dry_run: bool) -> Taken:
        """Remove files that no row names, once they are a day old."""

    async def shrink(self, quota: int, *, dry_run: bool) -> Taken:
        """Give up files, the least recently used first, until the rest takes `quota` bytes or less. Pins
        stay, and so does what was asked for within the hour."""

    async def note_uses(self) -> None:
        """Write down when files were asked for."""

    async def blobs(self, after: str, limit: int) -> tuple[tuple[str, int], ...]:
        """Names (sha256) and sizes of files after that name, in order, so many at most."""

    async def unnamed(self) -> tuple[tuple[str, int], ...]:
        """Names and sizes of all files that no row names, in order."""

    async def sound(self, sha256: str) -> bool:
        """Whether a file has its bytes, hashed now; one that doesn't is put aside with an alarm."""

    async def holders(self, sha256: str) -> tuple[Holding, ...]:
        """The rows that need these bytes, as their file or as its core metadata."""

    async def position(self) -> str:
        """The name after which checking goes on; empty to begin anew."""

    async def set_position(self, sha256: str) -> None:
        """Note how far checking has come."""


class Adoptions(Protocol):
    """Files that lay on the volume before the database knew of them. Nothing serves them until a source
    announces what they are."""

    async def adopt(self, sha256: str, size: int) -> bool:
        """Read a file and remember what its bytes are; one that was adopted before waits anew. False for one
        that is gone, or isn't what it is called: that is put aside with an alarm."""

    async def announced(self, digests: Sequence[Digest], size: int | None) -> Verified | None:
        """The adopted file that has all of these digests, and this size unless that is None."""

    async def waiting(self) -> frozenset[str]:
        """Names (sha256) of adopted files that didn't wait too long."""


class Shelf(Protocol):
    """Rendered indexes, ready to be sent. Small and fast; may forget anything at any time."""

    def get(self, key: tuple[str, ...]) -> object | None:
        """What was put under the key."""

    def put(self, key: tuple[str, ...], entry: object, size: int) -> None:
        """Keep `entry`, which counts for `size` bytes."""

    def drop(self, prefix: tuple[str, ...]) -> None:
        """Forget all keys that begin so."""
