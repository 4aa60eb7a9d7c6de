"""What the provenance log records: one event a row, never changed afterwards."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime

import msgspec

from registry.model.artifacts import Artifact
from registry.model.names import Project


class Kind(enum.Enum):
    """The kinds of event."""

    INGEST = "ingest"
    """Bytes were fetched, verified and kept."""
    DELIVERY = "delivery"
    """A client was given a file."""
    REFUSAL = "refusal"
    """Policy said no; refusals of one client about one project within an hour share a row."""
    PUBLISH = "publish"
    """A private file was accepted, or a private project was changed (tags, deprecation, unpublish)."""
    ADMIN = "admin"
    """An administrative act: user, token, policy, key."""
    ALARM = "alarm"
    """Something an operator should look at: a digest that changed, a broken policy file, a blocked egress."""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks."""

    user: str | None = None
    """The account; None for an anonymous client."""
    token: str | None = None
    """The id (not the secret) of the token that was used."""
    admin: bool = False
    may_publish: bool = False
    """An account, and no token that is for reading only. What it may publish is the line's question."""
    address: str = ""
    agent: str = ""
    """The User-Agent, printable ASCII, at most 200 characters."""

    @property
    def actor(self) -> str:
        """Who the log names: the account, else the address."""
        return self.user or f"anonymous@{self.address or 'local'}"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened."""

    kind: Kind
    at: datetime
    actor: str
    project: Project | None = None
    version: str | None = None
    filename: str | None = None
    sha256: str | None = None
    address: str = ""
    agent: str = ""
    detail: Mapping[str, str | int | float | bool | None] = {}
    """What is particular to the kind: source URL, sizes, digests, policy revision, before, after."""

    @classmethod
    def about(
        cls,
        artifact: Artifact,
        kind: Kind,
        at: datetime,
        *,
        detail: Mapping[str, str | int | float | bool | None],
        actor: str = "gateway",
        sha256: str | None = None,
    ) -> Event:
        """What happened to a file that no client asked for."""
        return cls(
            kind=kind,
            at=at,
            actor=actor,
            project=artifact.project,
            version=artifact.version,
            filename=artifact.filename,
            sha256=sha256,
            detail=detail,
        )

    @classmethod
    def decreed(
        cls,
        by: Client,
        at: datetime,
        *,
        detail: Mapping[str, str | int | float | bool | None],
        project: Project | None = None,
    ) -> Event:
        """An administrative act of this client."""
        return cls(
            kind=Kind.ADMIN,
            at=at,
            actor=by.actor,
            project=project,
            address=by.address,
            agent=by.agent,
            detail=detail,
        )


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event with its place in the chain."""

    seq: int
    """1, 2, 3 … without gaps."""
    previous: str
    """`hash` of the row before; 64 zeros for the first."""
    hash: str
    """sha256 (hex) over `previous` and the event's canonical bytes (provenance.chain)."""
    event: Event
