"""The hosts that public files were first seen at: an upstream that suddenly names another one is refused."""

from __future__ import annotations

from registry.storage.database import Database

_PREFIX = "file-host"


class HostPins:
    """Pinned hosts by ecosystem, kept over restarts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pinned(self, ecosystem: str) -> tuple[str, ...]:
        """The hosts seen so far."""
        rows = self._database.rows("SELECT value FROM fact WHERE name GLOB ?", (f"{_PREFIX}:{ecosystem}:*",))
        return tuple(str(value) for (value,) in rows)

    async def remember(self, ecosystem: str, host: str) -> None:
        """Pin a host; durable when this returns."""
        await self._database.write(
            lambda connection: connection.execute(
                "INSERT OR IGNORE INTO fact (name, value) VALUES (?, ?)",
                (f"{_PREFIX}:{ecosystem}:{host}", host),
            )
        )
