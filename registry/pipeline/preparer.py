"""Has documents prepared with what is known of their projects: small ones here, large ones in workers."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import msgspec

from registry.model.indexes import Document, Rendition, Representation
from registry.model.names import Project
from registry.model.ports import Attestations, Catalogue, Clock
from registry.pipeline.currency import Current
from registry.pipeline.freshness import Freshness
from registry.pipeline.inforce import Policy, PolicyInForce
from registry.pipeline.large import DocumentLost
from registry.pipeline.offers import Offer, with_offers
from registry.pipeline.orders import Job, Prepared, Rules, Wanted
from registry.pipeline.prepare import prepare, prepare_packed, unpack_prepared
from registry.pipeline.workers import Workers

LARGE = 256 * 1024
"""Documents of more bytes are prepared in a worker process; smaller ones take the loop a few milliseconds."""
AT_ONCE = 2
"""Large documents that are prepared at once: one by the worker process, one on its way there or back, where
each takes several times its size. The others wait as the bytes that they are."""


class Preparer:
    """Brings together document, rows and policy."""

    def __init__(
        self,
        *,
        policy: PolicyInForce,
        freshness: Freshness,
        catalogue: Catalogue,
        attestations: Attestations,
        clock: Clock,
        secret: bytes,
        workers: Workers,
        signing_key: str = "",
        scratch: str = "",
        missing_times: str = "none",
    ) -> None:
        """`signing_key` is the PEM of the key that private npm files are signed with, `scratch` a local
        directory for what is too large for memory, `missing_times` what npm's clients are told (Job)."""
        self._policy = policy
        self._freshness = freshness
        self._catalogue = catalogue
        self._attestations = attestations
        self._clock = clock
        self._secret = secret
        self._workers = workers
        self._signing_key = signing_key
        self._scratch = scratch
        self._missing_times = missing_times
        self._one_at_a_time = asyncio.Lock()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def current(
        self, project: Project, wanted: Wanted, current: Current, root: str
    ) -> tuple[str, Prepared]:
        """What comes of the current document, and that one's digest."""
        read = partial(self._freshness.document, project, current.currency.origin)
        document = current.document or await read()
        if document is current.document or not _is_large(document) or not self._turns.locked():
            return document.sha256, await self.prepare(project, document, wanted, root)
        del document  # fifty that wait would be a hundred megabytes: it is read again when its turn has come
        async with self._turns:
            document = await read()
            return document.sha256, await self.prepare(project, document, wanted, root, has_turn=True)

    async def prepare(
        self,
        project: Project,
        document: Document,
        wanted: Wanted | None,
        root: str,
        *,
        filtered: bool = True,
        learns: bool = False,
        has_turn: bool = False,
    ) -> Prepared:
        """What comes of a document; a large one waits for its turn, unless its caller has that already."""
        async with nullcontext() if has_turn or not _is_large(document) else self._turns:
            policy: Policy = self._policy.current
            job = Job(
                project=project,
                attested=await self._attestations.attested(project),
                document=document,
                origin=document.origin,
                known=await self._catalogue.known(project),
                root=root,
                secret=self._secret,
                signing_key=self._signing_key,
                scratch=self._scratch,
                missing_times=self._missing_times,
                now=self._clock.now(),
                wanted=wanted,
                filtered=filtered,
                learns=learns,
            )
            rules = policy.artifact_rules(project)
            if not _is_large(document):
                return _owning(prepare(job, rules))
            packed = await asyncio.to_thread(msgspec.msgpack.encode, job)
            del job
            return _owning(await self._elsewhere(project, packed, rules, in_file=bool(document.path)))

    async def amended(
        self,
        project: Project,
        rendition: Rendition,
        shown: Representation,
        revision: str,
        offers: Iterable[Offer],
    ) -> Rendition | None:
        """A rendered index that offers the metadata of more of its files; None where its body is gone."""
        amend = partial(with_offers, project, rendition, shown, revision, offers, self._scratch)
        try:
            if rendition.size <= LARGE:
                return _own(await asyncio.to_thread(amend))
            async with self._turns:
                return _own(await asyncio.to_thread(amend))
        except OSError:
            return None

    async def _elsewhere(self, project: Project, packed: bytes, rules: Rules, *, in_file: bool) -> Prepared:
        """What comes of a packed job in a worker process."""
        if not in_file:
            return unpack_prepared(await self._workers.run(prepare_packed, packed, rules))
        try:
            async with self._one_at_a_time:  # each takes a hundred megabytes of page cache and a processor
                return unpack_prepared(await self._workers.run(prepare_packed, packed, rules))
        except DocumentLost:
            await self._freshness.forget(project)
            raise


def _is_large(document: Document) -> bool:
    return bool(document.path) or len(document.body) > LARGE


def _owning(prepared: Prepared) -> Prepared:
    if prepared.rendition is not None:
        _own(prepared.rendition)
    return prepared


def _own(rendition: Rendition) -> Rendition:
    """The same, whose body's file is removed when nobody has it any more."""
    if rendition.path:
        weakref.finalize(rendition, _remove, rendition.path)
    return rendition


def _remove(path: str) -> None:
    Path(path).unlink(missing_ok=True)
