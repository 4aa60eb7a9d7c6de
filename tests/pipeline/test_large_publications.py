"""An npm package of any size is published in the memory of a small one."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.ecosystems.npm import NPM
from registry.errors import Malformed, TooLarge
from registry.pipeline import publishing
from tests.desks import ADA
from tests.pipeline.test_publishing import ROOT, Dock
from tests.protocols.npm.world import publish_document
from tests.upstream import Tarball, make_tarball

PROJECT = NPM.parse_name("@acme/large")

TAKE_APART = """
import resource, sys
from pathlib import Path
from registry.ecosystems.npm import NPM
from registry.pipeline.publishing import take_apart

(now,) = (int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (now + int(sys.argv[3]),) * 2)
found = take_apart(NPM.parse_name("@acme/large"), Path(sys.argv[1]), Path(sys.argv[2]))
print(next(digest.hex for digest in found.artifact.digests if digest.algorithm == "sha256"), len(found.body))
"""


@pytest.fixture
async def dock(tmp_path: Path) -> AsyncIterator[Dock]:
    made = Dock(tmp_path)
    await made.line.policy.load()
    yield made
    await made.line.freshness.close()


def sent(folder: Path, made: Tarball) -> Path:
    path = folder / "sent"
    path.write_text(json.dumps(publish_document(made)))
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of what is written to is Linux's")
def test_a_document_is_taken_apart_without_being_held(tmp_path: Path) -> None:
    """36 MiB of tarball, 48 of document, and 16 more that the process may write to than it has at first."""
    block = make_tarball("@acme/large", "1.0.0", padding=36 << 20)
    path, file = sent(tmp_path, block), tmp_path / "file"
    file.touch()
    done = subprocess.run(
        [sys.executable, "-c", TAKE_APART, str(path), str(file), str(16 << 20)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    digest, rest = done.stdout.split()
    assert digest == hashlib.sha256(block.data).hexdigest()
    assert int(rest) < 10_000
    assert file.stat().st_size == len(block.data)


@pytest.mark.parametrize("large", [1, 1 << 30], ids=["by a worker", "by a thread"])
async def test_a_document_is_published_wherever_it_is_taken_apart(
    dock: Dock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(publishing, "LARGE", large)
    made = make_tarball("@acme/large", "1.0.0")
    file = tmp_path / "file"
    artifact = await dock.publishing.document(PROJECT, sent(tmp_path, made), file, len(made.data), ROOT, ADA)
    assert artifact is not None
    assert file.read_bytes() == made.data
    (taken,) = dock.taking.taken
    assert base64.b64encode(made.data) not in taken.body
    dock.workers.close()


async def test_a_file_beyond_the_limit_is_too_large_and_goes_nowhere(dock: Dock, tmp_path: Path) -> None:
    made = make_tarball("@acme/large", "1.0.0")
    with pytest.raises(TooLarge, match="upload_limit"):
        await dock.publishing.document(
            PROJECT, sent(tmp_path, made), tmp_path / "file", len(made.data) - 1, ROOT, ADA
        )
    assert dock.taking.taken == []


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff"])
async def test_what_is_no_document_is_malformed(dock: Dock, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "sent").write_bytes(text)
    with pytest.raises(Malformed):
        await dock.publishing.document(PROJECT, tmp_path / "sent", tmp_path / "file", 1000, ROOT, ADA)
