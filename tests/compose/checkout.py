"""A checkout in which the commands of `docs/` are run as they are written there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.compose.appliance import Appliance
from tests.compose.engine import ROOT

COMMAND = re.compile(r"(?:docker|curl|tar|openssl|mkdir|cp|sudo|git|[A-Z]+=\S+$)")
"""How a line begins that a person types."""


def sections(document: str) -> Iterator[tuple[str, str]]:
    """Heading and text of each section of a document below docs/."""
    text = (ROOT / "docs" / document).read_text("utf-8")
    for part in re.split(r"^#+ ", text, flags=re.MULTILINE)[1:]:
        heading, _, rest = part.partition("\n")
        yield heading, rest


def blocks(text: str) -> list[str]:
    """The indented blocks of a section."""
    return [
        re.sub("^    ", "", block, flags=re.MULTILINE)
        for block in re.findall(r"(?:^    .+\n)+", text, re.MULTILINE)
    ]


def commands(document: str, heading: str) -> list[str]:
    """What a section tells to type."""
    (text,) = (text for name, text in sections(document) if name == heading)
    return [
        line for block in blocks(text) if "docker" in block or "openssl" in block or "curl" in block
        for line in block.splitlines() if COMMAND.match(line)
    ]  # fmt: skip


def dotenv(document: str, heading: str) -> dict[str, str]:
    """What a section tells to write into `.env`."""
    (text,) = (text for name, text in sections(document) if name == heading)
    lines = [line for block in blocks(text) for line in block.splitlines()]
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))


@dataclass(frozen=True)
class Checkout:
    """The files that an operator has, and an appliance of its own."""

    folder: Path
    appliance: Appliance

    def __post_init__(self) -> None:
        self.folder.mkdir(mode=0o755, parents=True)
        for file in (*ROOT.glob("*compose*.yml"), ROOT / ".env.example"):
            shutil.copy(file, self.folder)
        shutil.copytree(ROOT / "config", self.folder / "config")

    def settle(self, **settings: str) -> None:
        """Write `.env`."""
        lines = {
            **self.appliance.settings,
            "REGISTRY_HOST": "127.0.0.1",
            "REGISTRY_PORT": str(self.appliance.port),
        }
        text = "".join(f"{name}={value}\n" for name, value in {**lines, **settings}.items())
        (self.folder / ".env").write_text(text, "utf-8")

    def type(self, *lines: str, leave_out: str = "", replaced: Mapping[str, str] | None = None) -> str:
        """Run lines one after another in a shell; any that fails ends it. Gives what they print."""
        script = "\n".join(line for line in lines if not (leave_out and re.search(leave_out, line)))
        own = {
            "http://HOST:8080": self.appliance.url,
            "volume rm registry_": f"volume rm {self.appliance.project}_",
            "sudo ": "",
            **(replaced or {}),
        }
        for theirs, ours in own.items():
            script = script.replace(theirs, ours)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/"),
                "COMPOSE_PROJECT_NAME": self.appliance.project,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, (
            f"{script}\n{done.stdout}\n{done.stderr[-4000:]}\n{self.appliance.logs()[-4000:]}"
        )
        return done.stdout
