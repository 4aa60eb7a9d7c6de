"""One change of a private project at a time."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from registry.model.names import Project


class Turns(Protocol):
    """What changes of a project have in common with publications."""

    def turn(self, project: Project) -> AbstractAsyncContextManager[object]:
        """Held while the project changes: one change at a time."""

    async def changed(self, project: Project) -> None:
        """From here on everybody sees the change."""
