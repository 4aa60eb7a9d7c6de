"""docs/cli.md and --help: what is missing there makes a test red."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from registry.cli import exits
from registry.cli.main import registry
from registry.settings import VARIABLES_OF_THE_COMMAND, known_settings

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
TEXT = " ".join(DOCUMENT.split())


def commands(group: click.Group = registry, path: str = "registry") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands())


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_is_documented_with_its_options(path: str) -> None:
    assert re.search(rf"`{path}[ `]", TEXT), f"{path} isn't in docs/cli.md"
    options = {option for param in COMMANDS[path].params for option in param.opts if option.startswith("--")}
    missing = {option for option in options if f"`{option}`" not in TEXT and f"{option} TEXT`" not in TEXT}
    assert not missing, f"options of {path} that aren't in docs/cli.md"


@pytest.mark.parametrize("path", COMMANDS)
def test_every_help_has_an_example_and_every_answer_has_json(path: str) -> None:
    command = COMMANDS[path]
    assert (command.epilog or "").startswith("Example: ")
    assert f" {path.removeprefix('registry ')}" in (command.epilog or "").replace("registry", "", 1)
    assert command.help
    assert path in {"registry run", "registry serve"} or any(p.name == "as_json" for p in command.params)


def test_every_documented_command_exists() -> None:
    words = {" ".join(match.split()) for match in re.findall(r"`(registry(?: [a-z-]+)+)", TEXT)}
    unknown = {w for w in words if not any(path == w or path.startswith(f"{w} ") for path in COMMANDS)}
    assert not unknown


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    settings = {f"REGISTRY_{key}".upper().replace(".", "_") for key in known_settings()}
    documented = set(re.findall(r"REGISTRY_[A-Z_]+", DOCUMENT))
    assert documented == settings | VARIABLES_OF_THE_COMMAND | {"REGISTRY_CONFIG"}


def test_every_exit_status_is_documented() -> None:
    documented = {int(status) for status in re.findall(r"^\| (\d) \|", DOCUMENT, re.MULTILINE)}
    assert documented == {0, exits.NEGATIVE, exits.USAGE, exits.UNREACHABLE}
