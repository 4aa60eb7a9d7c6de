"""A look into verified files: what they hold, and what speaks against them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import IO

import pytest

from registry.ecosystems import ECOSYSTEMS
from registry.model.artifacts import Artifact
from registry.model.publications import Contents, Findings
from registry.pipeline import contents
from registry.pipeline.contents import look_into
from tests.upstream import Distribution, make_sdist, make_tarball, make_wheel

PYPI, NPM = ECOSYSTEMS["pypi"], ECOSYSTEMS["npm"]


def looked(folder: Path, made: Distribution, name: str = "", filename: str = "") -> Findings:
    """What is found in a file that is offered as a file of that name."""
    path = folder / "bytes"
    path.write_bytes(made.data)
    project = PYPI.parse_name(name or made.project)
    artifact = Artifact(project=project, filename=filename or made.filename, version=made.version)
    return look_into(artifact, path)


def test_a_wheel_gives_its_metadata_and_an_sdist_gives_none(tmp_path: Path) -> None:
    wheel = make_wheel("demo", "1.0")
    assert looked(tmp_path, wheel) == Findings(metadata=wheel.metadata)
    assert looked(tmp_path, make_sdist("demo", "1.0")) == Findings()


@pytest.mark.parametrize(
    ("made", "filename"),
    [
        (make_wheel("other", "1.0"), "demo-1.0-py3-none-any.whl"),
        (make_wheel("demo", "2.0"), "demo-1.0-py3-none-any.whl"),
        (make_sdist("other", "1.0"), "demo-1.0.tar.gz"),
    ],
    ids=["another project", "another version", "another project's sdist"],
)
def test_what_says_another_name_inside_is_a_mismatch(
    tmp_path: Path, made: Distribution, filename: str
) -> None:
    made.version = "1.0"
    found = looked(tmp_path, made, "demo", filename)
    assert found.metadata is None
    assert "demo" in found.mismatch or "wheel" in found.mismatch


def test_what_is_no_archive_is_a_mismatch(tmp_path: Path) -> None:
    wheel = make_wheel("demo", "1.0")
    wheel.data = b"<html>"
    assert looked(tmp_path, wheel).mismatch


def test_a_file_that_our_reader_stumbles_over_is_held_against_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbles(artifact: Artifact, file: IO[bytes]) -> Contents | None:
        raise TypeError("a defect")

    monkeypatch.setattr(contents, "ECOSYSTEMS", {"pypi": dataclasses.replace(PYPI, inspect=stumbles)})
    assert "TypeError" in looked(tmp_path, make_wheel("demo", "1.0")).mismatch


def test_a_file_that_cannot_be_read_just_now_is_held_against_nobody(tmp_path: Path) -> None:
    artifact = Artifact(project=PYPI.parse_name("demo"), filename="demo-1.0-py3-none-any.whl", version="1.0")
    assert look_into(artifact, tmp_path / "nothing-here") == Findings()


def test_npm_tarballs_are_not_looked_into(tmp_path: Path) -> None:
    tarball = make_tarball("demo", "1.0.0")
    artifact = Artifact(project=NPM.parse_name("demo"), filename=tarball.filename, version="1.0.0")
    assert look_into(artifact, tmp_path / "nothing-here") == Findings()
