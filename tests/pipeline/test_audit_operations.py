import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from registry.errors import Conflict, Malformed
from registry.model.checkpoints import Checkpoint
from registry.pipeline import audit_operations
from registry.provenance.checkpoints import LogKey, VerifyingKey, new_key
from registry.provenance.export import verify
from tests.desks import ADA, KEY, DeskWorld
from tests.specimens import NOW

_replace = msgspec.structs.replace


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeskWorld:
    """Five deliveries, read two at a time."""
    monkeypatch.setattr(audit_operations, "BATCH", 2)
    world = DeskWorld(tmp_path)
    artifact = world.keep("requests", "1.0")
    for _ in range(5):
        await world.delivered(artifact, "ada")
        world.clock.advance(hours=1)
    return world


async def deliver(world: DeskWorld, rows: int) -> None:
    for _ in range(rows):
        await world.delivered(world.keep("requests", "1.0"), "bob")


def rewrite(world: DeskWorld, actor: str) -> None:
    """The whole log written anew by somebody who can compute hashes and can't sign."""
    events = [_replace(row.event, actor=actor) for row in world.log.rows]
    world.log.rows.clear()
    for event in events:
        world.log.append(event)


async def exported(world: DeskWorld, through: int | None = None) -> list[bytes]:
    lines: list[bytes] = []
    after: int | None = 0
    while after is not None:
        page = await world.audit.export(after, 2, through)
        lines += [line.encode() for line in page.lines]
        after = page.next
    return lines


async def test_an_edited_row_is_named_wherever_it_is(world: DeskWorld) -> None:
    whole = await world.audit.verify()
    assert (whole.intact, whole.rows, whole.head) == (True, 5, world.log.rows[-1].hash)
    for index, row in enumerate(world.log.rows):
        world.log.rows[index] = _replace(row, event=_replace(row.event, actor="eve"))
        broken = await world.audit.verify()
        assert (broken.intact, broken.row) == (False, row.seq)
        world.log.rows[index] = row
    del world.log.rows[2]
    assert (await world.audit.verify()).row == 3


async def test_an_empty_log_is_whole_and_gives_no_checkpoint(tmp_path: Path) -> None:
    world = DeskWorld(tmp_path)
    assert (await world.audit.verify()).intact
    with pytest.raises(Conflict):
        await world.audit.checkpoint()


async def test_a_log_written_anew_doesnt_fit_its_checkpoints(world: DeskWorld) -> None:
    await world.audit.checkpoint()
    await deliver(world, 3)
    held = await world.audit.checkpoint()
    assert (await world.audit.verify()).proved == 8
    rewrite(world, "eve")
    forged = await world.audit.verify()
    assert (forged.intact, forged.row) == (False, 1)
    world.checkpoints.kept.clear()
    assert (await world.audit.verify()).intact, "nothing here knows better any more"
    assert not (await world.audit.verify([held])).intact, "whoever held a checkpoint does"


async def test_what_was_rewritten_lies_after_the_last_checkpoint_that_fits(world: DeskWorld) -> None:
    await world.audit.checkpoint()
    await deliver(world, 3)
    held = await world.audit.checkpoint()
    later = world.log.rows[5:]
    del world.log.rows[5:]
    for row in later:
        world.log.append(_replace(row.event, actor="eve"))
    forged = await world.audit.verify([held])
    assert (forged.intact, forged.row) == (False, 6)


async def test_a_log_whose_end_was_cut_off_is_told_by_a_checkpoint(world: DeskWorld) -> None:
    held = await world.audit.checkpoint()
    del world.log.rows[3:]
    for known in ([], [held]):
        cut = await world.audit.verify(known)
        assert (cut.intact, cut.row) == (False, 4)
        world.checkpoints.kept.clear()


async def test_a_checkpoint_of_another_key_or_with_another_text_is_refused(world: DeskWorld) -> None:
    held = await world.audit.checkpoint()
    stranger = LogKey(new_key()).checkpoint(held.seq, held.hash, world.clock.now())
    forged = [
        stranger,
        _replace(held, seq=4),
        _replace(held, hash="0" * 64),
        _replace(held, at=held.at.replace("2026", "2025")),
        _replace(held, kind="base"),
        _replace(held, signature="00"),
        _replace(held, signature="no hex"),
    ]
    for checkpoint in forged:
        assert not (await world.audit.verify([checkpoint])).intact
    world.checkpoints.kept[:] = [stranger]
    assert not (await world.audit.verify()).intact


async def test_an_export_is_verified_with_the_public_key_alone(world: DeskWorld) -> None:
    await world.audit.checkpoint()
    await deliver(world, 2)
    lines = await exported(world)
    assert [next(iter(json.loads(line))) for line in lines] == ["seq"] * 5 + ["checkpoint"] + ["seq"] * 2
    walk, wrong = verify(lines, VerifyingKey(world.audit.public_key))
    assert (wrong, walk.rows, walk.proved, walk.confirmed) == (None, 7, 5, 1)
    _, wrong = verify(lines, LogKey(new_key()).public)
    assert wrong is not None


