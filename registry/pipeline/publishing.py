"""The way in for private files: understood → decided → handed to the back end → recorded → listed.

Nothing here asks an upstream, so publishing works with the internet gone. A file is listed once its row is
committed; a crash before that leaves bytes in a back end that nobody can see, and the same upload mends it.
"""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import msgspec

from registry.ecosystems import ECOSYSTEMS
from registry.errors import (
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    Refused,
    SourceFailed,
    TooLarge,
    Unauthenticated,
)
from registry.model.artifacts import Artifact, Holding
from registry.model.asks import AmendAsk
from registry.model.decisions import refuse
from registry.model.ecosystem import Ecosystem
from registry.model.events import Client, Event, Kind
from registry.model.names import Project
from registry.model.ports import Blobs, Catalogue, Clock, Publisher, Refusals
from registry.model.publications import Publication, Upload
from registry.pipeline.freshness import Freshness
from registry.pipeline.inforce import PolicyInForce
from registry.pipeline.objections import with_objection
from registry.pipeline.rendering import Renderer
from registry.pipeline.singleflight import Turn
from registry.pipeline.standing import against_uploads
from registry.pipeline.vouching import Vouching
from registry.pipeline.workers import Workers

LARGE = 4 * 1024 * 1024
"""A publish document of more bytes is taken apart by a worker process."""


class Publishing:
    """Uploads and changes, for every ecosystem."""

    def __init__(
        self,
        *,
        ecosystems: Mapping[str, Ecosystem],
        publishers: Mapping[str, Publisher],
        policy: PolicyInForce,
        catalogue: Catalogue,
        blobs: Blobs,
        freshness: Freshness,
        renderer: Renderer,
        refusals: Refusals,
        clock: Clock,
        secret: bytes,
        vouching: Vouching,
        workers: Workers,
    ) -> None:
        """`blobs` keeps the private side's metadata files."""
        self._ecosystems = ecosystems
        self._publishers = publishers
        self._policy = policy
        self._catalogue = catalogue
        self._blobs = blobs
        self._freshness = freshness
        self._renderer = renderer
        self._refusals = refusals
        self._clock = clock
        self._secret = secret
        self._vouching = vouching
        self._workers = workers

    async def upload(
        self, ecosystem: str, upload: Upload, spool: Path, root: str, client: Client
    ) -> Artifact:
        """A form upload (twine, uv publish) whose file lies in `spool`.

        Identical bytes under a known name are accepted again. Raises Malformed, Refused, Conflict, and what
        the back end raises.
        """
        publication = await asyncio.to_thread(self._understand, ecosystem, upload, spool)
        return await self._accept(publication, spool, root, client)

    async def document(
        self, project: Project, sent: Path, spool: Path, limit: int, root: str, client: Client
    ) -> Artifact | None:
        """An npm publish document that lies in `sent` and whose file comes to lie in `spool`; None when it
        publishes nothing but changes what is published (deprecation, owners): that is an amendment.

        Raises like `upload`, and TooLarge for a file of more than `limit` bytes.
        """
        if sent.stat().st_size > LARGE:  # noqa: ASYNC240  local disk, one system call
            publication = await self._workers.run(take_apart, project, sent, spool)
        else:
            publication = await asyncio.to_thread(take_apart, project, sent, spool)
        if publication is None:
            return None
        if (publication.artifact.size or 0) > limit:
            raise TooLarge.of_upload(limit)
        return await self._accept(publication, spool, root, client)

    async def amend(
        self, ask: AmendAsk, method: str, path: str, body: bytes, client: Client
    ) -> tuple[int, bytes]:
        """Pass a change of a private project on to its back end: tags, deprecation, unpublish.

        `path` is the canonical one below the back end. Raises NotFound for a project that isn't ours.
        """
        project = ask.project
        if await self._catalogue.origin(project) != "private":
            raise NotFound(f"'{project.name}' isn't published here, so it can't be changed here.")
        async with self.turn(project):
            before = await self._catalogue.holdings(project)
            status, answer = await self._publishers[project.ecosystem].amend(method, path, body)
            if status >= 500:
                raise SourceFailed(
                    f"The private back end answered {status} to the change of '{project.name}'."
                )
            await self.changed(project)
            if status < 400:
                event = self._event(client, project, {"change": ask.what, "detail": ask.detail})
                await self._catalogue.retire(project, _retired(ask, before), event)
        return status, answer

    def _understand(self, ecosystem: str, upload: Upload, spool: Path) -> Publication:
        with spool.open("rb") as file:
            return self._ecosystems[ecosystem].parse_upload(upload, file)

    async def _accept(self, publication: Publication, spool: Path, root: str, client: Client) -> Artifact:
        project = publication.project
        artifact = msgspec.structs.replace(publication.artifact, published=self._clock.now())
        await self._decide(project, artifact.version, root, client)
        async with self.turn(project):
            row = await self._catalogue.holding(project, artifact.filename)
            if row is not None and row.origin == "private":
                if not row.gone and row.pin in artifact.digests:
                    await self.changed(project)  # a crash may have come between the row and this
                    return row.artifact
                raise Conflict(
                    f"File already exists: '{artifact.filename}' was published before with other content or "
                    "was taken back; a file name is never used twice, so publish a new version."
                )
            await self._vouching.accept(publication)
            await self._publishers[project.ecosystem].publish(publication, spool)
            metadata = await self._blobs.put(publication.metadata) if publication.metadata else None
            # Whether a name known as public may become ours was decided above.
            await self._catalogue.publish(artifact, metadata, self._published(artifact, client), claimed=True)
            await self.changed(project)
        return artifact

    async def _decide(self, project: Project, version: str, root: str, client: Client) -> None:
        policy, now = self._policy.current, self._clock.now()
        known_public = await self._catalogue.origin(project) == "public"
        decision = policy.decide_publication(project, version, known_public, now)
        objection = against_uploads(project, self._catalogue.status(project))
        if objection is not None:
            decision = with_objection(decision, objection)
        if not decision.allowed:
            refusal = refuse(decision, root, self._secret)
            await self._refusals.note(refusal, client, now)
            raise Refused(refusal)

    async def changed(self, project: Project) -> None:
        """From here on the name is ours and its index is new, before the client hears of success."""
        if not self._policy.current.ours(project):
            await self._policy.reload()
        await self._freshness.forget(project)
        await self._renderer.forget(project)
        self._renderer.refresh(project, "private")  # a search finds it by what it is about, too

    def turn(self, project: Project) -> Turn:
        """Held while what is published under a name changes: one change at a time."""
        return self._freshness.turn(project)

    def _published(self, artifact: Artifact, client: Client) -> Event:
        detail = {"change": "publish", "size": artifact.size}
        detail |= {d.algorithm: d.hex for d in artifact.digests}
        event = self._event(client, artifact.project, detail)
        sha256 = next((d.hex for d in artifact.digests if d.algorithm == "sha256"), None)
        return msgspec.structs.replace(
            event, version=artifact.version, filename=artifact.filename, sha256=sha256
        )

    def _event(self, client: Client, project: Project, detail: Mapping[str, str | int | None]) -> Event:
        return Event(
            kind=Kind.PUBLISH,
            at=self._clock.now(),
            actor=client.actor,
            project=project,
            address=client.address,
            agent=client.agent,
            detail=dict(detail),
        )


