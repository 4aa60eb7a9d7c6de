"""Lock files as npm, pnpm, yarn and bun write them."""

from __future__ import annotations

import base64
import json

import pytest

from registry.ecosystems.npm.locks import read_lock
from registry.errors import Malformed
from registry.model.artifacts import Digest
from registry.model.locks import LockFile

SHA512 = bytes(range(64))
SRI = f"sha512-{base64.b64encode(SHA512).decode()}"

NPM = json.dumps(
    {
        "lockfileVersion": 3,
        "packages": {
            "": {"name": "app", "version": "1.0.0"},
            "node_modules/@acme/ui": {"version": "1.2.3", "resolved": "http://x/ui.tgz", "integrity": SRI},
            "node_modules/here": {"resolved": "packages/here", "link": True},
            "packages/here": {"version": "1.0.0"},
            "node_modules/short": {"name": "long", "version": "2.0.0", "resolved": "http://x/long.tgz"},
            "node_modules/long/node_modules/@acme/ui": {"version": "2.0.0", "resolved": "http://x/ui2.tgz"},
            "node_modules/fork": {"version": "1.0.0", "resolved": "git+ssh://git@example.invalid/fork.git#1"},
        },
    }
)
NPM_1 = json.dumps(
    {
        "lockfileVersion": 1,
        "dependencies": {
            "@acme/ui": {"version": "1.2.3", "integrity": SRI},
            "short": {"version": "npm:long@2.0.0", "dependencies": {"@acme/ui": {"version": "2.0.0"}}},
            "fork": {"version": "git+ssh://git@example.invalid/fork.git#1"},
        },
    }
)
PNPM = f"""
lockfileVersion: '9.0'

importers:

  .:
    dependencies:
      '@acme/ui':
        specifier: ^1
        version: 1.2.3

packages:

  '@acme/ui@1.2.3':
    resolution: {{integrity: {SRI}}}
    engines: {{node: '>=14'}}

  '@acme/ui@2.0.0':
    resolution: {{integrity: {SRI}}}

  fork@https://example.invalid/fork.tgz:
    resolution: {{tarball: https://example.invalid/fork.tgz}}

  long@2.0.0:
    resolution: {{integrity: {SRI}}}

snapshots:

  long@2.0.0: {{}}
"""
PNPM_6 = PNPM.replace("  '@acme", "  '/@acme").replace(
    "  long@2.0.0:\n    res", "  /long@2.0.0(react@18.0.0):\n    res"
)
YARN = f"""
# yarn lockfile v1


"@acme/ui@^1.0.0", "@acme/ui@^1.2.0":
  version "1.2.3"
  resolved "http://x/ui.tgz#abc"
  integrity {SRI}
  dependencies:
    version "^9"

"@acme/ui@^2":
  version "2.0.0"
  resolved "http://x/ui2.tgz#abc"

"fork@git+https://example.invalid/fork.git":
  version "1.0.0"
  resolved "git+https://example.invalid/fork.git#abc"

"short@npm:long@^2":
  version "2.0.0"
  resolved "http://x/long.tgz#abc"
"""
BERRY = """
__metadata:
  version: 8

"@acme/ui@npm:^1.0.0, @acme/ui@npm:^1.2.0":
  version: 1.2.3
  resolution: "@acme/ui@npm:1.2.3"
  checksum: 10c0/abc
  languageName: node

"@acme/ui@npm:^2":
  version: 2.0.0
  resolution: "@acme/ui@npm:2.0.0"

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."

"@acme/ui@patch:@acme/ui@npm%3A^2#optional!builtin<compat/ui>":
  version: 2.0.0
  resolution: "@acme/ui@patch:@acme/ui@npm%3A2.0.0#optional!builtin<compat/ui>::version=2.0.0&hash=abc"

"fork@https://example.invalid/fork.git":
  version: 1.0.0
  resolution: "fork@https://example.invalid/fork.git#commit=abc"

"short@npm:long@^2":
  version: 2.0.0
  resolution: "long@npm:2.0.0"
"""
BUN = f"""{{
  "lockfileVersion": 1,
  "packages": {{
    "@acme/ui": ["@acme/ui@1.2.3", "", {{ "dependencies": {{}}, }}, "{SRI}"],
    "long/@acme/ui": ["@acme/ui@2.0.0", "", {{}}, "{SRI}"],
    "app": ["app@workspace:packages/app"],
    "fork": ["fork@git+https://example.invalid/fork.git#abc", {{}}, "abc"],
    "short": ["long@2.0.0", "", {{}}, "{SRI}"],
  }}
}}"""


def read(name: str, text: str) -> LockFile:
    found = read_lock(name, text.encode())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("package-lock.json", NPM),
        ("npm-shrinkwrap.json", NPM_1),
        ("pnpm-lock.yaml", PNPM),
        ("pnpm-lock.yaml", PNPM_6),
        ("yarn.lock", YARN),
        ("yarn.lock", BERRY),
        ("bun.lock", BUN),
    ],
    ids=["npm", "npm 1", "pnpm 9", "pnpm 6", "yarn 1", "yarn 4", "bun"],
)
def test_pins_are_read_and_what_is_from_elsewhere_is_named(name: str, text: str) -> None:
    found = read(name, text)
    pins = {(entry.project.name, entry.version) for entry in found.entries}
    assert pins == {("@acme/ui", "1.2.3"), ("@acme/ui", "2.0.0"), ("long", "2.0.0")}
    first = next(entry for entry in found.entries if entry.version == "1.2.3")
    assert first.digests == (() if text is BERRY else (Digest("sha512", SHA512.hex()),))
    assert len(found.unresolved) == 1
    assert "fork" in found.unresolved[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [("package-lock.json", "["), ("pnpm-lock.yaml", "packages:"), ("yarn.lock", "hello"), ("bun.lock", "{}")],
)
def test_what_isnt_what_it_is_called_is_malformed(name: str, text: str) -> None:
    with pytest.raises(Malformed, match=name):
        read_lock(name, text.encode())


def test_other_files_are_none_of_npms() -> None:
    assert read_lock("uv.lock", b"") is None
