"""The composition root: the one folder that names every concrete class, a module a part of the house."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from registry.app.background import in_background
from registry.app.identity import open_identity
from registry.app.line import lay_line
from registry.app.policy import join_policy
from registry.app.sources import open_sources
from registry.app.storage import follow, keep_proof, open_storage
from registry.app.surroundings import Surroundings, SystemClock
from registry.app.web import open_web
from registry.pipeline.inforce import JoinedPolicy
from registry.settings import Settings
from registry.web.server import Application

__all__ = ["Surroundings", "SystemClock", "assemble"]


@asynccontextmanager
async def assemble(
    settings: Settings, around: Surroundings | None = None
) -> AsyncIterator[tuple[Application, JoinedPolicy]]:
    """Every part, wired; closed in reverse order. Raises ConfigurationError listing what can't be used."""
    around = around or Surroundings()
    async with AsyncExitStack() as stack:
        kept = await open_storage(settings, around.clock, stack)
        audit = keep_proof(settings, kept, stack)
        people = await open_identity(settings, kept, around)
        sources = await open_sources(settings, kept, around, stack)
        policy = await join_policy(settings, kept, around)
        in_background(follow(kept, policy, [each.close for each in sources.outside]), stack)
        in_background(policy.warm(), stack)
        line = lay_line(settings, kept, people, sources, policy, stack)
        yield open_web(settings, kept, people, sources, policy, line, audit), policy
