"""What docker-compose.yml and the Dockerfiles say agrees with the rest of the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from registry import __version__
from registry.settings import known_settings

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text("utf-8")
DOCKERFILES = ("registry/Dockerfile", "verdaccio/Dockerfile")
OVERRIDES = sorted(path.name for path in ROOT.glob("compose.*.yml"))
FIXED = {"HOST", "PORT", "DATA", "VOLUME"}
"""Of the image: inside they are always the same, and the two first say where the port is published."""


def test_every_setting_reaches_the_gateway() -> None:
    settings = {key.upper().replace(".", "_") for key in known_settings()} | {"CONFIG"}
    assert set(re.findall(r"^      REGISTRY_([A-Z_]+):", COMPOSE, re.MULTILINE)) == settings - FIXED
    image = (ROOT / "registry" / "Dockerfile").read_text("utf-8")
    assert set(re.findall(r"(?<!ARG )\bREGISTRY_([A-Z]+)=", image)) == FIXED


def test_images_have_the_version_of_the_package() -> None:
    assert set(re.findall(r"^ +image: (\S+)$", COMPOSE, re.MULTILINE)) == {
        f"registry-gateway:{__version__}", f"registry-verdaccio:{__version__}",
    }  # fmt: skip


@pytest.mark.parametrize("name", DOCKERFILES)
def test_base_images_are_arguments_and_no_frontend_is_fetched(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) <= {"${PYTHON_IMAGE}", "${NODE_IMAGE}"}
    assert not re.search(r"^# *syntax=", text, re.MULTILINE)
    assert re.findall(r"^ARG (\w+_IMAGE)=\S+:\S+$", text, re.MULTILINE)
    for argument, default in re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", text, re.MULTILINE):
        assert f"${{{argument}:-{default}}}" in COMPOSE


@pytest.mark.parametrize("name", DOCKERFILES)
def test_whatever_a_dockerfile_copies_is_let_into_its_context(name: str) -> None:
    ignore = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignore
    let_in = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / name).read_text("utf-8"), re.MULTILINE):
        assert set(sources.split()) <= let_in


def test_every_variable_of_the_compose_files_is_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    assert not [line for line in example.splitlines() if line and not line.startswith("#")]
    told = set(re.findall(r"^# ([A-Z_]+)=", example, re.MULTILINE))
    used = {
        name
        for file in ("docker-compose.yml", *OVERRIDES)
        for name in re.findall(r"\$\{([A-Z_]+)", (ROOT / file).read_text("utf-8"))
    }
    assert used - told == {"TLS_FOLDER", "HTTP_PROXY"}, "these two have a default that fits nearly everybody"


@pytest.mark.parametrize("name", OVERRIDES)
def test_every_override_is_documented(name: str) -> None:
    documents = "".join(path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md"))
    assert name in documents
    assert f"\n# {name}" in (ROOT / ".env.example").read_text("utf-8") or name == "compose.tls.yml"
