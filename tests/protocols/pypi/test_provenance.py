"""P10: who built a file is checked when it comes in, recorded, shown and served; publishers that change are told."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.guarantees.house import House, open_house
from tests.upstream import Distribution, LyingUpstream, make_wheel
from tests.upstream.faults import document, status

ATTESTED = Path(__file__).parents[2] / "sources" / "attested"
TYPE = "application/vnd.pypi.integrity.v1+json"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
GOOGLE = "Google 919436158236-compute@developer.gserviceaccount.com"


def real(filename: str, project: str, version: str) -> Distribution:
    """A public file that really was attested."""
    made = Distribution(
        project=project, version=version, filename=filename, data=(ATTESTED / filename).read_bytes()
    )
    path = ATTESTED / f"{filename}.provenance"
    made.provenance = path.read_bytes() if path.exists() else None
    return made


@pytest.fixture
def attested(upstream: LyingUpstream) -> Distribution:
    made = real("gcb_attestation_test-0.0.0.tar.gz", "gcb-attestation-test", "0.0.0")
    upstream.add(made)
    return made


def door(made: Distribution) -> str:
    return f"/pypi/integrity/{made.project}/{made.version}/{made.filename}/provenance"


def ingested(house: House, made: Distribution) -> Any:
    return next(row["detail"] for row in house.rows("ingest") if row["filename"] == made.filename)


async def test_p10_provenance_is_checked_and_recorded_with_the_ingest(
    house: House, attested: Distribution
) -> None:
    assert (await house.fetch(attested)).is_whole(attested.data)
    detail = ingested(house, attested)
    assert (detail["attestation"], detail["publisher"]) == ("verified", GOOGLE)
    assert house.alarms() == []


async def test_p10_provenance_is_served_also_when_upstream_is_gone(
    house: House, attested: Distribution
) -> None:
    assert attested.provenance
    await house.learn(attested)
    assert (await house.ask(door(attested))).is_whole(attested.provenance)
    await house.fetch(attested)
    await house.upstream.stop()
    got = await house.ask(door(attested), headers={"Accept": TYPE})
    assert got.is_whole(attested.provenance)
    assert got.headers["Content-Type"] == TYPE
    again = await house.ask(door(attested), headers={"If-None-Match": got.headers["ETag"]})
    assert again.status == 304


@pytest.mark.parametrize(
    ("accept", "answer"),
    [
        (None, TYPE),
        ("*/*", TYPE),
        (TYPE, TYPE),
        ("application/json", "application/json"),
        ("text/html", None),
    ],
)
async def test_p10_provenance_is_negotiated(
    house: House, attested: Distribution, accept: str | None, answer: str | None
) -> None:
    await house.fetch(attested)
    got = await house.ask(door(attested), headers={"Accept": accept} if accept else {})
    assert got.status == (200 if answer else 406)
    if answer:
        assert got.headers["Content-Type"] == answer


async def test_p10_a_file_without_provenance_has_none(house: House) -> None:
    wheel = make_wheel("demo", "1.0")
    house.upstream.add(wheel)
    await house.fetch(wheel)
    assert (await house.ask(door(wheel))).status == 404
    assert "attestation" not in ingested(house, wheel)
    assert (await house.ask("/pypi/integrity/demo/2.0/demo-1.0-py3-none-any.whl/provenance")).status == 404


async def test_p10_provenance_is_refused_like_its_file(house: House, attested: Distribution) -> None:
    await house.fetch(attested)
    await house.decree(f'[pypi]\nmode = "guarded"\ndeny = ["{attested.project}"]\n[npm]\nmode = "guarded"\n')
    assert (await house.ask(door(attested))).status == 403


async def test_u32_an_attestation_that_does_not_hold_is_an_alarm_and_the_file_comes_in_by_its_digest(
    house: House, attested: Distribution
) -> None:
    other = json.loads(attested.provenance or b"")
    other["attestation_bundles"][0]["publisher"]["email"] = "somebody@else.example"
    house.upstream.lie(document(json.dumps(other).encode()), "/integrity/*")
    assert (await house.fetch(attested)).is_whole(attested.data)
    detail = ingested(house, attested)
    assert (detail["attestation"], detail["publisher"]) == ("failed", "Google somebody@else.example")
    assert detail["reason"]
    assert house.alarms() == ["attestation_failed"]


@pytest.mark.parametrize(
    "fault", [status(404), status(500), status(403)], ids=["not there", "broken", "refused"]
)
async def test_u32_provenance_that_cannot_be_had_keeps_nobody_waiting(
    house: House, attested: Distribution, fault: Any
) -> None:
    house.upstream.lie(fault, "/integrity/*")
    assert (await house.fetch(attested)).is_whole(attested.data)
    detail = ingested(house, attested)
    assert detail["attestation"] == "unchecked"
    assert detail["reason"]


async def test_u32_a_publisher_that_changes_between_releases_is_an_alarm(
    house: House, attested: Distribution
) -> None:
    before = replace(
        attested, version="0.0.0a1", filename="gcb_attestation_test-0.0.0a1.tar.gz", provenance=None
    )
    before.published = "2019-01-01T00:00:00Z"
    house.upstream.add(before)
    await house.fetch(attested)
    row = house.query("SELECT publisher FROM attestation")
    assert row == [(GOOGLE,)]
    # The release of before was attested by somebody else: only the row differs from a real history.
    with sqlite3.connect(house.data / "registry.db") as connection:
        connection.execute(
            "UPDATE attestation SET filename = 'gcb_attestation_test-0.0.0a1.tar.gz', version = '0.0.0a1',"
            " publisher = 'GitHub acme/gcb release.yml'"
        )
        connection.execute("UPDATE artifact SET blob = NULL")
    connection.close()
    for path in house.blobs().values():
        path.unlink()
    await house.restart()
    await house.fetch(attested)
    assert house.alarms() == ["publisher_changed"]
    alarm = house.rows("alarm")[-1]["detail"]
    assert (alarm["before"], alarm["after"]) == ("GitHub acme/gcb release.yml", GOOGLE)


async def test_u32_a_release_that_nobody_attests_after_an_attested_one_is_an_alarm(
    house: House, attested: Distribution
) -> None:
    await house.fetch(attested)
    later = make_wheel(attested.project, "1.0")
    later.published = "2026-11-22T12:00:00Z"
    house.upstream.add(later)
    house.clock.advance(days=30)
    await house.fetch(later)
    assert house.alarms() == ["publisher_changed"]
    assert house.rows("alarm")[-1]["detail"]["after"] == ""


# what is told where


@pytest.fixture
async def secure(tmp_path: Path, upstream: LyingUpstream) -> AsyncIterator[House]:
    """A house that its clients know under an https address."""
    (tmp_path / "s").mkdir()
    async with open_house(
        tmp_path / "s", upstream, {"REGISTRY_PUBLIC_URL": "https://packages.example"}
    ) as opened:
        yield opened


async def test_p10_the_index_names_our_provenance_only_under_an_https_address(
    house: House, secure: House, attested: Distribution
) -> None:
    for each, address in ((house, None), (secure, f"https://packages.example{door(attested)}")):
        file = (await each.index(attested.project))["files"][0]
        assert file.get("provenance") == address
        page = (await each.ask(f"/pypi/simple/{attested.project}/")).body
        assert (b"data-provenance" in page) == (address is not None)


async def test_p14_uploaded_attestations_are_checked_kept_and_served(secure: House) -> None:
    made = real("gitlab_oidc_project-0.0.3.tar.gz", "gitlab-oidc-project", "0.0.3")
    sent = f"[{(ATTESTED / f'{made.filename}.publish.attestation').read_text()}]"
    got = await secure.upload(made, attestations=sent)
    assert got.status == 200, got
    file = (await secure.index(made.project))["files"][0]
    assert file["provenance"] == f"https://packages.example{door(made)}"
    found = (await secure.ask(door(made))).json
    assert found["version"] == 1
    bundle = found["attestation_bundles"][0]
    assert bundle["publisher"]["repository"] == "facutuesca/gitlab-oidc-project"
    assert bundle["attestations"][0]["envelope"] == json.loads(sent)[0]["envelope"]
    await secure.restart()
    assert (await secure.ask(door(made))).json == found


@pytest.mark.parametrize("sent", ["no", "{}", "[]", "[{}]", '[{"version": 1}]'])
async def test_p14_an_upload_with_attestations_that_are_none_is_refused_and_nothing_is_listed(
    house: House, sent: str
) -> None:
    wheel = make_wheel("acme-attested", "1.0")
    got = await house.upload(wheel, attestations=sent)
    assert got.status == 400
    assert b"attestations" in got.body
    assert (await house.ask("/pypi/simple/acme-attested/", headers=JSON)).status == 404
    assert wheel.filename not in house.pypiserver.files


async def test_p14_attestations_of_another_file_are_refused(house: House) -> None:
    sent = f"[{(ATTESTED / 'gitlab_oidc_project-0.0.3.tar.gz.publish.attestation').read_text()}]"
    got = await house.upload(make_wheel("acme-attested", "1.0"), attestations=sent)
    assert got.status == 400
