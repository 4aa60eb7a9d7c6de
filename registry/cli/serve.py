"""`registry serve` and `registry run`: the gateway alone, and the whole appliance."""

from __future__ import annotations

import dataclasses
import os

import click

from registry.cli.api import settings_here
from registry.cli.exits import misconfigured
from registry.errors import ConfigurationError


@click.command(epilog="Example: REGISTRY_PYPISERVER_URL=http://pypiserver:8081/ registry serve")
def serve() -> None:
    """Run the gateway alone, in the foreground: what a container does.

    The private back ends are others' business; name them with REGISTRY_PYPISERVER_URL and
    REGISTRY_VERDACCIO_URL.
    """
    from registry.app.serving import run  # noqa: PLC0415 - the whole appliance; other commands start without it
    from registry.appliance.premises import occupied  # noqa: PLC0415

    settings = settings_here()
    try:
        if settings.listen_fd is not None:  # the appliance started us, and holds directory and port
            run(settings)
        else:
            with occupied(settings.data, settings.host, settings.port) as premises:
                run(dataclasses.replace(settings, listen_fd=os.dup(premises.listener.fileno())))
    except ConfigurationError as error:
        raise misconfigured(error.problems) from None


@click.command("run", epilog="Example: REGISTRY_PORT=8081 registry run")
@click.pass_context
def run_all(ctx: click.Context) -> None:
    """Run the whole appliance in the foreground: gateway, pypiserver, Verdaccio; as ./scripts/run does."""
    from registry.appliance.__main__ import main  # noqa: PLC0415 - other commands start without it

    ctx.exit(main([]))
