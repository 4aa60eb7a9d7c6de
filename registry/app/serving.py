"""One gateway process, from its socket to its last answer."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable

from registry import __version__
from registry.app import assemble
from registry.app.background import watch
from registry.ecosystems import ECOSYSTEMS
from registry.errors import ConfigurationError
from registry.pipeline.heap import spare_memory
from registry.policy.names import shipped_names
from registry.settings import Settings
from registry.storage.name_lists import NameLists
from registry.web.certificate import Certificate
from registry.web.journal import write_journal
from registry.web.server import listen

SELDOM = 100
"""Collections of the younger objects between two of all: these hold the loop up for ten milliseconds, and
find next to nothing, since what a request leaves behind isn't cyclic."""

journal = logging.getLogger(__name__)


def load(settings: Settings) -> None:
    """What workers have in common and never change: with it in memory, they are forked."""
    spare_memory()
    write_journal(settings.log_level)
    lists = NameLists(settings.data / "names")
    for ecosystem in ECOSYSTEMS:
        if lists.read(ecosystem) is None:
            shipped_names(ecosystem).warm()


def run(settings: Settings, told: Callable[[], None] = lambda: None, *, closes: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; `told` is called once requests are answered. `closes` the port first,
    where nobody else goes on with it. Raises ConfigurationError before anything is served."""
    spare_memory()
    write_journal(settings.log_level)
    asyncio.run(serve(settings, bound_socket(settings), told, closes=closes))


def bound_socket(settings: Settings) -> socket.socket:
    """The socket handed down by a parent, else one of our own. Raises ConfigurationError for a taken port."""
    if settings.listen_fd is not None:
        return socket.socket(fileno=settings.listen_fd)
    try:
        return socket.create_server((settings.host, settings.port), backlog=1024)
    except OSError as error:
        raise ConfigurationError(
            [f"Can't listen on {settings.host}:{settings.port} ({error.strerror}); set host and port."]
        ) from error


async def serve(
    settings: Settings,
    sock: socket.socket,
    told: Callable[[], None] = lambda: None,
    *,
    closes: bool = False,
) -> None:
    """The gateway, from assembled to drained."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    certificate = None
    if settings.tls_certificate is not None:
        certificate = Certificate(settings.tls_certificate, settings.tls_key)
    async with assemble(settings) as (app, policy):
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        reloads: set[asyncio.Task[None]] = set()
        loop.add_signal_handler(signal.SIGHUP, lambda: reloads.add(asyncio.create_task(policy.look_again())))
        runner = await listen(
            app,
            sock,
            certificate.context if certificate is not None else None,
            shared=settings.workers > 1,
        )
        watches = [asyncio.create_task(watch([settings.policy], policy.look_again))]
        if certificate is not None:
            files = [path for path in (settings.tls_certificate, settings.tls_key) if path is not None]
            watches.append(asyncio.create_task(watch(files, certificate.reload)))
        gc.collect()
        gc.freeze()  # what is here now stays: looking through it again and again would hold the loop up
        gc.set_threshold(*gc.get_threshold()[:2], SELDOM)
        journal.info("serving", extra={"host": settings.host, "port": settings.port, "version": __version__})
        told()
        try:
            await stop.wait()
        finally:
            for each in watches:
                each.cancel()
            if closes:  # whoever comes now is turned away, and doesn't wait at a door that stays shut
                sock.shutdown(socket.SHUT_RDWR)
            for site in list(runner.sites):
                await site.stop()
            await runner.cleanup()
