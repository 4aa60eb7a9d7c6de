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

    async def remember(self, ecosystem: str, host: str) -> tuple[str, ...]:
        """Pin a host, unless another process was first; gives what is pinned, durable by then."""
        await self._database.write(
            lambda connection: connection.execute(
                "INSERT INTO fact (name, value) SELECT ?1, ?2"
                " WHERE NOT EXISTS (SELECT 1 FROM fact WHERE name GLOB ?3)",
                (f"{_PREFIX}:{ecosystem}:{host}", host, f"{_PREFIX}:{ecosystem}:*"),
            )
        )
        return self.pinned(ecosystem)
