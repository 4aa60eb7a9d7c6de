"""Everything that identity needs, in memory, with bcrypt at its lowest cost."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from registry.errors import NotFound
from registry.identity.identify import Identify
from registry.identity.tokens import Tokens
from registry.identity.users import Users
from registry.model.accounts import Account, Token
from registry.model.events import Client, Event

ADMIN_TOKEN = "rga_the-admin-token-of-these-tests"
BY = Client(user="admin", admin=True, address="127.0.0.1", agent="registry-cli")


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class AccountsInMemory:
    def __init__(self) -> None:
        self.rows: dict[str, Account] = {}
        self.token_rows: dict[str, Token] = {}
        self.log: list[Event] = []

    async def accounts(self) -> tuple[Account, ...]:
        return tuple(self.rows[name] for name in sorted(self.rows))

    async def put_account(self, account: Account, event: Event) -> None:
        self.rows[account.name] = account
        self.log.append(event)

    async def remove_account(self, name: str, event: Event) -> None:
        if self.rows.pop(name, None) is None:
            raise NotFound(name)
        for token in self.token_rows.values():
            if token.account == name:
                self.token_rows[token.id] = replace(token, revoked=event.at)
        self.log.append(event)

    async def tokens(self, account: str | None = None) -> tuple[Token, ...]:
        found = [t for t in self.token_rows.values() if account in {None, t.account}]
        return tuple(reversed(found))

    async def token(self, token_id: str) -> Token | None:
        return self.token_rows.get(token_id)

    async def put_token(self, token: Token, event: Event) -> None:
        self.token_rows[token.id] = token
        self.log.append(event)

    async def revoke_token(self, token_id: str, at: datetime, event: Event) -> None:
        if token_id not in self.token_rows:
            raise NotFound(token_id)
        self.token_rows[token_id] = replace(self.token_rows[token_id], revoked=at)
        self.log.append(event)


@dataclass
class World:
    folder: Path
    clock: Clock = field(default_factory=Clock)
    accounts: AccountsInMemory = field(default_factory=AccountsInMemory)
    alarms: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.users = self.process()
        self.tokens = Tokens(self.accounts, self.clock)
        self.identify = Identify(self.users, self.tokens, ADMIN_TOKEN, self.clock)

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


def actions(log: list[Event]) -> list[tuple[object, object]]:
    return [(event.detail.get("action"), event.detail.get("subject")) for event in log]
