"""Whether upstreams may be asked at all: a row, so that it holds over restarts and in every process."""

from __future__ import annotations

import apsw

from registry.model.editions import OwnEdition
from registry.model.events import Event
from registry.model.ports import Edition
from registry.storage.database import Database
from registry.storage.provenance_log import append

_NAME = "offline"


class OfflineSwitch:
    """The port's implementation over the `fact` table."""

    def __init__(self, database: Database, edition: Edition | None = None) -> None:
        """`edition` is raised when it is set, in whichever process. Raises Unavailable."""
        self._database = database
        self._edition = edition or OwnEdition()
        self._seen = self._edition.now()
        self._on = False
        self.read_again()

    @property
    def on(self) -> bool:
        """Whether no upstream is asked; also by another process. Raises Unavailable."""
        if self._edition.now() != self._seen:
            self.read_again()
        return self._on

    def read_again(self) -> None:
        """Learn what is set. Raises Unavailable."""
        seen = self._edition.now()
        self._on = self._database.row("SELECT 1 FROM fact WHERE name = ?", (_NAME,)) is not None
        self._seen = seen

    async def turn(self, *, on: bool, event: Event) -> None:
        """Set it and log the act, in one durable transaction."""

        def job(connection: apsw.Connection) -> None:
            if on:
                connection.execute(
                    "INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)", (_NAME, event.actor)
                )
            else:
                connection.execute("DELETE FROM fact WHERE name = ?", (_NAME,))
            append(connection, event)

        await self._database.write(job)
        self._edition.bump()
        self.read_again()
