"""Everything that identity needs, in memory, with bcrypt at its lowest cost."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

from registry.identity.identify import Identify
from registry.identity.tokens import Tokens
from registry.identity.users import Users
from registry.model.events import Client, Event
from tests.fakes import AccountsInMemory, FixedClock, LogInMemory

ADMIN_TOKEN = "rga_the-admin-token-of-these-tests"
BY = Client(user="admin", admin=True, address="127.0.0.1", agent="registry-cli")


@dataclass
class World:
    folder: Path
    clock: FixedClock = field(default_factory=FixedClock)
    log: LogInMemory = field(default_factory=LogInMemory)
    alarms: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.accounts = AccountsInMemory(self.log)
        self.users = self.process()
        self.tokens = Tokens(self.accounts, self.clock)
        self.identify = Identify(self.users, self.tokens, ADMIN_TOKEN, self.clock)

    @property
    def events(self) -> list[Event]:
        """What was logged, oldest first."""
        return [row.event for row in self.log.rows]

    @property
    def htpasswd(self) -> Path:
        return self.folder / "htpasswd"

    def process(self) -> Users:
        """The users as another process of the same appliance has them."""

        async def alarm(event: Event) -> None:
            self.alarms.append(event)

        return Users(self.htpasswd, self.accounts, self.clock, alarm=alarm, cost=4)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def actions(events: list[Event]) -> list[tuple[object, object]]:
    return [(event.detail.get("action"), event.detail.get("subject")) for event in events]
