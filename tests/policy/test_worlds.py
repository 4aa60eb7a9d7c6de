"""Policy with the real packaging worlds behind it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from registry.ecosystems import ECOSYSTEMS
from registry.errors import ConfigurationError
from registry.model.artifacts import Artifact
from registry.model.names import Project
from registry.policy.entries import VersionRange
from registry.policy.loader import check_policy, parse_policy
from tests.policy.worlds import KNOWN, NOW, OLD


def test_the_shipped_file_is_good() -> None:
    check_policy(Path("config/policy.toml").read_text(), (), ECOSYSTEMS)


def test_the_examples_in_the_shipped_file_are_good() -> None:
    text = Path("config/policy.toml").read_text()
    examples = [
        line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   ") and " = [" in line
    ]
    assert len(examples) >= 6
    for example in examples:
        accepted = []
        for name in ECOSYSTEMS:
            other = next(other for other in ECOSYSTEMS if other != name)
            try:
                check_policy(
                    f'[{other}]\nmode = "guarded"\n[{name}]\nmode = "guarded"\n{example}\n', (), ECOSYSTEMS
                )
                accepted.append(name)
            except ConfigurationError:
                continue
        assert accepted, example


@pytest.mark.parametrize(
    ("ecosystem", "versions", "inside", "outside", "no_version"),
    [("pypi", ">=4,<6", "5.0", "6.0", "what?"), ("npm", "^4.17.21", "4.18.0", "5.0.0", "what?")],
)
def test_a_range_knows_what_it_can_not_tell(
    ecosystem: str, versions: str, inside: str, outside: str, no_version: str
) -> None:
    span = pickle.loads(pickle.dumps(VersionRange(versions, ECOSYSTEMS[ecosystem].parse_range)))
    assert [span.holds(version) for version in (inside, outside, no_version)] == [True, False, None]


def test_a_denied_range_refuses_in_both_worlds() -> None:
    text = '[pypi]\nmode = "guarded"\ndeny = ["flask<2"]\n[npm]\nmode = "guarded"\ndeny = ["@evil/ui@^1"]\n'
    policy = parse_policy(text, (), ECOSYSTEMS, KNOWN, {})
    for project, denied, passed in (
        (Project("pypi", "flask"), "1.9", "2.0"),
        (Project("npm", "@evil/ui"), "1.9.0", "2.0.0"),
    ):
        for version, allowed in ((denied, False), (passed, True)):
            artifact = Artifact(project=project, filename="x", version=version, published=OLD)
            assert policy.decide_artifact(artifact, None, NOW).allowed is allowed
