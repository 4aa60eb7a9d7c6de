"""The log in SQLite: it can't be changed by accident, and a change on purpose shows."""

from __future__ import annotations

import apsw
import pytest

from registry.model.events import LoggedEvent
from registry.provenance.chain import first_break
from registry.storage.connections import connect
from tests.specimens import Storage, event


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
