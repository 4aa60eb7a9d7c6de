"""What operators and their tools decided: policy, advisories, requests, accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from registry.model.accounts import Account, PolicyEntry, Token
from registry.model.advisories import Advisory, AdvisoryStanding, Record
from registry.model.events import Event
from registry.model.names import Project
from registry.model.petitions import Petition, PetitionState


class PolicyStore(Protocol):
    """What operators decided by command, API or page."""

    async def entries(self) -> tuple[PolicyEntry, ...]:
        """Those in force (not removed), oldest first; ended ones included, the engine reads `until`."""

    async def add(self, entry: PolicyEntry, event: Event) -> PolicyEntry:
        """Store it and log the act, in one durable transaction; gives it back with its id."""

    async def add_all(self, entries: Sequence[PolicyEntry], event: Event) -> None:
        """Store many and log the one act, in one durable transaction."""

    async def remove(self, entry_id: int, event: Event) -> PolicyEntry:
        """Take it out of force (the row stays) and log the act. Raises NotFound."""


class Advisories(Protocol):
    """What is known to be malicious or vulnerable."""

    @property
    def generation(self) -> int:
        """Grows whenever any answer could differ."""

    def about(self, project: Project) -> tuple[Advisory, ...]:
        """Everything that is said about a project, in microseconds."""

    def standing(self) -> AdvisoryStanding:
        """What was imported so far."""

    async def put(self, records: Sequence[Record]) -> int:
        """Keep a batch, and forget what earlier versions of these advisories said. Gives how many were news:
        one that was modified no later than the kept one changes nothing."""

    async def settle(self, now: datetime, event: Event) -> AdvisoryStanding:
        """End an import: from now on it counts. Logs the act in the same transaction."""


class Petitions(Protocol):
    """Requests to let pass what was refused."""

    async def ask(self, petition: Petition, event: Event) -> Petition:
        """Store it and log the act, in one durable transaction. Where one about the same refusal is open,
        that one comes back and nothing is stored. Raises TooMany: of one address, or in all."""

    async def petitions(self, state: PetitionState | None = None) -> tuple[Petition, ...]:
        """The newest first, at most a thousand."""

    async def petition(self, number: int) -> Petition:
        """One by its number. Raises NotFound."""

    async def about(self, refusal: str) -> Petition | None:
        """The newest about a refusal."""

    async def answer(
        self, number: int, state: PetitionState, answer: str, by: str, at: datetime, event: Event
    ) -> Petition:
        """Close an open one and log the act. Raises NotFound and Conflict (answered already)."""


class Accounts(Protocol):
    """Account and token rows; identity decides, this keeps. Every change logs its event in the same
    transaction."""

    async def accounts(self) -> tuple[Account, ...]:
        """All, by name."""

    async def put_account(self, account: Account, event: Event) -> None:
        """Insert or replace."""

    async def remove_account(self, name: str, event: Event) -> None:
        """Remove it and revoke its tokens. Raises NotFound."""

    async def tokens(self, account: str | None = None) -> tuple[Token, ...]:
        """All, revoked ones included, newest first."""

    async def token(self, token_id: str) -> Token | None:
        """One, by its public id."""

    async def put_token(self, token: Token, event: Event) -> None:
        """Insert."""

    async def revoke_token(self, token_id: str, at: datetime, event: Event) -> None:
        """Revoke. Raises NotFound."""


class OfflineSwitch(Protocol):
    """Whether the appliance may ask upstreams at all; holds over restarts and in every process."""

    @property
    def on(self) -> bool:
        """Whether no upstream is asked. Costs nothing."""

    async def turn(self, *, on: bool, event: Event) -> None:
        """Set it and log the act, in one durable transaction."""
