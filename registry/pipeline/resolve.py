"""Private, or upstream? Decided by whose name it is, never by who answered first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from registry.model.names import Project
from registry.model.ports import Source


class Owning(Protocol):
    """What resolving asks of the policy."""

    def ours(self, project: Project) -> bool:
        """Whether the name is claimed, reserved by a pattern, or was first published here."""


class Resolver:
    """The two sources of each ecosystem."""

    def __init__(self, public: Mapping[str, Source], private: Mapping[str, Source]) -> None:
        self._public = public
        self._private = private

    def origin(self, policy: Owning, project: Project) -> str:
        """`private` or `public`; a private name is never asked of the public source."""
        return "private" if policy.ours(project) else "public"

    def source(self, project: Project, origin: str) -> Source:
        """Where a project of that origin comes from."""
        return (self._private if origin == "private" else self._public)[project.ecosystem]
