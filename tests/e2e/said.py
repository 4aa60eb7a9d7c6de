"""A program that was run, and all that it said."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

HANG_GUARD = 100.0
"""Seconds."""
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


@dataclass(frozen=True)
class Said:
    """How a program ended."""

    command: str
    status: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        """Whether it reports success."""
        return self.status == 0

    @property
    def text(self) -> str:
        """All it printed, in one line without colours, frames and wrapping."""
        return " ".join(re.sub(r"[│╭╰─╮╯]", " ", ANSI.sub("", f"{self.out}\n{self.err}")).split())

    def checked(self) -> Self:
        """Itself, if it went well."""
        assert self.ok, f"{self.command}\nstatus {self.status}\n{self.out}\n{self.err}"
        return self

    def refused(self) -> Self:
        """Itself, if it failed, as it should have."""
        assert not self.ok, f"{self.command}\nwent well:\n{self.out}\n{self.err}"
        return self


def run(command: Sequence[str], environ: Mapping[str, str], folder: Path, *, stdin: str = "") -> Said:
    """Run a program to its end, with this environment and no other."""
    done = subprocess.run(
        command,
        env=dict(environ),
        cwd=folder,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=HANG_GUARD,
        check=False,
    )
    return Said(" ".join(command), done.returncode, done.stdout, done.stderr)
