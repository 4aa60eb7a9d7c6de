"""A running API over fakes, on a loopback port of its own thread, and the command that talks to it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result

from registry.cli.main import registry
from tests.desks import DeskWorld
from tests.identity.world import ADMIN_TOKEN

T = TypeVar("T")


def command(*arguments: str, environ: dict[str, str | None], stdin: str | None = None) -> Result:
    """Run `registry …` with this environment."""
    return CliRunner(env=environ).invoke(registry, list(arguments), input=stdin, prog_name="registry")


@dataclass
class Running:
    """The appliance."""

    folder: Path
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.world = DeskWorld(self.folder)
        self.wait(self.world.policy.load())
        self._server = TestServer(self.world.application())
        self.wait(self._server.start_server())
        return self

    def __exit__(self, *_: object) -> None:
        self.wait(self._server.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something where the appliance runs."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self._server.make_url("/")).rstrip("/")

    def command(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run `registry …` as an admin of this appliance."""
        environ: dict[str, str | None] = {"REGISTRY_URL": self.url, "REGISTRY_TOKEN": ADMIN_TOKEN}
        return command(*arguments, environ=environ, stdin=stdin)

    def answer(self, *arguments: str) -> Any:
        """What a command answers with --json."""
        result = self.command(*arguments, "--json")
        return json.loads(result.stdout)