@pytest.mark.parametrize(
    ("change", "row"),
    [
        (lambda lines: [*lines[:2], lines[2].replace(b"ada", b"eve"), *lines[3:]], 3),
        (lambda lines: [*lines[:2], *lines[3:]], 3),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3),
        (lambda lines: [*lines[:2], lines[2], lines[2], *lines[3:]], 3),
        (lambda lines: lines[:3], 4),
        (lambda lines: [lines[0].replace(b'"event":', b'"event": '), *lines[1:]], 1),
    ],
    ids=["edit", "deletion", "swap", "insertion", "cut off", "blank"],
)
async def test_every_tampering_with_an_export_is_named(
    world: DeskWorld, change: Callable[[list[bytes]], list[bytes]], row: int
) -> None:
    held = await world.audit.checkpoint()
    lines = await exported(world)
    _, wrong = verify(change(lines), VerifyingKey(world.audit.public_key), [held])
    assert wrong is not None
    assert wrong.seq == row


async def test_a_line_that_is_none_is_malformed(world: DeskWorld) -> None:
    for line in (b"nonsense", b"[]", b'{"seq":1}', b'{"checkpoint":{"seq":1}}', b'{"seq":"1","event":{}}'):
        with pytest.raises(Malformed):
            verify([line], VerifyingKey(world.audit.public_key))


# shortening


async def test_old_rows_give_way_to_a_signed_checkpoint_and_the_chain_goes_on(world: DeskWorld) -> None:
    held = await world.audit.checkpoint()
    through = await world.audit.before(world.log.rows[3].event.at)
    assert through == 3
    old = await exported(world, through)
    done = await world.audit.prune(through, world.log.rows[2].hash, reason="one year", by=ADA)
    assert (done.rows, done.checkpoint.kind) == (3, "base")
    found = await world.audit.verify([held])
    assert (found.intact, found.begins_after, found.rows, found.proved) == (True, 3, 6, 5)
    new = await exported(world)
    key = VerifyingKey(world.audit.public_key)
    assert verify(old, key)[1] is None
    assert verify(old, key, [held])[1] is not None, "the old part alone ends before the held checkpoint"
    assert verify(new, key, [held])[1] is None
    assert verify(new[1:], key)[1] is not None, "without the checkpoint rows are missing"
    assert world.admin_details()[-1]["action"] == "audit.prune"
    assert await world.audit.before(world.log.rows[0].event.at) == 0


async def test_only_a_base_may_begin_a_log(world: DeskWorld) -> None:
    held = await world.audit.checkpoint()
    await deliver(world, 2)
    rows = [line for line in await exported(world) if line.startswith(b'{"seq":')][5:]
    forged = msgspec.json.encode({"checkpoint": _replace(held, kind="base")})
    key = VerifyingKey(world.audit.public_key)
    for first in (msgspec.json.encode({"checkpoint": held}), forged):
        assert verify([first, *rows], key)[1] is not None


async def test_rows_are_taken_out_for_who_exported_them_and_says_why(world: DeskWorld) -> None:
    row = world.log.rows[2]
    for through, row_hash, reason in [(3, "0" * 64, "why"), (9, row.hash, "why"), (3, row.hash, " ")]:
        with pytest.raises((Conflict, Malformed)):
            await world.audit.prune(through, row_hash, reason=reason, by=ADA)
    assert len(world.log.rows) == 5
    await world.audit.prune(3, row.hash, reason="why", by=ADA)
    with pytest.raises(Conflict):
        await world.audit.prune(3, row.hash, reason="again", by=ADA)


def test_a_key_that_is_none_is_malformed() -> None:
    for text in ("", "nonsense", new_key()):
        with pytest.raises(Malformed):
            VerifyingKey(text)
        if "PRIVATE" not in text:
            with pytest.raises(Malformed):
                LogKey(text)


def test_a_checkpoint_survives_the_wire() -> None:
    key = LogKey(new_key())
    made = key.checkpoint(1, "ab" * 32, NOW)
    assert msgspec.json.decode(msgspec.json.encode(made), type=Checkpoint) == made
    assert key.public.genuine(made)


async def test_another_key_goes_on_where_the_old_one_ended(world: DeskWorld) -> None:
    before = world.audit.fingerprint
    held = await world.audit.checkpoint()
    await world.audit.replace_key(reason="a lost disk", by=ADA)
    await deliver(world, 2)
    made = await world.audit.checkpoint()
    assert (held.key, made.key) == (before, world.audit.fingerprint)
    assert before != world.audit.fingerprint
    act = world.log.rows[5].event.detail
    assert (act["before"], act["after"], act["reason"]) == (before, made.key, "a lost disk")
    old = [c for c in world.checkpoints.kept if c.key == before]
    assert old[-1].seq == 6, "the old key's last word is about the row that names the new one"
    found = await world.audit.verify([held, made])
    assert (found.intact, found.proved) == (True, 8)
    assert verify(await exported(world), VerifyingKey(world.audit.public_key), [held])[1] is None


async def test_a_key_that_was_replaced_can_not_go_on(world: DeskWorld) -> None:
    stolen = KEY
    await world.audit.replace_key(reason="it was stolen", by=ADA)
    await deliver(world, 1)
    await world.audit.checkpoint()
    await deliver(world, 1)
    newest = world.log.rows[-1]
    forged = stolen.checkpoint(newest.seq, newest.hash, world.clock.now())
    found = await world.audit.verify([forged])
    assert not found.intact
    assert "had been replaced" in found.reason


@pytest.mark.parametrize("reason", ["", " ", "x" * 201, "two\nlines"])
async def test_another_key_has_a_reason(world: DeskWorld, reason: str) -> None:
    with pytest.raises(Malformed, match="reason"):
        await world.audit.replace_key(reason=reason, by=ADA)
    assert world.audit.fingerprint == KEY.public.fingerprint
