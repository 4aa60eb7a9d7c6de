"""Catalogue: the rule of first sight, what we hold, and whose a name is."""

from __future__ import annotations

import asyncio
import gzip
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from registry.errors import Conflict, NotFound
from registry.model.artifacts import Artifact, Digest, Holding, Known
from registry.model.attestations import Attested, Judgement
from registry.model.events import Event, Kind, LoggedEvent
from registry.model.indexes import Status
from registry.model.listings import Listing
from registry.model.ports import Catalogue, ProvenanceLog
from registry.storage.attestations import Attestations
from registry.storage.catalogue import Catalogue as StoredCatalogue
from tests.contracts.conftest import Ports
from tests.specimens import BAR, FOO, NOW, SCOPED, artifact, event, opened, sha

LATER = NOW + timedelta(days=1)
WHEEL = artifact("foo-1.0-py3-none-any.whl", sha(b"1.0", "sha512"), sha(b"1.0"), sha(b"1.0", "md5"), size=3)
SDIST = artifact(
    "foo-1.0.tar.gz",
    url="https://example.invalid/foo-1.0.tar.gz",
    published=NOW,
    yanked="",
    requires_python=">=3.9",
    metadata=sha(b"metadata"),
    provenance="https://example.invalid/provenance",
    install_script=True,
    publisher="ada",
    handover="was published by ada; releases before it by bob",
    carried=b"anything",
)
EVIL = sha(b"evil")


@pytest.fixture
def catalogue(ports: Ports) -> Catalogue:
    return ports.catalogue


@pytest.fixture
def log(ports: Ports) -> ProvenanceLog:
    return ports.log


async def row(catalogue: Catalogue, known: Artifact = WHEEL) -> Holding:
    found = await catalogue.holding(known.project, known.filename)
    assert found is not None
    return found


async def alarms(log: ProvenanceLog) -> list[LoggedEvent]:
    return list(await log.events(kinds=["alarm"]))


def with_digests(known: Artifact, *digests: Digest) -> Artifact:
    return msgspec.structs.replace(known, digests=digests)


async def test_what_was_never_seen_is_not_known(catalogue: Catalogue) -> None:
    assert await catalogue.holding(FOO, "foo-1.0.tar.gz") is None
    assert await catalogue.holdings(FOO) == ()
    assert await catalogue.known(FOO) == {}
    assert await catalogue.origin(FOO) is None


async def test_every_fact_is_kept_except_what_is_only_carried(catalogue: Catalogue) -> None:
    await catalogue.remember(FOO, [SDIST], "public", NOW)
    found = await row(catalogue, SDIST)
    assert found.artifact == msgspec.structs.replace(SDIST, carried=b"", attestation="pending")
    assert (found.origin, found.first_seen, found.gone, found.blob) == ("public", NOW, False, None)


async def test_what_was_found_of_a_files_builder_is_told_with_it_and_is_no_fact_of_its_source(
    tmp_path: Path,
) -> None:
    judgement = Judgement(verdict="verified", publisher="GitHub acme/foo release.yml")
    found = Attested(
        filename=SDIST.filename, version="1.0", judgement=judgement, checked=NOW, handover="is by another"
    )
    async with opened(tmp_path) as storage:
        catalogue, attestations = StoredCatalogue(storage.database), Attestations(storage.database)
        await catalogue.remember(FOO, [SDIST, WHEEL], "public", NOW)
        await attestations.attest(FOO, found)
        for file in (await row(catalogue, SDIST), *(await catalogue.holdings(FOO))[-1:]):
            said = file.artifact
            assert (said.attestation, said.publisher, said.handover) == (
                "verified",
                judgement.publisher,
                "is by another",
            )
        await catalogue.remember(FOO, [], "public", NOW)
        await catalogue.remember(FOO, [SDIST, WHEEL], "public", NOW)
        facts = storage.database.row(
            "SELECT publisher, handover FROM artifact WHERE filename = ?", (SDIST.filename,)
        )
        assert facts == (SDIST.publisher, SDIST.handover)


