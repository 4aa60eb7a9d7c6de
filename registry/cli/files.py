"""Files that people name on the command line, and what they may turn out to be."""

from __future__ import annotations

from pathlib import Path

import click

from registry.cli.exits import Misused

PEM = click.File("r", encoding="ascii", errors="replace")
"""The type of an option for a key; bytes that no key has make it none, and whoever reads it says so."""


def text_of(path: Path) -> str:
    """A file's text. Raises Misused."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise Misused(f"{path} can't be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise Misused(f"{path} isn't text in UTF-8; save it as that.") from None
