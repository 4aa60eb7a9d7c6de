"""How a command ends when it doesn't end well."""

from __future__ import annotations

from collections.abc import Sequence

import click

NEGATIVE = 1
"""Refused, not found, or an answer that is a no."""
USAGE = 2
"""The command line, or a setting, makes no sense."""
UNREACHABLE = 3
"""There is no appliance to ask, or it is broken."""


class Negative(click.ClickException):
    """The appliance said no."""

    exit_code = NEGATIVE


class Misused(click.ClickException):
    """The appliance, or a setting, says that this makes no sense."""

    exit_code = USAGE


class Unreachable(click.ClickException):
    """Nobody answered."""

    exit_code = UNREACHABLE


def misconfigured(problems: Sequence[str]) -> Misused:
    """Settings that can't be used: every mistake on a line of its own."""
    return Misused("\n  - ".join(["these settings can't be used:", *problems]))
