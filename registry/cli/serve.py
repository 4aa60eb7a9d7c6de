"""`registry serve` and `registry run`: the gateway alone, and the whole appliance."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import click

from registry.cli.api import settings_here
from registry.cli.exits import misconfigured
from registry.errors import ConfigurationError
from registry.settings import Settings


@click.command(epilog="Example: REGISTRY_PYPISERVER_URL=http://pypiserver:8081/ registry serve")
@click.pass_context
def serve(ctx: click.Context) -> None:
    """Run the gateway alone, in the foreground: what a container does.

    The private back ends are others' business; name them with REGISTRY_PYPISERVER_URL and
    REGISTRY_VERDACCIO_URL.
    """
    from registry.appliance.premises import occupied  # noqa: PLC0415 - other commands start without it

    settings = settings_here()
    try:
        if settings.listen_fd is not None:  # the appliance started us, and holds directory and port
            ctx.exit(_run(settings, None))
        with occupied(settings.data, settings.host, settings.port) as premises:
            settings = dataclasses.replace(settings, listen_fd=os.dup(premises.listener.fileno()))
            ctx.exit(_run(settings, premises.listener))
    except ConfigurationError as error:
        raise misconfigured(error.problems) from None


def _run(settings: Settings, listener: socket.socket | None) -> int:
    """Serve in this process, or in several; `listener` is the port where it is ours to close. Raises
    ConfigurationError."""
    if settings.workers > 1:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_counters(settings))  # read when its library is imported
    from registry.app import serving  # noqa: PLC0415 - the whole appliance; other commands start without it
    from registry.appliance.prefork import Prefork  # noqa: PLC0415

    if settings.workers == 1:
        serving.run(settings, closes=listener is not None)
        return 0

    def serve_one(told: Callable[[], None]) -> int:
        try:
            serving.run(settings, told)
        except ConfigurationError as error:
            complaint = misconfigured(error.problems)
            complaint.show()
            return complaint.exit_code
        return 0

    serving.load(settings)
    return Prefork(settings.workers, serve_one, listener).run()


def _counters(settings: Settings) -> Path:
    """A new folder for the files in which the workers count."""
    folder = settings.data / "processes" / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    return folder


@click.command("run", epilog="Example: REGISTRY_PORT=8081 registry run")
@click.pass_context
def run_all(ctx: click.Context) -> None:
    """Run the whole appliance in the foreground: gateway, pypiserver, Verdaccio; as ./scripts/run does."""
    from registry.appliance.__main__ import main  # noqa: PLC0415 - other commands start without it

    ctx.exit(main([]))
