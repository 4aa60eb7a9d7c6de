"""The way in: nothing is listed before its row, nothing is changed twice, and a name has one owner."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest

from registry.ecosystems import ECOSYSTEMS
from registry.errors import Conflict, Forbidden, Malformed, NotFound, Refused, SourceFailed, Unauthenticated
from registry.model.artifacts import Artifact, Digest
from registry.model.asks import AmendAsk
from registry.model.events import Client, Kind
from registry.model.publications import Publication, Upload
from registry.pipeline.publishing import Publishing, may_publish
from registry.pipeline.vouching import Vouching
from registry.pipeline.workers import Workers
from tests.desks import ADA
from tests.fakes import BlobsInDirectory
from tests.pipeline.line import SECRET, Line, Taking
from tests.policy.worlds import GUARDED
from tests.upstream import Distribution, make_wheel

ROOT = "http://localhost:8080"
APP = ECOSYSTEMS["pypi"].parse_name("acme-app")
WHEEL = make_wheel("acme-app", "1.0")
OTHER = make_wheel("acme-app", "1.0", modules={"other.py": ""})


class Nobody:
    """Vouches for nothing."""

    async def accept(self, publication: Publication) -> None:
        """No attestations here."""


class Dock:
    """Publishing over fakes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.line, self.taking = folder, Line(folder), Taking()
        self.workers = Workers(processes=1)
        self.publishing = Publishing(
            ecosystems=ECOSYSTEMS,
            publishers=dict.fromkeys(ECOSYSTEMS, self.taking),
            policy=self.line.policy,
            catalogue=self.line.catalogue,
            blobs=BlobsInDirectory(folder / "blobs"),
            freshness=self.line.freshness,
            renderer=self.line.renderer,
            refusals=self.line.refusals,
            clock=self.line.clock,
            secret=SECRET,
            vouching=cast("Vouching", Nobody()),
            workers=self.workers,
        )

    async def upload(
        self, wheel: Distribution = WHEEL, fields: Mapping[str, str] = MappingProxyType({})
    ) -> Artifact:
        spool = self.folder / f"spool-{hashlib.sha256(wheel.data).hexdigest()[:8]}"
        spool.write_bytes(wheel.data)
        sha256 = hashlib.sha256(wheel.data).hexdigest()
        said = {
            ":action": "file_upload",
            "metadata_version": "2.1",
            "name": wheel.project,
            "version": wheel.version,
            "filetype": "bdist_wheel",
            "sha256_digest": sha256,
            **fields,
        }
        upload = Upload(
            fields={name: (value,) for name, value in said.items()},
            filename=wheel.filename,
            size=len(wheel.data),
            digests={"sha256": sha256},
        )
        return await self.publishing.upload("pypi", upload, spool, ROOT, ADA)

    async def seen_upstream(self) -> None:
        """Have the name known as a public one."""
        artifact = Artifact(
            project=APP, filename="acme_app-9.0.tar.gz", version="9.0", digests=(Digest("sha256", "a" * 64),)
        )
        await self.line.catalogue.remember(APP, [artifact], "public", self.line.clock.now())

    @property
    def published(self) -> list[Any]:
        return self.line.log.of_kind(Kind.PUBLISH)


@pytest.fixture
async def dock(tmp_path: Path) -> AsyncIterator[Dock]:
    made = Dock(tmp_path)
    await made.line.policy.load()
    yield made
    await made.line.freshness.close()


async def test_a_publication_is_handed_over_recorded_and_ours(dock: Dock) -> None:
    artifact = await dock.upload()
    assert artifact.published == dock.line.clock.now()
    assert [taken.artifact.filename for taken in dock.taking.taken] == [WHEEL.filename]
    (event,) = dock.published
    assert (event.actor, event.version, event.sha256) == (
        "ada",
        "1.0",
        hashlib.sha256(WHEEL.data).hexdigest(),
    )
    assert dock.line.policy.current.ours(APP)
    row = await dock.line.catalogue.holding(APP, WHEEL.filename)
    assert row is not None
    assert (row.origin, row.metadata_blob) == ("private", hashlib.sha256(WHEEL.metadata or b"").hexdigest())


