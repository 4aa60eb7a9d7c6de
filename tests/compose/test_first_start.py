"""`git clone`, `docker compose up -d`, done: without .env, and the same again changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.compose.appliance import SERVICES, Appliance
from tests.compose.conftest import NewAppliance
from tests.compose.engine import ROOT
from tests.e2e.said import ANSI
from tests.upstream import LyingUpstream

IMAGES = ("registry-gateway:0.1.0", "registry-verdaccio:0.1.0")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What git has of this checkout, and nothing else that lies in it."""
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, folder], check=True, timeout=120)
    return folder


@pytest.fixture
def started(
    built: Any, clone: Path, new_appliance: NewAppliance, upstream: LyingUpstream
) -> Iterator[Appliance]:
    """Started in the clone by these very words. The images' names are taken away first, so that it builds."""
    appliance = new_appliance()
    for name in IMAGES:
        built.api.tag(name, f"{name}-aside")
        built.images.remove(name)
    try:
        up(clone, appliance)
        yield appliance
    finally:
        for name in IMAGES:
            built.api.tag(f"{name}-aside", name)
            built.images.remove(f"{name}-aside")


def up(clone: Path, appliance: Appliance) -> str:
    done = subprocess.run(
        ["docker", "compose", "up", "-d"],
        cwd=clone,
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ},
            "COMPOSE_PROJECT_NAME": appliance.project,
            # A test may have neither port 8080 nor the public registries.
            "REGISTRY_HOST": "127.0.0.1",
            "REGISTRY_PORT": str(appliance.port),
            **appliance.settings,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_fresh_clone_is_built_and_started_by_one_command(clone: Path, started: Appliance) -> None:
    assert not (clone / ".env").exists()
    started.wait_until_healthy()
    assert all(check["ok"] for check in started.answer("doctor")["checks"])
    before = {service: started.container(service).attrs for service in SERVICES}

    said = up(clone, started)
    assert "Recreate" not in said
    for service in SERVICES:
        now = started.container(service).attrs
        assert now["Id"] == before[service]["Id"]
        assert now["State"]["StartedAt"] == before[service]["State"]["StartedAt"]

    logs = ANSI.sub("", started.compose("logs", "--no-log-prefix", "gateway").decode())
    assert logs
    assert all("message" in json.loads(line) for line in logs.splitlines()), logs
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True, timeout=60
    )
    assert status.stdout == "", "running it wrote into the clone"
