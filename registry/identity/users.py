"""People and robots with a password.

An account is a row (name, admin) and a line in the htpasswd file (hash); it takes both to log in. A change
is logged with its row before the file is touched, so that none is missing from the log: what a crash
in between leaves is an account without a password, never an unrecorded one with.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from registry.errors import Conflict, Malformed, NotFound, Unauthenticated
from registry.identity.htpasswd import COST, Htpasswd
from registry.identity.keys import ADMIN_PASSWORD, replace_secret
from registry.identity.lockout import Lockout
from registry.identity.recent import Recent
from registry.model.accounts import Account
from registry.model.editions import OwnEdition
from registry.model.events import Client, Event, Kind
from registry.model.ports import Accounts, Clock, Edition

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""What npm, a URL, an htpasswd line and HTTP Basic can all carry; lower case, so that no two look alike."""

RESERVED = frozenset({"admin-token", "anonymous"})
"""Names that the log uses for others. (`__token__` isn't a name by the grammar.)"""

SHORTEST = 8
LONGEST = 72
"""Bytes of a password: bcrypt hashes no more than 72, and ignoring the rest silently is worse than a no."""

REMEMBERED = 300.0
"""Seconds for which a password that was right is not put through bcrypt again."""

AT_ONCE = 2
"""How many passwords are hashed at the same time: logins may never take all cores from downloads."""


class Users:
    """Accounts and their passwords."""

    def __init__(
        self,
        htpasswd: Path,
        accounts: Accounts,
        clock: Clock,
        *,
        alarm: Callable[[Event], Awaitable[object]] | None = None,
        cost: int = COST,
        edition: Edition | None = None,
    ) -> None:
        """`alarm` is given an event whenever somebody is locked out: `ProvenanceLog.record`; `edition` is
        raised with every change."""
        self._edition = edition or OwnEdition()
        self._file = Htpasswd(htpasswd, cost)
        self._accounts = accounts
        self._clock = clock
        self._alarm = alarm
        self._key = secrets.token_bytes(32)
        self._right: Recent[bytes, bool] = Recent(clock, REMEMBERED)
        self._by_user = Lockout(clock, allowance=5)
        self._by_address = Lockout(clock, allowance=50)
        self._hashing = asyncio.Semaphore(AT_ONCE)

    @property
    def changes(self) -> int:
        """Another number after a change: what others remember about users is then out of date."""
        return self._edition.now()

    async def list(self) -> tuple[Account, ...]:
        """All accounts, by name."""
        return await self._accounts.accounts()

    async def account(self, name: str) -> Account | None:
        """One account by its name."""
        return next((account for account in await self.list() if account.name == name), None)

    async def add(self, name: str, password: str, *, admin: bool = False, by: Client) -> Account:
        """A new account. Raises Malformed (name or password that won't do) and Conflict (it exists)."""
        parse_user_name(name)
        _check_password(password)
        if await self.account(name) and self._file.find(name):
            raise Conflict(f"There is a user `{name}` already; `registry user passwd {name}` changes it.")
        account = Account(name=name, admin=admin, created=self._clock.now())
        await self._accounts.put_account(account, self._event("user.add", name, by, admin=admin))
        await self._set_password(name, password)
        return account

    async def passwd(self, name: str, password: str, *, by: Client) -> Account:
        """Another password. Raises NotFound and Malformed."""
        account = await self._existing(name)
        _check_password(password)
        await self._accounts.put_account(account, self._event("user.passwd", name, by))
        await self._set_password(name, password)
        return account

    async def remove(self, name: str, *, by: Client) -> Account:
        """Remove an account and revoke its tokens. Raises NotFound."""
        account = await self._existing(name)
        await self._accounts.remove_account(name, self._event("user.remove", name, by, admin=account.admin))
        self._edition.bump()
        await asyncio.to_thread(self._file.drop, name)
        return account

    async def ensure_admin(self, data: Path) -> Path | None:
        """Make the account `admin` where there is no account at all.

        Its random password is in `keys/admin-password` of the data directory (mode 0600), whose path is
        given back; None when there were accounts already.
        """
        if await self.list():
            return None
        path = data / "keys" / ADMIN_PASSWORD
        password = secrets.token_urlsafe(18)
        await asyncio.to_thread(replace_secret, path, password.encode() + b"\n")
        account = Account(name="admin", admin=True, created=self._clock.now())
        by = Client(user="first-run", admin=True)
        await self._accounts.put_account(account, self._event("user.add", "admin", by, admin=True))
        await self._set_password("admin", password)
        return path

    async def authenticate(self, user: str, password: str, *, address: str = "") -> Account | None:
        """The account whose password this is, else None.

        Raises Unauthenticated while the user at this address, or the address, is locked out, and Unavailable
        when the htpasswd file is broken.
        """
        hashed = self._file.find(user)
        proof = hmac.digest(self._key, f"{user}\0{hashed}\0{password}".encode(), hashlib.sha256)
        if not self._right.get(proof):
            async with self._hashing:
                # Whoever waited for a turn may have been overtaken by the same right answer.
                if not self._right.get(proof):
                    self._refuse_locked(user, address)
                    if not await asyncio.to_thread(self._file.matches, password, hashed):
                        await self._failed(user, address)
                        return None
                    self._by_user.succeeded(f"{user}@{address}")
                    self._right.put(proof, True)
        return await self.account(user)

    def _refuse_locked(self, user: str, address: str) -> None:
        wait = max(self._by_user.wait(f"{user}@{address}"), self._by_address.wait(address))
        if wait:
            raise Unauthenticated(f"Too many wrong passwords came from here; try again in {wait} s.")

    async def _failed(self, user: str, address: str) -> None:
        seconds = max(self._by_user.failed(f"{user}@{address}"), self._by_address.failed(address))
        if seconds and self._alarm:
            await self._alarm(
                Event(
                    kind=Kind.ALARM,
                    at=self._clock.now(),
                    actor=Client(address=address).actor,
                    address=address,
                    detail={
                        "action": "login.locked",
                        # Somebody may have typed a password where the name goes: only names are logged.
                        "subject": user if NAME.fullmatch(user) else "(not a user name)",
                        "seconds": seconds,
                    },
                )
            )

    async def _existing(self, name: str) -> Account:
        account = await self.account(name)
        if account is None:
            raise NotFound(f"There is no user `{name}`; `registry user list` shows all.")
        return account

    async def _set_password(self, name: str, password: str) -> None:
        async with self._hashing:
            hashed = await asyncio.to_thread(self._file.hash, password)
        await asyncio.to_thread(self._file.put, name, hashed)
        self._edition.bump()

    def _event(self, action: str, name: str, by: Client, **detail: bool) -> Event:
        return Event.decreed(
            by,
            self._clock.now(),
            detail={"action": action, "subject": name, **detail},
        )


def parse_user_name(name: str) -> str:
    """The name itself, if an account may have it. Raises Malformed."""
    if not NAME.fullmatch(name):
        raise Malformed(
            "A user name has 1 to 63 of a-z, 0-9, '.', '_' and '-', and begins with a letter or a digit; "
            "choose one like that."
        )
    if name in RESERVED:
        raise Malformed(f"The name `{name}` is reserved, because the log uses it; choose another one.")
    return name


def _check_password(password: str) -> None:
    size = len(password.encode())
    if not SHORTEST <= size <= LONGEST or "\0" in password:
        raise Malformed(f"A password has {SHORTEST} to {LONGEST} bytes, not {size}; choose another one.")


__all__ = ["Users", "parse_user_name"]
