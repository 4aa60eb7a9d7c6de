"""Warehouse: what lies on the volume as a whole, measured, tidied up, made smaller, checked."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry.model.events import Kind
from registry.model.ports import Warehouse
from tests.contracts.conftest import Ports
from tests.specimens import FOO, artifact, event, sha

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
ONE, TWO, THREE = b"one" * 100, b"two" * 200, b"three" * 300


@pytest.fixture
def warehouse(ports: Ports) -> Warehouse:
    return ports.warehouse


async def keep(ports: Ports, data: bytes, *, days: int = 0) -> str:
    """Bytes as they are after a fetch so many days after the first one."""
    sha256, at = sha(data).hex, LONG_AGO + timedelta(days=days)
    filename = f"foo-{sha256[:8]}.whl"
    rows = await ports.catalogue.holdings(FOO)
    known = [row.artifact for row in rows]
    await ports.catalogue.remember(FOO, [*known, artifact(filename, sha(data))], "public", at)
    await lay(ports, data)
    done = event(Kind.INGEST, filename=filename, sha256=sha256)
    await ports.catalogue.hold(FOO, filename, sha256, len(data), done)
    return sha256


async def lay(ports: Ports, data: bytes, *, at: datetime = LONG_AGO) -> str:
    """Bytes that no row names, put there at that time."""
    staging = await ports.blobs.stage(len(data))
    await staging.write(data)
    sha256 = await staging.commit([sha(data)], len(data))
    age(staging.path, at)
    return sha256


def age(path: Path, at: datetime) -> None:
    os.utime(path, (at.timestamp(), at.timestamp()))


async def held(ports: Ports) -> set[str | None]:
    return {row.blob for row in await ports.catalogue.holdings(FOO)} - {None}


async def lying(warehouse: Warehouse) -> set[str]:
    return {name for name, _ in await warehouse.blobs("", 100)}


async def test_an_empty_one_has_nothing(warehouse: Warehouse) -> None:
    kept = await warehouse.measure()
    assert (kept.files, kept.bytes, kept.documents, kept.orphans, kept.damaged) == (0, 0, 0, 0, 0)
    assert kept.free > 0
    assert await warehouse.blobs("", 10) == ()
    assert await warehouse.holders("0" * 64) == ()


async def test_files_are_counted_and_what_no_row_names_apart(ports: Ports, warehouse: Warehouse) -> None:
    await keep(ports, ONE)
    await keep(ports, TWO)
    await lay(ports, THREE)
    kept = await warehouse.measure()
    assert (kept.files, kept.bytes) == (2, len(ONE) + len(TWO))
    assert (kept.orphans, kept.orphans_bytes) == (1, len(THREE))


async def test_only_old_files_without_a_row_are_collected(ports: Ports, warehouse: Warehouse) -> None:
    one, old = await keep(ports, ONE), await lay(ports, TWO)
    young = await lay(ports, THREE, at=datetime.now(UTC))
    would = await warehouse.collect(dry_run=True)
    assert await lying(warehouse) == {one, old, young}
    taken = await warehouse.collect(dry_run=False)
    assert taken == would
    assert (taken.files, taken.bytes) == (1, len(TWO))
    assert await lying(warehouse) == {one, young}
    assert (await warehouse.collect(dry_run=False)).files == 0


async def test_the_least_recently_used_go_until_the_rest_fits(ports: Ports, warehouse: Warehouse) -> None:
    names = [await keep(ports, data, days=day) for day, data in enumerate((TWO, ONE, THREE))]
    would = await warehouse.shrink(len(THREE), dry_run=True)
    assert await held(ports) == set(names)
    taken = await warehouse.shrink(len(THREE), dry_run=False)
    assert taken == would
    assert (taken.files, taken.bytes) == (2, len(ONE) + len(TWO))
    assert await held(ports) == await lying(warehouse) == {names[2]}


async def test_what_fits_already_stays(ports: Ports, warehouse: Warehouse) -> None:
    names = {await keep(ports, ONE), await keep(ports, TWO)}
    assert (await warehouse.shrink(len(ONE) + len(TWO), dry_run=False)).files == 0
    assert await lying(warehouse) == names


async def test_what_was_just_asked_for_stays_whatever_the_quota(ports: Ports, warehouse: Warehouse) -> None:
    one, two = await keep(ports, ONE), await keep(ports, TWO)
    assert await ports.blobs.find(one) is not None
    assert (await warehouse.shrink(0, dry_run=False)).files == 1
    assert await held(ports) == {one}
    assert two not in await lying(warehouse)


async def test_a_pin_outlives_the_file_it_is_of(ports: Ports, warehouse: Warehouse) -> None:
    await keep(ports, ONE)
    await warehouse.shrink(0, dry_run=False)
    (row,) = await ports.catalogue.holdings(FOO)
    assert (row.blob, row.pin) == (None, sha(ONE))
    assert await ports.blobs.find(sha(ONE).hex) is None


async def test_names_come_in_order_a_few_at_a_time(ports: Ports, warehouse: Warehouse) -> None:
    names = sorted([await keep(ports, ONE), await keep(ports, TWO), await lay(ports, THREE)])
    (first,), rest = await warehouse.blobs("", 1), await warehouse.blobs(names[0], 5)
    assert first[0] == names[0]
    assert [name for name, _ in rest] == names[1:]
    assert dict([first, *rest]) == {sha(data).hex: len(data) for data in (ONE, TWO, THREE)}
    assert await warehouse.blobs(names[-1], 5) == ()


async def test_a_damaged_file_is_unsound_once_and_then_gone(ports: Ports, warehouse: Warehouse) -> None:
    one, two = await keep(ports, ONE), await keep(ports, TWO)
    path = await ports.blobs.find(one)
    assert path is not None
    path.write_bytes(b"?" + ONE[1:])
    assert not await warehouse.sound(one)
    assert await warehouse.sound(two)
    assert await warehouse.sound(one), "what is gone has no damage"
    assert await ports.blobs.find(one) is None
    assert await lying(warehouse) == {two}


async def test_holders_are_the_rows_that_need_the_bytes(ports: Ports, warehouse: Warehouse) -> None:
    one = await keep(ports, ONE)
    (row,) = await warehouse.holders(one)
    assert (row.artifact.project, row.blob) == (FOO, one)
    assert await warehouse.holders(await lay(ports, TWO)) == ()
    await ports.catalogue.attach_metadata(FOO, row.artifact.filename, sha(TWO).hex)
    (row,) = await warehouse.holders(sha(TWO).hex)
    assert (row.blob, row.metadata_blob) == (one, sha(TWO).hex)


async def test_where_checking_goes_on_is_remembered(warehouse: Warehouse) -> None:
    assert await warehouse.position() == ""
    await warehouse.set_position("ab" * 32)
    while await warehouse.position() != "ab" * 32:  # noqa: ASYNC110  nobody is told
        await asyncio.sleep(0.01)
    await warehouse.set_position("")
    while await warehouse.position():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