async def test_the_same_bytes_once_more_change_nothing(dock: Dock) -> None:
    first = await dock.upload()
    dock.line.clock.advance(hours=1)
    assert await dock.upload() == first
    assert len(dock.taking.taken) == len(dock.published) == 1


async def test_other_bytes_are_a_conflict_and_reach_no_back_end(dock: Dock) -> None:
    await dock.upload()
    with pytest.raises(Conflict, match="already exists"):
        await dock.upload(OTHER)
    assert len(dock.taking.taken) == len(dock.published) == 1


async def test_two_at_once_are_one_after_the_other(dock: Dock) -> None:
    results = await asyncio.gather(dock.upload(), dock.upload(), dock.upload(OTHER), return_exceptions=True)
    assert [isinstance(result, Conflict) for result in results].count(True) == 1
    assert len(dock.taking.taken) == len(dock.published) == 1


async def test_a_name_that_was_taken_back_is_never_used_again(dock: Dock) -> None:
    await dock.upload()
    retired = AmendAsk(APP, "artifact", WHEEL.filename)
    await dock.publishing.amend(retired, "DELETE", "x", b"", ADA)
    with pytest.raises(Conflict):
        await dock.upload()


async def test_a_back_end_that_fails_leaves_no_row(dock: Dock) -> None:
    dock.taking.failure = SourceFailed("It is down.")
    with pytest.raises(SourceFailed):
        await dock.upload()
    assert await dock.line.catalogue.holding(APP, WHEEL.filename) is None
    assert dock.published == []
    dock.taking.failure = None
    await dock.upload()
    assert len(dock.published) == 1


async def test_a_public_name_becomes_ours_only_where_it_is_claimed(dock: Dock) -> None:
    await dock.seen_upstream()
    with pytest.raises(Refused, match="public"):
        await dock.upload()
    assert dock.taking.taken == []
    assert len(dock.line.log.of_kind(Kind.REFUSAL)) == 1
    await dock.line.decree(GUARDED.replace("[npm]", 'ours = ["acme-*"]\n[npm]', 1))
    await dock.upload()
    assert await dock.line.catalogue.origin(APP) == "private"


async def test_a_denied_version_cannot_be_published(dock: Dock) -> None:
    await dock.line.decree(GUARDED.replace("[npm]", 'deny = ["acme-app<2"]\n[npm]', 1))
    with pytest.raises(Refused):
        await dock.upload()
    assert dock.taking.taken == []


async def test_a_form_that_lies_reaches_nobody(dock: Dock) -> None:
    for lie in ({"sha256_digest": "0" * 64}, {"version": "2.0"}, {"name": "other"}):
        with pytest.raises(Malformed):
            await dock.upload(WHEEL, lie)
    assert dock.taking.taken == []


async def test_publishing_asks_no_upstream(dock: Dock) -> None:
    await dock.upload()
    assert dock.line.upstream.asked == []


async def test_what_is_not_ours_cannot_be_changed_here(dock: Dock) -> None:
    await dock.seen_upstream()
    with pytest.raises(NotFound):
        await dock.publishing.amend(AmendAsk(APP, "tag", "latest"), "PUT", "x", b'"1.0"', ADA)
    assert dock.taking.amended == []


@pytest.mark.parametrize("status", [500, 503])
async def test_a_change_that_failed_is_a_failure_and_no_row(dock: Dock, status: int) -> None:
    await dock.upload()
    dock.taking.status = status
    with pytest.raises(SourceFailed):
        await dock.publishing.amend(AmendAsk(APP, "project"), "DELETE", "x", b"", ADA)
    row = await dock.line.catalogue.holding(APP, WHEEL.filename)
    assert row is not None
    assert not row.gone
    assert len(dock.published) == 1


async def test_a_change_that_the_back_end_refuses_is_passed_on_and_no_row(dock: Dock) -> None:
    await dock.upload()
    dock.taking.status = 409
    status, _ = await dock.publishing.amend(AmendAsk(APP, "project"), "DELETE", "x", b"", ADA)
    assert status == 409
    assert len(dock.published) == 1


def test_publishing_needs_an_account_and_a_token_for_it() -> None:
    may_publish(Client(user="ada", may_publish=True))
    with pytest.raises(Unauthenticated):
        may_publish(Client())
    with pytest.raises(Forbidden):
        may_publish(Client(user="ada", token="t1"))