async def test_what_a_project_is_about_is_kept_until_it_says_otherwise(catalogue: Catalogue) -> None:
    await catalogue.remember(FOO, [SDIST], "public", NOW, summary="about foo")
    await catalogue.remember(FOO, [SDIST], "public", NOW)
    assert await catalogue.summaries("pypi", "public") == {"foo": "about foo"}
    await catalogue.remember(FOO, [SDIST], "public", NOW, summary="about bar")
    assert await catalogue.summaries("pypi", "public") == {"foo": "about bar"}
    assert await catalogue.summaries("pypi", "private") == await catalogue.summaries("npm", "public") == {}


async def test_first_sight_pins_the_strongest_strong_digest(catalogue: Catalogue) -> None:
    weak = artifact("foo-0.9.tar.gz", sha(b"0.9", "sha1"), sha(b"0.9", "md5"))
    await catalogue.remember(FOO, [WHEEL, weak], "public", NOW)
    pins = {WHEEL.filename: sha(b"1.0", "sha512"), weak.filename: None}
    assert await catalogue.known(FOO) == {name: Known(NOW, pin) for name, pin in pins.items()}
    assert (await row(catalogue, weak)).pin is None


async def test_the_pin_of_a_file_never_changes(catalogue: Catalogue, log: ProvenanceLog) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    forged = with_digests(WHEEL, sha(b"evil", "sha512"), EVIL)
    await catalogue.remember(FOO, [forged], "public", LATER)
    found = await row(catalogue)
    assert found.pin == sha(b"1.0", "sha512")
    assert found.conflict == sha(b"evil", "sha512")
    assert found.artifact.digests == WHEEL.digests
    assert (found.artifact.size, found.first_seen) == (3, NOW)


async def test_a_changed_digest_is_an_alarm_once(catalogue: Catalogue, log: ProvenanceLog) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    for _ in range(2):
        await catalogue.remember(FOO, [with_digests(WHEEL, EVIL)], "public", LATER)
    (alarm,) = await alarms(log)
    assert (alarm.event.project, alarm.event.filename) == (FOO, WHEEL.filename)
    assert alarm.event.detail["announced"] == str(EVIL)


async def test_a_source_that_returns_to_its_first_word_ends_the_conflict(catalogue: Catalogue) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    await catalogue.remember(FOO, [with_digests(WHEEL, EVIL)], "public", NOW)
    await catalogue.remember(FOO, [WHEEL], "public", LATER)
    assert (await row(catalogue)).conflict is None


async def test_a_weaker_announcement_is_kept_as_a_fact_and_leaves_the_pin(catalogue: Catalogue) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    await catalogue.remember(FOO, [with_digests(WHEEL, sha(b"1.0", "md5"))], "public", LATER)
    found = await row(catalogue)
    assert found.artifact.digests == (sha(b"1.0", "md5"),)
    assert (found.pin, found.conflict) == (sha(b"1.0", "sha512"), None)


async def test_the_first_strong_digest_pins_a_file_that_had_none(catalogue: Catalogue) -> None:
    await catalogue.remember(FOO, [with_digests(WHEEL)], "public", NOW)
    await catalogue.remember(FOO, [with_digests(WHEEL, sha(b"1.0"))], "public", LATER)
    assert (await row(catalogue)).pin == sha(b"1.0")


async def test_changed_facts_are_kept(catalogue: Catalogue) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    yanked = msgspec.structs.replace(WHEEL, yanked="broken")
    await catalogue.remember(FOO, [yanked], "public", LATER)
    assert (await row(catalogue)).artifact == yanked


async def test_a_file_that_vanished_is_gone_until_it_returns(catalogue: Catalogue) -> None:
    await catalogue.remember(FOO, [WHEEL, SDIST], "public", NOW)
    await catalogue.remember(FOO, [SDIST], "public", LATER)
    assert (await row(catalogue)).gone
    assert not (await row(catalogue, SDIST)).gone
    await catalogue.remember(FOO, [WHEEL, SDIST], "public", LATER)
    assert not (await row(catalogue)).gone


