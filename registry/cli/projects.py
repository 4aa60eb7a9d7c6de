"""Projects as people type them: `requests`, `requests@2.32.0`, `@acme/ui@1.0.0`, `npm:left-pad`."""

from __future__ import annotations

import click

from registry.ecosystems import ECOSYSTEMS

ecosystem_argument = click.argument("ecosystem", type=click.Choice(list(ECOSYSTEMS)))


def split_version(text: str) -> tuple[str, str | None]:
    """A name and the version behind its last `@`; the one that opens a scope opens no version."""
    name, at, version = text.rpartition("@")
    return (name, version) if at and name else (text, None)


def split_project(text: str) -> tuple[str | None, str, str | None]:
    """Ecosystem where one is named, name, version."""
    ecosystem, colon, rest = text.partition(":")
    if not colon or ecosystem not in ECOSYSTEMS:
        return (None, *split_version(text))
    return (ecosystem, *split_version(rest))
