"""`python -m registry.appliance`, which is `./scripts/run`: the whole appliance in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from registry.appliance import back_ends
from registry.appliance.greeting import base_url, greeting
from registry.appliance.part import Part
from registry.appliance.premises import Premises, occupied, reserved_port
from registry.appliance.reach import own_trust, own_url, readiness
from registry.appliance.supervisor import Supervisor
from registry.ecosystems import ECOSYSTEMS
from registry.errors import ConfigurationError
from registry.policy.loader import check_policy
from registry.settings import BACK_ENDS, Settings, load_settings

GATEWAY_PATIENCE = 45.0
"""Seconds: it lets downloads finish for 30, and ends by itself. A second Ctrl-C ends it at once."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C. Status 2: mistakes in settings, policy or surroundings; all told, nothing started."""
    argparse.ArgumentParser(
        prog="registry.appliance",
        description="Run gateway, pypiserver and Verdaccio until Ctrl-C. Settings: config/registry.toml, or "
        "the environment (REGISTRY_PORT=8081).",
    ).parse_args(arguments)
    try:
        return run(os.environ, Path.cwd())
    except ConfigurationError as error:
        print("The registry doesn't start:", *error.problems, sep="\n  - ", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def run(environ: Mapping[str, str], directory: Path) -> int:
    """Check everything, then run the appliance that `environ` describes. Raises ConfigurationError."""
    settings = _checked_settings(environ, directory)
    with ExitStack() as stack:
        premises = stack.enter_context(occupied(settings.data, settings.host, settings.port))
        say(f"starting on {settings.host}:{settings.port}, data in {settings.data}")
        handed = {"REGISTRY_LISTEN_FD": str(premises.listener.fileno())}
        parts = _back_ends(settings, premises, stack, handed)
        gateway = Part(
            name="gateway",
            command=(sys.executable, "-m", "registry", "serve"),
            environ={**environ, **handed, "PYTHONUNBUFFERED": "1"},
            folder=directory,
            sockets=(premises.listener.fileno(),),
            patience=GATEWAY_PATIENCE,
        )
        is_first_run = not premises.admin_password.exists()

        def greet() -> None:
            password = None
            if is_first_run and sys.stdout.isatty() and premises.admin_password.exists():
                password = premises.admin_password.read_text("utf-8").strip()
            base = base_url(
                settings.host, settings.port, settings.public_url, settings.tls_certificate is not None
            )
            print(greeting(base, settings.data, premises.admin_password, password), flush=True)

        url = own_url(settings.host, settings.port, settings.tls_certificate)
        trust = own_trust(settings.tls_certificate) if settings.tls_certificate is not None else None

        async def supervise() -> int:

            async def is_ready() -> str | None:
                return await asyncio.to_thread(readiness, url, trust)

            supervisor = Supervisor(
                gateway,
                parts,
                logs=premises.logs,
                is_ready=is_ready,
                say=say,
                close_port=lambda: premises.listener.shutdown(socket.SHUT_RDWR),
            )
            return await supervisor.run(greet)

        return asyncio.run(supervise())


def say(text: str) -> None:
    """Tell the operator. A terminal that is gone doesn't stop us."""
    with contextlib.suppress(OSError):
        print(f"registry: {text}", file=sys.stderr, flush=True)


def _checked_settings(environ: Mapping[str, str], directory: Path) -> Settings:
    """Settings and policy, or all mistakes of both."""
    problems: list[str] = []
    try:
        settings = load_settings(environ, directory)
        policy = settings.policy
    except ConfigurationError as error:
        problems += error.problems
        policy = directory / environ.get("REGISTRY_POLICY", "config/policy.toml")
    try:
        check_policy(policy.read_text("utf-8"), (), ECOSYSTEMS)
    except ConfigurationError as error:
        problems += error.problems
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"REGISTRY_POLICY: {policy} can't be read ({error}); correct the path or the file.")
    if problems:
        raise ConfigurationError(problems)
    return settings


def _back_ends(
    settings: Settings, premises: Premises, stack: ExitStack, handed: dict[str, str]
) -> list[Part]:
    """The back ends that nobody else runs; `handed` gets what the gateway has to know of them."""
    parts = []
    for ecosystem, name in BACK_ENDS.items():
        if settings.back_ends[ecosystem].url is not None:
            continue
        port = stack.enter_context(reserved_port())
        credentials = back_ends.make_credentials(premises.private, name)
        if name == "pypiserver":
            parts.append(back_ends.pypiserver(premises.private, port))
        else:
            parts.append(back_ends.verdaccio(premises.private, port))
        handed[f"REGISTRY_{name.upper()}_URL"] = f"http://127.0.0.1:{port}/"
        handed[f"REGISTRY_{name.upper()}_CREDENTIALS"] = str(credentials)
    return parts


if __name__ == "__main__":
    sys.exit(main())