async def test_rows_are_told_by_first_sight_then_name(catalogue: Catalogue) -> None:
    first, second = artifact("foo-2.0.tar.gz"), artifact("foo-1.0.zip")
    await catalogue.remember(FOO, [first], "public", NOW)
    await catalogue.remember(FOO, [SDIST, second, first], "public", LATER)
    names = [found.artifact.filename for found in await catalogue.holdings(FOO)]
    assert names == ["foo-2.0.tar.gz", "foo-1.0.tar.gz", "foo-1.0.zip"]


async def test_files_of_the_same_name_in_two_projects_are_two(catalogue: Catalogue) -> None:
    other = msgspec.structs.replace(with_digests(WHEEL, EVIL), project=SCOPED)
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    await catalogue.remember(SCOPED, [other], "public", NOW)
    assert (await row(catalogue, other)).pin == EVIL
    assert (await row(catalogue)).conflict is None


async def test_holding_bytes_is_one_act_with_its_event(catalogue: Catalogue, log: ProvenanceLog) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    await catalogue.hold(FOO, WHEEL.filename, sha(b"1.0").hex, 3, event(Kind.INGEST))
    found = await row(catalogue)
    assert (found.blob, found.blob_size) == (sha(b"1.0").hex, 3)
    assert [logged.event.kind for logged in await log.events()] == [Kind.INGEST]


async def test_who_waited_for_the_bytes_is_on_record_with_them(
    catalogue: Catalogue, log: ProvenanceLog
) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    deliveries = [event(Kind.DELIVERY, actor=actor) for actor in ("one", "two")]
    await catalogue.hold(FOO, WHEEL.filename, sha(b"1.0").hex, 3, event(Kind.INGEST), deliveries=deliveries)
    newest_first = [(logged.event.kind, logged.event.actor) for logged in await log.events()]
    assert newest_first[:2] == [(Kind.DELIVERY, "two"), (Kind.DELIVERY, "one")]
    assert newest_first[2][0] == Kind.INGEST


async def test_a_file_that_came_in_is_told_without_waiting(catalogue: Catalogue) -> None:
    await catalogue.remember(FOO, [artifact("foo.whl"), artifact("later.whl")], "public", NOW)
    await catalogue.hold(FOO, "foo.whl", "ab" * 32, 5, event(Kind.INGEST, filename="foo.whl"))
    assert catalogue.at_once(FOO, "foo.whl") == await catalogue.holding(FOO, "foo.whl")
    listed = catalogue.at_once(FOO, "later.whl")
    assert listed is None or listed.blob is None


async def test_held_bytes_pin_a_file_that_was_announced_without_a_digest(catalogue: Catalogue) -> None:
    await catalogue.remember(FOO, [with_digests(WHEEL)], "public", NOW)
    await catalogue.hold(FOO, WHEEL.filename, sha(b"1.0").hex, 3, event(Kind.INGEST))
    await catalogue.remember(FOO, [with_digests(WHEEL, EVIL)], "public", LATER)
    found = await row(catalogue)
    assert (found.pin, found.conflict) == (sha(b"1.0"), EVIL)


async def test_held_bytes_come_with_the_metadata_found_in_them_in_place_of_that_beside_them(
    catalogue: Catalogue, log: ProvenanceLog
) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    await catalogue.attach_side_file(FOO, WHEEL.filename, EVIL.hex, event(Kind.INGEST))
    assert (await row(catalogue)).side_blob == EVIL.hex
    await catalogue.hold(FOO, WHEEL.filename, sha(b"1.0").hex, 3, event(Kind.INGEST), sha(b"meta").hex)
    found = await row(catalogue)
    assert (found.metadata_blob, found.side_blob) == (sha(b"meta").hex, None)
    assert len(await log.events()) == 2


