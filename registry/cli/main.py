"""The `registry` command: the group that all others hang from."""

from __future__ import annotations

import click

from registry import __version__
from registry.cli.advisories import advisories
from registry.cli.audit import audit
from registry.cli.backup import backup
from registry.cli.cache import cache
from registry.cli.check import check
from registry.cli.client_config import client_config
from registry.cli.clock import clock
from registry.cli.doctor import doctor
from registry.cli.offline_switch import offline
from registry.cli.policy import policy
from registry.cli.private import private
from registry.cli.recall import recall
from registry.cli.serve import run_all, serve
from registry.cli.token import token
from registry.cli.user import user


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 done, 1 refused or a negative result, 2 wrong usage or settings, "
    "3 no appliance answers.",
)
@click.version_option(__version__, prog_name="registry")
def registry() -> None:
    """Run a package registry appliance, and decide what it lets in.

    Commands ask the running appliance: the one on this machine, or that of REGISTRY_URL with REGISTRY_TOKEN.
    """


for command in (
    run_all,
    serve,
    policy,
    advisories,
    check,
    recall,
    audit,
    user,
    token,
    cache,
    backup,
    offline,
    clock,
    doctor,
    client_config,
    private,
):
    registry.add_command(command)


def main() -> None:
    """The entry point of the console script."""
    registry(prog_name="registry")
