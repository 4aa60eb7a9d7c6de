"""The list of known names: what one process is given, every process on the same data goes by."""

from __future__ import annotations

import asyncio
import json

import pytest

from registry.storage.name_lists import NameLists
from tests.guarantees.house import Got, House

NAMES = "\n".join(["heliotrope", *(f"popular-{number:04}" for number in range(1_000))])


async def refused(house: House, name: str) -> bool:
    got = await house.ask(f"/pypi/files/{name}/{name}-1.0-py3-none-any.whl")
    return got.status == 403 and "heliotrope" in got.reason


async def test_a_list_that_another_process_was_given_counts_here_too(house: House) -> None:
    assert not await refused(house, "heliotorpe")
    await asyncio.to_thread(NameLists(house.data / "names").write, "pypi", NAMES)
    async with asyncio.timeout(30):
        while not await refused(house, "heliotorpe"):  # noqa: ASYNC110  another process tells nobody
            await asyncio.sleep(0.05)
    await house.restart()
    assert await refused(house, "heliotorpe")


async def update(house: House, text: str) -> Got:
    body = json.dumps({"ecosystem": "pypi", "text": text})
    headers = {**house.admin, "Content-Type": "application/json"}
    return await house.ask("/api/v1/policy/names", method="PUT", headers=headers, data=body)


async def test_a_list_that_was_given_here_counts_at_once(house: House) -> None:
    assert (await update(house, NAMES)).status == 200
    assert await refused(house, "heliotorpe")


@pytest.mark.parametrize("text", ["", "one\ntwo\n"])
async def test_a_list_that_is_too_short_changes_nothing(house: House, text: str) -> None:
    got = await update(house, text)
    assert (got.status, b"fewer than 1000" in got.body) == (400, True)
    assert not await refused(house, "heliotorpe")
