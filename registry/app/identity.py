"""Who asks: users, tokens, and the keys that answers are made with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from registry.app.storage import Storage
from registry.app.surroundings import Surroundings
from registry.identity.identify import Identify
from registry.identity.keys import ensure_admin_token, ensure_secret
from registry.identity.tokens import Tokens
from registry.identity.users import Users
from registry.provenance.signatures import RegistryKey
from registry.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asks."""

    users: Users
    tokens: Tokens
    identify: Identify
    secret: bytes
    """What the ids of refusals are made with."""
    signing_key: str
    """PEM; private npm packages are signed with it."""


async def open_identity(settings: Settings, kept: Storage, around: Surroundings) -> Identity:
    """Users, tokens and secrets of the data directory; makes what isn't there yet."""
    secret = bytes.fromhex(ensure_secret(settings.data / "keys" / "why-key", lambda: secrets.token_hex(32)))
    users = Users(
        settings.data / "htpasswd",
        kept.accounts,
        kept.clock,
        alarm=kept.log.record,
        cost=around.password_cost,
        edition=kept.editions.people,
    )
    await users.ensure_admin(settings.data)
    tokens = Tokens(kept.accounts, kept.clock, kept.editions.people)
    identify = Identify(users, tokens, ensure_admin_token(settings.data), kept.clock)
    signing_key = ensure_secret(settings.data / "keys" / "npm-signing-key.pem", RegistryKey.make)
    return Identity(users=users, tokens=tokens, identify=identify, secret=secret, signing_key=signing_key)
