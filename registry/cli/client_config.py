"""`registry client-config`: the lines that point a packaging client at this appliance."""

from __future__ import annotations

import os

import click

from registry.appliance.greeting import base_url
from registry.cli import show
from registry.cli.api import appliance_url, settings_here
from registry.cli.exits import Misused
from registry.web.client_lines import CLIENTS, client_lines


@click.command("client-config", epilog="Example: registry client-config pip >>~/.config/pip/pip.conf")
@click.argument("client", type=click.Choice(CLIENTS))
@click.option("--url", help="The URL that clients use, where the settings don't say it.")
@show.json_option
def client_config(client: str, url: str | None, *, as_json: bool) -> None:
    """Print the lines that point a client here; the start page shows the same.

    The URL is that of --url, REGISTRY_URL, REGISTRY_PUBLIC_URL, or the address that the gateway listens on.
    """
    root = appliance_url(url) if url is not None else _known_url()
    lines = client_lines(client, root)
    if as_json:
        show.as_json_text({"client": client, "url": root, "where": lines.where, "text": lines.text})
    else:
        click.echo(f"# {lines.where}\n{lines.text}", nl=False)


def _known_url() -> str:
    if named := os.environ.get("REGISTRY_URL"):
        return appliance_url(named)
    settings = settings_here()
    if settings.public_url is None and settings.host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        raise Misused(
            "This appliance listens on every address and doesn't know which one clients use; give it with "
            "--url, or set REGISTRY_PUBLIC_URL."
        )
    return base_url(settings.host, settings.port, settings.public_url, settings.tls_certificate is not None)
