"""Through a company's HTTP proxy, and through one that looks into TLS with an authority of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.compose.appliance import BACK_ENDS, Appliance
from tests.compose.conftest import NewAppliance
from tests.compose.proxy import Proxy
from tests.upstream import LyingUpstream, make_tarball, make_wheel

PYTHON, NPM = "python.invalid", "npm.invalid"
"""Names that nobody can look up, but the proxy."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def outside() -> Iterator[LyingUpstream]:
    """Where no container reaches it."""
    with LyingUpstream().in_a_thread() as server:
        yield server


def offer(upstream: LyingUpstream, scheme: str) -> None:
    """One package each, at the names that the proxy knows."""
    wheel, tarball = make_wheel("zyx-out", "1.0"), make_tarball("zyx-out", "1.0.0")
    wheel.url = f"{scheme}://{PYTHON}/files/{wheel.filename}"
    tarball.url = f"{scheme}://{NPM}/npm/zyx-out/-/{tarball.filename}"
    upstream.requests.clear()
    upstream.add(wheel, tarball)


def fetch(appliance: Appliance) -> None:
    wheel, tarball = make_wheel("zyx-out", "1.0"), make_tarball("zyx-out", "1.0.0")
    assert appliance.file("zyx-out", wheel.filename) == wheel.data
    assert appliance.get(f"/npm/zyx-out/-/{tarball.filename}").content == tarball.data


def world(scheme: str, proxy: Proxy) -> dict[str, str]:
    return {
        "REGISTRY_PYPI_UPSTREAM": f"{scheme}://{PYTHON}/simple/",
        "REGISTRY_NPM_UPSTREAM": f"{scheme}://{NPM}/npm/",
        "HTTPS_PROXY": proxy.url,
    }


def test_public_packages_come_through_a_proxy(
    new_appliance: NewAppliance, outside: LyingUpstream, upstream: LyingUpstream, bridge: str
) -> None:
    offer(outside, "http")
    with Proxy(bridge, ("127.0.0.1", outside.port)).running() as proxy:
        appliance = new_appliance("compose.proxy.yml", **world("http", proxy))
        appliance.up()
        fetch(appliance)
        assert {target.split("/")[2] for _, target in proxy.asked} == {PYTHON, NPM}
        assert all(check["ok"] for check in appliance.answer("doctor")["checks"])
        told = [str(appliance.container(service).attrs["Config"]["Env"]) for service in BACK_ENDS]
        assert not any("PROXY" in each for each in told)
        assert "secret" not in appliance.logs()

        before = len(proxy.asked)
        direct = new_appliance(
            "compose.proxy.yml",
            **world("http", proxy) | {"REGISTRY_PYPI_UPSTREAM": upstream.url_pypi, "NO_PROXY": bridge},
        )
        direct.up()
        direct.get("/pypi/simple/zyx-direct/")
        assert upstream.asked("/simple/zyx-direct/")
        assert not any(bridge in target for _, target in proxy.asked[before:])


def test_a_proxy_that_looks_into_tls_needs_the_companys_authority(
    new_appliance: NewAppliance, outside: LyingUpstream, bridge: str, authority: trustme.CA, tmp_path: Path
) -> None:
    offer(outside, "https")
    company = tmp_path / "company.pem"
    authority.cert_pem.write_to_path(str(company))
    company.chmod(0o644)
    with Proxy(bridge, ("127.0.0.1", outside.port), authority).running() as proxy:
        strict = new_appliance("compose.proxy.yml", **world("https", proxy))
        strict.up()
        refused = strict.get("/pypi/simple/zyx-out/", Accept="application/vnd.pypi.simple.v1+json")
        assert refused.status_code == 502
        assert "certificate" in refused.text
        assert outside.asked("/simple/zyx-out/*") == []
        strict.tear_down()

        trusting = new_appliance(
            "compose.proxy.yml", "compose.ca.yml", COMPANY_CA=str(company), **world("https", proxy)
        )
        trusting.up()
        fetch(trusting)
        assert {("CONNECT", f"{PYTHON}:443"), ("CONNECT", f"{NPM}:443")} == set(proxy.asked)
        assert all(check["ok"] for check in trusting.answer("doctor")["checks"])
