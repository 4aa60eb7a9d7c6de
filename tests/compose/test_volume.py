"""A LAN volume that is full, or missing, is named; what can go on without it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.appliance import Appliance
from tests.compose.conftest import NewAppliance
from tests.compose.padding import large_wheel
from tests.upstream import LyingUpstream, make_wheel

HERE = Path(__file__).parent
MIB = 1 << 20
LAN = "/var/lib/registry/volume"


def test_a_full_volume_refuses_what_is_new_and_serves_what_is_here(
    new_appliance: NewAppliance, upstream: LyingUpstream
) -> None:
    appliance: Appliance = new_appliance(str(HERE / "small-volume.yml"))
    appliance.up()
    alice = appliance.add_user("alice")
    kept, fitting = large_wheel("zyx-kept", "1.0", MIB), large_wheel("zyx-fitting", "1.0", MIB)
    too_big = large_wheel("zyx-too-big", "1.0", 40 * MIB)
    own = make_wheel("zyx-own", "1.0")
    upstream.add(kept, fitting, too_big)
    assert appliance.file("zyx-kept", kept.filename) == kept.data

    appliance.get("/pypi/simple/zyx-too-big/")
    assert appliance.get(f"/pypi/files/zyx-too-big/{too_big.filename}").status_code >= 500
    assert appliance.run_in("gateway", "find", f"{LAN}/tmp", "-type", "f") == ""
    assert appliance.file("zyx-fitting", fitting.filename) == fitting.data

    appliance.run_in("gateway", "sh", "-c", f"head -c 64m /dev/zero >{LAN}/filler 2>/dev/null || true")
    ready = appliance.readiness()
    assert {part for part, state in ready["parts"].items() if not state["ready"]} == {"volume"}
    assert appliance.file("zyx-kept", kept.filename) == kept.data
    assert appliance.upload(alice, own) == 200
    assert appliance.file("zyx-own", own.filename) == own.data

    appliance.run_in("gateway", "rm", f"{LAN}/filler")
    appliance.wait_until_healthy()
    appliance.registry("audit", "verify")


@pytest.fixture
def on_a_folder(new_appliance: NewAppliance, folder: Path) -> Iterator[Appliance]:
    appliance = new_appliance("compose.bind.yml", LAN_FOLDER=str(folder))
    appliance.up()
    yield appliance
    # They belong to the container's account.
    appliance.run_in("gateway", "find", LAN, "-mindepth", "1", "-delete")


def test_a_missing_volume_is_named_and_never_written_to(
    on_a_folder: Appliance, folder: Path, upstream: LyingUpstream
) -> None:
    appliance = on_a_folder
    alice = appliance.add_user("alice")
    public, own, new = (make_wheel(name, "1.0") for name in ("zyx-gone", "zyx-mine", "zyx-new"))
    upstream.add(public, new)
    assert appliance.file("zyx-gone", public.filename) == public.data

    # The mount is lost: what is left is the empty mount point.
    appliance.compose("stop", "gateway")
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.mkdir()
    folder.chmod(0o777)
    appliance.compose("start", "gateway")
    appliance.wait_until(appliance.readiness, "answering")
    parts = appliance.readiness()["parts"]
    assert {part for part, state in parts.items() if not state["ready"]} == {"volume"}
    assert "mount it" in parts["volume"]["problem"]
    assert appliance.get(f"/pypi/files/zyx-gone/{public.filename}").status_code == 503
    assert appliance.get("/pypi/simple/zyx-new/").status_code in {200, 503}
    assert appliance.upload(alice, own) == 200
    assert appliance.file("zyx-mine", own.filename) == own.data
    assert list(folder.iterdir()) == []

    appliance.compose("stop", "gateway")
    folder.rmdir()
    aside.rename(folder)
    appliance.compose("start", "gateway")
    appliance.wait_until_healthy()
    assert appliance.file("zyx-gone", public.filename) == public.data


def test_a_folder_that_is_not_there_stops_the_start_and_is_not_made(
    new_appliance: NewAppliance, folder: Path
) -> None:
    appliance = new_appliance("compose.bind.yml", LAN_FOLDER=str(folder / "nowhere"))
    with pytest.raises(AssertionError, match="no such file or directory"):
        appliance.up()
    assert not (folder / "nowhere").exists()
