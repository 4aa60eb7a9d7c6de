"""The container engine: the one that runs here, or one that the program CONTAINER_ENGINE_HELPER makes.

Without engine and helper these tests are skipped, and say so. Where a helper is named, as in CI, they must run.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import docker
import pytest

ROOT = Path(__file__).resolve().parents[2]
MINIMUM = (25, 0)
"""The first engine with `start_interval`."""


def engine() -> Any:
    """A client of a running engine. Skips, or fails, where there is none."""
    helper = os.environ.get("CONTAINER_ENGINE_HELPER")
    if helper:
        # Also where an engine runs: it brings the base images, and does nothing when they are there.
        made = subprocess.run([helper, *base_images()], check=False, timeout=900)
        assert made.returncode == 0, f"{helper} gave no engine (status {made.returncode})"
    try:
        client = docker.from_env(timeout=120)
        version = client.version()["Version"]
    except docker.errors.DockerException as error:
        if helper:
            raise
        pytest.skip(
            f"NO CONTAINER IS TESTED: no engine runs here, and CONTAINER_ENGINE_HELPER isn't set ({error})"
        )
    assert tuple(int(part) for part in version.split(".")[:2]) >= MINIMUM, f"engine {version} is too old"
    return client


def base_images() -> list[str]:
    """What the Dockerfiles build on, as they say."""
    files = (ROOT / "registry" / "Dockerfile", ROOT / "verdaccio" / "Dockerfile")
    return [re.findall(r"^ARG \w+_IMAGE=(\S+)$", file.read_text("utf-8"), re.MULTILINE)[0] for file in files]