async def test_doubts_about_a_file_stay_until_they_are_cleared(
    catalogue: Catalogue, log: ProvenanceLog
) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    await catalogue.note_mismatch(FOO, WHEEL.filename, "It is another.", event(Kind.ALARM))
    await catalogue.hold(FOO, WHEEL.filename, sha(b"1.0").hex, 3, event(Kind.INGEST))
    await catalogue.remember(FOO, [msgspec.structs.replace(WHEEL, yanked="bad")], "public", LATER)
    await catalogue.release(FOO, WHEEL.filename)
    assert (await row(catalogue)).artifact.mismatch == "It is another."
    assert (await catalogue.known(FOO))[WHEEL.filename].mismatch == "It is another."
    await catalogue.note_mismatch(FOO, WHEEL.filename, "", event(Kind.ALARM))
    assert (await row(catalogue)).artifact.mismatch == ""
    kinds = [logged.event.kind for logged in reversed(await log.events())]
    assert kinds[:2] + kinds[-1:] == [Kind.ALARM, Kind.INGEST, Kind.ALARM]


async def test_a_status_stays_until_another_is_said_and_each_is_logged(
    catalogue: Catalogue, log: ProvenanceLog
) -> None:
    assert catalogue.status(FOO) is None
    for status in (Status("archived", "old"), Status("quarantined", "worse"), None):
        await catalogue.set_status(FOO, status, event(Kind.PUBLISH))
        assert catalogue.status(FOO) == status
        assert catalogue.status(SCOPED) is None
    assert len(await log.events()) == 3


async def test_unknown_files_are_not_held_and_nothing_is_logged(
    catalogue: Catalogue, log: ProvenanceLog
) -> None:
    with pytest.raises(NotFound):
        await catalogue.hold(FOO, "foo-9.tar.gz", EVIL.hex, 1, event(Kind.INGEST))
    with pytest.raises(NotFound):
        await catalogue.attach_metadata(FOO, "foo-9.tar.gz", EVIL.hex)
    with pytest.raises(NotFound):
        await catalogue.attach_side_file(FOO, "foo-9.tar.gz", EVIL.hex, event(Kind.INGEST))
    with pytest.raises(NotFound):
        await catalogue.note_mismatch(FOO, "foo-9.tar.gz", "It is another.", event(Kind.ALARM))
    assert await log.events() == ()


async def test_released_bytes_leave_the_pin(catalogue: Catalogue) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    await catalogue.hold(FOO, WHEEL.filename, sha(b"1.0").hex, 3, event(Kind.INGEST))
    await catalogue.attach_metadata(FOO, WHEEL.filename, EVIL.hex)
    await catalogue.release(FOO, WHEEL.filename)
    await catalogue.release(FOO, "never-seen.whl")
    found = await row(catalogue)
    assert (found.blob, found.blob_size, found.metadata_blob) == (None, None, EVIL.hex)
    assert found.pin == sha(b"1.0", "sha512")


async def test_remembering_again_keeps_what_we_hold(catalogue: Catalogue) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    await catalogue.hold(FOO, WHEEL.filename, sha(b"1.0").hex, 3, event(Kind.INGEST))
    await catalogue.remember(FOO, [msgspec.structs.replace(WHEEL, yanked="")], "public", LATER)
    assert (await row(catalogue)).blob == sha(b"1.0").hex


async def test_publishing_makes_the_name_private_and_logs_it(
    catalogue: Catalogue, log: ProvenanceLog
) -> None:
    published: Event = event(Kind.PUBLISH)
    await catalogue.publish(WHEEL, EVIL.hex, published)
    found = await row(catalogue)
    assert (found.origin, found.pin, found.metadata_blob) == ("private", sha(b"1.0", "sha512"), EVIL.hex)
    assert await catalogue.origin(FOO) == "private"
    assert [logged.event for logged in await log.events()] == [published]


