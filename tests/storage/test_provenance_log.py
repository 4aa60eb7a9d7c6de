"""The log in SQLite: it can't be changed by accident, and a change on purpose shows."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import apsw
import pytest

from registry.errors import Unavailable
from registry.model.checkpoints import Checkpoint
from registry.model.events import Kind, LoggedEvent
from registry.pipeline.audit_operations import AuditOperations
from registry.provenance.checkpoints import LogKey, new_key
from registry.storage.checkpoints import Checkpoints
from registry.storage.connections import connect
from tests.fakes import FixedClock, KeyInHand
from tests.provenance.chains import first_break
from tests.specimens import NOW, Storage, event


async def filled(storage: Storage) -> apsw.Connection:
    for number in range(5):
        await storage.log.record(event(version=str(number)))
    return connect(storage.root / "registry.db")


async def replayed(storage: Storage) -> list[LoggedEvent]:
    return [row async for row in storage.log.replay()]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log SET event = replace(event, 'ada', 'eve') WHERE seq = 3",
        "DELETE FROM log WHERE seq = 3",
        "PRAGMA recursive_triggers = on; REPLACE INTO log (seq, previous, hash, event) VALUES (3, x'', x'', '{}')",
    ],
)
async def test_rows_can_be_neither_changed_nor_removed(storage: Storage, statement: str) -> None:
    other = await filled(storage)
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        other.execute(statement).fetchall()
    other.close()
    assert first_break(await replayed(storage)) is None


SWAP = """
UPDATE log SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3);
UPDATE log SET seq = -seq WHERE seq < 0
"""


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ("UPDATE log SET event = replace(event, 'ada', 'eve') WHERE seq = 3", 3),
        ("UPDATE log SET event = replace(event, ',', ' ,') WHERE seq = 3", 3),
        ("UPDATE log SET event = '[]' WHERE seq = 3", 3),
        ("UPDATE log SET hash = zeroblob(32) WHERE seq = 3", 3),
        ("UPDATE log SET previous = zeroblob(32) WHERE seq = 3", 3),
        ("DELETE FROM log WHERE seq = 3", 3),
        ("DELETE FROM log WHERE seq = 1", 1),
        (SWAP, 2),
        ("UPDATE log SET seq = 7 WHERE seq = 5", 5),
    ],
)
async def test_a_row_changed_behind_the_triggers_is_named(storage: Storage, change: str, row: int) -> None:
    """F24."""
    other = await filled(storage)
    other.execute(f"DROP TRIGGER log_is_never_changed; DROP TRIGGER log_keeps_its_rows; {change}").fetchall()
    other.close()
    found = first_break(await replayed(storage))
    assert found is not None
    assert found.seq == row


async def test_a_replay_longer_than_a_page_misses_nothing(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.storage.provenance_log._PAGE", 2)
    (await filled(storage)).close()
    assert [row.seq for row in await replayed(storage)] == [1, 2, 3, 4, 5]


# shortening


KEY = LogKey(new_key())


async def shortened(storage: Storage, through: int) -> int:
    links = await Checkpoints(storage.database).links(0, 100)
    last = next(link for link in links if link.seq == through)
    base = KEY.checkpoint(through, last.hash, NOW, "base")
    return await Checkpoints(storage.database).prune(base, event(Kind.ADMIN))


async def test_rows_leave_only_below_a_base_and_the_next_row_goes_on(storage: Storage) -> None:
    other = await filled(storage)
    assert await shortened(storage, 3) == 3
    assert [row.seq for row in await replayed(storage)] == [4, 5, 6]
    assert await storage.log.record(event()) == 7
    for statement in (
        "DELETE FROM log WHERE seq = 4",
        "INSERT INTO log (seq, previous, hash, event) VALUES (2, zeroblob(32), zeroblob(32), '{}')",
        "DELETE FROM checkpoint",
        "UPDATE checkpoint SET seq = 6",
    ):
        with pytest.raises(apsw.ConstraintError, match="append-only"):
            other.execute(statement).fetchall()
    other.close()
    rows = await replayed(storage)
    assert first_break(rows, 3, rows[0].previous) is None


async def test_all_rows_can_leave_but_the_one_that_says_so(storage: Storage) -> None:
    (await filled(storage)).close()
    assert await shortened(storage, 5) == 5
    assert [row.seq for row in await replayed(storage)] == [6]


async def test_a_crash_while_rows_leave_leaves_a_log_that_still_verifies(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.storage.checkpoints._ROWS_A_JOB", 1)
    other = await filled(storage)
    other.execute(
        "CREATE TRIGGER power_cut BEFORE DELETE ON log WHEN OLD.seq = 2 BEGIN SELECT RAISE(ABORT, 'cut'); END"
    ).fetchall()
    with pytest.raises(Unavailable):
        await shortened(storage, 3)
    operations = AuditOperations(
        checkpoints=Checkpoints(storage.database), keys=KeyInHand(KEY), log=storage.log, clock=FixedClock()
    )
    found = await operations.verify()
    assert (found.intact, found.begins_after, found.rows) == (True, 3, 6)
    other.execute("DROP TRIGGER power_cut").fetchall()
    other.close()
    assert await shortened(storage, 5) == 4


async def test_two_writers_seal_a_row_once(storage: Storage) -> None:
    (await filled(storage)).close()
    checkpoints = Checkpoints(storage.database)

    def sign(seq: int, row_hash: str) -> Checkpoint:
        return KEY.checkpoint(seq, row_hash, NOW)

    first, second = await asyncio.gather(checkpoints.seal(sign), checkpoints.seal(sign))
    assert first == second
    assert await checkpoints.heads(0, 10) == (first,)


async def test_what_happened_since_a_moment_is_found_by_every_256th_row(storage: Storage) -> None:
    """Also where none of those is as late, where the clock was set back, and where nothing is."""
    minutes = [*range(700), *range(600, 1_000), 5_000]
    moments = [NOW + timedelta(minutes=minute) for minute in minutes]
    await asyncio.gather(*(storage.log.record(event(at=moment)) for moment in moments))
    for since in (0, 255, 256, 650, 699, 999, 4_000, 6_000):
        expected = [number for number, minute in enumerate(minutes, 1) if minute >= since]
        found = await storage.log.events(since=NOW + timedelta(minutes=since), limit=2_000)
        assert [row.seq for row in found] == expected[::-1], since


async def together(storage: Storage, count: int) -> list[asyncio.Task[int]]:
    """That many events, begun while the writer is busy with something else."""
    release = threading.Event()
    busy = asyncio.ensure_future(storage.database.write(lambda _: release.wait(20)))
    begun = [asyncio.ensure_future(storage.log.record(event(version=str(n)))) for n in range(count)]
    await asyncio.sleep(0)
    release.set()
    await busy
    return begun


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 200])
async def test_events_that_wait_together_are_numbered_in_their_order(storage: Storage, count: int) -> None:
    await filled(storage)
    numbers = await asyncio.gather(*await together(storage, count))
    rows = await replayed(storage)
    assert numbers == list(range(6, 6 + count))
    assert [row.event.version for row in rows[5:]] == [str(number) for number in range(count)]
    assert first_break(rows) is None


async def test_events_that_wait_together_fail_together_and_leave_nothing(storage: Storage) -> None:
    connection = await filled(storage)
    connection.execute("CREATE TRIGGER full BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'full'); END")
    outcomes = await asyncio.gather(*await together(storage, 70), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    connection.execute("DROP TRIGGER full")
    connection.close()
    assert await storage.log.record(event()) == 6


async def test_a_client_that_gave_up_waiting_holds_nobody_up(storage: Storage) -> None:
    first, second = await together(storage, 2)
    first.cancel()
    assert await second == 2
