"""Attestations (PEP 740) that twine and uv send with a file are checked, kept, shown and served."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import lived_in
from tests.e2e.house import House
from tests.e2e.machine import Machine
from tests.e2e.outside import Outside

ATTESTED = Path(__file__).parents[1] / "sources" / "attested"
FILE = "gitlab_oidc_project-0.0.3.tar.gz"
PUBLISHER = "GitLab facutuesca/gitlab-oidc-project .gitlab-ci.yml"


@pytest.mark.parametrize("client", ["twine", "uv"])
def test_attestations_are_uploaded_with_their_file(client: str, outside: Outside, tmp_path: Path) -> None:
    """A house of its own for each client, since a file name is used once."""
    with lived_in(House(tmp_path / "house", outside.settings)) as house:
        bob, machine = house.add_user("bob"), Machine(tmp_path / "machine", house.url)
        dist = machine.folder / "dist"
        dist.mkdir()
        for name in (FILE, f"{FILE}.publish.attestation"):
            shutil.copy(ATTESTED / name, dist)
        login = ("-u", bob.name, "-p", bob.password)
        if client == "twine":
            machine.twine("--attestations", *login, *(str(path) for path in dist.iterdir())).checked()
        else:
            machine.uv_publish(*login, f"{dist}/*").checked()
        (shown,) = house.answer("private", "builders", "gitlab-oidc-project")
        assert shown["judgement"] == {"verdict": "verified", "publisher": PUBLISHER, "reason": ""}
        served = house.get(f"/pypi/integrity/gitlab-oidc-project/0.0.3/{FILE}/provenance")
        assert served.headers["Content-Type"] == "application/vnd.pypi.integrity.v1+json"
        (bundle,) = served.json()["attestation_bundles"]
        assert bundle["publisher"]["repository"] == "facutuesca/gitlab-oidc-project"