def take_apart(project: Project, sent: Path, spool: Path) -> Publication | None:
    """A publish document in a file → the publication, its file written to another. Its memory doesn't grow
    with either: the document is mapped, not read. Raises Malformed, TooLarge."""
    parse = ECOSYSTEMS[project.ecosystem].parse_document
    if parse is None:
        raise Malformed("This ecosystem publishes by form upload.")
    if not sent.stat().st_size:
        raise Malformed("The publication is empty.")
    with sent.open("rb") as document, spool.open("w+b") as file:
        # Not closed by hand: views of it end when the last of them does.
        mapped = mmap.mmap(document.fileno(), 0, access=mmap.ACCESS_READ)
        return parse(project, cast("bytes", mapped), file)


def may_publish(client: Client) -> None:
    """Raise Unauthenticated or Forbidden unless the client's credentials allow publishing."""
    if client.user is None:
        raise Unauthenticated(
            "Publishing needs a login; use your account's password, or a token with the user name __token__."
        )
    if not client.may_publish:
        raise Forbidden(
            "This token may only read; an admin makes one for publishing with `registry token create`."
        )


def _retired(ask: AmendAsk, before: Sequence[Holding]) -> Sequence[str]:
    """The file names that an unpublish takes back."""
    if ask.what == "artifact":
        return [ask.detail]
    if ask.what == "project":
        return [row.artifact.filename for row in before if not row.gone]
    return []
