"""Packuments too large for memory: the same answers as any other, from files; the limit is a clear 502."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from registry.model.indexes import IN_MEMORY
from tests.protocols.npm.world import INSTALL, Appliance, BackEnds, appliance
from tests.upstream import make_tarball
from tests.upstream.faults import status

pytestmark = pytest.mark.asyncio(loop_scope="module")

VERSIONS = 60


def add_large(gateway: Appliance, name: str) -> None:
    for minor in range(VERSIONS):
        tarball = make_tarball(name, f"1.{minor}.0")
        tarball.manifest = {**tarball.manifest, "readme": f"{minor}" * (4 * IN_MEMORY // VERSIONS)}
        gateway.upstream.add(tarball)


def shape(document: Any) -> Any:
    """What an installer reads of it."""
    return {version: manifest["dist"] for version, manifest in document["versions"].items()}


async def test_a_large_packument_is_served_in_every_form_and_outlives_restart_and_outage(
    back_end: BackEnds, tmp_path: Path
) -> None:
    public = "http://packages.example"  # so that both appliances say the same
    async with appliance(tmp_path, back_end, REGISTRY_PUBLIC_URL=public) as gateway:
        add_large(gateway, "large")
        packed = await gateway.npm("large", headers={"Accept-Encoding": "gzip"})
        plain = await gateway.npm("large")
        assert packed.headers["Content-Encoding"] == "gzip"
        assert (packed.status, len(packed.body) > IN_MEMORY) == (200, True)
        assert (plain.raw, int(plain.headers["Content-Length"])) == (packed.body, len(plain.raw))
        assert shape(plain.json).keys() == {f"1.{minor}.0" for minor in range(VERSIONS)}
        short = await gateway.npm("large", headers={"Accept": INSTALL})
        assert (shape(short.json), "readme" in str(short.json)) == (shape(plain.json), False)
        again = await gateway.npm("large", headers={"If-None-Match": packed.headers["ETag"]})
        assert (again.status, again.raw) == (304, b"")
        head = await gateway.npm("large", method="HEAD", headers={"Accept-Encoding": "gzip"})
        assert (head.raw, int(head.headers["Content-Length"])) == (b"", len(packed.raw))
        tarball = make_tarball("large", "1.7.0")
        assert (await gateway.npm("large/-/large-1.7.0.tgz")).raw == tarball.data
        assert (await gateway.npm("large/1.7.0")).json["version"] == "1.7.0"
    async with appliance(tmp_path, back_end, REGISTRY_PUBLIC_URL=public) as gateway:
        gateway.upstream.lie(status(500))
        assert (await gateway.npm("large")).raw == plain.raw
        spooled = {path.name.partition("-")[0] for path in (gateway.data / "spool").iterdir()}
        assert spooled <= {"rendition"}, "a fetched document stayed in the spool"


async def test_a_kept_document_that_rotted_is_fetched_again(back_end: BackEnds, tmp_path: Path) -> None:
    async with appliance(tmp_path, back_end) as gateway:
        add_large(gateway, "rotting")
        whole = (await gateway.npm("rotting")).raw
    data = tmp_path / "data"
    for folder in (data / "volume" / "index", data / "indexes"):
        (kept,) = [path for path in folder.rglob("*") if path.is_file()]
        kept.write_bytes(kept.read_bytes()[:-9])
    async with appliance(tmp_path, back_end) as gateway:
        add_large(gateway, "rotting")
        first = await gateway.npm("rotting")
        assert first.status == 503
        assert "fetched again" in first.json["error"]
        assert shape((await gateway.npm("rotting")).json).keys() == shape(json.loads(whole)).keys()


async def test_a_packument_beyond_the_limit_is_502_and_names_the_setting(
    back_end: BackEnds, tmp_path: Path
) -> None:
    async with appliance(tmp_path, back_end, config='document_limit = "3 MiB"\n') as gateway:
        add_large(gateway, "beyond")
        answer = await gateway.npm("beyond")
        assert answer.status == 502
        assert "document_limit" in answer.json["error"]
        assert not list((gateway.data / "spool").iterdir())


async def test_what_a_killed_process_left_in_the_spool_is_swept_a_day_later(
    back_end: BackEnds, tmp_path: Path
) -> None:
    spool = tmp_path / "data" / "spool"
    spool.mkdir(parents=True)
    for name, age in (("document-old", 2 * 86_400), ("document-new", 0)):
        (spool / name).touch()
        os.utime(spool / name, (time.time() - age,) * 2)
    async with appliance(tmp_path, back_end):
        assert [path.name for path in spool.iterdir()] == ["document-new"]
