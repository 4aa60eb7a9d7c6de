"""A program that was run, and all that it said."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

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


def run(
    command: Sequence[str],
    environ: Mapping[str, str],
    folder: Path,
    *,
    stdin: str = "",
    patience: float = HANG_GUARD,
) -> Said:
    """Run a program to its end, with this environment and no other; `patience` in seconds."""
    done = subprocess.run(
        command,
        env=dict(environ),
        cwd=folder,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=patience,
        check=False,
    )
    return Said(" ".join(command), done.returncode, done.stdout, done.stderr)


def converse(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, answers: Sequence[tuple[str, str]]
) -> Said:
    """Run a program that asks: each answer is given when its prompt was printed."""
    with subprocess.Popen(
        command,
        env=dict(environ),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            out = ""
            for prompt, answer in answers:
                out += _read_until(process.stdout, prompt)
                process.stdin.write(f"{answer}\n".encode())
                process.stdin.flush()
            rest, _ = process.communicate(timeout=HANG_GUARD)
        finally:
            process.kill()
    return Said(" ".join(command), process.returncode, out + rest.decode("utf-8", "replace"), "")


def _read_until(stream: IO[bytes], prompt: str) -> str:
    heard = b""
    while prompt.encode() not in heard:
        more = stream.read1(4096)  # type: ignore[attr-defined]
        assert more, f"it ended before it asked {prompt!r}: {heard!r}"
        heard += more
    return heard.decode("utf-8", "replace")
