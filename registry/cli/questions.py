"""What commands ask a person, and what they want where there is none to ask."""

from __future__ import annotations

import getpass
import sys

import click


def new_password(*, from_stdin: bool) -> str:
    """A password that was typed twice, or the first line of standard input."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask for the password; use --password-stdin.")
    password = getpass.getpass("New password: ")
    if getpass.getpass("Once more: ") != password:
        raise click.UsageError("The two passwords differ; nothing was changed.")
    return password


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if a person, or `--yes`, says so."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to confirm this on; use --yes.")
    click.confirm(question, abort=True)