async def test_the_same_bytes_once_more_change_nothing(catalogue: Catalogue, log: ProvenanceLog) -> None:
    await catalogue.publish(WHEEL, None, event(Kind.PUBLISH))
    before = await row(catalogue)
    await catalogue.publish(WHEEL, None, event(Kind.PUBLISH, actor="bob"))
    assert await row(catalogue) == before
    assert len(await log.events()) == 1


async def test_other_bytes_under_a_published_name_are_a_conflict(
    catalogue: Catalogue, log: ProvenanceLog
) -> None:
    await catalogue.publish(WHEEL, None, event(Kind.PUBLISH))
    for other in (with_digests(WHEEL, EVIL), with_digests(WHEEL)):
        with pytest.raises(Conflict):
            await catalogue.publish(other, None, event(Kind.PUBLISH))
    assert (await row(catalogue)).pin == sha(b"1.0", "sha512")
    assert len(await log.events()) == 1


async def test_a_public_name_becomes_private_only_when_it_is_claimed(
    catalogue: Catalogue, log: ProvenanceLog
) -> None:
    await catalogue.remember(FOO, [SDIST], "public", NOW)
    with pytest.raises(Conflict):
        await catalogue.publish(WHEEL, None, event(Kind.PUBLISH))
    assert await catalogue.holding(FOO, WHEEL.filename) is None
    assert await log.events() == ()
    await catalogue.publish(WHEEL, None, event(Kind.PUBLISH), claimed=True)
    assert await catalogue.origin(FOO) == "private"
    assert (await row(catalogue, SDIST)).origin == "public"


async def test_a_claimed_name_still_refuses_other_bytes_under_a_public_file_name(
    catalogue: Catalogue,
) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    with pytest.raises(Conflict):
        await catalogue.publish(with_digests(WHEEL, EVIL), None, event(Kind.PUBLISH), claimed=True)
    await catalogue.publish(WHEEL, None, event(Kind.PUBLISH), claimed=True)
    assert (await row(catalogue)).origin == "private"


async def test_upstream_never_touches_a_private_row(catalogue: Catalogue) -> None:
    await catalogue.publish(WHEEL, None, event(Kind.PUBLISH))
    before = await row(catalogue)
    await catalogue.remember(FOO, [with_digests(WHEEL, EVIL)], "public", LATER)
    await catalogue.remember(FOO, [SDIST], "public", LATER)
    assert await row(catalogue) == before
    assert await catalogue.origin(FOO) == "private"


async def test_an_unpublished_name_is_never_used_again(catalogue: Catalogue, log: ProvenanceLog) -> None:
    await catalogue.publish(WHEEL, None, event(Kind.PUBLISH))
    await catalogue.retire(FOO, [WHEEL.filename], event(Kind.PUBLISH, detail={"act": "unpublish"}))
    assert (await row(catalogue)).gone
    with pytest.raises(Conflict):
        await catalogue.publish(WHEEL, None, event(Kind.PUBLISH))
    assert await catalogue.origin(FOO) == "private"
    assert len(await log.events()) == 2


async def test_a_private_file_is_yanked_for_a_reason_and_given_back(
    catalogue: Catalogue, log: ProvenanceLog
) -> None:
    await catalogue.publish(WHEEL, None, event(Kind.PUBLISH))
    for reason in ("broken", "", None):
        await catalogue.yank(FOO, [WHEEL.filename], reason, event(Kind.PUBLISH, detail={"change": "yank"}))
        assert (await row(catalogue)).artifact.yanked == reason
    assert len(await log.events()) == 4


