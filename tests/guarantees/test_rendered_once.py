"""An index is rendered once: for all who ask at the same time, and over restarts, until something changes."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from registry.pipeline import preparer
from tests.guarantees.house import JSON, House
from tests.policy.worlds import GUARDED
from tests.upstream import LyingUpstream, make_tarball, make_wheel

WHEEL = make_wheel("demo", "1.0")
TARBALL = make_tarball("@team/tool", "1.0.0")
BIG = make_tarball("big", "1.0.0")
BIG.manifest = {**BIG.manifest, "description": random.Random(1).randbytes(100_000).hex()}
"""Its packument is large enough to be sent out of a file, and small enough to be rendered in this process."""
HERE = {"Host": "localhost"}
"""The same public URL after every start."""
INDEXES: tuple[tuple[str, dict[str, str]], ...] = (("/pypi/simple/demo/", JSON), ("/npm/@team%2ftool", {}))


@pytest.fixture
def renderings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The projects that were rendered, in order."""
    made: list[str] = []
    prepare = vars(preparer)["prepare"]

    def noted(job: Any, rules: Any) -> Any:
        made.append(str(job.project))
        return prepare(job, rules)

    monkeypatch.setattr(preparer, "prepare", noted)
    return made


async def test_many_who_ask_at_once_share_one_rendering(
    house: House, upstream: LyingUpstream, renderings: list[str]
) -> None:
    upstream.add(WHEEL, TARBALL)
    for path, headers in INDEXES:
        await house.ask(path, headers={**headers, **HERE})
    await house.decree(GUARDED.replace("[npm]", '[npm]\ndeny = ["left-pad"]', 1))
    renderings.clear()
    got = await asyncio.gather(
        *(house.ask(path, headers={**headers, **HERE}) for path, headers in INDEXES for _ in range(10))
    )
    assert {answer.status for answer in got} == {200}
    assert sorted(renderings) == ["npm:@team/tool", "pypi:demo"]


async def test_a_restart_renders_nothing_again(
    house: House, upstream: LyingUpstream, renderings: list[str]
) -> None:
    upstream.add(WHEEL, TARBALL, BIG)
    asked = (*INDEXES, ("/npm/big", {}), ("/npm/big", {"Accept-Encoding": "gzip"}))
    before = [await house.ask(path, headers={**headers, **HERE}) for path, headers in asked]
    await house.restart()
    renderings.clear()
    after = [await house.ask(path, headers={**headers, **HERE}) for path, headers in asked]
    assert [got.body for got in after] == [got.body for got in before]
    assert [got.headers["ETag"] for got in after] == [got.headers["ETag"] for got in before]
    assert not renderings


async def test_what_someone_deletes_of_the_rendered_is_rendered_anew(
    house: House, upstream: LyingUpstream, renderings: list[str]
) -> None:
    upstream.add(BIG)
    before = await house.ask("/npm/big", headers=HERE)
    for folder in ("shelf", "spool"):
        for file in [path for path in (house.data / folder).rglob("*") if path.is_file()]:
            file.unlink()
    after = await house.ask("/npm/big", headers=HERE)
    assert (after.status, after.body) == (200, before.body)
    assert renderings == ["npm:big", "npm:big"]


async def test_a_restart_with_another_policy_renders_anew(
    house: House, upstream: LyingUpstream, renderings: list[str]
) -> None:
    upstream.add(WHEEL, TARBALL)
    for path, headers in INDEXES:
        await house.ask(path, headers={**headers, **HERE})
    house.policy_file.write_text(GUARDED.replace("[pypi]", '[pypi]\ndeny = ["demo"]', 1))
    await house.restart()
    renderings.clear()
    refused = await house.ask(f"/pypi/files/demo/{WHEEL.filename}", headers=HERE)
    assert refused.status == 403
    await house.ask("/npm/@team%2ftool", headers=HERE)
    assert renderings == ["npm:@team/tool"]


async def test_a_file_that_came_in_changes_the_index_also_after_a_restart(
    house: House, upstream: LyingUpstream
) -> None:
    upstream.add(WHEEL)
    await house.fetch(WHEEL, headers=HERE)
    while "core-metadata" not in (await _listed(house)):  # noqa: ASYNC110  taken out once the file is here
        await asyncio.sleep(0.01)
    await house.restart()
    assert "core-metadata" in await _listed(house)


async def _listed(house: House) -> dict[str, Any]:
    got = await house.ask("/pypi/simple/demo/", headers={**JSON, **HERE})
    [file] = got.json["files"]
    return dict(file)
