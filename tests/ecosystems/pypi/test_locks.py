"""Lock files as Python's tools write them."""

from __future__ import annotations

import json

import pytest

from registry.ecosystems.pypi.locks import read_lock
from registry.errors import Malformed
from registry.model.artifacts import Digest
from registry.model.locks import LockFile

A, B = "a" * 64, "b" * 64

UV = f"""
version = 1
[[package]]
name = "acme-app"
source = {{ editable = "." }}
[[package]]
name = "Requests"
version = "2.32.0"
source = {{ registry = "http://localhost/simple" }}
sdist = {{ url = "http://localhost/requests-2.32.0.tar.gz", hash = "sha256:{A}", size = 1 }}
wheels = [{{ url = "http://localhost/requests-2.32.0-py3-none-any.whl", hash = "sha256:{B}" }}]
[[package]]
name = "fork"
version = "1.0"
source = {{ git = "https://example.invalid/fork?rev=abc" }}
"""
POETRY = f"""
[[package]]
name = "requests"
version = "2.32"
files = [{{ file = "requests-2.32-py3-none-any.whl", hash = "sha256:{A}" }}]
[[package]]
name = "fork"
version = "1.0"
files = []
[package.source]
type = "git"
url = "https://example.invalid/fork"
"""
PYLOCK = f"""
lock-version = "1.0"
[[packages]]
name = "requests"
version = "2.32.0"
[[packages.wheels]]
name = "requests-2.32.0-py3-none-any.whl"
hashes = {{ sha256 = "{A}" }}
[[packages]]
name = "fork"
vcs = {{ type = "git", url = "https://example.invalid/fork" }}
"""
PIPFILE = json.dumps(
    {
        "_meta": {"hash": {}},
        "default": {"requests": {"version": "==2.32.0", "hashes": [f"sha256:{A}"]}, "fork": {"git": "x"}},
    }
)
REQUIREMENTS = f"""
# by pip-compile
requests[socks]==2.32.0 ; python_version > "3.8" \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
httpx==0.27.0  # as it is
flask>=2
-r other.txt
-c https://example.invalid/constraints.txt
--constraint=limits.txt
--no-binary :all:
fork @ https://example.invalid/fork.zip
./here
"""


def read(name: str, text: str) -> LockFile:
    found = read_lock(name, text.encode())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "text", "version", "digests"),
    [
        ("uv.lock", UV, "2.32.0", {A, B}),
        ("poetry.lock", POETRY, "2.32", {A}),
        (
            "pdm.lock",
            POETRY.replace("[package.source]\n", "").replace('type = "git"', 'git = "x"'),
            "2.32",
            {A},
        ),
        ("pylock.toml", PYLOCK, "2.32.0", {A}),
        ("pylock.dev.toml", PYLOCK, "2.32.0", {A}),
        ("Pipfile.lock", PIPFILE, "2.32.0", {A}),
    ],
)
def test_pins_are_read_with_their_digests_and_what_is_from_elsewhere_is_named(
    name: str, text: str, version: str, digests: set[str]
) -> None:
    found = read(name, text)
    (entry,) = found.entries
    assert (entry.project.name, entry.version) == ("requests", version)
    assert set(entry.digests) == {Digest("sha256", value) for value in digests}
    assert len(found.unresolved) == 1
    assert "fork" in found.unresolved[0]


def test_requirements_are_read_as_pip_reads_them() -> None:
    found = read("requirements-dev.txt", REQUIREMENTS)
    pins = {entry.project.name: entry.version for entry in found.entries}
    assert pins == {"requests": "2.32.0", "httpx": "0.27.0", "flask": None}
    assert found.entries[0].digests == (Digest("sha256", A), Digest("sha256", B))
    elsewhere = ["-c https://example.invalid/constraints.txt", "fork", "./here"]
    assert [text.split("'")[1] for text in found.unresolved] == elsewhere
    assert found.includes == ("other.txt", "limits.txt")


@pytest.mark.parametrize(
    ("name", "text"), [("uv.lock", "["), ("poetry.lock", "[[package]]"), ("Pipfile.lock", "[]")]
)
def test_what_isnt_what_it_is_called_is_malformed(name: str, text: str) -> None:
    with pytest.raises(Malformed, match=name):
        read_lock(name, text.encode())


def test_other_files_are_none_of_pythons() -> None:
    assert read_lock("package-lock.json", b"{}") is None