async def test_only_what_is_published_here_can_be_yanked(catalogue: Catalogue, log: ProvenanceLog) -> None:
    await catalogue.remember(FOO, [SDIST], "public", NOW)
    await catalogue.publish(WHEEL, None, event(Kind.PUBLISH), claimed=True)
    await catalogue.retire(FOO, [WHEEL.filename], event(Kind.PUBLISH))
    for filenames in ([SDIST.filename], [WHEEL.filename], ["foo-9.tar.gz"], [WHEEL.filename, SDIST.filename]):
        with pytest.raises(NotFound):
            await catalogue.yank(FOO, filenames, "broken", event(Kind.PUBLISH))
    assert (await row(catalogue, SDIST)).artifact.yanked == ""
    assert len(await log.events()) == 2


async def test_only_what_was_published_here_can_be_unpublished(
    catalogue: Catalogue, log: ProvenanceLog
) -> None:
    await catalogue.remember(FOO, [SDIST], "public", NOW)
    await catalogue.publish(artifact("bar-1.0.tar.gz", project=BAR), None, event(Kind.PUBLISH))
    with pytest.raises(NotFound):
        await catalogue.retire(FOO, [SDIST.filename], event(Kind.PUBLISH))
    with pytest.raises(NotFound):
        await catalogue.retire(BAR, ["bar-1.0.tar.gz", "bar-2.0.tar.gz"], event(Kind.PUBLISH))
    found = await catalogue.holding(BAR, "bar-1.0.tar.gz")
    assert found is not None
    assert not found.gone
    assert len(await log.events()) == 1


async def test_projects_are_listed_by_ecosystem_and_origin(catalogue: Catalogue) -> None:
    await catalogue.remember(FOO, [WHEEL], "public", NOW)
    await catalogue.publish(artifact("bar-1.0.tar.gz", project=BAR), None, event(Kind.PUBLISH))
    await catalogue.publish(artifact("foo-1.0.tgz", project=SCOPED), None, event(Kind.PUBLISH))
    assert await catalogue.projects("pypi") == ("bar", "foo")
    assert await catalogue.projects("pypi", "public") == ("foo",)
    assert await catalogue.projects("pypi", "private") == ("bar",)
    assert await catalogue.projects("npm", "private") == ("@acme/foo",)


async def test_files_that_nobody_can_date_are_counted(catalogue: Catalogue) -> None:
    undated = msgspec.structs.replace(WHEEL, undated=True)
    await catalogue.remember(FOO, [undated, SDIST], "public", NOW)
    await catalogue.publish(artifact("bar-1.0.tar.gz", project=BAR, undated=True), None, event(Kind.PUBLISH))
    assert (await catalogue.undated("pypi"), await catalogue.undated("npm")) == (1, 0)
    await catalogue.remember(FOO, [SDIST], "public", NOW)
    assert await catalogue.undated("pypi") == 0


async def test_what_is_taken_back_is_an_alarm_once_where_it_is_held(
    catalogue: Catalogue, log: ProvenanceLog
) -> None:
    held, other = artifact("foo-1.0.tar.gz"), artifact("foo-1.1.tar.gz")
    await catalogue.remember(FOO, [held, other], "public", NOW)
    await catalogue.hold(FOO, held.filename, "ab" * 32, 7, event(Kind.INGEST))

    async def told() -> list[object]:
        return [row.event.detail["how"] for row in reversed(await alarms(log))]

    for _ in range(2):
        await catalogue.remember(FOO, [], "public", NOW)
    assert await told() == ["removed"]
    gone = await catalogue.holding(FOO, held.filename)
    assert gone is not None
    assert (gone.gone, gone.artifact.withdrawn, gone.blob) == (True, "removed", "ab" * 32)
    for _ in range(2):
        await catalogue.remember(FOO, [], "public", NOW, "quarantined")
    assert await told() == ["removed", "quarantined"]
    yanked = msgspec.structs.replace(held, yanked="")
    for _ in range(2):
        await catalogue.remember(FOO, [yanked, other], "public", NOW)
    assert await told() == ["removed", "quarantined", "yanked"]
    back = await catalogue.holding(FOO, held.filename)
    assert back is not None
    assert (back.gone, back.artifact.withdrawn) == (False, "")


async def test_a_listing_is_kept_as_it_is_packed(catalogue: Catalogue) -> None:
    files = [artifact(f"foo-1.{number}.tar.gz", version=f"1.{number}") for number in range(300)]
    await catalogue.remember(FOO, Listing.of(files), "public", NOW)
    await catalogue.remember(FOO, Listing.of([*files, WHEEL]), "public", LATER)
    for file in (files[0], files[150], files[-1]):
        assert (await row(catalogue, file)).first_seen == NOW
    assert (await row(catalogue)).first_seen == LATER
    assert len(await catalogue.known(FOO)) == len(await catalogue.holdings(FOO)) == 301
    assert await catalogue.holding(FOO, "foo-1.15.zip") is None


async def test_what_happens_to_one_file_of_a_listing_leaves_the_others_as_they_were(
    catalogue: Catalogue,
) -> None:
    other = artifact("foo-2.0.tar.gz", version="2.0")
    await catalogue.remember(FOO, Listing.of([SDIST, WHEEL, other]), "public", NOW)
    yanked = msgspec.structs.replace(WHEEL, yanked="broken")
    await catalogue.remember(FOO, Listing.of([yanked, SDIST]), "public", LATER)
    found = {each.artifact.filename: each for each in await catalogue.holdings(FOO)}
    assert {name: (each.artifact.yanked, each.gone) for name, each in found.items()} == {
        SDIST.filename: (SDIST.yanked, False),
        WHEEL.filename: ("broken", False),
        other.filename: (None, True),
    }
    assert {each.first_seen for each in found.values()} == {NOW}


async def test_two_processes_that_see_the_same_files_first_pin_each_once(tmp_path: Path) -> None:
    """I2: whoever commits first has the say; what the other one saw is held against it."""
    forged = with_digests(WHEEL, EVIL)
    async with opened(tmp_path) as storage:
        one, two = StoredCatalogue(storage.database), StoredCatalogue(storage.database)
        await asyncio.gather(
            one.remember(FOO, Listing.of([WHEEL, SDIST]), "public", NOW),
            two.remember(FOO, Listing.of([forged, SDIST]), "public", NOW),
        )
        found = await row(one)
        assert (found.pin, found.conflict) == (sha(b"1.0", "sha512"), EVIL)
        assert len(await two.holdings(FOO)) == 2
        assert [alarm.filename for alarm in await storage.alarms()] == [WHEEL.filename]


async def test_a_page_that_an_earlier_release_wrote_can_be_read(tmp_path: Path) -> None:
    entries = [
        {
            "project": {"ecosystem": "pypi", "name": "foo"},
            "filename": "foo-1.0.tar.gz",
            "version": "1.0",
            "url": "https://files.example/foo-1.0.tar.gz",
            "digests": [{"algorithm": "sha256", "hex": "a" * 64}],
            "size": 3,
            "published": NOW,
            "released": NOW,
            "metadata": {"algorithm": "sha256", "hex": "b" * 64},
            "signatures": [{"keyid": "SHA256:k", "sig": "s"}],
            "yanked": "broken",
            "undated": True,
            "install_script": True,
            "a field of a later release": 1,
        }
    ]
    async with opened(tmp_path) as storage:
        data = gzip.compress(msgspec.msgpack.encode(entries))
        await storage.database.write(
            lambda connection: connection.execute(
                "INSERT INTO listing (ecosystem, project, origin, first_seen, first, last, undated, entries)"
                " VALUES ('pypi', 'foo', 'public', 0, 'foo-1.0.tar.gz', 'foo-1.0.tar.gz', 1, ?)",
                (data,),
            )
        )
        found = await storage.catalogue.holding(FOO, "foo-1.0.tar.gz")
        assert found is not None
        assert (found.pin, found.artifact.published) == (Digest("sha256", "a" * 64), NOW)
        assert (found.artifact.yanked, found.artifact.undated) == ("broken", True)
        assert await storage.catalogue.undated("pypi") == 1
